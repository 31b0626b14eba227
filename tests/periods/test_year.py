"""A year of daily runs in a real store: what was planted is found, with its runs, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from simulation.year import (
    DAYS,
    DRIFT_BEGINS,
    FASTER,
    FIXED,
    SINCE,
    STEP_FIXED,
    STEP_STAYS,
    UNTIL,
    commit_of,
    fill,
    moment_of,
    month,
    run_id,
)
from support.golden import check_golden
from support.markdown import check_page
from support.past import GENERATED

from perfcheck.history.store import History, open_history
from perfcheck.model import Metric
from perfcheck.periods.model import (
    BaselineHistory,
    LatencyChange,
    Period,
    PeriodKind,
    PeriodReport,
    TargetChange,
    TargetKey,
)
from perfcheck.periods.period_report import encode_period, read_period, release_period
from perfcheck.periods.report.console import render_console
from perfcheck.periods.report.markdown import render
from perfcheck.report.glyphs import UNICODE

GOLDEN = Path(__file__).parent / "golden"
BASELINE = BaselineHistory(
    "baselines.yaml",
    (
        TargetChange(
            "videos.by_artist",
            TargetKey.TARGET,
            Metric.MEDIAN,
            300.0,
            250.0,
            commit_of(184),
            moment_of(184),
            "Promise the artists' list within 250 ms",
        ),
    ),
    1,
)
PAGE = {"h1", "h2", "ol", "br"}
MONTHS = ["2025-12", *(f"2026-{number:02}" for number in range(1, 12))]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with open_history("year.sqlite", tmp_path_factory.mktemp("year")) as opened:
        fill(opened)
        yield opened


@pytest.fixture(scope="module")
def year(store: History) -> PeriodReport:
    return read(store, Period(PeriodKind.SPAN, SINCE, UNTIL))


@pytest.fixture(scope="module")
def months(store: History) -> dict[str, PeriodReport]:
    return {name: read(store, month(name)) for name in MONTHS}


def read(store: History, period: Period) -> PeriodReport:
    return read_period(store, period, BASELINE, branch="main", generated_at=GENERATED)


def found(changes: tuple[LatencyChange, ...]) -> list[tuple[str, str]]:
    return [(one.endpoint, one.at.run_id) for one in changes]


def test_the_year_names_what_was_planted_and_no_other(year: PeriodReport) -> None:
    assert year.runs == DAYS
    assert sorted(found(year.regressions)) == [
        ("search.universal", run_id(STEP_STAYS)),
        ("videos.list", run_id(STEP_FIXED)),
    ]
    assert found(year.improvements) == [("artists.list", run_id(FASTER))]
    assert [one.endpoint for one in year.drifts] == ["settings.get"]
    assert year.consistency == ()
    assert (year.new, year.gone, year.recoveries) == ((), (), ())


def test_the_year_shows_how_each_incident_ended(year: PeriodReport) -> None:
    ended = {one.endpoint: one for one in year.regressions}
    assert ended["videos.list"].resolved is not None
    assert ended["videos.list"].resolved.run_id == run_id(FIXED)
    assert ended["search.universal"].stands
    assert [note.fix for note in ended["videos.list"].notes] == [None, "join only when sorting by artist"]
    assert [note.cause for note in ended["search.universal"].notes] == ["an index got lost in the migration of June"]
    assert year.other_notes == ()


def test_the_year_says_where_the_drift_began(year: PeriodReport) -> None:
    (drift,) = year.drifts
    begun = [run_id(number) for number in range(DRIFT_BEGINS - 20, DRIFT_BEGINS + 21)]
    assert drift.at.run_id in begun
    assert drift.ratio == pytest.approx(1.4, rel=0.05)


def test_every_month_has_its_own_and_nothing_is_reported_twice(months: dict[str, PeriodReport]) -> None:
    steps: list[tuple[str, str, str]] = []
    for name, report in months.items():
        steps += [(name, *one) for one in found(report.regressions + report.improvements)]
    assert steps == [
        ("2026-03", "videos.list", run_id(STEP_FIXED)),
        ("2026-06", "search.universal", run_id(STEP_STAYS)),
        ("2026-09", "artists.list", run_id(FASTER)),
    ]


def test_the_drift_is_reported_as_long_as_it_continues(months: dict[str, PeriodReport]) -> None:
    drifting = [name for name, report in months.items() if report.drifts]
    assert drifting[-2:] == ["2026-10", "2026-11"]
    assert not set(drifting) & set(MONTHS[:8])


def test_a_release_is_what_came_after_the_one_before(store: History) -> None:
    report = read(store, release_period(store, "v2.6.0", "v2.8.0", branch="main"))
    assert found(report.regressions) == [("search.universal", run_id(STEP_STAYS))]
    assert report.first is not None
    assert report.last is not None
    assert (report.first.run_id, report.last.label) == (run_id(6 * 28 + 1), "v2.8.0")
    newest = release_period(store, None, None, branch="main")
    assert (newest.since_label, newest.until_label) == ("v2.12.0", "v2.13.0")


def test_focus_is_on_what_lost_headroom(year: PeriodReport) -> None:
    assert [one.endpoint for one in year.focus] == ["videos.by_artist", "search.universal", "settings.get"]


def test_markdown(store: History, year: PeriodReport) -> None:
    check_golden(GOLDEN / "period-year.md", render(year))
    check_golden(GOLDEN / "period-month.md", render(read(store, month("2026-04"))))
    week = Period(PeriodKind.WEEK, moment_of(STEP_STAYS + 5), moment_of(STEP_STAYS + 12))
    check_golden(GOLDEN / "period-week.md", render(read(store, week)))


def test_markdown_is_well_formed(year: PeriodReport) -> None:
    check_page(render(year), more=PAGE, comments=0)


@pytest.mark.parametrize("width", [80, 120])
def test_console(year: PeriodReport, width: int) -> None:
    console = Console(width=width, record=True, color_system=None, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(render_console(year, UNICODE, width))
    lines = [line.rstrip() for line in captured.get().splitlines()]
    assert max(map(len, lines)) <= width
    check_golden(GOLDEN / f"period-year-{width}.txt", "\n".join(lines) + "\n")


def test_json(store: History) -> None:
    report = read(store, month("2026-09"))
    content = encode_period(report)
    assert msgspec.json.decode(content, type=PeriodReport) == report
    short = replace(report, endpoints=tuple(replace(one, points=one.points[:1]) for one in report.endpoints))
    check_golden(GOLDEN / "period-month.json", msgspec.json.format(encode_period(short), indent=2).decode())
