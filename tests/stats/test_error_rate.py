"""Evidence from failures: exact, fair, and as much of it as is promised."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.model import ErrorLimits, ErrorProof, Verdict
from perfcheck.stats.error_rate import ErrorTest, evidence, service_fails

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


def fed(
    outcomes: str,
    proof: ErrorProof = ErrorProof.PROVEN,
    limits: ErrorLimits = ErrorLimits(),  # noqa: B008
    *,
    confirms: bool = False,
) -> ErrorTest:
    """``x`` is a request that failed, ``.`` one that did not."""
    test = ErrorTest(limits, proof, confirms=confirms)
    for outcome in outcomes:
        test.add(failed=outcome == "x")
    return test


CHEAP, DEAR = 26.0, 200.0  # ms


@pytest.mark.parametrize(
    ("outcomes", "latency_ms", "verdict", "needed"),
    [
        ("", None, OK, 32),
        ("." * 5, CHEAP, OK, 32),
        ("." * 32, CHEAP, OK, 32),
        ("x....", CHEAP, OK, 64),
        ("x" + "." * 63, CHEAP, OK, 64),
        ("xx" + "." * 20, CHEAP, OK, 88),
        ("xx" + "." * 86, CHEAP, OK, 88),
        ("x" + "." * 30 + "x.......x", CHEAP, OK, 110),
        (".........x" * 4, CHEAP, WARNING, 110),  # over the warning limit, beyond doubt
        ("." * 30 + "xx" + "." * 30 + "xx" + "." * 45, CHEAP, OK, 110),
        ("." * 30 + "xx" + "." * 30 + "xx" + "." * 46, CHEAP, WARNING, 110),  # nothing is proven, neither way
        ("." * 32 + "x" + "." * 30 + "x" + "." * 30 + "x" + "." * 40 + "x" * 2, CHEAP, OK, 32),  # it was accepted
        ("." * 32 + "xxxx", CHEAP, WARNING, 32),  # over the warning limit, beyond doubt
        ("." * 10, DEAR, OK, 10),
        (".........x", DEAR, OK, 40),
        ("x" + "." * 39, DEAR, OK, 40),
        ("x" + "." * 20 + "x" + "." * 18, DEAR, WARNING, 40),
        (".....", 5000.0, OK, 5),
        (".....", math.inf, OK, 5),
        ("xx", None, WARNING, 88),
        ("xxx", None, CRITICAL, 3),
        ("." * 6 + "xxx", CHEAP, CRITICAL, 9),
        ("." * 7 + "xxx", CHEAP, WARNING, 110),
    ],
)
def test_proven(outcomes: str, latency_ms: float | None, verdict: Verdict, needed: int) -> None:
    test = fed(outcomes)
    assert (test.verdict(latency_ms), test.needed(latency_ms)) == (verdict, needed)
    assert test.is_settled(latency_ms) == (len(outcomes) >= needed)
    assert (test.requests, test.failures) == (len(outcomes), outcomes.count("x"))


@pytest.mark.parametrize(
    ("outcomes", "verdict", "needed"),
    [
        (".....", OK, 0),  # no failure, no question
        ("." * 9 + "x", OK, 40),
        ("." * 5 + "x" + "." * 34, OK, 40),
        ("." * 39 + "x", OK, 40),
        ("." * 5 + "x" + "." * 20 + "x" + "." * 13, WARNING, 40),
        ("xxx", CRITICAL, 3),
    ],
)
def test_quick(outcomes: str, verdict: Verdict, needed: int) -> None:
    test = fed(outcomes, ErrorProof.QUICK)
    assert (test.verdict(CHEAP), test.needed(CHEAP)) == (verdict, needed)


@pytest.mark.parametrize(
    ("outcomes", "verdict", "needed"),
    [
        ("." * 59, OK, 59),
        ("." * 58 + "x", OK, 93),
        ("." * 58 + "x" * 2 + "." * 63, OK, 124),
        ("." * 38 + "x" * 3 + "." * 83, WARNING, 124),
    ],
)
def test_strict(outcomes: str, verdict: Verdict, needed: int) -> None:
    test = fed(outcomes, ErrorProof.STRICT)
    assert (test.verdict(DEAR), test.needed(DEAR)) == (verdict, needed)


@pytest.mark.parametrize("proof", ErrorProof)
@pytest.mark.parametrize(
    ("outcomes", "verdict", "needed"),
    [
        ("xx", CRITICAL, 2),  # less evidence is needed the second time
        ("." * 3 + "xx", CRITICAL, 5),
        ("." * 4 + "xx", WARNING, 59),
        ("." * 58, OK, 59),
        ("." * 59, OK, 59),
        ("x" + "." * 58, OK, 59),
        ("x" + "." * 28 + "x" + "." * 29, WARNING, 59),
    ],
)
def test_confirming(proof: ErrorProof, outcomes: str, verdict: Verdict, needed: int) -> None:
    test = fed(outcomes, proof, confirms=True)
    assert (test.verdict(DEAR), test.needed(DEAR)) == (verdict, needed)


def test_limits_are_those_of_the_endpoint() -> None:
    assert fed("xxxxx", limits=ErrorLimits(1.0, 1.0)).verdict(CHEAP) is OK
    assert fed("xxxxx", limits=ErrorLimits(1.0, 1.0)).is_settled(CHEAP)
    assert fed("xx...", limits=ErrorLimits(0.0, 0.5)).verdict(CHEAP) is WARNING
    assert fed("." * 50 + "xxx", limits=ErrorLimits(0.0, 0.0)).verdict(CHEAP) is CRITICAL


@pytest.mark.parametrize("limits", [ErrorLimits(0.4, 0.5), ErrorLimits(0.25, 0.3)])
def test_an_endpoint_far_below_high_limits_is_ok(limits: ErrorLimits) -> None:
    pattern = "..x.......x..." * 5
    test = ErrorTest(limits)
    for outcome in pattern:
        test.add(failed=outcome == "x")
        if test.is_settled(CHEAP):
            break
    assert test.verdict(CHEAP) is OK
    assert test.requests < 20


@pytest.mark.parametrize(
    ("proof", "outcomes", "latency_ms", "excluded"),
    [
        (ErrorProof.PROVEN, "." * 32, CHEAP, 0.0953),  # 4.1% of those that fail at 10% are accepted, at some number
        (ErrorProof.PROVEN, "x" + "." * 63, CHEAP, 0.0953),
        (ErrorProof.PROVEN, "." * 10, DEAR, 0.2589),
        (ErrorProof.PROVEN, "." * 20, CHEAP, 0.1391),  # time ran out
        (ErrorProof.PROVEN, "." * 200, CHEAP, 0.0149),  # its latency took that many
        (ErrorProof.PROVEN, "", None, 1.0),
        (ErrorProof.PROVEN, "xxx", CHEAP, 1.0),
        (ErrorProof.QUICK, "." * 5, CHEAP, 0.4507),
        (ErrorProof.STRICT, "." * 59, CHEAP, 0.0585),
    ],
)
def test_what_is_excluded(proof: ErrorProof, outcomes: str, latency_ms: float | None, excluded: float) -> None:
    assert fed(outcomes, proof).excluded(latency_ms) == pytest.approx(excluded, abs=1e-4)


def outcome_at(rate: float, rng: random.Random, proof: ErrorProof, latency_ms: float) -> Verdict:
    """The verdict of a test, and of the one that confirms it, on an endpoint that fails at ``rate``."""
    verdict = OK
    for confirms in (False, True):
        test = ErrorTest(ErrorLimits(), proof, confirms=confirms)
        while test.requests < 5 or not test.is_settled(latency_ms):
            test.add(failed=rng.random() < rate)
        verdict = test.verdict(latency_ms)
        if verdict is not CRITICAL:
            break
    return verdict


@pytest.mark.parametrize(
    ("rate", "verdict", "low", "high"),
    [
        (0.001, CRITICAL, 0.0, 0.001),
        (0.01, CRITICAL, 0.0, 0.001),
        (0.01, WARNING, 0.0, 0.03),
        (0.1, OK, 0.0, 0.05),
        (0.2, OK, 0.0, 0.005),
        (0.2, CRITICAL, 0.9, 1.0),
        (0.5, CRITICAL, 0.99, 1.0),
        (1.0, CRITICAL, 1.0, 1.0),
    ],
)
def test_how_often_a_verdict_comes_out(rate: float, verdict: Verdict, low: float, high: float) -> None:
    rng = random.Random(2)
    outcomes = [outcome_at(rate, rng, ErrorProof.PROVEN, CHEAP) for _ in range(3000)]
    assert low <= outcomes.count(verdict) / len(outcomes) <= high


def test_dear_endpoints_are_proven_less() -> None:
    rng = random.Random(2)
    outcomes = [outcome_at(0.1, rng, ErrorProof.PROVEN, DEAR) for _ in range(3000)]
    assert 0.3 < outcomes.count(OK) / len(outcomes) <= 0.4


@given(st.text("xx.", max_size=60), st.sampled_from(ErrorProof), st.booleans(), st.floats(1.0, 1000.0))
def test_a_test_is_settled_after_the_requests_that_it_needs(
    outcomes: str,
    proof: ErrorProof,
    confirms: bool,  # noqa: FBT001
    latency_ms: float,
) -> None:
    test = fed(outcomes, proof, confirms=confirms)
    needed = test.needed(latency_ms)
    for _ in range(needed - test.requests):
        assert not test.is_settled(latency_ms)
        test.add(failed=False)
    assert test.is_settled(latency_ms)
    assert test.needed(latency_ms) == needed


@pytest.mark.parametrize(
    ("failures", "requests", "fails"),
    [(2, 2, False), (3, 3, True), (3, 300, False), (20, 500, True), (30, 3000, False)],
)
def test_a_service_fails_as_a_whole(failures: int, requests: int, fails: bool) -> None:  # noqa: FBT001
    assert service_fails(failures, requests) == fails
