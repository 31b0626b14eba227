"""A period of the history as a page to read: Markdown, HTML, a terminal. All of them show a PeriodReport."""
