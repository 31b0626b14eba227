"""The logistic curve through the steps of a search."""

from __future__ import annotations

import math
import random

import pytest

from perfcheck.capacity.fit import Crossing, StepCounts, find_crossing


def counts(load: float, share: float, requests: int = 4000) -> StepCounts:
    return StepCounts(math.log(load), requests, round(share * requests))


def convex(load: float, slope: float = 10.0, at: float = 100.0, share: float = 0.05) -> float:
    d = math.log(load / at)
    logit = math.log(share / (1 - share)) + slope * (d + 0.2 * slope * d * d)
    return 1 / (1 + math.exp(-logit))


def crossing_of(steps: list[StepCounts], share: float = 0.05, near: float = 80) -> Crossing:
    found = find_crossing(steps, share, math.log(near))
    assert found is not None
    return found


def half_width(found: Crossing) -> float:
    return (found.high() - found.low) / 2


@pytest.mark.parametrize("slope", [4.0, 10.0, 20.0])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_crossing_of_a_known_curve(slope: float, share: float) -> None:
    loads = (88, 92, 95, 98, 102, 106, 110)
    found = crossing_of([counts(load, convex(load, slope, share=share), 40_000) for load in loads], share)
    assert math.exp(found.log_load) == pytest.approx(100, rel=0.01)
    assert found.slope == pytest.approx(slope, rel=0.1)
    assert found.dispersion == pytest.approx(1, abs=0.2)


def test_a_straight_line_would_put_the_crossing_too_low() -> None:
    found = crossing_of([counts(load, convex(load)) for load in (80, 84, 88, 92, 108, 112, 116, 120)])
    assert math.exp(found.log_load) == pytest.approx(100, rel=0.005)


def test_more_variable_steps_have_a_wider_interval() -> None:
    rng = random.Random("steps")
    loads = [100 * math.exp(rng.uniform(-0.1, 0.1)) for _ in range(20)]
    steady = crossing_of([counts(load, convex(load)) for load in loads])
    restless = crossing_of([counts(load, convex(load) * rng.choice((0.5, 1.5))) for load in loads])
    assert half_width(steady) < 0.01
    assert half_width(restless) > 3 * half_width(steady)
    assert restless.dispersion > 20
    assert restless.low < math.log(100) < restless.high()


def test_steps_on_a_web_server_show_how_steep_its_curve_is() -> None:
    """Counted with four workers of gunicorn: of 1,600 requests none is over with 144 users, and six in ten with 167."""
    counted = (
        (135, 383, 0), (202, 265, 265), (137, 1540, 0), (180, 269, 264), (130, 1463, 0), (170, 1569, 278),
        (144, 1599, 0), (167, 269, 164), (133, 1496, 0), (172, 527, 343), (135, 1457, 0), (166, 1577, 91),
        (139, 1543, 0), (167, 1579, 647), (142, 1045, 0),
    )  # fmt: skip
    found = crossing_of([StepCounts(math.log(load), requests, over) for load, requests, over in counted], near=150)
    assert 155 < math.exp(found.log_load) < 165
    assert half_width(found) < 0.07
    assert found.slope > 20


def test_a_single_request_at_each_load_shows_nothing() -> None:
    found = crossing_of([StepCounts(math.log(load), 1, load % 2) for load in (80, 85, 90, 95, 100, 105, 110)])
    assert half_width(found) > 0.5


def test_a_flat_curve_does_not_pass_for_a_steep_one() -> None:
    flat = crossing_of([counts(load, 0.05) for load in (85, 90, 95, 105, 110, 115, 120)])
    steep = crossing_of([counts(load, convex(load)) for load in (85, 90, 95, 105, 110, 115, 120)])
    assert half_width(flat) > 3 * half_width(steep)


def test_nothing_is_found_from_two_steps_or_far_away() -> None:
    two = [counts(90, 0.02), counts(110, 0.1)]
    assert find_crossing(two, 0.05, math.log(100)) is None
    assert find_crossing([*two, counts(100, 0.05)], 0.05, math.log(1000)) is None
    assert find_crossing([*two, StepCounts(math.log(100), 0, 0)], 0.05, math.log(100)) is None
