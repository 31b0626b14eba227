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

from perfcheck.stats.change_points import Trend, Window, error_probability, find_trend, fitted_line, kendall_score
from perfcheck.stats.piecewise_fits import Fits, winsorised

ANY = st.one_of(st.floats(min_value=0.0), st.just(math.inf), st.sampled_from([1.0, 2.0]))
LOGS = st.lists(st.one_of(st.floats(min_value=-3, max_value=3), st.sampled_from([0.0, 0.1])), max_size=40)


def sign(value: float) -> int:
    return (value > 0) - (value < 0)


def series(cell: Series, seed: int = 1) -> list[float]:
    return cell.values(random.Random(seed))


@given(LOGS, st.integers(4, 20))
def test_best_split_is_the_best_of_all_splits(values: list[float], most: int) -> None:
    window = Window(most, before=2, after=1)
    for i, value in enumerate(values, start=1):
        window.add(value)
        points = values[max(0, i - most) : i]
        assert window.points == points
        scores = {}
        for k in range(2, len(points)):
            total = sum(sign(later - earlier) for earlier in points[:k] for later in points[k:])
            scores[k] = abs(total) / math.sqrt(k * (len(points) - k) * (len(points) + 1) / 3)
        score, split = window.best()
        assert score == pytest.approx(max(scores.values(), default=0.0))
        if scores:
            assert scores[split] == pytest.approx(score)


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
    """As if asked after every run."""
    values = series(Series(110, outliers=0.0, step=0.25, step_at=60))
    found = [[step.index for step in find_trend(values[:end]).steps] for end in range(len(values) + 1)]
    assert not any(found[:65])
    assert all(steps == [60] for steps in found[68:])


def test_up_and_down_again() -> None:
    values = series(Series(200, step=0.3, step_at=50))
    values = [value / 1.3 if i >= 120 else value for i, value in enumerate(values)]
    trend = find_trend(values)
    assert [step.index for step in trend.steps] == [50, 120]
    assert trend.steps[0].ratio == pytest.approx(1.3, rel=0.03)
    assert trend.steps[1].ratio == pytest.approx(1 / 1.3, rel=0.03)


def test_less_than_five_percent_is_no_step() -> None:
    assert find_trend(series(Series(200, noise=0.005, outliers=0.0, step=0.04, step_at=100))) == Trend()


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
    scores = [0.0, 2.0, 4.0, 4.5, 5.0, 6.0]
    probabilities = [error_probability(score) for score in scores]
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] == 1
    assert probabilities[2] == pytest.approx(0.0023, rel=0.02)


def test_error_probability_is_a_bound() -> None:
    """A score of 4 is too rare for a test; at 3.5 the same bound, in proportion, is looked at."""
    rng = random.Random(11)
    reached, levels = 0, 1500
    for _ in range(levels):
        window = Window(60, 10, 5)
        for _ in range(60):
            window.add(rng.random())
            if window.best()[0] > 3.5:
                reached += 1
                break
    assert reached / levels <= 1.5 * error_probability(3.5)


def test_error_rates() -> None:
    """With fixed seeds. The limits themselves: benchmarks/comparisons.py."""
    quiet = simulate_trends(Series(500), 25)
    assert sum(len(trend.steps) + (trend.drift is not None) for trend in quiet) <= 2
    restless = simulate_trends(Series(500, noise=0.06, likeness=0.4, outliers=0.03), 15)
    assert sum(len(trend.steps) + (trend.drift is not None) for trend in restless) <= 3 * 15
    assert all(len(trend.steps) == 1 for trend in simulate_trends(Series(72, step=0.1, step_at=60), 60))
