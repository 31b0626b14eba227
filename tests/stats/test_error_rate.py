"""Evidence from failures: exact, fair, and as much of it as is promised."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from perfcheck.model import ErrorLimits, Verdict
from perfcheck.stats.error_rate import ErrorTest, evidence

OK, WARNING, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.CRITICAL


def exact_evidence(failures: int, requests: int, limit: Fraction) -> Fraction:
    """The stated formula in exact fractions."""

    def probability(count: int, trials: int) -> Fraction:
        return math.comb(trials, count) * limit**count * (1 - limit) ** (trials - count)

    at_most = sum((probability(count, requests + 1) for count in range(failures + 1)), Fraction(0))
    return at_most / ((requests + 1) * (1 - limit) * probability(failures, requests))


@pytest.mark.parametrize("requests", [2, 5, 40, 100])
@pytest.mark.parametrize("limit", [Fraction(1, 100), Fraction(5, 100), Fraction(1, 2)])
def test_evidence_is_the_formula(requests: int, limit: Fraction) -> None:
    for failures in {0, 1, 2, requests // 2, requests}:
        assert evidence(failures, requests, float(limit)) == pytest.approx(
            float(exact_evidence(failures, requests, limit)), rel=1e-9
        )


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("requests", [1, 8, 40])
def test_evidence_is_fair_at_the_limit(limit: float, requests: int) -> None:
    """It averages 1 over all outcomes: the property that makes 20 a rare event."""
    expected = math.fsum(
        math.comb(requests, count) * limit**count * (1 - limit) ** (requests - count) * evidence(count, requests, limit)
        for count in range(requests + 1)
    )
    assert expected == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("limit", "least", "needed"),
    [
        (0.05, 3, {3: 3, 8: 3, 9: 4, 10: 4, 20: 5, 40: 8}),
        (0.01, 2, {2: 2, 10: 2, 11: 3, 40: 4}),
    ],
)
def test_failures_that_are_enough(limit: float, least: int, needed: dict[int, int]) -> None:
    found = {n: next(s for s in range(least, n + 1) if evidence(s, n, limit) >= 20) for n in needed}
    assert found == needed


def test_evidence_at_the_ends_of_the_scale() -> None:
    assert evidence(5, 5, 1.0) == 0.0
    assert evidence(1, 5, 0.0) == math.inf
    assert evidence(0, 5, 0.0) == pytest.approx(1 / 6)
    assert 0 <= evidence(0, 100_000, 0.05) < 1e-4
    assert 1e100 < evidence(5_000, 5_000, 0.01) < math.inf


def fed(outcomes: str, before: Verdict = OK, limits: ErrorLimits = ErrorLimits()) -> ErrorTest:  # noqa: B008
    """``x`` is a request that failed, ``.`` one that did not."""
    test = ErrorTest(limits, before)
    for outcome in outcomes:
        test.add(failed=outcome == "x")
    return test


@pytest.mark.parametrize(
    ("outcomes", "verdict", "settled"),
    [
        (".....", OK, True),  # no failure, no question
        ("x....", OK, False),
        ("." * 39 + "x", OK, True),
        ("x" + "." * 38, OK, False),
        ("xx...", WARNING, False),
        ("xxx", CRITICAL, True),
        ("x......xx", WARNING, False),
        ("x.....xx", CRITICAL, True),
        ("xx" + "." * 38, WARNING, True),
        ("." * 20 + "x" + "." * 18 + "x", OK, True),  # 2 of 40: over 1%, but that is no proof
    ],
)
def test_first_stage(outcomes: str, verdict: Verdict, settled: bool) -> None:  # noqa: FBT001
    test = fed(outcomes)
    assert (test.verdict, test.settled) == (verdict, settled)


@pytest.mark.parametrize(
    ("before", "outcomes", "verdict", "settled"),
    [
        (CRITICAL, "xx", CRITICAL, True),  # less evidence is needed the second time
        (CRITICAL, ".", CRITICAL, False),
        (CRITICAL, "." * 29, CRITICAL, False),  # not cleared for want of requests
        (CRITICAL, "." * 30, WARNING, True),  # it failed beyond doubt a moment ago
        (CRITICAL, "x" + "." * 29, WARNING, True),
        (WARNING, "x........x", WARNING, False),
        (WARNING, "." * 29, WARNING, False),
        (WARNING, "." * 30, OK, True),
        (WARNING, "x.x" + "." * 27, WARNING, True),
        (WARNING, "xx", WARNING, False),  # for CRITICAL there is no evidence from before
        (WARNING, "xxx", CRITICAL, True),
        (OK, ".....", OK, True),
    ],
)
def test_measured_again(before: Verdict, outcomes: str, verdict: Verdict, settled: bool) -> None:  # noqa: FBT001
    test = fed(outcomes, before)
    assert (test.verdict, test.settled) == (verdict, settled)


def test_limits_are_those_of_the_endpoint() -> None:
    assert fed("xxxxx", limits=ErrorLimits(1.0, 1.0)).verdict is OK
    assert fed("xx...", limits=ErrorLimits(0.0, 0.5)).verdict is WARNING
    assert fed("xxx.......", limits=ErrorLimits(0.3, 0.5)).verdict is OK
