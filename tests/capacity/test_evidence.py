"""What the counts of several endpoints show together."""

from __future__ import annotations

import math

import pytest

from perfcheck.capacity.evidence import AllowedShares, first_crossing, is_gross, is_kept, side_of, sum_of
from perfcheck.capacity.model import Block, Judged, LoadStep

ALLOWED = AllowedShares(0.01, {"often": 0.05, "seldom": 0.05})


def block(often: tuple[int, int], seldom: tuple[int, int], failed: int = 0) -> Block:
    endpoints = {"often": Judged(*often), "seldom": Judged(*seldom)}
    return Block(often[0] + seldom[0], often[1] + seldom[1], failed, endpoints=endpoints)


def step(load: float, *blocks: Block) -> LoadStep:
    return sum_of(load, blocks, 0, is_overload=False)


@pytest.mark.parametrize(
    ("counted", "side", "of_each", "kept", "gross"),
    [
        (block((4000, 40), (60, 1)), -1, 0, True, False),  # too few to show anything by themselves
        (block((4000, 40), (60, 4)), 0, 0, True, False),
        (block((4000, 40), (400, 2)), -1, -1, True, False),
        (block((4000, 40), (60, 30)), 1, 1, False, False),  # of all together, only 1.7%
        (block((4000, 40), (200, 150)), 1, 1, False, True),
        (block((4000, 400), (200, 0)), 1, 1, False, False),
        (block((4000, 40), (400, 2), failed=100), 1, 1, False, False),
    ],
)
def test_an_endpoint_does_not_hide_behind_the_others(
    counted: Block, side: int, of_each: int, kept: object, gross: object
) -> None:
    assert side_of([step(10, counted)], ALLOWED) == side
    assert side_of([step(10, counted)], ALLOWED, of_each=True) == of_each
    assert (is_kept([counted], ALLOWED), is_gross([counted], ALLOWED)) == (kept, gross)


def test_the_lowest_crossing_counts_and_its_interval_holds_for_all_that_may_be_it() -> None:
    def steps(seldom_at: float) -> list[LoadStep]:
        def over(load: float, at: float) -> int:
            return round(4000 / (1 + math.exp(math.log(19) - 10 * math.log(load / at))))

        loads = (88, 92, 96, 100, 104, 108, 112)
        return [step(load, block((4000, over(load, 100)), (4000, over(load, seldom_at)))) for load in loads]

    alike, apart = (first_crossing(steps(at), ALLOWED, math.log(95)) for at in (100.5, 90.0))
    assert alike is not None
    assert apart is not None
    assert math.exp(apart.log_load) == pytest.approx(90, rel=0.02)
    assert apart.criterion.endpoint == "seldom"
    assert alike.criterion.endpoint == "often"
    assert alike.low < math.log(100) < alike.high
    assert alike.high > alike.crossing.high()  # there are several that have to be right
    assert first_crossing([], ALLOWED, 0.0) is None
