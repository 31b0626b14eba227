"""Schedules of acceptance: their numbers, and exactly how often they accept."""

from __future__ import annotations

import math
from itertools import product

import pytest

from perfcheck.model import ErrorProof
from perfcheck.stats.acceptance import (
    binomial_bound,
    chance_of_acceptance,
    confirming,
    excluded_by,
    schedule,
    shortened,
)

PROVEN, STRICT, QUICK = ErrorProof.PROVEN, ErrorProof.STRICT, ErrorProof.QUICK


def test_numbers_at_the_default_limit() -> None:
    assert schedule(0.05, PROVEN) == (32, 64, 88, 110)
    assert schedule(0.05, STRICT) == (59, 93, 124)
    assert schedule(0.05, QUICK) == (40, 40)
    assert confirming(0.05) == (59, 59)


@pytest.mark.parametrize(
    ("clean", "numbers"),
    [
        (100, (32, 64, 88, 110)),
        (32, (32, 64, 88, 110)),
        (31, (31, 40)),
        (5, (5, 40)),
    ],
)
def test_shortened(clean: int, numbers: tuple[int, ...]) -> None:
    assert shortened(schedule(0.05, PROVEN), clean) == numbers


def test_shortened_keeps_what_takes_few_requests_anyway() -> None:
    full = schedule(0.1, PROVEN)
    assert full[:2] == (15, 31)
    assert shortened(full, 10) == (10, 31)
    assert shortened(schedule(0.01, PROVEN), 80) == (80, 80)


@pytest.mark.parametrize(
    ("proof", "rate", "low", "high"),
    [
        (PROVEN, 0.01, 0.97, 1.0),
        (PROVEN, 0.1, 0.0, 0.0415),
        (PROVEN, 0.2, 0.0, 0.005),
        (STRICT, 0.05, 0.0, 0.093),
        (STRICT, 0.1, 0.0, 0.005),
    ],
)
def test_how_often_the_defaults_accept(proof: ErrorProof, rate: float, low: float, high: float) -> None:
    assert low <= chance_of_acceptance(schedule(0.05, proof), rate) <= high


@pytest.mark.parametrize("limit", [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.9])
def test_twice_any_limit_is_excluded(limit: float) -> None:
    numbers = schedule(limit, PROVEN)
    rate = min(2 * limit, (1 + limit) / 2)
    assert chance_of_acceptance(numbers, rate) <= 0.05
    assert excluded_by(numbers) <= rate
    assert chance_of_acceptance(numbers, limit / 4) > 0.9
    assert list(numbers) == sorted(numbers)
    assert numbers[0] >= 5


@pytest.mark.parametrize("proof", ErrorProof)
def test_limits_at_the_ends_of_the_scale(proof: ErrorProof) -> None:
    assert schedule(0.0, proof) == schedule(0.01, proof)
    assert schedule(1.0, proof)[0] >= 5


def test_acceptance_is_the_sum_over_all_paths() -> None:
    numbers, rate = (3, 5, 8, 8), 0.3
    accepted = 0.0
    for path in product((0, 1), repeat=8):
        if any(sum(path[:requests]) <= failures for failures, requests in enumerate(numbers)):
            accepted += math.prod(rate if failed else 1 - rate for failed in path)
    assert chance_of_acceptance(numbers, rate) == pytest.approx(accepted, rel=1e-12)


def test_bounds() -> None:
    assert excluded_by((32, 64, 88, 110)) == pytest.approx(0.0953, abs=1e-4)
    assert excluded_by((32,)) == binomial_bound(0, 32) == pytest.approx(1 - 0.05 ** (1 / 32), abs=1e-5)
    assert excluded_by((59, 59)) == binomial_bound(1, 59)
    assert binomial_bound(1, 93) == pytest.approx(0.05, abs=1e-3)
    assert binomial_bound(0, 0) == binomial_bound(7, 7) == 1
