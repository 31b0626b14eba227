"""A period as Markdown: for an issue, a wiki, a mail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from perfcheck.model import Verdict
from perfcheck.periods.model import ChangeKind, EndpointSummary, LatencyChange, PeriodReport
from perfcheck.periods.report import finding_words as words
from perfcheck.periods.report import period_words
from perfcheck.report.markdown import LONGEST_COMMENT
from perfcheck.report.markdown.escape import cell as name_cell
from perfcheck.report.markdown.escape import code, prose, prose_cell, shorten_name, table
from perfcheck.units import format_figure
from perfcheck.words import day, minute, plural, short_commit

_SIGNS = {Verdict.OK: "🟢", Verdict.WARNING: "🟡", Verdict.CRITICAL: "🔴", Verdict.NOT_MEASURED: "⚪"}
_NAME_WIDTH = 48
_LONGEST = 2000
_MAX_ITEMS = (100, 40, 15, 5, 1)  # of every list, until the page is short enough
_HEADERS = ("endpoint", "now", "metric, ms", "change", "p95, ms", "spread", "errors", "target", "headroom", "requests")
_LEFT_ALIGNED = {"endpoint", "now"}
_HOW = (
    "From the beginning of the period to its end, where these differ. Spread: the middle half of a run's requests, "
    "over their median. Headroom: how far the value is below its target."
)
_NO_ISSUES = "No regression, no drift and no loss of consistency."
_CHANGES = ("regressions", "improvements", "drifts")
_LISTS = (*_CHANGES, "endpoints", "consistency", "slow", "recoveries", "new", "gone", "other_notes", "focus")


def render(report: PeriodReport, *, limit: int = LONGEST_COMMENT) -> str:
    """The page: a review point by point for a day or a week, the chapters of a monthly report for longer periods.

    In at most ``limit`` bytes, which an issue or a comment takes, apart from the head, which is always complete: the
    least important items of each list are left out, and a line says how many.
    """
    head = [f"# Performance report: {_prose(period_words.title(report.period))}", *_head(report)]
    foot = (
        f"<sub>perfcheck {_prose(report.tool_version)}, {_prose(minute(report.generated_at))}; "
        "a change is a step or drift in the medians of comparable runs.</sub>"
    )
    for max_items in _MAX_ITEMS:
        short, left_out = _shortened(report, max_items)
        body = _review(short) if period_words.is_review(short) else _chapters(short)
        text = "\n\n".join([*head, *body, *_left_out(left_out), foot]) + "\n"
        if len(text.encode()) <= limit:
            return text
    return "\n\n".join([*head, "*Omitted for lack of room: everything else; see the HTML and JSON reports.*"]) + "\n"


def _left_out(count: int) -> list[str]:
    return (
        [f"*Omitted for lack of room: {plural(count, 'less important item')}; see the HTML and JSON reports.*"]
        if count
        else []
    )


def _shortened(report: PeriodReport, most: int) -> tuple[PeriodReport, int]:
    """The report with the first items of its lists, and how many were left out."""
    lists: dict[str, Any] = {name: getattr(report, name) for name in _LISTS}
    first: dict[str, Any] = {name: items[:most] for name, items in lists.items()}
    targets = report.baseline.changes
    whole = [*lists.values(), targets, *(change.notes for name in _CHANGES for change in first[name])]
    for name in _CHANGES:
        first[name] = tuple(replace(change, notes=change.notes[:most]) for change in first[name])
    baseline = replace(report.baseline, changes=targets[:most])
    return replace(report, baseline=baseline, **first), sum(max(0, len(items) - most) for items in whole)


# --- Chapters ------------------------------------------------------------------------------------------------------


def _head(report: PeriodReport) -> Iterator[str]:
    yield f"**{_prose(period_words.headline(report))}**"
    yield _list(f"{label}: {_prose(text)}" for label, text in period_words.facts(report))


def _review(report: PeriodReport) -> Iterator[str]:
    yield "## Review"
    yield _list(f"**{label}**: {_prose(text)}" for label, text in period_words.checklist(report))
    yield from _chapter("## Slow endpoints", [_slow(report)])
    yield from _chapter("## Trends", [_summary(report)])
    yield from _chapter("## Degradation", _issues(report), _NO_ISSUES)
    yield from _chapter("## Improvements", _achievements(report), "None.")
    yield from _chapter("## New and gone endpoints", _new_and_gone(report), "None.")
    yield from _chapter("## Baseline Updates", [_baseline(report)])


def _chapters(report: PeriodReport) -> Iterator[str]:
    yield from _chapter("## Performance Summary", [_summary(report)])
    yield from _chapter("## Key Achievements", _achievements(report), "No improvement was measured in this period.")
    yield from _chapter("## Issues Identified", _issues(report), _NO_ISSUES)
    if report.slow:
        yield from _chapter("### Slow now", [_slow(report)])
    if report.new or report.gone:
        yield from _chapter("### New and gone endpoints", _new_and_gone(report))
    yield from _chapter("## Baseline Updates", [_baseline(report)])
    yield f"## {period_words.focus_heading(report.period)}"
    yield from _focus(report)


def _chapter(heading: str, items: Iterable[str], nothing: str = "") -> Iterator[str]:
    yield heading
    yield "\n".join(items) or nothing


def _summary(report: PeriodReport) -> str:
    rows = [_row(report, summary) for summary in report.endpoints]
    lines = table(_HEADERS, [header for header in _HEADERS if header not in _LEFT_ALIGNED], rows)
    notes = [*(_prose(text) for text in period_words.caveats(report)), *[_HOW] * bool(rows)]
    small = "<br>\n".join(f"<sub>{note}</sub>" for note in notes)
    return ("\n".join(lines) if rows else "Nothing was measured.") + (f"\n\n{small}" if small else "")


def _row(report: PeriodReport, summary: EndpointSummary) -> list[str]:
    metric = "" if summary.metric == "median" else f"{summary.metric} "
    name = name_cell(shorten_name(summary.name, _NAME_WIDTH))
    series = words.series_label(report, summary)
    return [
        name + (f" {prose_cell(series, _LONGEST)}" if series else ""),
        f"{_SIGNS[summary.verdict]} {summary.verdict}",
        f"{metric}{words.from_to(summary.begin_ms, summary.end_ms, summary.unit)}",
        words.change_figure(summary),
        words.from_to(summary.begin_p95_ms, summary.end_p95_ms, summary.unit),
        words.spread_figure(summary),
        words.error_figure(summary),
        format_figure(summary.target_ms, summary.unit, in_ms=True),
        words.headroom_figure(summary),
        words.request_figure(summary),
    ]


def _achievements(report: PeriodReport) -> Iterator[str]:
    yield from (_change(report, change) for change in words.better_changes(report))
    yield from (f"- {_name(name)}: {_prose(text)}" for name, text in words.better_items(report))


def _issues(report: PeriodReport) -> Iterator[str]:
    yield from (_change(report, change) for change in words.worse_changes(report))
    yield from (f"- {_name(name)}: {_prose(text)}" for name, text in words.worse_items(report))
    yield from (f"- {_prose(label)}: {_prose(text)}" for label, text in words.note_items(report))


def _change(report: PeriodReport, change: LatencyChange) -> str:
    critical = " (critical path)" if change.critical_path else ""
    machine = _prose(words.machine_label(report, change.machine))
    is_regression = change.kind is ChangeKind.REGRESSION
    details = [("when", words.change_begin(change)), ("evidence", words.evidence(change))]
    details += [("outcome", words.outcome(change))] if is_regression else []
    details.append(("target", words.compared_with_target(change.now_ms, change.target_ms, change.unit)))
    details += [line for note in change.notes for line in words.note_lines(note)]
    details += [("note", words.no_note(change))] if is_regression and not change.notes else []
    lines = [f"- {_name(change.endpoint)}{critical}{machine}: {_prose(words.change_text(change))}"]
    return "\n".join([*lines, *(f"  - {label}: {_prose(text)}" for label, text in details)])


def _slow(report: PeriodReport) -> str:
    items = (
        f"{_SIGNS[slow.verdict]} {_name(slow.endpoint)}{' (critical path)' if slow.critical_path else ''}"
        f"{_prose(words.machine_label(report, slow.machine))}: {_prose(words.slow_text(slow))}"
        for slow in report.slow
    )
    return _list(items) or "No endpoint is over its limits in its newest run."


def _new_and_gone(report: PeriodReport) -> Iterator[str]:
    for new in report.new:
        yield f"- New: {_name(new.endpoint)}, {_prose(words.new_text(new))}"
    for gone in report.gone:
        yield f"- Gone: {_name(gone.endpoint)}, {_prose(words.gone_text(gone))}"


def _baseline(report: PeriodReport) -> str:
    if report.baseline.message or not report.baseline.changes:
        return _prose(period_words.no_targets_changed(report.baseline))
    rows = [
        [
            name_cell(shorten_name(change.endpoint, _NAME_WIDTH)),
            prose_cell(words.target_text(change), _LONGEST),
            prose_cell(day(change.committed_at), _LONGEST),
            name_cell(short_commit(change.commit)),
            prose_cell(change.subject, 120) or "-",
        ]
        for change in report.baseline.changes
    ]
    return "\n".join(table(("endpoint", "change", "date", "commit", "subject"), (), rows))


def _focus(report: PeriodReport) -> Iterator[str]:
    if not report.focus:
        yield "No endpoint lost headroom."
        return
    yield _prose(words.ranking_text(report))
    yield "\n".join(
        f"{rank}. {_name(focus.endpoint)}{' (critical path)' if focus.critical_path else ''}: "
        f"{_prose(words.focus_text(focus))}"
        for rank, focus in enumerate(report.focus, 1)
    )


def _prose(text: str) -> str:
    return prose(text, _LONGEST)


def _name(name: str) -> str:
    return code(shorten_name(name, period_words.LONGEST_NAME))


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
