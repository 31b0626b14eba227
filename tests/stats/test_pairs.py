"""The live comparison: its bets by enumeration, its answers to clear cases, and how often it errs."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from itertools import combinations_with_replacement, product
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation.comparing import Live, simulate_live

from perfcheck.model import Changed, CompareLimits, Verdict
from perfcheck.stats.pairs import MOST_PAIRS, ChangeOutcome, LimitTest, PairTest, estimate

LIMITS = CompareLimits()
NO_FLOOR = CompareLimits(min_difference_ms=0.0)
LATENCIES = st.one_of(st.floats(min_value=0.0, max_value=1e9), st.just(math.inf))
PAIRS = st.lists(st.tuples(LATENCIES, LATENCIES), max_size=40)
Pairs = Iterable[tuple[float, float]]


def fed(pairs: Pairs, limits: CompareLimits = LIMITS, most: int = MOST_PAIRS) -> PairTest:
    test = PairTest(limits, most)
    for before, after in pairs:
        test.add(before, after)
    return test


def settled(pairs: Pairs, limits: CompareLimits = LIMITS) -> tuple[int, ChangeOutcome]:
    test = PairTest(limits)
    for before, after in pairs:
        test.add(before, after)
        if test.is_settled:
            break
    return test.pairs, test.outcome()


def noisy(ratio: float, seed: int = 1, base_ms: float = 100.0, sigma: float = 0.05) -> list[tuple[float, float]]:
    rng = random.Random(seed)
    noise = [rng.lognormvariate(0.0, sigma) * base_ms for _ in range(2 * MOST_PAIRS)]
    return [(before, after * ratio) for before, after in zip(noise[::2], noise[1::2], strict=True)]


def test_bets_at_the_limit_are_fair() -> None:
    """Over all signs that eight distances may have, winnings average 1."""
    sizes = [0.3, 0.1, 0.15, 0.7, 0.2, 0.05, 0.4, 0.35]
    over, under = [], []
    for signs in product((1, -1), repeat=len(sizes)):
        test = LimitTest()
        for size, sign in zip(sizes, signs, strict=True):
            test.add(100.0 * math.exp(sign * size), 100.0)
        over.append(sum(test._up))
        under.append(sum(test._down))
    assert math.fsum(over) / len(over) == pytest.approx(1.0)
    assert math.fsum(under) / len(under) == pytest.approx(1.0)


def test_winnings_are_those_of_the_formula() -> None:
    logs = [0.3, -0.1, 0.2, -0.5, 0.05]
    ranks = [1 / 1, 1 / 2, 2 / 3, 4 / 4, 1 / 5]
    signs = [1, -1, 1, -1, 1]
    test = LimitTest()
    for log in logs:
        test.add(math.exp(log), 1.0)
    for won, way in ((sum(test._up), 1), (sum(test._down), -1)):
        by_rank = (
            math.prod(1 + way * bet * rank * sign for rank, sign in zip(ranks, signs, strict=True))
            for bet in (0.3, 0.6, 0.95)
        )
        plain = math.prod(1 + way * 0.95 * sign for sign in signs)
        assert won == pytest.approx(0.3 * sum(by_rank) + 0.1 * plain)


@pytest.mark.parametrize(
    ("ratio", "changed", "severity", "most"),
    [
        (1.0, Changed.NO_CHANGE, Verdict.OK, 20),
        (1.2, Changed.SLOWER, Verdict.WARNING, 100),
        (1.5, Changed.SLOWER, Verdict.CRITICAL, 17),
        (0.5, Changed.FASTER, Verdict.OK, 17),
    ],
)
def test_clear_cases(ratio: float, changed: Changed, severity: Verdict, most: int) -> None:
    pairs, outcome = settled(noisy(ratio))
    assert pairs <= most
    assert (outcome.changed, outcome.severity, outcome.decided) == (changed, severity, True)
    assert outcome.more is None
    assert outcome.ratio == pytest.approx(ratio, rel=0.05)
    low, high = outcome.interval
    assert low is not None
    assert high is not None
    assert outcome.ratio is not None
    assert low < outcome.ratio < high


def test_less_than_the_floor_is_no_change() -> None:
    assert settled(noisy(1.5, base_ms=6.0))[1].changed is Changed.NO_CHANGE
    assert settled(noisy(0.5, base_ms=6.0))[1].changed is Changed.NO_CHANGE
    assert settled(noisy(1.5, base_ms=6.0), NO_FLOOR)[1].severity is Verdict.CRITICAL
    assert settled(noisy(0.5, base_ms=6.0), NO_FLOOR)[1].changed is Changed.FASTER


def test_nothing_is_known_without_pairs_and_little_with_few() -> None:
    nothing = fed([]).outcome()
    assert nothing == ChangeOutcome(Changed.CANNOT_TELL, Verdict.OK, False, None, (None, None), None)  # noqa: FBT003
    few = fed(noisy(1.5)[:5])
    assert not few.is_settled
    outcome = few.outcome()
    assert (outcome.changed, outcome.decided, outcome.interval) == (Changed.CANNOT_TELL, False, (None, None))
    assert outcome.more is not None
    assert 1 <= outcome.more <= 20


def test_slower_but_by_how_much_is_open() -> None:
    test = PairTest(LIMITS)
    for before, after in noisy(1.25):
        test.add(before, after)
        if test.is_slower:
            break
    assert not test.is_settled
    outcome = test.outcome()
    assert (outcome.changed, outcome.severity, outcome.decided) == (Changed.SLOWER, Verdict.WARNING, False)


def test_an_open_question_stays_open_after_the_most_pairs() -> None:
    test = fed([(100.0, 90.0), (100.0, 125.0)] * 15, most=30)
    assert test.is_settled
    assert test.outcome().changed is Changed.CANNOT_TELL
    assert not test.outcome().decided


def test_longer_beyond_doubt_and_over_the_limit_by_the_estimate_is_slower_where_the_pairs_end() -> None:
    near_the_limit = [(100.0, 111.0), (100.0, 109.5), (100.0, 111.5)] * 4
    test = fed(near_the_limit)
    outcome = test.outcome()
    assert not test.is_settled, "more pairs may show that it is over the limit, or critical"
    assert (outcome.changed, outcome.severity, outcome.decided) == (Changed.SLOWER, Verdict.WARNING, True)
    under = fed([(100.0, 109.0), (100.0, 110.5), (100.0, 108.5)] * 4).outcome()
    assert under.changed is not Changed.SLOWER, "longer, but not over the limit"
    mirrored = fed([(after, before) for before, after in near_the_limit]).outcome()
    assert (mirrored.changed, mirrored.severity) == (Changed.FASTER, Verdict.OK)


@pytest.mark.parametrize(
    ("pair", "changed", "severity"),
    [
        ((100.0, math.inf), Changed.SLOWER, Verdict.CRITICAL),
        ((math.inf, 100.0), Changed.FASTER, Verdict.OK),
        ((math.inf, math.inf), Changed.CANNOT_TELL, Verdict.OK),
        ((0.0, 0.0), Changed.NO_CHANGE, Verdict.OK),
        ((100.0, 110.0), Changed.CANNOT_TELL, Verdict.OK),  # exactly at the limit
    ],
)
def test_timeouts_and_ties(pair: tuple[float, float], changed: Changed, severity: Verdict) -> None:
    outcome = settled([pair] * 50)[1]
    assert (outcome.changed, outcome.severity) == (changed, severity)
    assert (outcome.ratio is None) == (pair.count(math.inf) == 1)


def test_one_timeout_is_one_pair() -> None:
    pairs = noisy(1.0)
    pairs[3] = (pairs[3][0], math.inf)
    assert settled(pairs)[1].changed is Changed.NO_CHANGE


@given(PAIRS)
def test_no_latency_is_a_mistake_and_swapping_swaps(pairs: list[tuple[float, float]]) -> None:
    for limits in (LIMITS, NO_FLOOR):
        test = fed(pairs, limits)
        swapped = fed([(after, before) for before, after in pairs], limits)
        assert (test.outcome().changed is Changed.SLOWER) == (swapped.outcome().changed is Changed.FASTER)
        assert (test.outcome().severity is Verdict.OK) == (test.outcome().changed is not Changed.SLOWER)
        ratio, other = test.outcome().ratio, swapped.outcome().ratio
        if ratio is not None and other is not None:
            assert math.log(ratio) == pytest.approx(-math.log(other), abs=1e-9)


@given(st.integers(0, 10_000), st.floats(min_value=0.01, max_value=1000.0), st.floats(min_value=0.5, max_value=2.0))
def test_only_the_floor_knows_the_unit(seed: int, unit: float, ratio: float) -> None:
    pairs = noisy(ratio, seed, sigma=0.2)[:40]
    here = fed(pairs, NO_FLOOR).outcome()
    there = fed([(unit * before, unit * after) for before, after in pairs], NO_FLOOR).outcome()
    assert (here.changed, here.severity, here.decided) == (there.changed, there.severity, there.decided)
    assert there.ratio == pytest.approx(here.ratio)


@given(st.lists(st.floats(min_value=-5.0, max_value=5.0), min_size=1, max_size=30))
def test_estimate_is_the_median_of_all_averages(logs: list[float]) -> None:
    ratio, (low, high) = estimate(logs)
    averages = [(a + b) / 2 for a, b in combinations_with_replacement(logs, 2)]
    assert ratio == pytest.approx(math.exp(median(averages)))
    if len(logs) >= 6:
        assert ratio is not None
        assert low is not None
        assert high is not None
        assert low <= ratio * (1 + 1e-9)
        assert ratio <= high * (1 + 1e-9)
    else:
        assert (low, high) == (None, None)


@pytest.mark.no_cover  # as in tests/sampling/test_decisions.py
def test_error_rates() -> None:
    """With fixed seeds. The limits themselves: benchmarks/comparisons.py."""
    equal = simulate_live(Live("lognormal .1", 1.0), 60)
    assert equal.rate(Changed.SLOWER) == 0
    assert equal.rate(Changed.NO_CHANGE) >= 0.98
    assert equal.mean_pairs < 50
    restless = simulate_live(Live("lognormal .1", 1.0, burst_share=0.18), 40)
    assert restless.rate(Changed.SLOWER) == 0
    assert simulate_live(Live("lognormal .1", 1.2), 60).rate(Changed.SLOWER) >= 0.97
    slower = simulate_live(Live("lognormal .1", 1.5), 60)
    assert slower.rate(Changed.SLOWER, Verdict.CRITICAL) == 1
    assert slower.mean_pairs < 17
    noisy_equal = simulate_live(Live("lognormal .3", 1.0), 60)
    assert noisy_equal.rate(Changed.SLOWER) == 0
    at_limit = simulate_live(Live("lognormal .3", 1.1), 40)
    assert at_limit.rate(Changed.SLOWER, Verdict.CRITICAL) == 0
    assert simulate_live(Live("lognormal .3", 1.2), 60).rate(Changed.SLOWER) >= 0.95
