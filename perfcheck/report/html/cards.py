"""One endpoint that needs attention: why, where the time went, on what evidence, and how to look again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from perfcheck.model import EndpointResult, Rule, Run, Severity
from perfcheck.report.changes import Change
from perfcheck.report.comparison_words import what_grew
from perfcheck.report.html.distribution import distribution
from perfcheck.report.html.overview import beside_the_promise, without_latency
from perfcheck.report.html.phases import Bar, bars, set_up
from perfcheck.report.html.svg import Svg
from perfcheck.report.html.timeline import over_time
from perfcheck.report.html.words import CSS, LONGEST_NAME, shown_name
from perfcheck.report.wording import (
    LONGEST_TEXT,
    baseline_lines,
    evidence,
    is_undecided,
    measured,
    remedies,
    rerun,
)
from perfcheck.text import clean
from perfcheck.units import format_ms


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    anchor: str
    name: str
    css: str
    verdict: str
    undecided: bool
    request: str
    value: str
    instead: str  # what is said in place of a value
    beside: str  # the value in relation to its target
    change: str
    why: list[str]
    lines: list[Line]
    rerun: str
    distribution: Svg | None
    has_before: bool  # whether the distribution shows an earlier one as well
    over_time: Svg | None
    bars: list[Bar]
    set_up: str


def card(run: Run, result: EndpointResult, anchor: str, change: Change | None, told: set[str]) -> Card:
    """``told`` are remedies that stand on a card above already; this one's are added to it."""
    return Card(
        anchor=anchor,
        name=shown_name(result),
        css=CSS[result.verdict],
        verdict=str(result.verdict),
        undecided=is_undecided(result),
        request=clean(f"{result.method} {result.url}", LONGEST_TEXT),
        value=f"{measured(result)} ms" if result.value_ms is not None else "",
        instead="" if result.value_ms is not None else without_latency(result),
        beside=beside_the_promise(result),
        change=f"before {format_ms(change.before_ms)}: {change.text}" if change else "",
        why=[finding.message for finding in result.findings if finding.severity is not Severity.NOTE],
        lines=list(_lines(run, result, told)),
        rerun=clean(rerun(run, result.name), LONGEST_TEXT),
        distribution=distribution(result),
        has_before=bool(result.comparison and result.comparison.before_samples_ms),
        over_time=over_time(result),
        bars=bars(result),
        set_up=set_up(result),
    )


def _lines(run: Run, result: EndpointResult, told: set[str]) -> Iterator[Line]:
    for finding in result.findings:
        if finding.severity is Severity.NOTE and finding.rule is not Rule.UNDECIDED:
            yield Line("Note", finding.message)
    if grown := what_grew(result):
        yield Line("Grew", grown)
    if seen := evidence(result):
        yield Line("Evidence", seen)
    for remedy in remedies(result, told):
        yield Line("Help", remedy)
    file = clean(run.baseline.file, LONGEST_NAME)
    if lines := baseline_lines(result):
        yield Line("Baseline", ", ".join(f"{file}:{line}" for line in lines), code=True)
