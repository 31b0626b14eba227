"""The histogram: exact where it promises to be, and within its stated error elsewhere."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.monitor.histogram import BUCKETS, EDGES, RELATIVE_ERROR, Histogram

OPENTELEMETRY_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
IN_RANGE = st.integers(1000, 10**12)
ANY = st.integers(0, 10**13)


def of(durations: list[int]) -> Histogram:
    histogram = Histogram()
    histogram.add(durations)
    return histogram


def figures(histogram: Histogram) -> tuple[object, ...]:
    sums = (histogram.total_ns, histogram.squares, histogram.least_ns, histogram.most_ns)
    return histogram.count, sums, histogram.sparse()


def test_no_bucket_is_wider_than_the_error_allows() -> None:
    assert all(low < high and (high - low) / 2 <= RELATIVE_ERROR * low for low, high in pairwise(EDGES))
    assert (EDGES[0], EDGES[-1], BUCKETS) == (1000, 10**12, 1442)


@given(st.lists(IN_RANGE, min_size=1, max_size=200), st.sampled_from([0.01, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_lies_within_the_stated_error_of_the_sample_quantile(durations: list[int], p: float) -> None:
    rank = max(1, math.ceil(p * len(durations) - 1e-9))
    truth = sorted(durations)[rank - 1] / 1e9
    assert of(durations).quantile_s(p) == pytest.approx(truth, rel=RELATIVE_ERROR + 1e-9)


@given(st.lists(st.lists(ANY, max_size=50), max_size=5))
def test_merging_is_adding_to_one_exactly_in_any_order(parts: list[list[int]]) -> None:
    forward, backward = Histogram(), Histogram()
    for part in parts:
        forward.merge(of(part))
    for part in reversed(parts):
        backward.merge(of(part))
    whole = of([ns for part in parts for ns in part])
    assert figures(forward) == figures(backward) == figures(whole)


@given(st.lists(ANY, max_size=100), st.sampled_from(OPENTELEMETRY_S))
def test_counts_up_to_opentelemetrys_boundaries_are_exact(durations: list[int], boundary: float) -> None:
    assert of(durations).count_up_to(boundary) == sum(ns <= round(boundary * 1e9) for ns in durations)


def test_a_boundary_belongs_to_what_is_below_it() -> None:
    histogram = of([5_000_000, 5_000_001])
    assert (histogram.count_up_to(0.005), histogram.count_up_to(0.00499)) == (1, 0)


@given(st.lists(ANY, min_size=2, max_size=50))
def test_moments_are_those_of_the_sample(durations: list[int]) -> None:
    histogram = of(durations)
    assert histogram.mean_s == pytest.approx(statistics.mean(durations) / 1e9)
    assert histogram.stdev_s == pytest.approx(statistics.stdev(durations) / 1e9, rel=1e-9, abs=1e-12)
    assert (histogram.min_s, histogram.max_s) == (min(durations) / 1e9, max(durations) / 1e9)


def test_the_standard_deviation_survives_a_large_mean() -> None:
    hour = 3600 * 10**9
    assert of([hour, hour + 2]).stdev_s == pytest.approx(math.sqrt(2) / 1e9)


@given(st.lists(ANY, max_size=50))
def test_restored_from_its_parts_it_is_the_same(durations: list[int]) -> None:
    one = of(durations)
    again = Histogram.restore((one.total_ns, one.squares, one.least_ns, one.most_ns), one.sparse())
    assert figures(again) == figures(one)


@pytest.mark.parametrize("sparse", [{-1: 1}, {BUCKETS: 1}, {0: -1}, {0: 2**63}])
def test_what_cannot_be_a_histogram_is_refused(sparse: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="no such bucket"):
        Histogram.restore((0, 0, 0, 0), sparse)
    with pytest.raises(ValueError, match="no durations have"):
        Histogram.restore((1, 1, 5, 2), {0: 1})


def test_outside_of_its_range_it_counts_and_stays_honest() -> None:
    histogram = of([-5, 10, 2 * 10**12])
    assert histogram.quantile_s(0.01) == pytest.approx(0, abs=1e-6)
    assert (histogram.quantile_s(1.0), histogram.min_s) == (2000.0, 0.0)


def test_nothing_is_not_zero() -> None:
    empty = Histogram()
    assert (empty.mean_s, empty.min_s, empty.max_s, empty.quantile_s(0.5), of([5]).stdev_s) == (None,) * 5


def test_a_copy_goes_its_own_way() -> None:
    one = of([1_000_000])
    copy = one.copy()
    one.add([2_000_000])
    assert (copy.count, one.count) == (1, 2)
