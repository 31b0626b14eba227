"""What the page shows, put into words and pictures: the templates only arrange it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perfcheck.model import EndpointResult, Finding, Reference, Run
from perfcheck.report.changes import Change, Since, since
from perfcheck.report.comparison_words import before_and_now, change_of
from perfcheck.report.html import overview
from perfcheck.report.html.cards import Card, card
from perfcheck.report.html.facts import Fact, about, summary_facts
from perfcheck.report.html.scale import Scale
from perfcheck.report.html.strip import Strip, whole_run
from perfcheck.report.html.svg import Svg
from perfcheck.report.html.table import TableRow, table_row
from perfcheck.report.html.words import CSS, LONGEST_NAME, shown_name
from perfcheck.report.wording import (
    certainty,
    compared_with,
    counts_by_verdict,
    has_critical_path,
    in_order,
    measured,
    needs_attention,
    ratio_to_target,
    sentence,
)
from perfcheck.text import clean

_MOST_ROWS = 80  # of the overview
_MOST_CARDS = 30
_LONGEST_NAME_OF_A_ROW = 60
_MOST_TABLE_ROWS = 25  # that are open from the start


@dataclass(frozen=True, slots=True)
class Row:
    """One endpoint in the overview."""

    anchor: str
    name: str
    css: str
    verdict: str
    value: str
    ratio: str
    change: str
    picture: Svg


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under one heading; an axis of their own where they have no target."""

    title: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Count:
    number: int
    word: str
    css: str


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    verdict: str
    css: str
    headline: str
    certainty: str
    counts: list[Count]
    facts: list[Fact]
    findings: tuple[Finding, ...]
    words: Words
    with_change: bool  # whether each endpoint shows its change since an earlier run
    of_change: bool  # whether the change is all that it is judged by
    has_ideals: bool
    compared: str  # what the earlier run was; empty without one
    axis: Svg
    sections: list[Section]
    absolute_axis: Svg
    absolute_rows: list[Row]
    rug: Svg | None
    rug_count: int
    cards: list[Card]
    more_attention: list[TableRow]
    healthy: list[TableRow]
    more_healthy: list[TableRow]
    strip: Strip | None
    about: list[Fact]


@dataclass(frozen=True, slots=True)
class Words:
    """What the page calls things, which depends on what the endpoints are held against."""

    overview: str
    intro: str
    within: str
    over: str
    promised: str
    ratio: str
    without: str
    fine: str


_OF_TARGETS = Words(
    overview="Every endpoint against its target",
    intro="On one scale: how many times its own target each endpoint takes. The bar is the interval in which the true "
    "value lies, as far as these requests can tell.",
    within="within its target",
    over="over it",
    promised="Target",
    ratio="Of target",
    without="Without a target yet",
    fine="Within their limits",
)
_OF_COMPARISON = Words(
    overview="Every endpoint against how it was before",
    intro="On one scale: how many times as long as before each endpoint takes. The bar is the interval in which the "
    "true change lies, as far as these requests can tell.",
    within="not slower",
    over="slower",
    promised="Before",
    ratio="Change",
    without="With nothing to hold them against",
    fine="Not slower than before",
)


def page(run: Run, previous: Run | None) -> Page:
    """Everything in the order of ``in_order``, numbered, so that no name becomes part of an address."""
    results = in_order(run)
    anchors = {id(result): f"e{number}" for number, result in enumerate(results, 1)}
    earlier = since(run, previous)
    changed = earlier.changed if earlier else {}
    breaches = [result for result in results if needs_attention(result)]
    fine = [result for result in results if not needs_attention(result)]
    rows = [table_row(one, anchors[id(one)], changed.get(one.name)) for one in fine]
    told: set[str] = set()
    with_target = [result for result in results if result.target_ms]
    without = [result for result in results if not result.target_ms][:_MOST_ROWS]
    shown, rest = with_target[:_MOST_ROWS], with_target[_MOST_ROWS:]
    axis, absolute = overview.common_axis(with_target), overview.absolute_axis(without)

    def row(result: EndpointResult, scale: Scale) -> Row:
        return _row(result, anchors[id(result)], scale, changed.get(result.name))

    return Page(
        title=f"{run.verdict}: {clean(run.label or run.service.base_url, LONGEST_NAME)}",
        verdict=str(run.verdict),
        css=CSS[run.verdict],
        headline=sentence(run),
        certainty=certainty(run),
        counts=[Count(number, word, CSS[verdict]) for number, word, verdict in counts_by_verdict(run)],
        facts=summary_facts(run),
        findings=run.findings,
        words=_OF_COMPARISON if run.is_comparison else _OF_TARGETS,
        with_change=earlier is not None,
        of_change=run.is_comparison,
        has_ideals=any(result.ideal_ms for result in results) or not run.is_comparison,
        compared=_compared(run, earlier),
        axis=overview.ratio_scale_marks(axis, Reference.BEFORE if run.is_comparison else Reference.TARGET),
        sections=[Section(title, [row(one, axis) for one in some]) for title, some in _grouped(run, shown)],
        absolute_axis=overview.absolute_scale_marks(absolute),
        absolute_rows=[row(result, absolute) for result in without],
        rug=overview.rug(rest, axis) if rest else None,
        rug_count=len(rest),
        cards=[card(run, one, anchors[id(one)], changed.get(one.name), told) for one in breaches[:_MOST_CARDS]],
        more_attention=[table_row(one, anchors[id(one)], changed.get(one.name)) for one in breaches[_MOST_CARDS:]],
        healthy=rows[:_MOST_TABLE_ROWS],
        more_healthy=rows[_MOST_TABLE_ROWS:],
        strip=whole_run(run),
        about=about(run),
    )


def _row(result: EndpointResult, anchor: str, scale: Scale, change: Change | None) -> Row:
    return Row(
        anchor=anchor,
        name=shown_name(result, _LONGEST_NAME_OF_A_ROW),
        css=CSS[result.verdict],
        verdict=str(result.verdict),
        value=f"{measured(result)} ms" if result.value_ms is not None else "\N{EN DASH}",
        ratio=_ratio(result),
        change=change.text if change else "",
        picture=overview.row(result, scale, change),
    )


def _ratio(result: EndpointResult) -> str:
    if result.ratio is None:
        return ""
    return change_of(result) if result.promise is Reference.BEFORE else ratio_to_target(result)


def _grouped(run: Run, results: Sequence[EndpointResult]) -> list[tuple[str, list[EndpointResult]]]:
    """Under the titles of their groups, the group with the worst endpoint first; one nameless group without titles."""
    groups: dict[str, list[EndpointResult]] = {}
    for result in results:
        if result.critical_path and has_critical_path(run):
            groups.setdefault("Critical path", []).append(result)
            continue
        groups.setdefault(clean(run.groups.get(result.group or "", ""), LONGEST_NAME), []).append(result)
    if len(groups) > 1 and "" in groups:
        groups["Other endpoints"] = groups.pop("")
    return list(groups.items())


def _compared(run: Run, earlier: Since | None) -> str:
    if run.is_comparison:
        return "Before: {}. Now: {}.".format(*before_and_now(run))
    return compared_with(run, earlier) if earlier else ""
