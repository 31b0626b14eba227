"""Statistics against the standard library's, and with timeouts among the latencies."""

from __future__ import annotations

import math
import random
from statistics import fmean, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.model import LatencySummary, Metric
from perfcheck.stats.quantiles import QUANTILE, mean, metric_value, quantile, summary

LATENCIES = st.floats(min_value=0.001, max_value=1e6)
WITH_TIMEOUTS = st.one_of(LATENCIES, st.just(math.inf))


@pytest.mark.parametrize(
    ("values", "p", "expected"),
    [
        ([7.0], 0.5, 7.0),
        ([1.0, 2.0], 0.5, 1.5),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.5, 3.0),
        ([float(i) for i in range(21)], 0.95, 19.0),
        ([float(i) for i in range(101)], 0.99, 99.0),
        ([1.0, 2.0, 3.0, 4.0], 0.75, 3.25),
        ([1.0, math.inf], 0.5, math.inf),
        ([1.0, 2.0, math.inf], 0.5, 2.0),
        ([math.inf, math.inf], 0.5, math.inf),
        ([*(float(i) for i in range(20)), math.inf], 0.95, 19.0),
        ([*(float(i) for i in range(100)), math.inf], 0.99, 99.0),
    ],
)
def test_quantile(values: list[float], p: float, expected: float) -> None:
    assert quantile(values, p) == expected


def test_no_values_are_an_error_and_not_a_zero() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        quantile([], 0.5)
    with pytest.raises(ValueError, match="at least one value"):
        mean([])


@given(st.lists(LATENCIES, min_size=2, max_size=60))
def test_quantiles_are_those_of_the_standard_library(values: list[float]) -> None:
    percentiles = quantiles(values, n=100, method="inclusive")
    for metric, p in QUANTILE.items():
        assert metric_value(values, metric) == pytest.approx(percentiles[round(100 * p) - 1], rel=1e-9)
    assert metric_value(values, Metric.MEAN) == pytest.approx(fmean(values))


@given(st.lists(WITH_TIMEOUTS, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_a_quantile_lies_among_the_values_whatever_their_order(values: list[float], rng: random.Random) -> None:
    shuffled = rng.sample(values, len(values))
    ordered = [metric_value(values, metric) for metric in QUANTILE]
    assert ordered == [metric_value(shuffled, metric) for metric in QUANTILE]
    assert all(low <= high for low, high in zip([min(values), *ordered], [*ordered, max(values)], strict=True))


def test_summary_of_nothing_has_no_figures() -> None:
    assert summary([]) == LatencySummary()


def test_summary_of_one_latency_has_no_spread() -> None:
    assert summary([12.5]) == LatencySummary(12.5, 12.5, None, 12.5, 12.5, 12.5, 12.5, 12.5, 12.5)


def test_summary_leaves_out_what_lies_over_the_timeout() -> None:
    found = summary([3.0, 1.0, 2.0, math.inf, 2.5])
    assert (found.min, found.median, found.p75) == (1.0, 2.5, 3.0)
    assert (found.mean, found.stdev, found.p90, found.p99, found.max) == (None,) * 5


@given(st.lists(WITH_TIMEOUTS, min_size=1, max_size=60))
def test_summary_and_verdict_speak_of_the_same_number(values: list[float]) -> None:
    found = summary(values)
    for metric in Metric:
        value = metric_value(values, metric)
        assert getattr(found, str(metric)) == (value if math.isfinite(value) else None)
