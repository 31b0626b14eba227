"""What the page of a period shows, put into words and pictures: the templates only arrange it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from perfcheck.model import Verdict
from perfcheck.periods.model import ChangeKind, EndpointSummary, Focus, PeriodReport
from perfcheck.periods.report import findings, wording
from perfcheck.periods.report.checklist import checklist, is_review
from perfcheck.periods.report.dates import day, minute, next_period, title
from perfcheck.periods.report.html.cards import Card, Line, card, remaining
from perfcheck.periods.report.html.rows import METER, Picture, Row, other_charts, summary_row
from perfcheck.report.html.facts import Fact
from perfcheck.report.html.svg import CSS, Svg, decoration, rect
from perfcheck.text import clean

_MOST_ROWS = 200
_MOST_CARDS = 30  # of one chapter; the others become lines
_MOST_LINES = 60


@dataclass(frozen=True, slots=True)
class Tile:
    figure: str
    words: str
    css: str
    href: str  # where more of it is told; empty for nowhere


@dataclass(frozen=True, slots=True)
class Promise:
    """A target that moved."""

    name: str
    text: str
    date: str
    commit: str
    subject: str


@dataclass(frozen=True, slots=True)
class Next:
    """An endpoint to work on."""

    name: str
    css: str
    verdict: str
    text: str
    bar: Svg
    critical_path: bool


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    css: str
    headline: str
    is_review: bool
    tiles: list[Tile]
    facts: list[Fact]
    caveats: list[str]
    checklist: list[Line]
    rows: list[Row]
    more_rows: int
    charts: list[Picture]
    with_traffic: bool
    achievements: list[Card]
    better: list[Line]
    issues: list[Card]
    worse: list[Line]
    slow: list[Line]
    new_and_gone: list[Line]
    promises: list[Promise]
    no_promises: str
    next_title: str
    ranked_by: str
    next: list[Next]
    generated: str


def page(report: PeriodReport) -> Page:
    slower = [one for one in report.drifts if one.kind is ChangeKind.GETTING_SLOWER]
    faster = [one for one in report.drifts if one.kind is ChangeKind.GETTING_FASTER]
    issues, good = [*report.regressions, *slower], [*report.improvements, *faster]
    summaries = _by_series(report)
    return Page(
        title=title(report.period),
        css=CSS[report.verdict],
        headline=wording.headline(report),
        is_review=is_review(report),
        tiles=list(_tiles(report, len(slower))),
        facts=[Fact(label, text) for label, text in wording.facts(report)],
        caveats=list(wording.caveats(report)),
        checklist=[Line(label, text) for label, text in checklist(report)],
        rows=[summary_row(report, one) for one in report.endpoints[:_MOST_ROWS]],
        charts=list(other_charts(report, issues[:_MOST_CARDS] + good[:_MOST_CARDS])),
        more_rows=max(0, len(report.endpoints) - _MOST_ROWS),
        with_traffic=any(one.traffic is not None for one in report.endpoints),
        achievements=[card(report, one, summaries) for one in good[:_MOST_CARDS]],
        better=[*remaining(good[_MOST_CARDS:]), *_better(report)][:_MOST_LINES],
        issues=[card(report, one, summaries) for one in issues[:_MOST_CARDS]],
        worse=[*remaining(issues[_MOST_CARDS:]), *_worse(report)][:_MOST_LINES],
        slow=[Line(_name(one.endpoint), findings.slow_in_words(one), CSS[one.verdict]) for one in report.slow][
            :_MOST_LINES
        ],
        new_and_gone=list(_new_and_gone(report))[:_MOST_LINES],
        promises=list(_promises(report))[:_MOST_ROWS],
        no_promises=_no_promises(report),
        next_title=next_period(report.period),
        ranked_by=findings.ranked_by(report),
        next=list(_next(report.focus)),
        generated=f"perfcheck {clean(report.tool_version)}, {minute(report.generated_at)}",
    )


def _by_series(report: PeriodReport) -> dict[tuple[str, str, str], EndpointSummary]:
    """Those that a change may belong to; where two are alike in that, the newer."""
    ordered = sorted(report.endpoints, key=lambda one: one.last.started_at)
    return {(one.name, one.machine, one.source): one for one in ordered}


def _tiles(report: PeriodReport, slower: int) -> Iterator[Tile]:
    names = {one.name for one in report.endpoints} - {one.endpoint for one in report.gone}
    slow = {one.endpoint for one in report.slow}
    within = "warn" if slow else "ok"
    yield Tile(
        f"{len(names - slow)} of {len(names)}", "within their limits now", within if names else "none", "summary"
    )
    fate = f", {wording.fate(report)}" if report.regressions else ""
    css = "crit" if any(one.stands for one in report.regressions) else "rest"
    count = len(report.regressions)
    yield Tile(str(count), f"regression{'s' * (count != 1)}{fate}", css, "issues")
    yield Tile(str(slower), "getting slower, run by run", "warn" if slower else "rest", "issues")
    count = len(report.improvements)
    yield Tile(str(count), f"improvement{'s' * (count != 1)}", "ok" if count else "rest", "achievements")
    yield Tile(str(report.runs), f"run{'s' * (report.runs != 1)} in the period", "rest", "")


# --- Lines ---------------------------------------------------------------------------------------------------------


def _better(report: PeriodReport) -> Iterator[Line]:
    for spread in report.consistency:
        if spread.ratio < 1:
            yield Line(_name(spread.endpoint), findings.consistency_in_words(spread), "ok")
    for back in report.recoveries:
        yield Line(_name(back.endpoint), findings.recovery_in_words(back), "ok")


def _worse(report: PeriodReport) -> Iterator[Line]:
    for spread in report.consistency:
        if spread.ratio > 1:
            yield Line(_name(spread.endpoint), findings.consistency_in_words(spread), "warn")
    for note in report.other_notes:
        of = f"run {clean(note.run_id)[:8]}" if note.run_id else f"commit {clean(note.commit or '')[:10]}"
        yield Line(f"Noted of {of}", "; ".join(f"{label}: {text}" for label, text in findings.note_lines(note)), "rest")


def _new_and_gone(report: PeriodReport) -> Iterator[Line]:
    for new in report.new:
        yield Line(_name(new.endpoint), f"new: {findings.new_in_words(new)}", "ok" if new.has_target else "rest")
    for gone in report.gone:
        yield Line(_name(gone.endpoint), f"gone: {findings.gone_in_words(gone)}", "rest")


def _promises(report: PeriodReport) -> Iterator[Promise]:
    for one in report.baseline.changes:
        text = findings.target_in_words(one)
        yield Promise(_name(one.endpoint), text, day(one.committed_at), findings.commit_of(one), one.subject)


def _no_promises(report: PeriodReport) -> str:
    history = report.baseline
    if history.message:
        return f"Not known: {history.message}."
    told = f", in {wording.some(history.commits, 'commit')} of it" if history.commits else ""
    return f"No target changed in {clean(history.file)}{told}."


def _next(focus: Sequence[Focus]) -> Iterator[Next]:
    most = max((_weight(one) for one in focus), default=0.0) or 1.0
    for one in focus:
        css = CSS[one.verdict] if one.verdict is not Verdict.OK else "rest"
        bar = decoration(
            METER, [rect(0, 1, 0, METER, "rail"), rect(0, _weight(one) / most, 0, METER, f"m {css}")], "bar"
        )
        yield Next(_name(one.endpoint), css, str(one.verdict), findings.focus_in_words(one), bar, one.critical_path)


def _weight(one: Focus) -> float:
    return one.lost_time_s if one.lost_time_s is not None else one.lost_share or 0.0


def _name(name: str) -> str:
    return wording.short_name(name)
