"""Bets on the mean: fair by exact enumeration, and right about clear cases."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import product

import pytest

from perfcheck.model import Limits, Verdict
from perfcheck.stats.mean import Bets, MeanTest
from perfcheck.stats.sequential import CONFIRMATION, FIRST_STAGE, Levels

LIMITS = Limits(150.0, 200.0)


def fed(latencies: Iterable[float], limits: Limits = LIMITS) -> MeanTest:
    test = MeanTest(limits)
    for latency in latencies:
        test.add(latency)
    return test


@pytest.mark.parametrize("values", [(0.0, 200.0), (50.0, 150.0), (100.0, 100.0)])
def test_bets_on_a_mean_at_the_limit_are_fair(values: tuple[float, float]) -> None:
    """Over all equally likely courses of eight latencies, winnings average 1."""
    over, under = [], []
    for course in product(values, repeat=8):
        bets = Bets(100.0)
        for latency in course:
            bets.add(latency)
        over.append(bets.over)
        under.append(bets.under)
    assert math.fsum(over) / len(over) == pytest.approx(1.0)
    assert math.fsum(under) / len(under) == pytest.approx(1.0)


def test_winnings_are_those_of_the_formula() -> None:
    bets = Bets(100.0)
    ratios = [0.5, 1.2, 2.0, 0.9]
    for ratio in ratios:
        bets.add(100.0 * ratio)
    stakes = [(0.1, 0.2), (0.3, 0.25), (0.6, 0.25), (0.95, 0.3)]
    over = sum(weight * math.prod(1 + bet * (ratio - 1) for ratio in ratios) for bet, weight in stakes)
    under = sum(weight * math.prod(1 - bet * (ratio - 1) / 2 for ratio in ratios) for bet, weight in stakes)
    assert bets.over == pytest.approx(over)
    assert bets.under == pytest.approx(under)


def test_an_outlier_does_not_ruin_and_makes_later_bets_smaller() -> None:
    calm, shaken = Bets(100.0), Bets(100.0)
    shaken.add(2000.0)
    after_outlier = shaken.under
    assert 0 < after_outlier < 1
    for _ in range(20):
        calm.add(50.0)
        shaken.add(50.0)
    assert calm.under > 20
    assert after_outlier < shaken.under < 2


@pytest.mark.parametrize(
    ("latencies", "decided"),
    [
        ([100.0] * 30, Verdict.OK),
        ([175.0] * 200, Verdict.WARNING),
        ([400.0] * 10, Verdict.CRITICAL),
        ([149.0, 151.0] * 20, None),
        ([100.0] * 2, None),
        ([100.0] * 30 + [math.inf], None),
        ([math.inf] * 8, Verdict.CRITICAL),
    ],
)
def test_decisions(latencies: list[float], decided: Verdict | None) -> None:
    assert fed(latencies).decided == decided


def test_without_a_critical_limit() -> None:
    assert fed([900.0] * 30, Limits(500.0, math.inf)).decided is Verdict.WARNING


def test_stricter_levels_require_more() -> None:
    usual, strict = MeanTest(LIMITS), MeanTest(LIMITS, levels=Levels(critical=0.001))
    needed = []
    for test in (usual, strict):
        while test.decided is None:
            test.add(400.0)
        needed.append(test.count)
    assert needed[0] < needed[1]


def test_less_error_for_ok_takes_more_requests() -> None:
    needed = []
    for levels in (Levels(), Levels(under=FIRST_STAGE), Levels(under=CONFIRMATION)):
        test = MeanTest(LIMITS, levels=levels)
        while test.decided is None:
            test.add(100.0)
        needed.append(test.count)
    assert needed == sorted(set(needed))


def test_interval_narrows_around_the_estimate() -> None:
    assert fed([]).interval() == (None, None)
    assert fed([100.0, 110.0]).interval() == (None, None)
    widths = []
    for n in (40, 160):
        low, high = fed([90.0, 110.0] * (n // 2)).interval()
        assert low is not None
        assert high is not None
        assert low < 100.0 < high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_interval_with_timeouts_is_open_above() -> None:
    low, high = fed([100.0] * 30 + [math.inf]).interval()
    assert low is not None
    assert high is None


def test_more_requests() -> None:
    test = fed([100.0] * 8)
    more = test.more_requests()
    assert more is not None
    for i in range(more):
        assert test.decided is None or i >= more / 2
        test.add(100.0)
    assert test.decided is Verdict.OK
    assert test.more_requests() is None
    assert fed([150.0] * 10).more_requests() is None
