"""Null distributions of ranks: how far into the sorted differences a confidence bound has to step back.

Each function returns a rank k, counted from 1: the k-th smallest of the differences (or averages) is a lower
confidence bound, the k-th largest an upper one, each missed with a probability of at most ``alpha``. 0 where there are
too few values for any bound. Ties only make the bounds safer.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist

_NORMAL = NormalDist()
_EXACT_PAIRS = 50  # above it the normal approximation is the same to a rank or two of a thousand
_EXACT_WORK = 50_000  # steps for an exact distribution of two samples: 36 and 36, 8 and 700
_ROUNDING = 1e-9


@lru_cache(maxsize=1024)
def signed_rank_bound(pairs: int, alpha: float) -> int:
    """Among the ``n (n + 1) / 2`` Walsh averages of ``n`` pairs (Wilcoxon's signed ranks; Hollander and Wolfe 3.3)."""
    if pairs > _EXACT_PAIRS:
        middle = pairs * (pairs + 1) / 4
        deviation = math.sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24)
        return _from_normal(middle, deviation, alpha)
    counts = [1]  # counts[t]: sets of ranks with the sum t
    for rank in range(1, pairs + 1):
        longer = counts + [0] * rank
        for total, count in enumerate(counts):
            longer[total + rank] += count
        counts = longer
    return _from_counts(counts, alpha)


@lru_cache(maxsize=4096)
def rank_sum_bound(before: int, after: int, alpha: float) -> int:
    """Among the ``m n`` differences of two samples of ``m`` and ``n`` (Mann and Whitney; Hollander and Wolfe 4.3)."""
    few, many = sorted((before, after))
    if few * few * many > _EXACT_WORK:
        return _from_normal(few * many / 2, math.sqrt(few * many * (few + many + 1) / 12), alpha)
    counts = [1] + [0] * (few * many)  # the Gaussian binomial coefficient, factor by factor
    for i in range(1, few + 1):
        for total in range(few * many, many + i - 1, -1):
            counts[total] -= counts[total - many - i]
        for total in range(i, few * many + 1):
            counts[total] += counts[total - i]
    return _from_counts(counts, alpha)


def _from_counts(counts: list[int], alpha: float) -> int:
    """The number of smallest values of the statistic whose probabilities fit into ``alpha`` together."""
    allowed = alpha * sum(counts)
    return sum(total <= allowed for total in accumulate(counts))


def _from_normal(middle: float, deviation: float, alpha: float) -> int:
    return max(0, math.floor(middle + 0.5 + _NORMAL.inv_cdf(alpha) * deviation))


@lru_cache(maxsize=4096)
def most_among_top(before: int, after: int, top: int, alpha: float) -> int:
    """The smallest count of ``after`` among the ``top`` largest that two equal samples reach with at most ``alpha``.

    Hypergeometric: all ways to choose ``top`` of ``before + after`` values are equally likely. Where no count is too
    many, the result is one more than is possible.
    """
    everything = _log_choices(before + after, top)
    tail = 0.0
    for count in range(min(top, after), max(0, top - before) - 1, -1):
        ways = _log_choices(after, count) + _log_choices(before, top - count)
        tail += math.exp(ways - everything)
        if tail > alpha * (1 + _ROUNDING):
            return count + 1
    return 0


def _log_choices(values: int, chosen: int) -> float:
    """As a logarithm, since the number itself may be too large for a float."""
    return math.lgamma(values + 1) - math.lgamma(chosen + 1) - math.lgamma(values - chosen + 1)


@lru_cache(maxsize=4096)
def t_quantile(p: float, degrees: float) -> float:
    """Of Student's distribution: the expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5).

    Good to 0.3% from four degrees of freedom on, for ``p`` from 0.005 to 0.995.
    """
    z = _NORMAL.inv_cdf(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / degrees**power for power, term in enumerate(terms, start=1))


# --- Differences ---------------------------------------------------------------------------------------------------

_THIN = 40  # values of each sample that the first guess is made from
_FEW = 4  # candidates a row that are cheaper to sort than to count again
_MOST_COUNTS = 90  # then what is left between the brackets differs by less than rounding
_ONLY_HALVE_AFTER = 12  # counts
_EQUAL = 1e-12
_ASIDE = (-0.006, 0.006)  # of all ranks: how far from the estimate of the thinned samples to start
_HALVE_EVERY = 5
_CHECK_TIES_EVERY = 8


class Differences:
    """All ``a - b`` of finite values, both in ascending order and neither empty.

    The k-th smallest is found without making them: 500 values on each side have 250,000 differences. They form a matrix
    whose rows and columns ascend, so those up to a value are counted by one bisection per row; a few counts close in on
    the one that is wanted.
    """

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
        """Narrow two brackets, each a value and the number of differences up to it: too few, and enough."""
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
        """First to both sides of where the thinned samples have it, then the secant, with a halving now and then."""
        if attempt < len(_ASIDE):
            at = int((rank / self.count + _ASIDE[attempt]) * len(self._guesses))
            guess = self._guesses[min(max(at, 0), len(self._guesses) - 1)]
            if low[0] < guess < high[0]:
                return guess
        if attempt % _HALVE_EVERY == 0 or attempt > _ONLY_HALVE_AFTER:
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
    """At most 40 of the values, evenly over their ranks."""
    count = len(values)
    if count <= _THIN:
        return list(values)
    return [values[int((i + 0.5) * count / _THIN)] for i in range(_THIN)]
