"""A window of the latest points, split in two at every place: how far apart the ranks of the parts are."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import accumulate


class Window:
    """The latest ``most`` points. Adding one, and letting the oldest go, takes time in proportion to their number.

    ``_sums[k - 1]`` is, for the split with ``k`` points before it, the sum of ``sign(later - earlier)`` over all pairs
    across it.
    """

    __slots__ = ("_after", "_before", "_most", "_sums", "points")

    def __init__(self, most: int, before: int, after: int) -> None:
        """Parts have at least ``before`` and ``after`` points."""
        self._most, self._before, self._after = most, before, after
        self._sums: list[int] = []
        self.points: list[float] = []

    def add(self, value: float) -> None:
        if len(self.points) == self._most:
            self._drop_oldest()
        rises = list(accumulate((value > earlier) - (value < earlier) for earlier in self.points))
        self._sums.append(0)
        self._sums = [total + rise for total, rise in zip(self._sums, rises, strict=False)]
        self.points.append(value)

    def _drop_oldest(self) -> None:
        oldest = self.points.pop(0)
        rises = list(accumulate((value > oldest) - (value < oldest) for value in reversed(self.points)))
        rises.reverse()  # rises[k - 1]: of all points behind the split that had k points before it
        self._sums = [total - rise for total, rise in zip(self._sums[1:], rises[1:], strict=True)]

    def best(self) -> tuple[float, int]:
        """The highest score over all splits, in standard deviations, and the points before it; 0 for too few points.

        For two parts that are alike the sum has a mean of 0 and a variance of ``m n (m + n + 1) / 3``, ties aside.
        """
        count = len(self.points)
        if count < self._before + self._after:
            return 0.0, 0
        splits = range(self._before, count - self._after + 1)
        weights = _weights(count, self._before, self._after)
        return max(
            (abs(total) * weight, split)
            for total, weight, split in zip(self._sums[self._before - 1 :], weights, splits, strict=False)
        )


@lru_cache(maxsize=128)
def _weights(count: int, before: int, after: int) -> list[float]:
    return [1 / math.sqrt(k * (count - k) * (count + 1) / 3) for k in range(before, count - after + 1)]
