"""The k-th smallest of all differences between two samples, without making them.

500 values on each side have 250,000 differences. They form a matrix whose rows and columns ascend, so that those up to
a value are counted by one bisection a row; a few counts close in on the one that is wanted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

_THIN = 40  # values of each sample that the first guess is made from
_FEW = 4  # candidates a row that are cheaper to sort than to count again
_MOST_COUNTS = 90  # then what is left between the brackets differs by less than rounding
_PATIENCE = 12  # counts after which the brackets are only halved
_EQUAL = 1e-12
_ASIDE = (-0.006, 0.006)  # of all ranks: how far from the thinned sample's answer the true one is looked for
_HALVE_EVERY = 5
_CHECK_TIES_EVERY = 8


class Differences:
    """All ``a - b`` of finite values, both in ascending order and neither empty."""

    __slots__ = ("_after", "_before", "_found", "_guesses", "count")

    def __init__(self, before: Sequence[float], after: Sequence[float]) -> None:
        self._before, self._after = sorted(before), sorted(after)
        self._found: dict[int, float] = {}
        self.count = len(before) * len(after)
        thin_before, thin_after = thinned(self._before), thinned(self._after)
        self._guesses = sorted(a - b for a in thin_after for b in thin_before)

    def up_to(self, value: float) -> int:
        """How many are at most ``value``."""
        after = self._after
        return sum([bisect_right(after, b + value) for b in self._before])

    def smallest(self, rank: int) -> float:
        """The ``rank``-th smallest, counted from 1."""
        if rank not in self._found:
            self._find(rank)
        return self._found[rank]

    def median(self) -> float:
        middle = self.smallest((self.count + 1) // 2)
        return middle if self.count % 2 else (middle + self.smallest(self.count // 2 + 1)) / 2

    def _find(self, rank: int) -> None:
        """Narrows two brackets, each a value and the number of differences up to it: too few, and enough."""
        low, high = (self._after[0] - self._before[-1], 0), (self._after[-1] - self._before[0], self.count)
        few = _FEW * (len(self._before) + len(self._after))
        for attempt in range(_MOST_COUNTS):
            if high[1] - low[1] <= few:
                self._sort_out(rank, low, high)
                return
            if attempt and attempt % _CHECK_TIES_EVERY == 0:
                least, most = self._ends(low, high)
                if most - least <= _EQUAL:
                    break
            middle = self._guess(rank, attempt, low, high)
            if not low[0] < middle < high[0]:
                break
            counted = self.up_to(middle)
            if counted < rank:
                low = middle, counted
            else:
                high = middle, counted
        self._found[rank] = self._ends(low, high)[1]

    def _ends(self, low: tuple[float, int], high: tuple[float, int]) -> tuple[float, float]:
        """The smallest and the largest difference between the brackets: the same where many are equal."""
        least, most = high[0], low[0]
        for b, start, end in self._rows(low, high):
            if start < end:
                least, most = min(least, self._after[start] - b), max(most, self._after[end - 1] - b)
        return least, most

    def _rows(self, low: tuple[float, int], high: tuple[float, int]) -> Iterator[tuple[float, int, int]]:
        """Each ``b``, and from where to where its ``a`` lie between the brackets."""
        after, (floor, skipped), (ceiling, counted) = self._after, low, high
        for b in self._before:
            start = bisect_right(after, b + floor) if skipped else 0
            yield b, start, bisect_right(after, b + ceiling) if counted < self.count else len(after)

    def _guess(self, rank: int, attempt: int, low: tuple[float, int], high: tuple[float, int]) -> float:
        """First a little to both sides of where a thinned sample has it, then the secant, and halves now and then."""
        if attempt < len(_ASIDE):
            at = int((rank / self.count + _ASIDE[attempt]) * len(self._guesses))
            guess = self._guesses[min(max(at, 0), len(self._guesses) - 1)]
            if low[0] < guess < high[0]:
                return guess
        if attempt % _HALVE_EVERY == 0 or attempt > _PATIENCE:
            return (low[0] + high[0]) / 2
        share = (rank - low[1]) / (high[1] - low[1])
        return low[0] + (high[0] - low[0]) * share

    def _sort_out(self, rank: int, low: tuple[float, int], high: tuple[float, int]) -> None:
        candidates: list[float] = []
        for b, start, end in self._rows(low, high):
            candidates += [a - b for a in self._after[start:end]]
        candidates.sort()
        at = rank - low[1] - 1
        self._found[rank] = candidates[at]
        if at + 1 < len(candidates):
            self._found[rank + 1] = candidates[at + 1]  # a median may need both


def thinned(values: Sequence[float]) -> list[float]:
    """At most 24 of the values, evenly over their ranks."""
    count = len(values)
    if count <= _THIN:
        return list(values)
    return [values[int((i + 0.5) * count / _THIN)] for i in range(_THIN)]
