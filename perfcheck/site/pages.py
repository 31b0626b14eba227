"""The pages of a site, from the runs of one branch. All that they show is in the history: no clock is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from perfcheck import __version__
from perfcheck.history.model import PastMeasurement, PastRun
from perfcheck.history.report.lists import counts_in_words, revision, when
from perfcheck.model import Source, Verdict
from perfcheck.periods.judge.judge import PeriodJudge
from perfcheck.periods.judge.summary import combine_points
from perfcheck.periods.judge.tally import MAX_COMPARED
from perfcheck.periods.model import BaselineHistory, EndpointSummary, Period, PeriodKind, PeriodReport
from perfcheck.periods.period_report import just_after, period_of, read_periods
from perfcheck.periods.report import finding_words, html, period_words
from perfcheck.periods.report.time_chart import draw_over_time
from perfcheck.report.html import environment
from perfcheck.report.html import render as render_run
from perfcheck.report.html.links import SiteLinks
from perfcheck.report.html.page import Page
from perfcheck.report.html.svg import CSS
from perfcheck.site.badge import badge_json, badge_svg
from perfcheck.times import parse_time
from perfcheck.units import format_figure, format_percentage
from perfcheck.words import day, plural

if TYPE_CHECKING:
    from perfcheck.history.store import History

_WEEKS, _MONTHS = 4, 6
_MIN_LISTED = 15  # runs on the first page, of which these are open
_MOST_POINTS = 1000  # of all small charts of a page, so that it stays below 100 KB
_LEAST_POINTS = 20  # of one
_MOST_CHARTS = 10  # series of one endpoint
_MOST_MEASUREMENTS = 20  # of one endpoint that are listed

ReadBaseline = Callable[[Period], BaselineHistory]


def build_site(store: History, *, branch: str, run_pages: int, read_baseline: ReadBaseline) -> dict[str, bytes]:
    """Every file by its path, of the runs of ``branch``: "" for those without one. Raises UsageError of the history.

    ``run_pages``: so many of the newest runs get their reports. ``read_baseline`` finds what it promised in a period.
    """
    runs = list(store.runs(branch=branch, limit=max(MAX_COMPARED, run_pages)))
    site = _Site(store, branch, runs, run_pages, read_baseline)
    pages = dict(site.pages())
    last = site.last
    pages["badge.svg"] = badge_svg(last.verdict if last else None)
    pages["badge.json"] = badge_json(last.verdict if last else None)
    return {path: page.encode() for path, page in pages.items()}


def file_name(name: str) -> str:
    """Of an endpoint or a run, whatever its name holds: the same for the same name, and another for any other."""
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-")
    return f"{readable or 'x'}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}.html"


@dataclass(frozen=True, slots=True)
class _PeriodPage:
    path: str
    title: str
    report: PeriodReport


class _Site:
    def __init__(
        self, store: History, branch: str, runs: Sequence[PastRun], run_pages: int, read_baseline: ReadBaseline
    ) -> None:
        self._store = store
        self._branch = branch
        self._runs = [run for run in runs if parse_time(run.started_at)]  # the newest first
        self._listed = self._runs[: max(run_pages, _MIN_LISTED)]
        self._run_paths = {run.id: f"runs/{file_name(run.id)}" for run in self._runs[:run_pages]}
        self._report: PeriodReport | None = None
        self._periods: list[_PeriodPage] = []
        if self._runs:
            self._report, self._periods = self._read(read_baseline)
        names = [summary.name for summary in self._report.endpoints] if self._report else []
        self._endpoint_paths = {name: f"endpoints/{file_name(name)}" for name in dict.fromkeys(names)}
        self._environment = environment("perfcheck.site", "perfcheck.periods.report")

    def _read(self, read_baseline: ReadBaseline) -> tuple[PeriodReport, list[_PeriodPage]]:
        """Of the newest runs; and of the periods that have any, the newest first, weeks before months."""
        newest = self._runs[0].started_at
        paths = {period: path for path, period in _latest_periods(newest)}
        overall, *judges = read_periods(self._store, [_span(self._runs[:MAX_COMPARED]), *paths], branch=self._branch)

        def report_of(judge: PeriodJudge, baseline: BaselineHistory) -> PeriodReport:
            read_at = min(judge.tally.period.until, newest)
            return judge.report(baseline, tool_version=__version__, generated_at=read_at)

        reports = [report_of(judge, read_baseline(judge.tally.period)) for judge in judges if judge.tally.runs]
        pages = [
            _PeriodPage(paths[report.period], period_words.title(report.period), _with_fewer_points(report))
            for report in reports
        ]
        return report_of(overall, BaselineHistory("")), pages

    @property
    def last(self) -> PastRun | None:
        """Whose verdict counts: a check, rather than a reading of the running service, which is of no branch."""
        checks = (run for run in self._runs if run.source is Source.MEASURED)
        return next(checks, self._runs[0] if self._runs else None)

    def pages(self) -> Iterator[tuple[str, str]]:
        inner = self._links("../")
        yield "style.css", self._environment.get_template("style.css.j2").render()
        yield "index.html", self._index()
        if self._report:
            for name, path in self._endpoint_paths.items():
                yield path, self._endpoint(_of_endpoint(self._report, name), inner)
        for page in self._periods:
            yield page.path, html.render(page.report, inner)
        for run_id, path in self._run_paths.items():
            yield path, render_run(self._store.run(run_id), links=inner)

    def _links(self, root: str) -> SiteLinks:
        endpoints, runs = self._endpoint_paths.items(), self._run_paths.items()
        return SiteLinks(
            style=f"{root}style.css",
            nav=(("all endpoints", f"{root}index.html"),) if root else (),
            endpoints={name: root + path for name, path in endpoints},
            runs={run_id: root + path for run_id, path in runs},
        )

    def _index(self) -> str:
        report, last, links = self._report, self.last, self._links("")
        run = self._store.run(last.id) if last else None
        shown = replace(report, endpoints=tuple(_one_per_endpoint(report))) if report else None
        context: dict[str, Any] = {"report": None, "links": links, "css": CSS}
        context |= html.parts(_with_fewer_points(shown), links) if shown else {}
        context["row_state"] = lambda summary: _state(report, summary) if report else ""
        return self._environment.get_template("index.html.j2").render(
            **context,
            page=Page(run, None) if run else None,
            last=last,
            title=f"perfcheck: {last.verdict if last else 'no runs yet'}",
            periods=self._periods,
            runs=self._listed,
            open_runs=_MIN_LISTED,
            run_words={"when": when, "revision": revision, "counts": counts_in_words},
            subject=f"branch {self._branch}" if self._branch else "history",
            version_text=report.tool_version if report else "",
        )

    def _endpoint(self, report: PeriodReport, links: SiteLinks) -> str:
        """``report`` is of one endpoint."""
        newest = _preferred(report.endpoints)
        context: dict[str, Any] = html.parts(report, replace(links, endpoints={}))
        context["card_chart"] = lambda _report, _change: None  # the chart of the endpoint shows all its changes
        charts = ((summary, draw_over_time(summary, report.period, report.labels)) for summary in report.endpoints)
        return self._environment.get_template("endpoint.html.j2").render(
            **context,
            subject="endpoint",
            newest=newest,
            state=_state(report, newest),
            facts=list(_facts(newest)),
            charts=[(summary, chart) for summary, chart in charts if chart][:_MOST_CHARTS],
            changes=finding_words.worse_changes(report) + finding_words.better_changes(report),
            lines=[*finding_words.worse_items(report), *finding_words.better_items(report)],
            measurements=self._measurements(newest.name),
            format_percentage=format_percentage,
        )

    def _measurements(self, name: str) -> list[PastMeasurement]:
        latest = self._store.latest(name, most=_MOST_MEASUREMENTS, branch=self._branch)
        found = [point for points, _ in latest for point in points]
        return sorted(found, key=lambda point: point.started_at, reverse=True)[:_MOST_MEASUREMENTS]


# --- Periods -------------------------------------------------------------------------------------------------------


def _span(newest_first: Sequence[PastRun]) -> Period:
    return Period(PeriodKind.SPAN, newest_first[-1].started_at, just_after(newest_first[0].started_at))


def _latest_periods(newest: str) -> Iterator[tuple[str, Period]]:
    """The last weeks, from Monday to Sunday, and the last months, up to the one that the newest run is in."""
    time = datetime.fromisoformat(newest).astimezone(UTC)
    midnight = time.replace(hour=0, minute=0, second=0, microsecond=0)
    end = midnight + timedelta(days=7 - midnight.weekday())
    for weeks in range(_WEEKS):
        until = end - timedelta(weeks=weeks)
        year, week, _ = (until - timedelta(days=1)).isocalendar()
        yield f"periods/{year}-w{week:02}.html", period_of(PeriodKind.WEEK, None, until.isoformat(), time)
    now = datetime.fromisoformat(just_after(newest))
    period = period_of(PeriodKind.MONTH, None, None, now)
    for _ in range(_MONTHS):
        yield f"periods/{period.since[:7]}.html", period
        period = period_of(PeriodKind.MONTH, None, period.since, now)


# --- Endpoints -----------------------------------------------------------------------------------------------------


def _with_fewer_points(report: PeriodReport) -> PeriodReport:
    most = max(_MOST_POINTS // max(len(report.endpoints), 1), _LEAST_POINTS)
    fewer = (replace(summary, points=combine_points(summary.points, most)) for summary in report.endpoints)
    return replace(report, endpoints=tuple(fewer))


def _preferred(summaries: Sequence[EndpointSummary]) -> EndpointSummary:
    """The series that stands for an endpoint: measured rather than read from the monitor, then the newest."""
    return max(summaries, key=lambda one: (one.is_current, one.source is Source.MEASURED, one.last.started_at))


def _one_per_endpoint(report: PeriodReport) -> Iterator[EndpointSummary]:
    """In the order of the report."""
    for name in dict.fromkeys(summary.name for summary in report.endpoints):
        yield _preferred([summary for summary in report.endpoints if summary.name == name])


def _of_endpoint(report: PeriodReport, name: str) -> PeriodReport:
    lists = ("regressions", "improvements", "drifts", "forming", "consistency", "slow", "recoveries", "new", "gone")
    own: dict[str, Any] = {key: tuple(item for item in getattr(report, key) if item.endpoint == name) for key in lists}
    return replace(report, endpoints=tuple(summary for summary in report.endpoints if summary.name == name), **own)


def _state(report: PeriodReport, summary: EndpointSummary) -> str:
    """Of its newest change: ``step on 17 June 2026``, ``drift since 18 August 2026``; empty without one."""
    if gone := [gone for gone in report.gone if gone.endpoint == summary.name]:
        return f"gone since {day(gone[0].last.started_at)}"
    if any(forming.endpoint == summary.name for forming in report.forming):
        return "newest runs differ"
    key = (summary.name, summary.machine, summary.source)
    changes = [
        change
        for change in (*report.regressions, *report.improvements, *report.drifts)
        if (change.endpoint, change.machine, change.source) == key
    ]
    if not changes:
        return ""
    newest = max(changes, key=lambda change: change.at.started_at)
    if newest.resolved:
        return f"resolved {day(newest.resolved.started_at)}"
    return f"{'drift since' if newest.score is None else 'step on'} {day(newest.at.started_at)}"


def _facts(newest: EndpointSummary) -> Iterator[tuple[str, str]]:
    yield "Newest run", day(newest.last.started_at)
    if newest.target_ms:
        yield "Target", f"{newest.metric} {format_figure(newest.target_ms, newest.unit)}"
    if newest.end_ms is not None:
        yield f"Level now, {newest.metric}", format_figure(newest.end_ms, newest.unit)
    if newest.end_p95_ms is not None:
        yield "95th percentile", format_figure(newest.end_p95_ms, newest.unit)
    yield "Headroom", finding_words.headroom_figure(newest)
    yield "Errors", finding_words.error_figure(newest)
    yield "Runs", plural(newest.runs, "run")
    if set(newest.verdicts) != {str(Verdict.OK)}:
        yield "Verdicts", ", ".join(f"{count} {verdict}" for verdict, count in newest.verdicts.items())
    yield "Machine", newest.machine
