"""Steps and drift: scores by brute force, clear series of known truth, and how often they are found in noise."""

from __future__ import annotations

import math
import random
from itertools import combinations
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation.comparing import BASE_MS, Series, simulate_trends

from perfcheck.stats.change_points import error_probability, find_trend, sign_sums
from perfcheck.stats.drift import fitted_line, kendall_score
from perfcheck.stats.piecewise_fits import Fits, winsorised
from perfcheck.stats.split_score import score_split
from perfcheck.stats.trend import TrendState

ANY = st.one_of(st.floats(min_value=0.0), st.just(math.inf), st.sampled_from([1.0, 2.0]))
LOGS = st.lists(st.one_of(st.floats(min_value=-3, max_value=3), st.sampled_from([0.0, 0.1])), max_size=40)


def sign(value: float) -> int:
    return (value > 0) - (value < 0)


def series(cell: Series, seed: int = 1) -> list[float]:
    return cell.values(random.Random(seed))


@given(LOGS)
def test_rank_sums_are_those_of_all_pairs(values: list[float]) -> None:
    for newest, total in enumerate(sign_sums(values), start=1):
        older, newer = values[: len(values) - newest], values[len(values) - newest :]
        assert total == sum(sign(a - b) for b in older for a in newer)


@given(st.lists(st.floats(min_value=-3, max_value=3), min_size=8, max_size=30))
def test_fits_leave_what_they_say(values: list[float]) -> None:
    fits, drawn = Fits(values), winsorised(values)
    end = len(values)
    start = 2
    step = fits.step(start, end, before=2, after=1)
    parts = drawn[start : step.at], drawn[step.at : end]
    means = [sum(part) / len(part) for part in parts]
    left = sum((value - middle) ** 2 for part, middle in zip(parts, means, strict=True) for value in part)
    assert step.residuals == pytest.approx(left, abs=1e-9)
    assert step.size == pytest.approx(means[1] - means[0], abs=1e-9)
    ramp = fits.ramp(start, end, shortest=4)
    slope = ramp.size / (end - 1 - ramp.at)
    bent = [value - slope * max(0, i - ramp.at) for i, value in enumerate(drawn[start:], start)]
    middle = sum(bent) / len(bent)
    assert ramp.residuals == pytest.approx(sum((value - middle) ** 2 for value in bent), abs=1e-9)
    assert fits.step_on_line(start, end, before=2, after=1).residuals <= step.residuals + 1e-9


def test_a_step_and_a_ramp_are_fitted_exactly() -> None:
    step = Fits([1.0] * 20 + [1.5] * 15).step(0, 35, 5, 5)
    assert step.at == 20
    assert step.size == pytest.approx(0.5)
    assert step.residuals < 1e-9
    ramp = Fits([0.0] * 20 + [0.1 * i for i in range(30)]).ramp(0, 50, 10)
    assert ramp.at in {19, 20}
    assert ramp.size == pytest.approx(2.9, rel=0.02)
    both = Fits([0.1 * i + (2.0 if i >= 30 else 0.0) for i in range(50)]).step_on_line(0, 50, 5, 5)
    assert both.at == 30
    assert both.size == pytest.approx(2.0, rel=0.05)


def test_outliers_are_winsorised() -> None:
    rng = random.Random(2)
    values = [rng.gauss(0.0, 0.03) for _ in range(60)]
    values[30] = 5.0
    drawn = winsorised(values)
    assert drawn[30] < 0.2
    assert sum(a != b for a, b in zip(values, drawn, strict=True)) <= 6


@given(st.lists(st.floats(min_value=-3, max_value=3), min_size=2, max_size=30))
def test_kendall_and_theil_sen_by_all_pairs(values: list[float]) -> None:
    count = len(values)
    total = sum(sign(b - a) for a, b in combinations(values, 2))
    assert kendall_score(values) == pytest.approx(total / math.sqrt(count * (count - 1) * (2 * count + 5) / 18))
    slope = median((values[j] - values[i]) / (j - i) for i, j in combinations(range(count), 2))
    before, after = fitted_line(values)
    assert (after - before) / (count - 1) == pytest.approx(slope, abs=1e-9)


def test_line_of_a_long_series() -> None:
    assert fitted_line([1.0 + 0.001 * i for i in range(3000)]) == pytest.approx((1.0, 3.999))


@pytest.mark.parametrize("seed", range(10))
def test_a_clean_step_is_found_at_its_run(seed: int) -> None:
    trend = find_trend(series(Series(120, outliers=0.0, step=0.25, step_at=60), seed))
    assert [step.index for step in trend.steps] == [60]
    assert trend.drift is None
    step = trend.steps[0]
    assert step.before == pytest.approx(BASE_MS, rel=0.03)
    assert step.ratio == pytest.approx(1.25, rel=0.03)
    assert step.score > 4
    assert 0 < step.error_probability < 0.003


def test_it_is_found_soon_and_stays_where_it_is() -> None:
    """As if looked for after every run."""
    values = series(Series(110, outliers=0.0, step=0.25, step_at=60))
    found = [[step.index for step in find_trend(values[:end]).steps] for end in range(len(values) + 1)]
    assert not any(found[:63])
    assert all(steps == [60] for steps in found[66:])


def test_up_and_down_again() -> None:
    values = series(Series(200, step=0.3, step_at=50))
    values = [value / 1.3 if i >= 120 else value for i, value in enumerate(values)]
    trend = find_trend(values)
    assert [step.index for step in trend.steps] == [50, 120]
    assert trend.steps[0].ratio == pytest.approx(1.3, rel=0.03)
    assert trend.steps[1].ratio == pytest.approx(1 / 1.3, rel=0.03)


def test_less_than_five_percent_is_no_step() -> None:
    trend = find_trend(series(Series(200, noise=0.005, outliers=0.0, step=0.04, step_at=100)))
    assert (trend.steps, trend.drift, trend.state) == ((), None, TrendState.NONE)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("drift", [0.4, -0.3])
def test_a_slow_drift_is_no_stairs(seed: int, drift: float) -> None:
    trend = find_trend(series(Series(300, drift=drift), seed))
    assert trend.steps == ()
    assert trend.drift is not None
    assert trend.drift.ratio == pytest.approx(1 + drift, rel=0.08)
    assert trend.drift.before == pytest.approx(BASE_MS, rel=0.05)
    assert trend.drift.index < 60


def test_where_a_drift_began() -> None:
    drift = find_trend(series(Series(400, drift=0.4, drift_from=200))).drift
    assert drift is not None
    assert 175 <= drift.index <= 225


def test_a_step_ends_a_drift() -> None:
    trend = find_trend(series(Series(260, drift=0.3, step=0.25, step_at=200)))
    assert [step.index for step in trend.steps] == [200]
    assert trend.drift is None


@pytest.mark.parametrize(
    "values",
    [
        [],
        [5.0],
        [0.0] * 100,
        [7.0] * 100,
        [0.0] * 50 + [5.0] * 50,
        [math.inf] * 80,
        [0.0, 5e-324, 1.7e308] * 20,
        [5.0] * 50 + [math.inf] * 50,
        [5.0] * 50 + [6.0] * 50,
    ],
)
def test_series_without_noise(values: list[float]) -> None:
    trend = find_trend(values)
    assert [step.index for step in trend.steps] == ([50] if len(set(values)) == 2 else [])
    assert trend.drift is None
    assert all(step.ratio > 1 for step in trend.steps)


@given(st.lists(ANY, max_size=150))
def test_no_series_is_a_mistake(values: list[float]) -> None:
    trend = find_trend(values)
    places = [0, *(step.index for step in trend.steps), len(values)]
    assert places == sorted(set(places)) or not values
    for step in trend.steps:
        assert step.before > 0
        assert abs(math.log(step.ratio)) >= math.log(1.05) - 1e-9


@given(st.integers(0, 10_000), st.floats(min_value=0.001, max_value=1000))
def test_the_unit_does_not_matter(seed: int, unit: float) -> None:
    values = series(Series(80, step=0.15, step_at=40), seed)
    here, there = find_trend(values), find_trend([unit * value for value in values])
    assert [step.index for step in here.steps] == [step.index for step in there.steps]
    assert [step.ratio for step in here.steps] == pytest.approx([step.ratio for step in there.steps])


def test_error_probability_falls_with_the_score() -> None:
    probabilities = [error_probability(score) for score in (0.0, 2.0, 4.0, 4.5, 5.0, 6.0)]
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] == 1
    assert probabilities[2] == pytest.approx(0.046)


# --- Few runs ------------------------------------------------------------------------------------------------------

QUICK = [18.4, 20.6, 17.2, 19.9, 22.3, 18.1, 20.5]
SLOW = [61.0, 52.3, 77.1, 68.8, 50.4, 58.7, 73.2, 66.5, 55.9, 70.6, 62.8, 51.7, 76.4, 64.3, 57.2, 69.1]


@pytest.mark.parametrize(
    ("values", "state", "steps", "runs_needed"),
    [
        ([], TrendState.CANNOT_TELL, [], 6),
        (QUICK[:5], TrendState.CANNOT_TELL, [], 1),
        (QUICK, TrendState.NONE, [], None),
        ([*QUICK, *SLOW[:1]], TrendState.CANNOT_TELL, [], 2),
        ([*QUICK, *SLOW[:2]], TrendState.CANNOT_TELL, [], 1),
        ([*QUICK, *SLOW[:3]], TrendState.STEP, [7], None),
        ([*QUICK, *SLOW], TrendState.STEP, [7], None),
        ([*QUICK, *SLOW[:4], *QUICK], TrendState.INCIDENT, [7, 11], None),
        ([*QUICK, *SLOW, *QUICK], TrendState.RESOLVED, [7, 23], None),
        ([*SLOW, *QUICK], TrendState.STEP, [16], None),
        ([90.0, *QUICK, *QUICK], TrendState.NONE, [], None),
        ([100 * 1.004**i for i in range(80)], TrendState.DRIFT, [], None),
    ],
    ids=str,
)
def test_the_first_weeks(values: list[float], state: TrendState, steps: list[int], runs_needed: int | None) -> None:
    trend = find_trend(values)
    assert (trend.state, [step.index for step in trend.steps]) == (state, steps)
    if state is TrendState.CANNOT_TELL:
        assert trend.runs_needed == runs_needed


def test_a_change_of_level_that_is_forming_is_shown_once_its_runs_have_come() -> None:
    trend = find_trend([*QUICK, *SLOW[:1]])
    assert trend.forming is not None
    assert trend.forming.index == 7
    assert trend.forming.after == pytest.approx(61.0)
    assert not find_trend([*QUICK, *SLOW[:1] * trend.forming.runs_needed]).steps
    assert find_trend([*QUICK, *SLOW[:1] * (1 + trend.forming.runs_needed)]).steps


def test_no_change_means_that_the_smallest_one_stated_would_have_been_found() -> None:
    """The last of runs without noise, moved by a little more and by a little less than that."""
    level = [5.0] * 12
    ratio = find_trend(level).smallest_ratio
    assert find_trend([*level[:7], *(value * ratio * 1.001 for value in level[7:])]).steps
    assert not find_trend([*level[:7], *(value * ratio * 0.98 for value in level[7:])]).steps


def test_autocorrelation_and_a_noisy_machine_lower_the_score() -> None:
    rng = random.Random(3)
    noise = [rng.gauss(0.0, 0.05) for _ in range(24)]
    steady = score_split([*noise[:12], *(0.2 + value for value in noise[12:])], 12)
    in_waves = score_split([*sorted(noise[:12]), *(0.2 + value for value in sorted(noise[12:]))], 12)
    noisier = score_split([*(2 * value for value in noise[:12]), *(0.2 + 2 * value for value in noise[12:])], 12)
    assert steady.score > max(in_waves.score, noisier.score)
    assert steady.is_change


# --- Rates, with fixed seeds. The limits themselves: benchmarks/comparisons.py -------------------------------------


@pytest.mark.no_cover  # as in tests/sampling/test_decisions.py
@pytest.mark.parametrize(
    ("cell", "least"),
    [
        (Series(6, noise=0.05, step=2.0, step_at=3), 93),
        (Series(7, noise=0.05, step=1.0, step_at=4), 97),
        (Series(9, noise=0.05, step=0.5, step_at=5), 90),
        (Series(28, noise=0.05, step=0.2, step_at=20), 65),
        (Series(72, step=0.1, step_at=60), 97),
        (Series(60, noise=0.05, outliers=0.0, step=1.0, step_at=30, step_runs=3), 99),
    ],
    ids=str,
)
def test_steps_are_found_early(cell: Series, least: float) -> None:
    trends = simulate_trends(cell, 120)
    borders = [cell.step_at, *([cell.step_at + cell.step_runs] if cell.step_runs else [])]
    found = sum(len(trend.steps) == len(borders) for trend in trends)
    assert found >= least / 100 * len(trends)


@pytest.mark.no_cover  # as in tests/sampling/test_decisions.py
def test_false_changes_are_rare() -> None:
    quiet = simulate_trends(Series(500), 20)
    assert sum(len(trend.steps) + (trend.drift is not None) for trend in quiet) <= 1
    restless = simulate_trends(Series(500, noise=0.06, likeness=0.4, outliers=0.03), 15)
    assert sum(len(trend.steps) + (trend.drift is not None) for trend in restless) <= 8
    first_weeks = simulate_trends(Series(30, noise=0.06, likeness=0.4, outliers=0.03), 250)
    assert sum(bool(trend.steps) for trend in first_weeks) <= 4


# --- Series with zeros, as of figures that are often 0 ---------------------------------------------------------------


def test_a_level_of_zero() -> None:
    for begin in (0.0, 0.4):
        trend = find_trend([begin] * 10 + [200.0] * 6, floor=1.0)
        (step,) = trend.steps
        assert (step.index, step.before, trend.state, step.ratio) == (10, 0.0, TrendState.STEP, math.inf)
        assert step.after == pytest.approx(200.0)
    down = find_trend([200.0] * 10 + [0.0] * 6, floor=1.0)
    assert [(step.after, step.ratio) for step in down.steps] == [(0.0, 0.0)]


def test_nothing_but_zeros() -> None:
    trend = find_trend([0.0] * 40, floor=0.001)
    assert (trend.steps, trend.drift, trend.forming, trend.state) == ((), None, None, TrendState.NONE)


def test_up_from_zero_and_back() -> None:
    trend = find_trend([0.0] * 10 + [200.0] * 5 + [0.0] * 10, floor=1.0)
    assert [(step.before == 0.0, step.after == 0.0) for step in trend.steps] == [(True, False), (False, True)]
    assert trend.state is TrendState.INCIDENT


def test_a_forming_level_from_zero() -> None:
    trend = find_trend([0.0] * 10 + [200.0] * 2, floor=1.0)
    assert trend.forming is not None
    assert (trend.forming.before, trend.forming.ratio) == (0.0, math.inf)
