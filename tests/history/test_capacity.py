"""Capacities in a history: a series in users or requests a second, of which less is worse."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from support.capacities import capacity_run, found
from support.histories import FIRST, HERE, fill, past_runs
from support.past import report_on, series

from perfcheck.cli.app import run_command_line
from perfcheck.engine.saved_runs import find_earlier_run
from perfcheck.errors import UsageError
from perfcheck.history.report.series_chart import render_series
from perfcheck.history.series import SeriesHistory, read_series
from perfcheck.history.store import open_history
from perfcheck.model import CAPACITY, CapacityResult, Changed, LoadModel, Run, Source, ThinkTime, Unit, Verdict
from perfcheck.periods.model import BaselineHistory, ChangeKind, Period, PeriodKind, PeriodReport
from perfcheck.periods.period_report import read_period
from perfcheck.periods.report import html, markdown
from perfcheck.report.glyphs import ASCII
from perfcheck.site.pages import build_site, file_name
from perfcheck.stats.trend import TrendState

NOISE = [1 + 0.02 * ((i * 7919) % 11 - 5) / 5 for i in range(60)]  # looks like it, and is always the same


def searches(values: Sequence[float | None], like: CapacityResult | None = None, hour: int = 1) -> list[Run]:
    """One a day."""
    like = like or found(at_least=39)
    runs = []
    for number, value in enumerate(values):
        interval = (None, None) if value is None else (0.95 * value, 1.05 * value)
        run = capacity_run(replace(like, value=value, interval=interval))
        time = FIRST + timedelta(days=number, hours=hour)
        started_at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        runs.append(replace(run, id=f"{hour:04}-{number}", label=None, started_at=started_at, environment=HERE))
    return runs


def levels(*some: tuple[int, float]) -> list[float]:
    values = [level for count, level in some for _ in range(count)]
    return [value * factor for value, factor in zip(values, NOISE, strict=False)]


def read(file: Path) -> list[SeriesHistory]:
    with open_history(str(file), file.parent) as store:
        return read_series(store, CAPACITY, most=100)


def chart(file: Path) -> str:
    console = Console(file=io.StringIO(), width=90, color_system=None)
    with console.capture() as captured:
        console.print(render_series(CAPACITY, read(file), ASCII, 90))
    return captured.get()


def test_a_capacity_that_became_lower(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    fill(file, searches([*levels((12, 50), (8, 38)), None]), past_runs({"videos.list": [100.0] * 21}))
    text = chart(file)
    for expected in ("user capacity | target 39 users | 20 runs", "50 -> 38 users, -2"):
        assert expected in text
    period = Period(PeriodKind.SPAN, "2026-10-08T00:00:00.000Z", "2026-10-22T00:00:00.000Z")
    with open_history(str(file), tmp_path) as store:
        report = read_period(store, period, BaselineHistory(""), branch="main", generated_at=period.until)
        pages = build_site(store, branch="main", run_pages=3, read_baseline=lambda _: BaselineHistory(""))
    (regression,) = report.regressions
    assert (regression.endpoint, regression.unit, regression.stands) == (CAPACITY, Unit.USERS, True)
    assert (report.new, report.gone) == ((), ())
    page = markdown.render(report)
    for expected in (
        "The endpoint is within its limits now. The capacity is 38 users now; needed: 39 users.",
        "user capacity 50 -> 38 users, 23% lower",
        "not resolved: 38 users now, 24% lower than before",
    ):
        assert expected in page.replace("\\", "")
    assert "38 users, 39 users needed" in html.render(report)
    assert sum("imits hold for 38 users" in page.decode() for page in pages.values()) == 1
    site = pages[f"endpoints/{file_name(CAPACITY)}"].decode()
    assert "50 \N{RIGHTWARDS ARROW} 38 users" in site
    assert "moved-at crit" in site


def test_only_searches_of_the_same_kind_are_compared(tmp_path: Path) -> None:
    file, like = tmp_path / "history.sqlite", found(at_least=39)
    others = [
        replace(like, model=LoadModel.RATE, think_s=None),
        replace(like, mix={"videos.list": 1.0}),
        replace(like, think_s=0.5),
        replace(like, think_time=ThinkTime.EXPONENTIAL),
        replace(like, within={**like.within, "videos.get": 0.5}),
        replace(like, limits_ms={"videos.list": 300.0, "videos.get": 75.0}),
    ]
    same = replace(like, mix={"videos.get": 2.0, "videos.list": 6.0}, at_least=45, workers=4)
    kinds = [like, same, *others]
    fill(file, *(searches([40.0, 41.0], kind, hour) for hour, kind in enumerate(kinds)))
    assert sorted(len(series.points) for series in read(file)) == [2] * len(others) + [4]
    assert "rate capacity in requests/s | target 39/s" in chart(file)


def of_capacity(
    values: Sequence[float], model: LoadModel = LoadModel.USERS, target: float | None = None
) -> PeriodReport:
    rows = [
        row._replace(metric=model.metric_name, source=Source.LOAD, target_ms=target, verdict=Verdict.OK)
        for row in series(CAPACITY, values)
    ]
    return report_on(rows, 15, len(rows))


@pytest.mark.parametrize("model", LoadModel)
@pytest.mark.parametrize(
    ("values", "kinds", "changed"),
    [
        (levels((20, 50), (20, 38)), [ChangeKind.REGRESSION], Changed.SLOWER),
        (levels((20, 38), (20, 50)), [ChangeKind.IMPROVEMENT], Changed.FASTER),
        (levels((20, 50), (10, 35), (15, 50)), [ChangeKind.REGRESSION], Changed.NO_CHANGE),
        (levels((20, 50), (10, 35), (15, 70)), [ChangeKind.IMPROVEMENT, ChangeKind.REGRESSION], Changed.FASTER),
        ([50 - 0.4 * i for i in range(60)], [ChangeKind.GETTING_SLOWER], Changed.SLOWER),
        (levels((40, 50)), [], Changed.NO_CHANGE),
    ],
)
def test_less_is_worse(values: list[float], kinds: list[ChangeKind], changed: Changed, model: LoadModel) -> None:
    report = of_capacity(values, model)
    changes = (*report.improvements, *report.regressions, *report.drifts)
    assert [change.kind for change in changes] == kinds
    (summary,) = report.endpoints
    assert (summary.changed, summary.unit) == (changed, model.unit)
    assert all(change.stands is (changed is Changed.SLOWER) for change in report.regressions)


def test_what_is_not_proven_is_not_called_slow_alone(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    fill(file, searches([40.0] * 3))
    period = Period(PeriodKind.WEEK, "2026-10-01T00:00:00.000Z", "2026-10-08T00:00:00.000Z")
    with open_history(str(file), tmp_path) as store:
        page = markdown.render(
            read_period(store, period, BaselineHistory(""), branch="main", generated_at=period.until)
        )
    for expected in ("user capacity 40 users, 1.03x its target of 39 users, not proven", "A capacity has to be over"):
        assert expected in page.replace("\\", "")


def test_headroom_is_what_is_not_needed() -> None:
    (summary,) = of_capacity([50.0] * 30, target=40.0).endpoints
    assert summary.end_headroom == pytest.approx(0.2)
    (focus,) = of_capacity([50.0] * 30, target=60.0).focus
    assert focus.end_headroom == pytest.approx(-0.2)
    assert focus.lost_ms == 10


def test_searches_are_rarer_than_checks(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    weekly = [
        replace(run, started_at=(FIRST + timedelta(days=7 * i - 70)).strftime("%Y-%m-%dT%H:%M:%S.000Z"))
        for i, run in enumerate(searches([*[50.0] * 11, 38.0]))
    ]
    checks = [past_runs({"videos.list": [100.0] * 12}, first=FIRST - timedelta(hours=hour)) for hour in range(1, 13)]
    fill(file, weekly, *checks)
    period = Period(PeriodKind.WEEK, "2026-10-07T00:00:00.000Z", "2026-10-14T00:00:00.000Z")
    with open_history(str(file), tmp_path) as store:
        report = read_period(store, period, BaselineHistory(""), branch="main", generated_at=period.until)
    (capacity,) = [summary for summary in report.endpoints if summary.unit.is_load]
    assert (capacity.runs, capacity.begin_ms, len(capacity.points)) == (1, 50.0, 12)


def test_a_label_may_be_of_a_check_and_of_a_search(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    check, search = past_runs({"videos.list": [100.0]}), searches([42.0])
    fill(file, [replace(run, label="v1.4") for run in (*check, *search)])
    assert find_earlier_run("v1.4", str(file)).id == check[0].id
    assert find_earlier_run("v1.4", str(file), of_capacity=True).id == search[0].id
    with pytest.raises(UsageError, match="is a search for a capacity"):
        find_earlier_run("0001-0", str(file))


def test_down_and_back_is_an_incident(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    fill(file, searches(levels((15, 50), (6, 35), (10, 50))))
    assert read(file)[0].trend.state is TrendState.INCIDENT


def test_the_list_has_the_capacities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "history.sqlite"
    fill(file, searches([42.0, None]), past_runs({"videos.list": [100.0]}))
    arguments = ["history", "list", "--history", str(file)]
    assert run_command_line(arguments) == 0
    text = capsys.readouterr().out
    cells = [cell for line in text.splitlines() for cell in ("capacity", "42 users", "1 OK") if cell in line]
    assert cells == ["capacity", "42 users", "1 OK"]  # the newest is not known
    assert run_command_line([*arguments, "--source", "load", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [run["verdict"] for run in listed["runs"]] == ["not measured", "OK"]
