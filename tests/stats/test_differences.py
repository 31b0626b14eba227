"""The k-th smallest difference against all differences, sorted."""

from __future__ import annotations

import math
import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.stats.ranks import Differences

VALUES = st.lists(st.floats(min_value=-50, max_value=50), min_size=1, max_size=25)
ALIKE = st.lists(st.sampled_from([0.0, 0.1, 1.0, 50.0]), min_size=1, max_size=40)


@given(st.one_of(VALUES, ALIKE), st.one_of(VALUES, ALIKE), st.data())
def test_smallest_is_that_of_all_differences(before: list[float], after: list[float], data: st.DataObject) -> None:
    everything = sorted(a - b for a in after for b in before)
    differences = Differences(before, after)
    rank = data.draw(st.integers(1, len(everything)))
    assert differences.smallest(rank) == pytest.approx(everything[rank - 1], abs=1e-9)
    assert differences.median() == pytest.approx(median(everything), abs=1e-9)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("timeouts", [0.0, 0.4])
def test_large_samples(ties: bool, timeouts: float) -> None:  # noqa: FBT001
    rng = random.Random(f"{ties} {timeouts}")

    def value() -> float:
        if rng.random() < timeouts:
            return 50.0
        return float(rng.randint(1, 4)) if ties else rng.gauss(0.0, 0.3)

    before, after = ([value() for _ in range(count)] for count in (180, 210))
    everything = sorted(a - b for a in after for b in before)
    differences = Differences(before, after)
    assert differences.count == len(everything)
    for rank in (1, 2, 400, 9000, len(everything) // 2, 30000, len(everything) - 1, len(everything)):
        assert differences.smallest(rank) == pytest.approx(everything[rank - 1], abs=1e-9)
    assert differences.up_to(0.05) == sum(difference <= 0.05 for difference in everything)


def test_single_values_whose_difference_is_rounded() -> None:
    before, after = math.log(100.0), math.log(1e-6)
    assert Differences([before], [after]).smallest(1) == after - before
