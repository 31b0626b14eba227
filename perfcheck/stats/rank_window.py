"""Rank sums at every split of the latest points of a series."""

from __future__ import annotations

from itertools import accumulate


class RankWindow:
    """The latest ``most`` points. Adding one, and dropping the oldest, takes time in proportion to their number."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sums: list[int] = []
        self.points: list[float] = []

    def rank_sum(self, split: int) -> int:
        """The sum of ``sign(newer - older)`` over all pairs across the split with ``split`` points before it."""
        return self._sums[split - 1]

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
