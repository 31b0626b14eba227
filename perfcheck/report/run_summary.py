"""What a report states about a run: the order of its endpoints, its headline, counts, effort and certainty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from perfcheck.model import (
    Changed,
    ComparedHow,
    Comparison,
    EarlierRun,
    EndpointChange,
    EndpointResult,
    Finding,
    Rule,
    Run,
    Severity,
    Verdict,
    heaviest_first,
    worst,
)
from perfcheck.report.explain import LONGEST_TEXT
from perfcheck.report.fold import fold, reason_in_short, title
from perfcheck.text import clean
from perfcheck.words import are_all, label_and_commit, plural, short_commit

_ORDER = [Verdict.CRITICAL, Verdict.WARNING, Verdict.NOT_MEASURED, Verdict.OK]


# --- Endpoints, the worst first ------------------------------------------------------------------------------------


def worst_first(results: Iterable[EndpointResult]) -> list[EndpointResult]:
    """CRITICAL, WARNING, not measured, OK; among these the farthest over its target first."""
    return sorted(results, key=lambda result: (_ORDER.index(result.verdict), -(result.ratio or 0.0)))


def in_order(run: Run) -> list[EndpointResult]:
    """The worst first; of a release, those on the critical path before all others."""
    results = worst_first(run.endpoints)
    return sorted(results, key=lambda result: not result.critical_path) if run.has_critical_path else results


def split_by_attention(run: Run) -> tuple[list[EndpointResult], list[EndpointResult]]:
    """Those that need attention, and those that are OK; each in order."""
    results = in_order(run)
    attention = [result for result in results if result.needs_attention]
    return attention, [result for result in results if not result.needs_attention]


def counts_by_verdict(run: Run) -> list[tuple[int, str, Verdict]]:
    """``(2, "critical", Verdict.CRITICAL)`` and so on, the worst first, those that are not 0."""
    counts = run.counts
    named = [
        (counts.critical, "critical", Verdict.CRITICAL),
        (counts.warning, "warning", Verdict.WARNING),
        (counts.not_measured, "not measured", Verdict.NOT_MEASURED),
        (counts.ok, "OK", Verdict.OK),
    ]
    return [(count, word, verdict) for count, word, verdict in named if count]


def run_warnings(run: Run) -> int:
    """Warnings that belong to no endpoint."""
    return sum(finding.severity is not Severity.NOTE for finding in run.findings)


# --- The headline --------------------------------------------------------------------------------------------------


def summary(run: Run) -> str:
    """What a page begins with: the state of the critical path, and what weighs most; a breach before good news."""
    path = critical_path(run)
    path_is_fine = path.endswith("OK.") and run.verdict is not Verdict.OK
    return " ".join(filter(None, [headline(run), path] if path_is_fine else [path, headline(run)]))


def critical_path(run: Run) -> str:
    """``Critical path: all 3 endpoints are OK.``; empty without one."""
    if not run.has_critical_path:
        return ""
    verdicts = [result.verdict for result in run.endpoints if result.critical_path]
    count, fine = len(verdicts), verdicts.count(Verdict.OK)
    if fine == count:
        return f"Critical path: {f'all {count} endpoints are' if count > 1 else 'its endpoint is'} OK."
    if count == 1:
        return f"Critical path: its endpoint is {worst(verdicts)}."
    return f"Critical path: {count - fine} of {count} endpoints not OK, the worst {worst(verdicts)}."


def headline(run: Run) -> str:
    """One sentence: the verdict and what weighs most; names no file and no machine."""
    total = len(run.endpoints)
    if run.capacity is not None and (finding := next(iter(heaviest_first(run.findings)), None)):
        return f"{capitalized(clean(finding.message, LONGEST_TEXT))}."
    if not total:
        return "Nothing was measured."
    if run.verdict is Verdict.OK and run.is_comparison:
        return _none_slower(run)
    if run.verdict is Verdict.OK:
        return _all_within(run)
    counts = ", ".join(f"{count} {word}" for count, word, _ in counts_by_verdict(run))
    counted = f"Of {plural(total, 'endpoint')}: {counts}."
    if attention := [result for result in worst_first(run.endpoints) if result.needs_attention]:
        worst_block = fold(attention)[0]
        return f"{clean(title(worst_block))}: {reason_in_short(worst_block) or 'could not be measured'}. {counted}"
    finding = next((finding for finding in run.findings if finding.severity is not Severity.NOTE), None)
    message = clean(finding.message, LONGEST_TEXT) if finding else str(run.verdict)
    return f"{capitalized(message)}. {counted}"


def capitalized(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _all_within(run: Run) -> str:
    """``All 11 endpoints are within their limits; 2 of them have no target.``"""
    total, without = len(run.endpoints), sum(not result.has_limit for result in run.endpoints)
    if without == total:
        which = f"none of {total} endpoints" if total > 1 else "the endpoint"
        return f"No failures and nothing slow, but {which} has {'a' if total > 1 else 'no'} target."
    within = are_all(total, "endpoint", "within their limits")
    return f"{within}; {without} of them {'has' if without == 1 else 'have'} no target." if without else f"{within}."


def _none_slower(run: Run) -> str:
    """``None of 11 endpoints became slower; 1 became faster, 2 inconclusive.``"""
    changed = Counter(result.comparison.changed for result in run.endpoints if result.comparison)
    total, inconclusive, faster = len(run.endpoints), changed[Changed.CANNOT_TELL], changed[Changed.FASTER]
    if inconclusive == total:
        which = f"any of the {total} endpoints" if total > 1 else "the endpoint"
        return f"Inconclusive: too few requests to show whether {which} became slower."
    verb = "was found to be" if inconclusive else "became"
    if total == 1:
        return f"The endpoint did not become slower{'; it became faster' if faster else ''}."
    parts = [f"{faster} became faster"] * (faster > 0) + [f"{inconclusive} inconclusive"] * (inconclusive > 0)
    return f"None of {total} endpoints {verb} slower{'; ' if parts else ''}{', '.join(parts)}."


def inconclusive_comparisons(run: Run) -> int:
    """How many endpoints of a comparison had too few requests to show whether they changed."""
    changed = (result.comparison.changed for result in run.endpoints if result.comparison)
    return sum(change is Changed.CANNOT_TELL for change in changed) if run.is_comparison else 0


# --- Comparisons and earlier runs ----------------------------------------------------------------------------------


def changes_to_show(run: Run, earlier: EarlierRun | None) -> EarlierRun | None:
    """The changes since ``earlier``; without it, or in a comparison, since the release that it was compared with."""
    if run.against is None or (earlier is not None and not run.is_comparison):
        return earlier
    changes = {result.name: _change(result.comparison) for result in run.endpoints if result.comparison}
    return EarlierRun(
        label=run.against.label,
        started_at=run.against.started_at or "",
        changes={name: change for name, change in changes.items() if change is not None},
        added=run.against.added,
        removed=run.against.removed,
    )


def _change(comparison: Comparison) -> EndpointChange | None:
    if comparison.before_ms is None or comparison.after_ms is None:
        return None
    clear = comparison.changed not in {Changed.NO_CHANGE, Changed.CANNOT_TELL}
    before_ms, after_ms = comparison.before_ms, comparison.after_ms
    return EndpointChange(before_ms, after_ms, clear=clear, comparison=comparison, unit=comparison.unit)


def compared_with(run: Run, earlier: EarlierRun | None) -> str:
    """What the changes are relative to, and how many are clear; empty without an earlier run."""
    if run.is_comparison:
        return "Before: {}. Now: {}.".format(*before_and_now(run))
    if earlier is None:
        return ""
    name = _named(earlier.label, earlier.started_at, None)
    if not earlier.changes:
        none = "none of these endpoints" if run.against else "none of these endpoints by the same metric"
        return f"Compared with {name}, which measured {none}."
    clear = sum(change.clear for change in earlier.changes.values())
    others = len(run.endpoints) - len(earlier.changes)
    others_too = f"; {others:,} not compared" if others > 0 else ""
    return f"Compared with {name}: {clear} of {plural(len(earlier.changes), 'endpoint')} clearly changed{others_too}."


def before_and_now(run: Run) -> tuple[str, str]:
    """The two sides of a comparison: labels if there are any, such as refs, else addresses or times."""
    against, environment = run.against, run.environment
    if against is not None and against.how is ComparedHow.STORED:
        before = _named(against.label, against.started_at or "", against.commit)
        return before, _named(run.label, run.started_at, environment.commit)
    if against is not None and against.label:
        return (
            label_and_commit(against.label, against.commit),
            label_and_commit(run.label or "", environment.commit),
        )
    return clean(against.base_url) if against else "", clean(run.service.base_url)


def _named(label: str | None, started_at: str, commit: str | None) -> str:
    """``v1.4 (2026-11-25 20:59 UTC, commit 0943df9a1b)``."""
    facts = f"{clean(started_at)[:16].replace('T', ' ')} UTC" + (f", commit {short_commit(commit)}" if commit else "")
    return f"{clean(label)} ({facts})" if label else f"the run of {facts}"


# --- Effort, exit code --------------------------------------------------------------------------------------------


def requests_sent(run: Run) -> int:
    """Warm-up included, and of a live comparison both sides. What a monitor counted was sent by others."""
    if run.capacity is not None:
        return sum(step.requests for step in run.capacity.steps)
    measured = (result for result in run.endpoints if not result.is_monitored)
    sides = 2 if run.against and run.against.how is not ComparedHow.STORED else 1
    return sides * sum(result.requests.sent + result.requests.warmup for result in measured)


def effort(run: Run) -> str:
    """``112 requests in 12.3 s``; of a check of the monitor, the requests that it counted."""
    if run.is_comparison and run.against and run.against.how is ComparedHow.STORED:
        return "two saved runs"
    if run.is_of_monitor:
        return f"{plural(sum(result.requests.sent for result in run.endpoints), 'request')} counted by the monitor"
    seconds = run.duration_ms / 1000
    duration = f"{seconds:.1f} s" if seconds < 60 else "{} min {} s".format(*divmod(round(seconds), 60))  # noqa: PLR2004
    return f"{plural(requests_sent(run), 'request')} in {duration}"


def partial(run: Run) -> Finding | None:
    """The warning of a run that passes although there was no time for some endpoints."""
    return next((finding for finding in run.findings if finding.rule is Rule.PARTIAL), None)


def may_pass(run: Run, result: EndpointResult) -> bool:
    """Whether an endpoint that was not measured does not keep the run from passing."""
    return result.lacked_time and partial(run) is not None


def state_of_monitor(run: Run) -> Finding | None:
    """What a check of the monitor begins with."""
    return next((finding for finding in run.findings if finding.rule is Rule.MONITOR_STATE), None)


def exit_meaning(run: Run) -> str:
    """``exit 1: CRITICAL fails the check``."""
    meaning = {
        0: _why_passed(run),
        1: f"{run.verdict} fails the check",
        3: _why_not_passed(run),
        4: "a bug in perfcheck ended the run",
        130: "interrupted",
    }
    return f"exit {run.exit_code}: {meaning.get(run.exit_code, 'failed')}"


def _why_passed(run: Run) -> str:
    named = {Verdict.OK: "passed", Verdict.NOT_MEASURED: "what was measured passed"}
    return named.get(run.verdict, f"{run.verdict} does not fail the check")


def _why_not_passed(run: Run) -> str:
    lacking = any(result.verdict is Verdict.NOT_MEASURED and not may_pass(run, result) for result in run.endpoints)
    if not lacking and any(result.unconfirmed for result in run.endpoints):
        return "a breach could not be confirmed in time"
    if any(finding.rule is Rule.NOT_COMPARED for finding in run.findings):
        return "no endpoint could be compared"
    if run.capacity is not None and run.verdict is Verdict.NOT_MEASURED:
        return "the capacity is not known"
    if run.capacity is not None:
        return "it is not proven" if run.complete else "the search did not come to its end"
    how_much = "nothing" if run.counts.not_measured == len(run.endpoints) else "not everything"
    return f"{how_much} could be {'compared' if run.is_comparison else 'measured'}"
