"""Where things stand in the charts of the HTML report: arithmetic, without a page."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation.runs import decision, endpoint, result, samples
from support.comparisons import comparison_run

from perfcheck.model import EndpointResult, Verdict
from perfcheck.report.html.axes import (
    Knee,
    Linear,
    Log,
    change_axis,
    fitting,
    histogram,
    limits_of,
    ratio_axis,
    ratio_ticks,
    round_ticks,
    shape,
    zones,
)

latencies = st.floats(0.001, 1e6)
KNEE = Knee(2.0, 30.0)


def test_up_to_the_knee_equal_steps_are_equal() -> None:
    assert KNEE(0) == 0
    assert KNEE(1.5) - KNEE(1) == pytest.approx(KNEE(1) - KNEE(0.5))
    assert KNEE(2) == pytest.approx(KNEE(2.000001), abs=1e-4)
    assert KNEE(30) == 1


def test_beyond_the_knee_equal_factors_are_equal() -> None:
    assert KNEE(4) - KNEE(2) == pytest.approx(KNEE(8) - KNEE(4))
    assert KNEE(60**0.5) == pytest.approx((KNEE(2) + 1) / 2)


@given(st.floats(0, 100), st.floats(0, 100))
def test_more_is_never_further_left(one: float, other: float) -> None:
    assert (one < other) <= (KNEE(one) <= KNEE(other))


@given(st.lists(latencies, min_size=1), latencies)
def test_every_value_has_its_place_on_an_axis_fitting_it(values: list[float], other: float) -> None:
    scale = fitting(values)
    assert all(0 <= scale(value) <= 1 for value in [*values, other, 0.0])
    assert sum(histogram(values, scale, 10)) == sum(shape(values, 10)) == len(values)


def test_a_wide_span_makes_an_axis_logarithmic() -> None:
    assert isinstance(fitting([10.0, 100.0]), Linear)
    assert isinstance(fitting([1.0, 100.0]), Log)
    assert isinstance(fitting([]), Linear)


@given(st.lists(latencies, min_size=1))
def test_ticks_lie_on_the_axis_with_room_for_labels(values: list[float]) -> None:
    scale = fitting(values)
    places = [scale(tick) for tick in round_ticks(scale)]
    assert places
    assert all(later - earlier > 0.09 for earlier, later in pairwise(places))


@given(st.lists(st.floats(0, 1e5)))
def test_the_common_axis_shows_all_and_names_the_target(ratios: list[float]) -> None:
    axis = ratio_axis(ratios, [1.5, 2.0])
    assert all(axis.high >= ratio for ratio in ratios)
    assert 1.0 in ratio_ticks(axis)


def measured(*, ceiling: float | None = None, target: float | None = 300.0) -> EndpointResult:
    one = replace(endpoint("videos.list", target=target), ceiling_ms=ceiling)
    return result(one, samples(1, [800.0] * 5), decision(Verdict.WARNING, 800.0))


@pytest.mark.parametrize(
    ("one", "ends"),
    [
        (measured(), {"z0": 0.3, "z1": 0.45, "z2": 0.6, "z3": 1.0}),
        (measured(ceiling=500.0), {"z0": 0.3, "z1": 0.45, "z2": 0.5, "z3": 1.0}),
        (measured(ceiling=400.0), {"z0": 0.3, "z1": 0.4, "z3": 1.0}),
        (measured(ceiling=100.0), {"z0": 0.1, "z3": 1.0}),
        (measured(ceiling=2000.0), {"z0": 0.3, "z1": 0.45, "z2": 0.6, "z3": 1.0}),
        (measured(target=None), {"z0": 0.5, "z2": 1.0}),
        (replace(measured(target=None), findings=()), {}),
    ],
)
def test_zones_of_the_limits(one: EndpointResult, ends: dict[str, float]) -> None:
    found = {css: right for _, right, css in zones(limits_of(one), 1.0, Linear(0.0, 1000.0))}
    assert found == pytest.approx(ends)


def test_zones_of_a_change_are_those_it_is_judged_by() -> None:
    """Up to the warning limit it is no change: there is no zone between."""
    one = next(one for one in comparison_run().endpoints if one.name == "videos.search")
    assert one.target_ms
    found = {css: right for _, right, css in zones(limits_of(one), 1 / one.target_ms, change_axis([], [1.25]))}
    axis = change_axis([], [1.25])
    assert found == pytest.approx({"z0": axis(1.1), "z2": axis(1.25), "z3": 1.0})


@given(st.lists(st.floats(1e-3, 1e5)))
def test_the_axis_of_changes_shows_all_and_names_before(ratios: list[float]) -> None:
    axis = change_axis(ratios, [1.1, 1.25])
    assert all(axis.low <= ratio <= axis.high for ratio in ratios)
    ticks = ratio_ticks(axis)
    assert 1.0 in ticks
    assert ticks == sorted(ticks)
    assert axis(1.25) - axis(1.1) > 0.05  # a zone is wide enough to be seen, whatever became slower beside it


def test_the_ceiling_is_named_where_it_is_what_counts() -> None:
    assert [word for _, word in limits_of(measured(ceiling=500.0)).named] == ["target", "ceiling", "warning"]
    assert [word for _, word in limits_of(measured(ceiling=400.0)).named] == ["target", "ceiling"]
    assert [word for _, word in limits_of(measured()).named] == ["target", "critical", "warning"]
