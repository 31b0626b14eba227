"""Boundaries against given values, against the enumeration of every path, and against their promise."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import pytest

from perfcheck.model import Metric
from perfcheck.stats.quantiles import QUANTILE
from perfcheck.stats.sequential import (
    ALONE_AFTER_SCREENING,
    ALPHA,
    ALPHA_ALONE,
    CONFIRMATION,
    CONFIRMATION_AFTER_SCREENING,
    FIRST_STAGE,
    SCREENING,
    Spend,
    boundaries,
    looks_of,
)

SIZES = [(p, looks_of(metric)) for metric, p in QUANTILE.items()]


@pytest.mark.parametrize(
    ("p", "looks", "upper", "lower"),
    [
        (
            0.5,
            200,
            {5: 5, 10: 10, 20: 17, 50: 36, 100: 65, 200: 122},
            {5: 0, 15: 2, 20: 3, 50: 14, 100: 35, 200: 78},
        ),
        (0.95, 300, {5: 2, 10: 4, 50: 8, 100: 13, 300: 28}, {67: 0, 150: 1, 200: 2, 300: 6}),
    ],
)
def test_derived_values(p: float, looks: int, upper: dict[int, int], lower: dict[int, int]) -> None:
    found = boundaries(p, looks)
    assert {n: found.upper[n] for n in upper} == upper
    assert {n: found.lower[n] for n in lower} == lower


@pytest.mark.parametrize(
    ("metric", "first"), [(Metric.MEDIAN, 5), (Metric.P75, 12), (Metric.P90, 33), (Metric.P95, 67), (Metric.P99, 341)]
)
def test_first_possible_ok(metric: Metric, first: int) -> None:
    lower = boundaries(QUANTILE[metric], looks_of(metric)).lower
    assert lower[first] == 0
    assert set(lower[:first]) == {-1}


def crossing_probability(upper: Sequence[int], share: float) -> float:
    """Of a count with ``share`` that ever reaches ``upper``: the plain recursion, with nothing left out."""
    going = {0: 1.0}
    crossed = 0.0
    for bound in upper[1:]:
        after: dict[int, float] = {}
        for count, probability in going.items():
            after[count] = after.get(count, 0.0) + probability * (1 - share)
            after[count + 1] = after.get(count + 1, 0.0) + probability * share
        crossed += sum(probability for count, probability in after.items() if count >= bound)
        going = {count: probability for count, probability in after.items() if count < bound}
    return crossed


@pytest.mark.parametrize(("p", "looks"), SIZES)
@pytest.mark.parametrize("alpha", [ALPHA, ALPHA_ALONE])
def test_errors_stay_within_alpha_and_nearly_use_it(p: float, looks: int, alpha: float) -> None:
    found = boundaries(p, looks, alpha)
    over = crossing_probability(found.upper, 1 - p)
    under = crossing_probability([n - count for n, count in enumerate(found.lower)], p)
    assert 0.5 * alpha < over <= alpha * (1 + 1e-9)
    assert 0.5 * alpha < under <= alpha * (1 + 1e-9)


@pytest.mark.parametrize(
    "stages", [(FIRST_STAGE, CONFIRMATION), (SCREENING, ALONE_AFTER_SCREENING, CONFIRMATION_AFTER_SCREENING)]
)
@pytest.mark.parametrize(("p", "looks"), SIZES)
def test_all_stages_together_stay_within_alpha(stages: tuple[Spend, ...], p: float, looks: int) -> None:
    """The chance that any of them finds a metric under a limit that it is at."""
    none = 1.0
    for spend in stages:
        lower = boundaries(p, looks, spend.alpha, spend.at_first).lower
        none *= 1 - crossing_probability([n - count for n, count in enumerate(lower)], p)
    assert sum(spend.alpha for spend in stages) <= ALPHA + 1e-12
    assert 0.5 * ALPHA < 1 - none <= ALPHA


@pytest.mark.parametrize(
    ("spend", "first"),
    [
        (FIRST_STAGE, 5),
        (SCREENING, 5),
        (CONFIRMATION, 8),
        (ALONE_AFTER_SCREENING, 8),
        (CONFIRMATION_AFTER_SCREENING, 8),
    ],
)
def test_first_possible_ok_of_each_stage(spend: Spend, first: int) -> None:
    assert boundaries(0.5, 200, spend.alpha, spend.at_first).lower.index(0) == first


@pytest.mark.parametrize("spend", [FIRST_STAGE, SCREENING])
def test_ok_never_takes_less_than_at_five_percent(spend: Spend) -> None:
    """So the interval of an endpoint that is decided OK lies under its limit."""
    usual, strict = boundaries(0.5, 200), boundaries(0.5, 200, spend.alpha, spend.at_first)
    assert all(few <= many for few, many in zip(strict.lower, usual.lower, strict=True))


@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(3, 4)])
def test_every_path_of_twelve_requests(p: Fraction) -> None:
    """The stated error, by counting the paths one by one with exact fractions."""
    found = boundaries(float(p), 12)
    crossed = Fraction(0)
    for path in product((False, True), repeat=12):
        counts = [sum(path[:n]) for n in range(13)]
        if any(counts[n] >= found.upper[n] for n in range(1, 13)):
            crossed += (1 - p) ** sum(path) * p ** (12 - sum(path))
    assert float(crossed) == pytest.approx(crossing_probability(found.upper, 1 - float(p)), rel=1e-12)
    assert 0 < crossed <= Fraction(5, 100)


@pytest.mark.parametrize(("p", "looks"), SIZES)
def test_the_two_sides_never_meet(p: float, looks: int) -> None:
    found = boundaries(p, looks)
    assert found.looks == looks
    assert all(
        lower < n * (1 - p) < upper for n, (lower, upper) in enumerate(zip(found.lower, found.upper, strict=True))
    )


def test_a_smaller_error_takes_more() -> None:
    usual, strict = boundaries(0.5, 200), boundaries(0.5, 200, ALPHA_ALONE)
    assert all(few <= many for few, many in zip(usual.upper, strict.upper, strict=True))
    assert strict.upper[10] == 11
    assert strict.upper[11] == 11
