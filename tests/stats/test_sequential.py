"""The test of a quantile, latency by latency."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.model import Endpoint, Limits, Metric, Verdict
from perfcheck.stats.quantiles import metric_value
from perfcheck.stats.sequential import CONFIRMATION, FIRST_STAGE, Levels, QuantileTest, Spend, divergence

LIMITS = Limits(150.0, 200.0)
LATENCIES = st.lists(st.one_of(st.floats(1, 1000), st.just(math.inf)), min_size=1, max_size=250)


def fed(latencies: Iterable[float], metric: Metric = Metric.MEDIAN, limits: Limits = LIMITS) -> QuantileTest:
    test = QuantileTest(metric, limits)
    for latency in latencies:
        test.add(latency)
    return test


@pytest.mark.parametrize(
    ("latencies", "decided"),
    [
        ([100.0] * 4, None),
        ([100.0] * 5, Verdict.OK),
        ([150.0] * 5, Verdict.OK),  # exactly at a limit is not over it
        ([150.001] * 5, Verdict.WARNING),
        ([200.0] * 5, Verdict.WARNING),
        ([200.001] * 5, Verdict.CRITICAL),
        ([math.inf] * 5, Verdict.CRITICAL),
        ([100.0] * 4 + [160.0], None),
        ([100.0, 160.0] * 50, None),
        ([100.0, 160.0, 160.0, 160.0] * 15, Verdict.WARNING),
    ],
)
def test_median(latencies: list[float], decided: Verdict | None) -> None:
    assert fed(latencies).decided == decided


@pytest.mark.parametrize(
    ("metric", "first"), [(Metric.MEDIAN, 5), (Metric.P90, 33), (Metric.P95, 67), (Metric.P99, 341)]
)
def test_requests_of_a_healthy_endpoint(metric: Metric, first: int) -> None:
    assert fed([100.0] * (first - 1), metric).decided is None
    assert fed([100.0] * first, metric).decided is Verdict.OK


def test_what_was_shown_once_stays_shown() -> None:
    """The first five show that it is over the warning limit, later ones that it is under the critical limit."""
    test = fed([160.0] * 5 + [250.0, 250.0] + [160.0, 140.0] * 20)
    assert test.decided is Verdict.WARNING


def test_estimate_and_evidence_must_agree() -> None:
    test = fed([100.0] * 5)
    assert test.decided is Verdict.OK
    for _ in range(8):
        test.add(300.0)
    assert test.estimate() == 300.0
    assert test.decided is None


@given(LATENCIES, st.sampled_from([Metric.MEDIAN, Metric.P75, Metric.P90, Metric.P95]))
def test_a_decision_is_the_class_of_the_printed_number(latencies: list[float], metric: Metric) -> None:
    test = fed(latencies, metric)
    assert test.estimate() == metric_value(latencies, metric)
    if test.decided is not None:
        assert test.decided is LIMITS.classify(test.estimate())
        assert test.more_requests() is None


@given(LATENCIES, st.sampled_from([Metric.MEDIAN, Metric.P75, Metric.P90, Metric.P95]))
def test_the_interval_holds_the_estimate(latencies: list[float], metric: Metric) -> None:
    test = fed(latencies[:200], metric)
    low, high = test.interval()
    assert low is None or low <= test.estimate()
    assert high is None or high >= test.estimate()


@given(st.lists(st.floats(1, 1000), min_size=1, max_size=100), st.sampled_from([0.25, 2.0, 1024.0]))
def test_only_ratios_to_the_limits_count(latencies: list[float], factor: float) -> None:
    scaled = fed([latency * factor for latency in latencies], limits=Limits(150.0 * factor, 200.0 * factor))
    assert scaled.decided == fed(latencies).decided


def test_interval_of_the_median() -> None:
    assert fed([3.0, 1.0, 2.0]).interval() == (None, None)
    assert fed([5.0, 3.0, 1.0, 2.0, 4.0]).interval() == (1.0, 5.0)
    assert fed(range(1, 101)).interval() == (36, 65)  # ranks n - u + 1 and n - l, from u = 65 and l = 35
    assert fed([]).interval() == (None, None)


def test_interval_of_a_tail_is_open_above_until_a_maximum_is_reportedmething() -> None:
    assert fed([100.0] * 66, Metric.P95).interval() == (100.0, None)
    assert fed([100.0] * 67, Metric.P95).interval() == (100.0, 100.0)


@pytest.mark.parametrize(
    ("latencies", "metric", "more"),
    [
        ([100.0] * 3, Metric.MEDIAN, 2),
        ([100.0] * 10, Metric.P95, 57),
        ([100.0] * 5, Metric.MEDIAN, None),  # decided
        ([140.0, 160.0], Metric.MEDIAN, None),  # half of them over the limit: no number would do
        ([140.0, 140.0, 160.0] * 3, Metric.MEDIAN, 72),  # 27 of 81
        ([], Metric.MEDIAN, None),
    ],
)
def test_more_requests(latencies: list[float], metric: Metric, more: int | None) -> None:
    assert fed(latencies, metric).more_requests() == more


@pytest.mark.parametrize("pattern", [[140.0, 140.0, 160.0], [140.0, 250.0, 250.0], [160.0, 160.0, 160.0, 250.0]])
def test_about_as_many_more_as_estimated_do_settle_it(pattern: list[float]) -> None:
    """When the share of slow requests stays as it was."""
    test = fed(pattern * 2)
    more = test.more_requests()
    assert more is not None
    for i in range(more + len(pattern)):
        assert test.decided is None or i >= more / 2
        test.add(pattern[i % len(pattern)])
    assert test.decided is not None


def test_past_the_last_look_the_question_stays_open_and_the_need_is_still_estimated() -> None:
    test = fed([140.0, 160.0] * 90 + [140.0] * 25)
    assert test.decided is None
    more = test.more_requests()
    assert more is not None
    assert 20 < more < 2000
    assert test.interval() == (None, None)


def test_stricter_levels_require_more() -> None:
    test = QuantileTest(Metric.MEDIAN, LIMITS, levels=Levels(critical=0.001))
    for _ in range(10):
        test.add(250.0)
    assert test.decided is None
    test.add(250.0)
    assert test.decided is Verdict.CRITICAL


@pytest.mark.parametrize(("under", "first"), [(FIRST_STAGE, 5), (CONFIRMATION, 8)])
def test_less_error_for_ok_takes_more_requests(under: Spend, first: int) -> None:
    test = QuantileTest(Metric.MEDIAN, LIMITS, levels=Levels(under=under))
    assert test.least == first
    for _ in range(first - 1):
        test.add(100.0)
    assert test.decided is None
    assert test.more_requests() == 1
    test.add(100.0)
    assert test.decided is Verdict.OK


def test_the_interval_does_not_depend_on_the_levels() -> None:
    test = QuantileTest(Metric.MEDIAN, LIMITS, levels=Levels(under=CONFIRMATION))
    for latency in range(1, 101):
        test.add(latency)
    assert test.interval() == (36, 65)


def test_divergence() -> None:
    assert divergence(0.5, 0.5) == 0
    assert divergence(0.0, 0.5) == pytest.approx(math.log(2))
    assert divergence(0.2, 0.1) == pytest.approx(0.2 * math.log(2) + 0.8 * math.log(8 / 9))


@pytest.mark.parametrize(
    ("target", "warning", "critical", "ceiling", "expected"),
    [
        (100.0, 150.0, 200.0, None, Limits(150.0, 200.0)),
        (100.0, 150.0, 200.0, 180.0, Limits(150.0, 180.0)),
        (100.0, 150.0, 200.0, 1000.0, Limits(150.0, 200.0)),
        (100.0, 150.0, 200.0, 120.0, Limits(120.0, 120.0)),
        (None, None, None, None, Limits(500.0, math.inf)),
        (None, None, None, 1000.0, Limits(500.0, 1000.0)),
        (None, None, None, 300.0, Limits(300.0, 300.0)),
    ],
)
def test_limits_in_force(
    target: float | None, warning: float | None, critical: float | None, ceiling: float | None, expected: Limits
) -> None:
    endpoint = Endpoint("a", "/", 1, target_ms=target, warning_ms=warning, critical_ms=critical, ceiling_ms=ceiling)
    assert endpoint.limits == expected


def test_without_a_critical_limit_nothing_is_critical() -> None:
    new = Limits(500.0, math.inf)
    assert fed([math.inf] * 5, limits=new).decided is Verdict.WARNING
    assert fed([400.0] * 5, limits=new).decided is Verdict.OK
