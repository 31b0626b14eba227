"""Slow drift: a level that moves run by run, with no step in it."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from perfcheck.model import change_ratio
from perfcheck.stats.piecewise_fits import Fits, gain
from perfcheck.stats.split_score import LEAST_CHANGE

SHORTEST_DRIFT = 30  # points
CLEARLY = 4.0  # logarithm of a likelihood ratio
_SCORE = 5.0  # of Mann and Kendall's test; more than that of a step, since neighbouring runs are correlated
_BLOCKS = 120  # medians of neighbours that the slope of a long series is taken from


@dataclass(frozen=True, slots=True)
class Drift:
    """A level that moves slowly, run by run, with no step in it. ``index`` is where it began."""

    index: int
    before: float  # where the fitted line begins, in the unit of the series
    after: float  # where it ends

    @property
    def ratio(self) -> float:
        return change_ratio(self.after, self.before)


def find_drift(logs: Sequence[float], fits: Fits, start: int) -> Drift | None:
    """The drift of logarithms since ``start``, the first point or the last step.

    It takes a ramp that fits clearly better than any step, a rise or fall by ranks beyond chance, and 5% from its
    beginning to its end.
    """
    end = len(logs)
    if end - start < SHORTEST_DRIFT:
        return None
    ramp = fits.ramp(start, end, SHORTEST_DRIFT)
    step = fits.step(start, end, 1, 1)
    if abs(ramp.size) < LEAST_CHANGE or gain(step, ramp, end - start) < CLEARLY:
        return None
    points = logs[ramp.at :]
    if abs(kendall_score(points)) < _SCORE:
        return None
    before, after = fitted_line(points)
    if abs(after - before) < LEAST_CHANGE:
        return None
    return Drift(ramp.at, math.exp(before), math.exp(after))


def kendall_score(values: Sequence[float]) -> float:
    """The score of Mann and Kendall's test for a rise (positive) or a fall, in standard deviations."""
    earlier: list[float] = []
    rises = 0
    for value in values:
        rises += bisect_left(earlier, value) - (len(earlier) - bisect_right(earlier, value))
        insort(earlier, value)
    count = len(values)
    return rises / math.sqrt(count * (count - 1) * (2 * count + 5) / 18)


def fitted_line(values: Sequence[float]) -> tuple[float, float]:
    """Theil and Sen's line at the first and at the last of at least two values: the median of all slopes.

    For a long series those between the medians of short stretches.
    """
    length = math.ceil(len(values) / _BLOCKS)
    stretches = [values[i : i + length] for i in range(0, len(values), length)]
    points, at = [], 0
    for stretch in stretches:
        points.append((at + (len(stretch) - 1) / 2, median(stretch)))
        at += len(stretch)
    slope = median((b - a) / (y - x) for (x, a), (y, b) in combinations(points, 2))
    level = median(value - slope * i for i, value in enumerate(values))
    return level, level + slope * (len(values) - 1)
