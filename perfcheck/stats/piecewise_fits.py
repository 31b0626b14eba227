"""Least squares of a step and of a ramp, at every index of a series, from running sums.

Which of the two a series follows is decided by the residuals. Outliers are winsorised first: a point counts for at most
three standard deviations from the median of its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

_NEIGHBOURS = 3  # on each side
_MOST_DEVIATIONS = 3.0  # standard deviations
_NORMAL_MAD = 1.4826  # standard deviations of a normal distribution in its median absolute deviation
_ROUNDING = 1e-12  # residuals of a perfect fit


@dataclass(frozen=True, slots=True)
class Fit:
    """``at`` is the first point of the new level, or where the ramp begins."""

    at: int
    residuals: float  # the sum of their squares
    size: float  # of the step, or of the entire ramp


class Fits:
    """Over any stretch of ``values`` from ``start`` up to but without ``end``."""

    def __init__(self, values: Sequence[float]) -> None:
        clipped = winsorised(values)
        self._sums = _running(clipped)
        self._squares = _running([value**2 for value in clipped])
        self._timed = _running([i * value for i, value in enumerate(clipped)])
        self._times = _running([float(i) for i in range(len(clipped))])
        self._times_squared = _running([float(i * i) for i in range(len(clipped))])

    def _spread(self, start: int, end: int) -> float:
        total = self._sums[end] - self._sums[start]
        return max(self._squares[end] - self._squares[start] - total**2 / (end - start), 0.0)

    def _mean(self, start: int, end: int) -> float:
        return (self._sums[end] - self._sums[start]) / (end - start)

    def step(self, start: int, end: int, before: int, after: int) -> Fit:
        """The best step that leaves at least ``before`` and ``after`` points on its sides."""
        sums, squares = self._sums, self._squares
        first, last = sums[start], sums[end]
        least, at = math.inf, start + before
        for k in range(start + before, end - after + 1):  # as _spread of both sides: it runs after every point
            older = squares[k] - squares[start] - (sums[k] - first) ** 2 / (k - start)
            newer = squares[end] - squares[k] - (last - sums[k]) ** 2 / (end - k)
            residuals = (older if older > 0 else 0.0) + (newer if newer > 0 else 0.0)
            if residuals < least:
                least, at = residuals, k
        return Fit(at, least + _ROUNDING, self._mean(at, end) - self._mean(start, at))

    def ramp(self, start: int, end: int, shortest: int) -> Fit:
        """The best level that turns into a straight line of at least ``shortest`` points.

        A line that begins at ``start`` has no level before it.
        """
        sums, timed = self._sums, self._timed
        spread, count, last, total = self._spread(start, end), end - start, sums[end], sums[end] - sums[start]
        least, at, slope = math.inf, start, 0.0
        for k in range(start, max(start, end - shortest) + 1):  # regression on max(0, i - k)
            length = end - k - 1
            times = length * (length + 1) / 2
            variation = times * (2 * length + 1) / 3 - times**2 / count
            together = timed[end] - timed[k] - k * (last - sums[k]) - times * total / count
            residuals = max(spread - together**2 / variation, 0.0) if variation > 0 else spread
            if residuals < least:
                least, at, slope = residuals, k, together / variation if variation > 0 else 0.0
        return Fit(at, least + _ROUNDING, slope * (end - 1 - at))

    def step_on_line(self, start: int, end: int, before: int, after: int) -> Fit:
        """The best step in a straight line: the same slope on both sides."""
        residuals, at, size = min(self._jump(start, end, k) for k in range(start + before, end - after + 1))
        return Fit(at, residuals + _ROUNDING, size)

    def _jump(self, start: int, end: int, at: int) -> tuple[float, int, float]:
        parts = [self._moments(start, at), self._moments(at, end)]
        spread, variation, together = (sum(part) for part in zip(*parts, strict=True))
        slope = together / variation if variation else 0.0
        apart = (end - start) / 2  # between the middles of the two parts
        return max(spread - slope * together, 0.0), at, self._mean(at, end) - self._mean(start, at) - slope * apart

    def _moments(self, start: int, end: int) -> tuple[float, float, float]:
        """Sums of squares about the means: of the values, of the times, and of their products."""
        count = end - start
        times = self._times[end] - self._times[start]
        total = self._sums[end] - self._sums[start]
        variation = self._times_squared[end] - self._times_squared[start] - times**2 / count
        return self._spread(start, end), variation, self._timed[end] - self._timed[start] - times * total / count


def gain(worse: Fit, better: Fit, points: int) -> float:
    """Logarithm of the likelihood ratio of two fits with normal noise of unknown size; negative the other way round."""
    return points / 2 * math.log(worse.residuals / better.residuals)


def winsorised(values: Sequence[float]) -> list[float]:
    """Values with outliers clipped to the range of their neighbours."""
    around = [median(values[max(0, i - _NEIGHBOURS) : i + _NEIGHBOURS + 1]) for i in range(len(values))]
    if not around:
        return []
    deviation = _NORMAL_MAD * median(abs(value - middle) for value, middle in zip(values, around, strict=True))
    room = _MOST_DEVIATIONS * deviation
    return [min(max(value, middle - room), middle + room) for value, middle in zip(values, around, strict=True)]


def _running(values: Sequence[float]) -> list[float]:
    return list(accumulate(values, initial=0.0))
