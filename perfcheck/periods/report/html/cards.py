"""One change of one endpoint: how much, when, on what evidence, how it ended, and what was written down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from perfcheck.periods.model import ChangeKind, EndpointSummary, LatencyChange, PeriodReport
from perfcheck.periods.report import figures, findings, wording
from perfcheck.periods.report.dates import minute, run_in_words
from perfcheck.periods.report.html.chart import over_time
from perfcheck.report.html.svg import Svg
from perfcheck.units import format_ms

_WORDS = {
    ChangeKind.REGRESSION: "Regression",
    ChangeKind.IMPROVEMENT: "Improvement",
    ChangeKind.GETTING_SLOWER: "Getting slower, run by run",
    ChangeKind.GETTING_FASTER: "Getting faster, run by run",
}


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    text: str
    css: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    name: str
    css: str
    kind: str
    state: str
    critical_path: bool
    figure: str
    beside: str
    since: str
    chart: Svg | None
    lines: list[Line]
    notes: list[Line]


def card(report: PeriodReport, one: LatencyChange, summaries: Mapping[tuple[str, str, str], EndpointSummary]) -> Card:
    summary = summaries.get((one.endpoint, one.machine, one.source))
    return Card(
        name=wording.short_name(one.endpoint) + figures.of_machine(report, one.machine),
        css=css_of(one),
        kind=_WORDS[one.kind],
        state=_state(one),
        critical_path=one.critical_path,
        figure=figures.percent_change(one.ratio),
        beside=f"{format_ms(one.before_ms)} to {format_ms(one.after_ms, distinct_from=one.before_ms)}",
        since=f"since {minute(one.at.started_at)}",
        chart=over_time(summary, report.period, report.labels) if summary else None,
        lines=list(_lines(one)),
        notes=[Line(label.capitalize(), text) for note in one.notes for label, text in findings.note_lines(note)],
    )


def _state(one: LatencyChange) -> str:
    if one.kind is not ChangeKind.REGRESSION:
        return ""
    return "not resolved" if one.stands else "resolved" if one.resolved else "seemingly over"


def _lines(one: LatencyChange) -> Iterator[Line]:
    yield Line("First run", run_in_words(one.at).removeprefix("the run of "))
    if one.previous is not None:
        yield Line("Last before", run_in_words(one.previous).removeprefix("the run of "))
    yield Line("Evidence", findings.chance(one.score, one.error_probability))
    if one.kind is ChangeKind.REGRESSION:
        yield Line("Outcome", findings.outcome(one))
    yield Line("Target", f"{format_ms(one.now_ms)} is {findings.against_target(one.now_ms, one.target_ms)}")
    if one.kind is ChangeKind.REGRESSION and not one.notes:
        yield Line("Notes", findings.no_note(one))


def css_of(one: LatencyChange) -> str:
    if one.kind is ChangeKind.REGRESSION:
        return "crit" if one.stands else "rest"
    return "warn" if one.kind is ChangeKind.GETTING_SLOWER else "ok"


def remaining(changes: Iterable[LatencyChange]) -> Iterator[Line]:
    """Those for which there is no card left."""
    for one in changes:
        yield Line(
            wording.short_name(one.endpoint), f"{findings.change_in_words(one)}, {findings.where(one)}", css_of(one)
        )
