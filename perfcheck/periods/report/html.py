"""A period as one HTML page: no script, no network, charts as inline SVG. The templates show the PeriodReport."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from perfcheck.model import Changed, Source, Verdict
from perfcheck.periods.model import ChangeKind, EndpointSummary, Focus, LatencyChange, PeriodReport
from perfcheck.periods.report import finding_words as words
from perfcheck.periods.report import period_words
from perfcheck.periods.report.time_chart import draw_over_time, draw_spark
from perfcheck.report.html import environment
from perfcheck.report.html.links import NO_LINKS, SiteLinks
from perfcheck.report.html.svg import CSS, Svg, decoration, rect
from perfcheck.text import clean
from perfcheck.units import format_change, format_figure, format_from_to
from perfcheck.words import day, minute, plural, short_commit

_MAX_ROWS = 200
_MAX_CARDS = 30  # of one chapter; the others become lines
_MAX_CARDS_IN_SITE = 5  # where their endpoints have pages
_MAX_LINES = 60
_MAX_CHARTS = 40  # in addition to those on cards
_METER_HEIGHT = 6  # pixels
_CHANGE_CSS = {Changed.SLOWER: "crit", Changed.FASTER: "ok"}
_KINDS = {
    ChangeKind.REGRESSION: "Regression",
    ChangeKind.IMPROVEMENT: "Improvement",
    ChangeKind.GETTING_SLOWER: "Getting slower, run by run",
    ChangeKind.GETTING_FASTER: "Getting faster, run by run",
}
_LOAD_KINDS = {
    ChangeKind.GETTING_SLOWER: "Getting lower, run by run",
    ChangeKind.GETTING_FASTER: "Getting higher, run by run",
}

SeriesKey = tuple[str, str, Source]  # endpoint, machine, source
Line = tuple[str, str, str]  # label, text and CSS class


def render(report: PeriodReport, links: SiteLinks = NO_LINKS) -> str:
    """The page, complete with its styles: those of the report of a run and some more.

    Where endpoints have pages of their own, they are linked and only cards have charts.
    """
    better, worse = words.better_changes(report), words.worse_changes(report)
    better_lines = [(short_name(name), text, "ok") for name, text in words.better_items(report)]
    worse_lines = [(short_name(name), text, "warn") for name, text in words.worse_items(report)]
    worse_lines += [(label, text, "rest") for label, text in words.note_items(report)]
    most = _MAX_CARDS_IN_SITE if links.endpoints else _MAX_CARDS
    charted = worse[:most] + better[:most]
    return (
        environment("perfcheck.periods.report")
        .get_template("period.html.j2")
        .render(
            **parts(report, links),
            is_review=period_words.is_review(report),
            tiles=list(_tiles(report)),
            achievements=better[:most],
            better=[*_lines(better[most:], links), *better_lines][:_MAX_LINES],
            issues=worse[:most],
            worse=[*_lines(worse[most:], links), *worse_lines][:_MAX_LINES],
            other_charts=[] if links.endpoints else list(_other_charts(report, charted)),
            card_chart=_card_chart,
            focus_bars=list(_focus_bars(report.focus)),
        )
    )


def parts(report: PeriodReport, links: SiteLinks) -> dict[str, Any]:
    """What the parts of the page take, the table of all endpoints and the cards of changes among them."""
    return {
        "report": report,
        "links": links,
        "period_words": period_words,
        "words": words,
        "max_rows": _MAX_ROWS,
        "max_lines": _MAX_LINES,
        "css": CSS,
        "change_css": _CHANGE_CSS,
        "kind_text": _kind_text,
        "change_state": _state,
        "card_css": _card_css,
        "spark": lambda summary: draw_spark(summary, report.period),
        "meter": _meter,
        "row_state": lambda _: "",
        "short_name": short_name,
        "format_change": format_change,
        "format_from_to": format_from_to,
        "format_figure": format_figure,
        "day": day,
        "minute": minute,
        "short_commit": short_commit,
    }


def _tiles(report: PeriodReport) -> Iterator[tuple[str, str, str, str]]:
    """Figure, words, CSS class and the section that has the details."""
    within, count = period_words.within_limits(report)
    css = "warn" if report.slow else "ok"
    yield f"{within} of {count}", "within their limits now", css if count else "none", "summary"
    fate = f", {period_words.fate(report)}" if report.regressions else ""
    css = "crit" if any(regression.stands for regression in report.regressions) else "rest"
    yield *_counted(len(report.regressions), "regression", fate), css, "issues"
    slower = len(words.worse_changes(report)) - len(report.regressions)
    yield str(slower), "getting slower, run by run", "warn" if slower else "rest", "issues"
    improvements = len(report.improvements)
    yield *_counted(improvements, "improvement"), "ok" if improvements else "rest", "achievements"
    yield *_counted(report.runs, "run", " in the period"), "rest", ""


def _counted(count: int, noun: str, more: str = "") -> tuple[str, str]:
    figure, _, words_after = plural(count, noun).partition(" ")
    return figure, words_after + more


def _lines(changes: Sequence[LatencyChange], links: SiteLinks) -> Iterator[Line]:
    """Changes for which there is no card left; the last run before one is on the page of its endpoint."""
    for change in changes:
        shown = replace(change, previous=None) if links.endpoints else change
        text = f"{words.change_text(shown)}, {words.change_begin(shown)}"
        yield short_name(change.endpoint), text, _card_css(change)


def short_name(name: str) -> str:
    """Cut in the middle: names share their beginnings, and differ at their ends."""
    longest, shown = period_words.LONGEST_NAME, clean(name, len(name) + 1)
    if len(shown) > longest:
        shown = f"{shown[: longest // 2]}...{shown[-(longest // 2) :]}"
    return shown or period_words.NO_NAME


# --- Looks ---------------------------------------------------------------------------------------------------------


def _kind_text(change: LatencyChange) -> str:
    if change.unit.is_load and change.kind in _LOAD_KINDS:
        return _LOAD_KINDS[change.kind]
    return _KINDS[change.kind]


def _state(change: LatencyChange) -> str:
    if change.kind is not ChangeKind.REGRESSION:
        return ""
    return "not resolved" if change.stands else "resolved" if change.resolved else "apparently resolved"


def _card_css(change: LatencyChange) -> str:
    if change.kind is ChangeKind.REGRESSION:
        return "crit" if change.stands else "rest"
    return "warn" if change.kind is ChangeKind.GETTING_SLOWER else "ok"


def _key(change: LatencyChange) -> SeriesKey:
    return change.endpoint, change.machine, change.source


def _summary_key(summary: EndpointSummary) -> SeriesKey:
    return summary.name, summary.machine, summary.source


def _card_chart(report: PeriodReport, change: LatencyChange) -> Svg | None:
    """The chart of the series that a change belongs to; of several that may be it, the newest."""
    matching = [summary for summary in report.endpoints if _summary_key(summary) == _key(change)]
    if not matching:
        return None
    newest = max(matching, key=lambda summary: summary.last.started_at)
    return draw_over_time(newest, report.period, report.labels)


def _other_charts(
    report: PeriodReport, with_card: Sequence[LatencyChange]
) -> Iterator[tuple[EndpointSummary, str, Svg]]:
    """Endpoints without a card, the notable ones first: summary, name and chart."""
    shown = set(map(_key, with_card))
    rest = [summary for summary in report.endpoints if _summary_key(summary) not in shown]
    for summary in sorted(rest, key=lambda summary: not summary.is_notable)[:_MAX_CHARTS]:
        if chart := draw_over_time(summary, report.period, report.labels):
            name = ", ".join(filter(None, (short_name(summary.name), words.series_label(report, summary))))
            yield summary, name, chart


def _meter(summary: EndpointSummary) -> Svg | None:
    """How much of the target is used."""
    if summary.end_headroom is None:
        return None
    used = min(max(1 - summary.end_headroom, 0.0), 1.0)
    return decoration(_METER_HEIGHT, [rect(0, used, 0, _METER_HEIGHT, f"m {CSS[summary.verdict]}")], "meter")


def _focus_bars(focus: Sequence[Focus]) -> Iterator[tuple[Focus, str, Svg]]:
    """Each with its CSS class and a bar of its weight."""
    weights = [item.lost_share or 0.0 if item.lost_time_s is None else item.lost_time_s for item in focus]
    most = max(weights, default=0.0) or 1.0
    for item, weight in zip(focus, weights, strict=True):
        css = CSS[item.verdict] if item.verdict is not Verdict.OK else "rest"
        yield item, css, _bar(weight / most, css)


def _bar(fraction: float, css: str) -> Svg:
    parts = [rect(0, 1, 0, _METER_HEIGHT, "rail"), rect(0, fraction, 0, _METER_HEIGHT, f"m {css}")]
    return decoration(_METER_HEIGHT, parts, "bar")
