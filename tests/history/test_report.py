"""Lists of runs and series of measurements on a terminal, from data that is given."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType
from simulation.runs import hostile_names
from support.golden import check_golden

from perfcheck.history.model import Note, PastMeasurement, PastRun
from perfcheck.history.report.lists import render_runs
from perfcheck.history.report.series_chart import Columns, draw_bars, draw_chart, draw_marks, render_series
from perfcheck.history.series import SeriesHistory
from perfcheck.model import Counts, Metric, Source, Verdict
from perfcheck.report.glyphs import ASCII, UNICODE, Glyphs
from perfcheck.stats.drift import Drift
from perfcheck.stats.trend import Step, Trend

GOLDEN = Path(__file__).parent / "golden"
MACHINE, OTHER = "Linux 6.1 x86_64, 2 CPUs", "Darwin 25.0 arm64, 8 CPUs"


def shown(page: RenderableType, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(page)
    return "".join(line.rstrip() + "\n" for line in captured.get().splitlines())


# --- Runs ----------------------------------------------------------------------------------------------------------

ONE = PastRun(
    id="5e0cbd2e-9f0f-4d5f-8f3c-8f4ed3a3c7f1",
    label="v1.4",
    started_at="2026-11-23T12:00:00.000Z",
    duration_ms=12345.6,
    verdict=Verdict.CRITICAL,
    exit_code=1,
    complete=True,
    counts=Counts(ok=8, warning=1, critical=2, not_measured=0),
    source=Source.MEASURED,
    commit="0123abcd" * 5,
    branch="main",
    dirty=True,
    ci="GitHub Actions",
    machine=MACHINE,
    base_url="http://localhost:5001",
    baseline_file="baselines.yaml",
    baseline_sha256="0" * 64,
)
RUNS = [
    ONE,
    replace(ONE, id="aaaa0000", label=None, verdict=Verdict.OK, counts=Counts(11, 0, 0, 0), branch="feature/long-name"),
    replace(ONE, id="bbbb0000", label="nightly of the week before the release", source=Source.MONITORED, commit=None),
    replace(ONE, id="cccc0000", verdict=Verdict.NOT_MEASURED, counts=Counts(0, 0, 0, 11), dirty=False),
    replace(ONE, id="dddd0000", verdict=Verdict.WARNING, complete=False, branch=None, machine=OTHER),
]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_runs_at_widths(width: int) -> None:
    check_golden(GOLDEN / f"runs-{width}.txt", shown(render_runs(RUNS, UNICODE, width), width))


@pytest.mark.parametrize("width", [50, 60, 80, 100, 140])
@pytest.mark.parametrize("glyphs", [ASCII, UNICODE])
def test_no_line_of_a_list_is_wider_than_the_terminal(width: int, glyphs: Glyphs) -> None:
    hostile = [replace(ONE, label=name, branch=name, machine=name, commit=name) for name in hostile_names()]
    page = shown(render_runs([*RUNS, *hostile], glyphs, width), width)
    assert max(map(len, page.splitlines())) <= width
    assert "\x1b" not in page
    assert len(page.splitlines()) <= 1 + 2 * (len(RUNS) + len(hostile))


def test_no_runs() -> None:
    assert shown(render_runs([], UNICODE, 80), 80) == "no runs\n"


# --- Series --------------------------------------------------------------------------------------------------------


def measured(index: int, value: float, *, machine: str = MACHINE, spread: float | None = 0.1) -> PastMeasurement:
    return PastMeasurement(
        run_id=f"{index:08x}-0000",
        started_at=f"2026-{1 + index // 28:02}-{1 + index % 28:02}T12:00:00.000Z",
        label="v1.4" if index == 30 else None,
        commit=f"{index:04x}abcdef01",
        endpoint="videos.list",
        group="videos",
        series=machine,
        machine=machine,
        source=Source.MEASURED,
        verdict=Verdict.OK,
        decided=True,
        metric=Metric.MEDIAN,
        value_ms=value,
        interval_ms=(value * 0.9, value * 1.1),
        median_ms=value,
        p95_ms=value * 2,
        spread=spread,
        target_ms=250.0,
        ideal_ms=None,
        error_rate=0.0,
        requests=5,
        critical_path=False,
    )


def values(count: int) -> list[float]:
    """Up at 30, then slowly on from 45, with one that is far off."""
    found = [212.0 + 5 * ((7 * i) % 5 - 2) + (56 if i >= 30 else 0) + max(0, i - 45) for i in range(count)]
    found[12] = 900.0
    return found


def series(count: int = 60) -> SeriesHistory:
    points = [
        measured(i, value, spread=0.05 + 0.01 * (i % 4) + 0.1 * (i > 40)) for i, value in enumerate(values(count))
    ]
    return SeriesHistory(
        points=tuple(points),
        trend=Trend((Step(30, 6.1, 212.0, 268.0, 0.0004),), Drift(45, 268.0, 282.0)),
        spread_trend=Trend((Step(41, 5.2, 0.065, 0.165, 0.021),)),
        notes=(
            (31, Note(1, "2026-02-04T09:00:00.000Z", None, "001f", "search was slow", "index dropped", "put back")),
        ),
        earlier=7,
    )


def other() -> SeriesHistory:
    points = [measured(i, 90.0 + i, machine=OTHER, spread=None) for i in range(3)]
    return SeriesHistory(tuple(points), Trend(), Trend())


@pytest.mark.parametrize(("glyphs", "width"), [(ASCII, 60), (UNICODE, 60), (UNICODE, 100)])
def test_series_at_widths(glyphs: Glyphs, width: int) -> None:
    page = shown(render_series("videos.list", [series(), other()], glyphs, width), width)
    assert max(map(len, page.splitlines())) <= width
    assert page.isascii() is (glyphs is ASCII)
    check_golden(GOLDEN / f"series-{'ascii' if glyphs is ASCII else 'unicode'}-{width}.txt", page)


def test_equal_spreads_are_not_a_range() -> None:
    one = SeriesHistory((measured(0, 100.0, spread=0.05),), Trend(), Trend())
    assert "  5% of the median" in shown(render_series("x", [one], ASCII, 60), 60)


@pytest.mark.parametrize("count", [1, 2, 5, 59, 60, 2000])
@pytest.mark.parametrize("width", [40, 60, 120])
def test_a_series_of_any_length_fits(count: int, width: int) -> None:
    points = tuple(measured(i % 300, 100.0 + i % 7) for i in range(count))
    trend = Trend((Step(count - 1, 4.5, 100.0, 110.0, 0.01),), Drift(0, 100.0, 120.0))
    page = shown(render_series("x", [SeriesHistory(points, trend, Trend())], ASCII, width), width)
    assert max(map(len, page.splitlines())) <= width


def test_hostile_texts_are_shown_and_not_obeyed() -> None:
    for name in hostile_names():
        point = measured(0, 5.0)._replace(label=name, commit=name, machine=name)
        note = Note(1, "2026-02-04T09:00:00.000Z", None, name, name, name, name)
        one = SeriesHistory((point,), Trend((Step(0, 5.0, 4.0, 5.0, 0.1),)), Trend(), ((0, note),))
        assert "\x1b" not in shown(render_series(name, [one], UNICODE, 60), 60)


# --- The chart -----------------------------------------------------------------------------------------------------


def chart(some: Sequence[float], room: int = 40, **options: object) -> list[str]:
    return draw_chart(some, Columns.fit(len(some), room), ASCII, **options)  # type: ignore[arg-type]


def test_a_chart_names_its_least_and_its_greatest() -> None:
    rows = chart([10.0, 20.0, 30.0])
    assert rows[0] == "     30 |      *"
    assert rows[4] == "     20 |   *   "
    assert rows[8] == "     10 |*      "


def test_a_point_far_off_is_marked_at_the_edge_and_does_not_flatten_the_others() -> None:
    rows = chart([10.0, 11.0] * 20 + [500.0])
    assert rows[0].startswith("   13.2 |")
    assert rows[0].endswith("^")


def test_points_that_are_all_equal_are_drawn_in_the_middle() -> None:
    assert [row for row in chart([10.0] * 5) if "*" in row] == [chart([10.0] * 5)[4]]


def test_a_target_is_drawn_when_it_is_near() -> None:
    assert any("-" in row for row in chart([10.0, 12.0], line=13.0))
    assert not any("-" in row for row in chart([10.0, 12.0], line=100.0))


def test_changes_are_marked_where_they_are() -> None:
    columns = Columns.fit(100, 50)
    rows = draw_chart([10.0] * 50 + [20.0] * 50, columns, ASCII, changes=[50])
    column = 9 + columns.of(50)
    assert all(row[column] in "|*" for row in rows)
    assert draw_marks({50: "1"}, columns) == " " * column + "1"
    assert draw_marks({50: "1", 51: "2"}, columns).split() == ["12"]


def test_bars_use_their_height_and_leave_gaps() -> None:
    assert draw_bars([6.0, None, 8.0, 7.0], Columns(4, 4), ASCII.bars) == "_ #-"
    assert draw_bars([None, None], Columns(2, 2), ASCII.bars) == ""
