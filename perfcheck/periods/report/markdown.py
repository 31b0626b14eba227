"""A period as Markdown: for an issue, a wiki, a mail. Shows; never judges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from perfcheck.model import Verdict
from perfcheck.periods.model import EndpointSummary, LatencyChange, PeriodReport
from perfcheck.periods.report import figures, findings, wording
from perfcheck.periods.report.checklist import checklist, is_review
from perfcheck.periods.report.dates import day, minute, next_period, title
from perfcheck.periods.report.fitting import shorter
from perfcheck.report.markdown import LONGEST_COMMENT
from perfcheck.report.markdown.escape import cell as name_cell
from perfcheck.report.markdown.escape import code, prose, prose_cell, shorten_name, table
from perfcheck.units import format_ms

SIGNS = {Verdict.OK: "🟢", Verdict.WARNING: "🟡", Verdict.CRITICAL: "🔴", Verdict.NOT_MEASURED: "⚪"}
_NAME_WIDTH = 48
_LONGEST = 2000
_HEADERS = ("endpoint", "now", "metric, ms", "change", "p95, ms", "spread", "errors", "target", "headroom", "requests")
_LEFT = {"endpoint", "now"}


def render(report: PeriodReport, *, limit: int = LONGEST_COMMENT) -> str:
    """The page: a review point by point for a day or a week, the chapters of a monthly report for longer periods.

    In at most ``limit`` bytes, which an issue or a comment takes, the head aside, which is always there: where there is
    more to say, the least weighty of each list is left out, and a line says how much.
    """
    head = [f"# Performance report: {prose(title(report.period), _LONGEST)}", *_head(report)]
    foot = (
        f"<sub>perfcheck {prose(report.tool_version, 50)}, {prose(minute(report.generated_at), 60)}; "
        "a change is a step or drift in the medians of runs that may be compared.</sub>"
    )
    for short, left_out in shorter(report):
        body = _review(short) if is_review(short) else _chapters(short)
        text = "\n\n".join([*head, *body, *_left_out(left_out), foot]) + "\n"
        if len(text.encode()) <= limit:
            return text
    return "\n\n".join([*head, "*Left out for want of room: all but this; the HTML and JSON reports have it.*"]) + "\n"


def _left_out(count: int) -> list[str]:
    what = f"{count} items of the lists above, of the least weight"
    return [f"*Left out for want of room: {what}; the HTML and JSON reports have them.*"] if count else []


def _head(report: PeriodReport) -> Iterator[str]:
    yield f"**{prose(wording.headline(report), _LONGEST)}**"
    yield _list(f"{label}: {prose(text, _LONGEST)}" for label, text in wording.facts(report))


def _review(report: PeriodReport) -> Iterator[str]:
    yield "## Review"
    yield _list(f"**{label}**: {prose(text, _LONGEST)}" for label, text in checklist(report))
    yield "## Slow endpoints"
    yield _slow(report)
    yield "## Trends"
    yield _summary(report)
    yield from _details("Degradation", _issues(report), "No regression, no drift and no loss of consistency.")
    yield from _details("Improvements", _achievements(report), "None.")
    yield from _details("New and gone endpoints", _new_and_gone(report), "None.")
    yield from _baseline(report)


def _chapters(report: PeriodReport) -> Iterator[str]:
    yield "## Performance Summary"
    yield _summary(report)
    yield from _details("Key Achievements", _achievements(report), "No improvement was measured in this period.")
    yield from _details("Issues Identified", _issues(report), "No regression, no drift and no loss of consistency.")
    if report.slow:
        yield "### Slow now"
        yield _slow(report)
    if report.new or report.gone:
        yield from _details("New and gone endpoints", _new_and_gone(report), "", level=3)
    yield from _baseline(report)
    yield from _focus(report)


def _details(heading: str, items: Iterable[str], nothing: str, *, level: int = 2) -> Iterator[str]:
    yield f"{'#' * level} {heading}"
    yield "\n".join(items) or nothing


# --- Parts ---------------------------------------------------------------------------------------------------------


def _summary(report: PeriodReport) -> str:
    if not report.endpoints:
        return "Nothing was measured."
    rows = [_row(report, one) for one in report.endpoints]
    lines = table(_HEADERS, [header for header in _HEADERS if header not in _LEFT], rows)
    notes = [prose(text, _LONGEST) for text in wording.caveats(report)]
    notes.append(_HOW)
    return "\n".join(lines) + "\n\n" + "\n".join(f"<sub>{note}</sub><br>" for note in notes).removesuffix("<br>")


_HOW = (
    "From the beginning of the period to its end, where these differ. Spread: the middle half of a run's requests, "
    "over their median. Headroom: how far the value lies below its target."
)


def _row(report: PeriodReport, one: EndpointSummary) -> list[str]:
    metric = "" if one.metric == "median" else f"{figures.metric_name(one.metric)} "
    name = name_cell(shorten_name(one.name, _NAME_WIDTH))
    which = figures.which_series(report, one)
    return [
        name + (f" {prose_cell(which, _LONGEST)}" if which else ""),
        f"{SIGNS[one.verdict]} {one.verdict}",
        f"{metric}{figures.from_to(one.begin_ms, one.end_ms)}",
        figures.changed(one),
        figures.from_to(one.begin_p95_ms, one.end_p95_ms),
        figures.spreads(one),
        figures.errors(one),
        format_ms(one.target_ms, unit=False),
        figures.headroom(one.end_headroom),
        figures.requests(one),
    ]


def _achievements(report: PeriodReport) -> Iterator[str]:
    for one in report.improvements:
        yield from _change(report, one)
    for one in report.drifts:
        if one.ratio < 1:
            yield from _change(report, one)
    for spread in report.consistency:
        if spread.ratio < 1:
            yield f"- {_name(spread.endpoint)}: {prose(findings.consistency_in_words(spread), _LONGEST)}"
    for back in report.recoveries:
        yield f"- {_name(back.endpoint)}: {prose(findings.recovery_in_words(back), _LONGEST)}"


def _issues(report: PeriodReport) -> Iterator[str]:
    for one in (*report.regressions, *(drift for drift in report.drifts if drift.ratio > 1)):
        yield from _change(report, one)
    for spread in report.consistency:
        if spread.ratio > 1:
            yield f"- {_name(spread.endpoint)}: {prose(findings.consistency_in_words(spread), _LONGEST)}"
    for note in report.other_notes:
        of = f"run {code(note.run_id[:8])}" if note.run_id else f"commit {code((note.commit or '')[:10])}"
        told = "; ".join(f"{label}: {prose(text, _LONGEST)}" for label, text in findings.note_lines(note))
        yield f"- Noted of {of}: {told}"


def _change(report: PeriodReport, one: LatencyChange) -> Iterator[str]:
    critical = " (critical path)" if one.critical_path else ""
    machine = prose(figures.of_machine(report, one.machine), _LONGEST)
    lines = [f"- {_name(one.endpoint)}{critical}{machine}: {prose(findings.change_in_words(one), _LONGEST)}"]
    lines.append(f"  - when: {prose(findings.where(one), _LONGEST)}")
    lines.append(f"  - evidence: {prose(findings.chance(one.score, one.error_probability), _LONGEST)}")
    if one.kind == "regression":
        lines.append(f"  - outcome: {prose(findings.outcome(one), _LONGEST)}")
    lines.append(f"  - target: {prose(findings.against_target(one.now_ms, one.target_ms), _LONGEST)}")
    for note in one.notes:
        lines += [f"  - {label}: {prose(text, _LONGEST)}" for label, text in findings.note_lines(note)]
    if one.kind == "regression" and not one.notes:
        lines.append(f"  - note: {prose(findings.no_note(one), _LONGEST)}")
    yield "\n".join(lines)


def _slow(report: PeriodReport) -> str:
    items = (
        f"{SIGNS[one.verdict]} {_name(one.endpoint)}{' (critical path)' if one.critical_path else ''}"
        f"{prose(figures.of_machine(report, one.machine), _LONGEST)}: {prose(findings.slow_in_words(one), _LONGEST)}"
        for one in report.slow
    )
    return _list(items) or "No endpoint is over its limits in its newest run."


def _new_and_gone(report: PeriodReport) -> Iterator[str]:
    for new in report.new:
        yield f"- New: {_name(new.endpoint)}, {prose(findings.new_in_words(new), _LONGEST)}"
    for gone in report.gone:
        yield f"- Gone: {_name(gone.endpoint)}, {prose(findings.gone_in_words(gone), _LONGEST)}"


def _baseline(report: PeriodReport) -> Iterator[str]:
    yield "## Baseline Updates"
    history = report.baseline
    if history.message:
        yield f"Not known: {prose(history.message, _LONGEST)}."
        return
    if not history.changes:
        told = f", in {wording.some(history.commits, 'commit')} of it" if history.commits else ""
        yield f"No target changed in {code(history.file)}{told}."
        return
    rows = [
        [
            name_cell(shorten_name(one.endpoint, _NAME_WIDTH)),
            prose_cell(findings.target_in_words(one), _LONGEST),
            prose_cell(day(one.committed_at), 60),
            name_cell(findings.commit_of(one)),
            prose_cell(one.subject, 120) or "-",
        ]
        for one in history.changes
    ]
    yield "\n".join(table(("endpoint", "new promise", "date", "commit", "subject"), (), rows))


def _focus(report: PeriodReport) -> Iterator[str]:
    yield f"## {next_period(report.period)} Focus".replace("release", "Release").replace("month", "Month")
    if not report.focus:
        yield "No endpoint lost headroom."
        return
    yield prose(findings.ranked_by(report), _LONGEST)
    yield "\n".join(
        f"{i}. {_name(one.endpoint)}{' (critical path)' if one.critical_path else ''}: "
        f"{prose(findings.focus_in_words(one), _LONGEST)}"
        for i, one in enumerate(report.focus, 1)
    )


def _name(name: str) -> str:
    return code(shorten_name(name, wording.LONGEST_NAME))


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
