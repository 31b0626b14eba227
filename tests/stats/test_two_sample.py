"""The comparison of stored samples: by brute force, in clear cases, and how often it errs."""

from __future__ import annotations

import math
import random
from itertools import combinations
from statistics import fmean, median

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from simulation.comparing import Stored, simulate_stored

from perfcheck.model import Changed, CompareLimits, Metric, Verdict
from perfcheck.stats.pairs import ChangeOutcome
from perfcheck.stats.quantiles import metric_value
from perfcheck.stats.two_sample import MeanRatio, MedianRatio, QuantileRatio, as_log, compare_samples

LIMITS = CompareLimits()
NO_FLOOR = CompareLimits(min_difference_ms=0.0)
LATENCIES = st.one_of(st.floats(min_value=0.0, max_value=1e9), st.just(math.inf), st.sampled_from([1.0, 2.0, 100.0]))
SAMPLES = st.lists(LATENCIES, max_size=40)
SWAPPED = {Changed.SLOWER: Changed.FASTER, Changed.FASTER: Changed.SLOWER}


def drawn(count: int, ratio: float = 1.0, seed: int = 1, sigma: float = 0.1) -> list[float]:
    rng = random.Random(f"{seed} {ratio} {count}")
    return [100.0 * ratio * rng.lognormvariate(0.0, sigma) for _ in range(count)]


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize(
    ("ratio", "changed", "severity"),
    [
        (1.0, Changed.NO_CHANGE, Verdict.OK),
        (1.18, Changed.SLOWER, Verdict.WARNING),
        (1.6, Changed.SLOWER, Verdict.CRITICAL),
        (0.6, Changed.FASTER, Verdict.OK),
    ],
)
def test_clear_cases(metric: Metric, ratio: float, changed: Changed, severity: Verdict) -> None:
    outcome = compare_samples(drawn(1500, seed=2, sigma=0.05), drawn(1500, ratio, sigma=0.05), metric, LIMITS)
    assert (outcome.changed, outcome.severity, outcome.decided) == (changed, severity, True)
    assert outcome.ratio == pytest.approx(ratio, rel=0.03)
    assert outcome.more is None
    low, high = outcome.interval
    assert low is not None
    assert high is not None
    assert outcome.ratio is not None
    assert low <= outcome.ratio <= high


def test_five_samples_can_show_a_large_change_only() -> None:
    before = [100.0, 101.0, 99.0, 102.0, 98.0]
    slower = compare_samples(before, [150.0, 151.0, 149.0, 152.0, 148.0], Metric.MEDIAN, LIMITS)
    assert (slower.changed, slower.severity) == (Changed.SLOWER, Verdict.CRITICAL)
    unsure = compare_samples(before, [150.0, 151.0, 100.5, 152.0, 148.0], Metric.MEDIAN, LIMITS)
    assert (unsure.changed, unsure.decided) == (Changed.CANNOT_TELL, False)
    assert unsure.more is not None


def test_no_change_is_a_claim_as_well() -> None:
    rng = random.Random(6)
    wide = [[100.0 * rng.lognormvariate(0.0, 0.4) for _ in range(12)] for _ in range(2)]
    outcome = compare_samples(wide[0], wide[1], Metric.MEDIAN, LIMITS)
    assert outcome.changed is Changed.CANNOT_TELL
    assert outcome.ratio is not None
    assert outcome.more is not None


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize(("before", "after"), [([], []), ([], [1.0] * 9), ([1.0] * 9, [])])
def test_nothing_to_compare(metric: Metric, before: list[float], after: list[float]) -> None:
    outcome = compare_samples(before, after, metric, LIMITS)
    assert outcome == ChangeOutcome(Changed.CANNOT_TELL, Verdict.OK, False, None, (None, None), None)  # noqa: FBT003


def test_fewer_than_five_say_how_many_are_missing() -> None:
    outcome = compare_samples([100.0] * 3, [400.0] * 50, Metric.MEDIAN, LIMITS)
    assert (outcome.changed, outcome.decided, outcome.more) == (Changed.CANNOT_TELL, False, 2)
    assert outcome.ratio == pytest.approx(4.0)


@pytest.mark.parametrize("metric", [Metric.MEDIAN, Metric.P75, Metric.P90])
def test_timeouts(metric: Metric) -> None:
    fine, dead = drawn(100), [math.inf] * 100
    slower = compare_samples(fine, dead, metric, LIMITS)
    assert (slower.changed, slower.severity, slower.ratio) == (Changed.SLOWER, Verdict.CRITICAL, None)
    assert compare_samples(dead, fine, metric, LIMITS).changed is Changed.FASTER
    some = compare_samples(fine, [*drawn(95, seed=3), *[math.inf] * 5], metric, LIMITS)
    assert some.ratio == pytest.approx(1.0, rel=0.1)


def test_a_mean_with_a_timeout_has_no_value() -> None:
    outcome = compare_samples(drawn(100), [*drawn(99, 1.5), math.inf], Metric.MEAN, LIMITS)
    assert (outcome.changed, outcome.ratio) == (Changed.CANNOT_TELL, None)


def test_limits_are_strict_and_the_floor_holds() -> None:
    assert compare_samples([100.0] * 9, [110.0] * 9, Metric.MEDIAN, LIMITS).changed is Changed.NO_CHANGE
    assert compare_samples([100.0] * 9, [110.1] * 9, Metric.MEDIAN, LIMITS).severity is Verdict.WARNING
    assert compare_samples([100.0] * 9, [125.0] * 9, Metric.MEDIAN, LIMITS).severity is Verdict.WARNING
    assert compare_samples([100.0] * 9, [125.1] * 9, Metric.MEDIAN, LIMITS).severity is Verdict.CRITICAL
    assert compare_samples([6.0] * 9, [11.0] * 9, Metric.MEDIAN, LIMITS).changed is Changed.NO_CHANGE
    assert compare_samples([6.0] * 9, [11.1] * 9, Metric.MEDIAN, LIMITS).severity is Verdict.CRITICAL
    assert compare_samples([11.1] * 9, [6.0] * 9, Metric.MEDIAN, LIMITS).changed is Changed.FASTER


@given(SAMPLES.filter(bool), SAMPLES.filter(bool))
def test_median_bounds_are_those_of_all_differences(before: list[float], after: list[float]) -> None:
    ratio = MedianRatio(before, after)
    differences = sorted(as_log(a) - as_log(b) for a in after for b in before)
    assert ratio.estimate == pytest.approx(median(differences), abs=1e-9)
    low, high = ratio.bounds(0.05)
    assert low <= ratio.estimate + 1e-9
    assert ratio.estimate <= high + 1e-9


def test_median_bounds_reject_what_mann_and_whitney_reject() -> None:
    """Exactly, by counting all ways to deal the ranks."""
    rng = random.Random(7)
    for _ in range(30):
        before = [rng.lognormvariate(0.0, 0.5) for _ in range(5)]
        after = [rng.lognormvariate(0.5, 0.5) for _ in range(6)]
        low, _ = MedianRatio(before, after).bounds(0.05)
        for shift in (low - 1e-6, low + 1e-6):
            moved = [value / math.exp(shift) for value in after]
            won = sum(a > b for a in moved for b in before)
            everything = sorted([*before, *moved])
            as_many = [
                sum(a > b for a in dealt for b in everything if b not in dealt) >= won
                for dealt in combinations(everything, 6)
            ]
            assert (fmean(as_many) <= 0.05) == (shift < low)


def test_percentile_bounds_reject_too_many_of_the_slowest() -> None:
    rng = random.Random(8)
    for _ in range(30):
        before = [rng.lognormvariate(0.0, 0.5) for _ in range(120)]
        after = [rng.lognormvariate(0.3, 0.5) for _ in range(100)]
        low, high = QuantileRatio(before, after, 0.9).bounds(0.05)
        assert low < high
        top = 22
        for shift, rejected in ((low - 1e-6, True), (low + 1e-6, False)):
            moved = [value / math.exp(shift) for value in after]
            slowest = sorted([*before, *moved])[-top:]
            count = sum(value in slowest for value in moved)
            chance = sum(math.comb(100, k) * math.comb(120, top - k) for k in range(count, top + 1)) / math.comb(
                220, top
            )
            assert (chance <= 0.05) == rejected


def test_means_by_welch() -> None:
    ratio = MeanRatio.of([90.0, 100.0, 110.0, 95.0, 105.0], [190.0, 200.0, 210.0, 195.0, 205.0])
    assert ratio is not None
    assert ratio.estimate == pytest.approx(math.log(2))
    # variances 62.5 / 5 over the means squared; Student's 0.95 for 5.88 degrees of freedom is 1.952
    low, high = ratio.bounds(0.05)
    assert high - ratio.estimate == pytest.approx(1.952 * math.sqrt(12.5 / 100**2 + 12.5 / 200**2), rel=0.003)
    assert ratio.estimate - low == pytest.approx(high - ratio.estimate)


@given(st.integers(0, 10_000), st.sampled_from(list(Metric)), st.sampled_from([0.7, 1.0, 1.5, 3.0]))
@example(0, Metric.P99, 3.0)
def test_the_interval_encloses_the_estimate(seed: int, metric: Metric, ratio: float) -> None:
    """Also of a percentile, whose bounds rest on more requests than it does; and so does a claim of no change."""
    outcome = compare_samples(drawn(40, seed=seed, sigma=0.4), drawn(20, ratio, seed, sigma=0.4), metric, LIMITS)
    assert outcome.ratio is not None
    low, high = outcome.interval
    assert low is None or low <= outcome.ratio
    assert high is None or outcome.ratio <= high
    if outcome.changed is Changed.NO_CHANGE:
        assert 1 / 1.1 <= outcome.ratio <= 1.1


@given(SAMPLES, SAMPLES, st.sampled_from(list(Metric)), st.sampled_from([LIMITS, NO_FLOOR]))
def test_no_latency_is_a_mistake_and_swapping_swaps(
    before: list[float], after: list[float], metric: Metric, limits: CompareLimits
) -> None:
    outcome, swapped = (compare_samples(*samples, metric, limits) for samples in ((before, after), (after, before)))
    assert swapped.changed is SWAPPED.get(outcome.changed, outcome.changed)
    assert (outcome.severity is Verdict.OK) == (outcome.changed is not Changed.SLOWER)
    assert outcome.decided == (outcome.changed is not Changed.CANNOT_TELL)
    if outcome.ratio is not None and swapped.ratio is not None:
        assert math.log(outcome.ratio) == pytest.approx(-math.log(swapped.ratio), abs=1e-9)


@given(st.integers(0, 10_000), st.floats(min_value=0.01, max_value=1000.0), st.sampled_from(list(Metric)))
def test_only_the_floor_knows_the_unit(seed: int, unit: float, metric: Metric) -> None:
    before, after = drawn(60, seed=seed, sigma=0.3), drawn(50, 1.2, seed, 0.3)
    here = compare_samples(before, after, metric, NO_FLOOR)
    there = compare_samples([unit * b for b in before], [unit * a for a in after], metric, NO_FLOOR)
    assert (here.changed, here.severity) == (there.changed, there.severity)
    assert there.ratio == pytest.approx(here.ratio)


@given(st.integers(0, 10_000), st.sampled_from(list(Metric)))
def test_slower_still_is_no_milder(seed: int, metric: Metric) -> None:
    before, after = drawn(100, seed=seed), drawn(100, seed=seed + 1)
    rank = {Verdict.OK: 0, Verdict.WARNING: 1, Verdict.CRITICAL: 2}
    outcomes = [
        compare_samples(before, [factor * a for a in after], metric, LIMITS)
        for factor in (0.5, 0.9, 1.0, 1.1, 1.2, 1.4, 3)
    ]
    severities = [rank[outcome.severity] for outcome in outcomes]
    assert severities == sorted(severities)


def test_ratio_is_that_of_the_figures_shown() -> None:
    """For percentiles and means exactly; the shift of medians is another estimate of the same thing."""
    before, after = drawn(90, sigma=0.4), drawn(80, 1.3, sigma=0.4)
    for metric in (Metric.P75, Metric.P90, Metric.P95, Metric.P99, Metric.MEAN):
        outcome = compare_samples(before, after, metric, LIMITS)
        assert outcome.ratio == pytest.approx(metric_value(after, metric) / metric_value(before, metric))


@pytest.mark.no_cover  # as in tests/sampling/test_decisions.py
def test_error_rates() -> None:
    """With fixed seeds. The limits themselves: benchmarks/comparisons.py."""
    for count in (5, 20, 67):
        equal = simulate_stored(Stored("lognormal .3", Metric.MEDIAN, count, 1.0), 400)
        assert equal.rate(Changed.SLOWER) <= 0.015
        assert equal.rate(Changed.FASTER) <= 0.015
        assert max(equal.above, equal.below) <= 0.08 * equal.runs
    tail = simulate_stored(Stored("lognormal .3", Metric.P95, 200, 1.0), 300)
    assert tail.rate(Changed.SLOWER) <= 0.015
    assert max(tail.above, tail.below) <= 0.08 * tail.runs
    assert simulate_stored(Stored("lognormal .3", Metric.MEDIAN, 200, 1.5), 50).rate(Changed.SLOWER) == 1
