// What a tag manager would do before anything may be shown.
document.documentElement.dataset.consent = "given";
