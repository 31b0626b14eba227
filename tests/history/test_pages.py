"""Pages in a history: their figures keep their unit, and a level of 0 is a level."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from simulation.runs import run
from support.histories import FIRST, HERE, fill
from support.pages import page

from perfcheck.history.report.series_chart import render_series
from perfcheck.history.series import LatestSeriesReader, read_series
from perfcheck.history.store import open_history
from perfcheck.model import MetricOf, Run
from perfcheck.periods.model import BaselineHistory
from perfcheck.report.glyphs import ASCII
from perfcheck.site.pages import build_site, file_name


def runs_of(of: MetricOf, values: Sequence[float], target: float) -> list[Run]:
    """One a day."""
    return [
        replace(
            run([page(of, [value] * 5, target)]),
            id=f"run-{number:04}",
            started_at=(FIRST + timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            environment=HERE,
        )
        for number, value in enumerate(values)
    ]


def chart(file: Path) -> str:
    with open_history(str(file), file.parent) as store:
        histories = read_series(store, "home", most=100)
    console = Console(file=io.StringIO(), width=80, color_system=None)
    with console.capture() as captured:
        console.print(render_series("home", histories, ASCII, 80))
    return captured.get()


def test_a_series_of_sizes(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    fill(file, runs_of(MetricOf.BYTES, [512_000.0] * 12 + [1_200_000.0] * 6, 600_000.0))
    text = chart(file)
    for expected in ("median bytes | target 600 kB", "1.2 MB |", "512 kB |", "512 kB -> 1.2 MB, +134%"):
        assert expected in text
    with open_history(str(file), tmp_path) as store:
        pages = build_site(store, branch="main", run_pages=1, read_baseline=lambda _: BaselineHistory(""))
    shown = pages[f"endpoints/{file_name('home')}"].decode().replace("-&gt;", "->")
    for expected in ("median bytes 600 kB", "1.2 MB", "2.00x its target of 600 kB"):
        assert expected in shown
    assert "1200 s" not in shown


@pytest.mark.parametrize(("of", "after"), [(MetricOf.TOTAL_BLOCKING_TIME, "200 ms"), (MetricOf.LAYOUT_SHIFT, "200")])
def test_a_trend_from_zero(tmp_path: Path, of: MetricOf, after: str) -> None:
    file = tmp_path / "history.sqlite"
    fill(file, runs_of(of, [0.0] * 12 + [200.0] * 6, 300.0))
    with open_history(str(file), tmp_path) as store:
        (series,) = read_series(store, "home", most=100)
        latest = LatestSeriesReader(store, "baselines.yaml", 20, branch="main").read("home")
    (step,) = series.trend.steps
    assert (step.index, step.before, step.ratio, latest.since) == (12, 0.0, math.inf, 12)
    assert f" -> {after}" in chart(file)


def test_nothing_but_zeros(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    fill(file, runs_of(MetricOf.LAYOUT_SHIFT, [0.0] * 12, 0.1))
    assert "no change found" in chart(file)


def test_a_limit_on_another_figure_begins_no_new_series(tmp_path: Path) -> None:
    file, of = tmp_path / "history.sqlite", MetricOf.LARGEST_CONTENTFUL_PAINT
    limited = page(of, [100.0] * 5, 200.0, figures={MetricOf.LOAD: ([150.0] * 5, 300.0)})
    runs = [replace(one, endpoints=(limited,)) for one in runs_of(of, [100.0] * 4, 200.0)[2:]]
    fill(file, [*runs_of(of, [100.0] * 2, 200.0), *runs])
    with open_history(str(file), tmp_path) as store:
        (series,) = read_series(store, "home", most=100)
    assert len(series.points) == 4
