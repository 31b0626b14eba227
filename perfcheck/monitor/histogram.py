"""Durations in a bounded number of buckets: what is added up exactly, and quantiles with a stated error.

Count, sum, sum of squares, least and most are exact integers of nanoseconds, so that histograms merge without rounding,
in any order. Buckets are straight steps within 1-2-5 of a decade, 160 to a decade from 1 us to 1000 s: a bucket is at
most 2.5% wide, so that its middle lies within 1.25% of anything in it. Round numbers are edges, among them every
boundary that OpenTelemetry recommends for HTTP (5 ms to 10 s): counts up to those are exact.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from itertools import accumulate, repeat
from operator import mul

RELATIVE_ERROR = 0.0125  # of a quantile between 1 us and 1000 s; exact sample quantiles would be at most this far off
_DECADES = range(3, 12)  # 10^3 ns = 1 us to 10^12 ns = 1000 s
# From a, in 1/100 of the decade's beginning, up to b in steps of c.
_STEPS = ((100, 200, 2), (200, 500, 5), (500, 1000, 10))

# Bucket i holds EDGES[i - 1] < nanoseconds <= EDGES[i]; the first also all below it, the last all above.
EDGES: list[int] = [10**decade * step // 100 for decade in _DECADES for steps in _STEPS for step in range(*steps)]
EDGES.append(10**_DECADES.stop)
BUCKETS = len(EDGES) + 1


class Histogram:
    """Durations in nanoseconds. One thread at a time may add; a copy is independent."""

    __slots__ = ("buckets", "count", "least_ns", "most_ns", "squares", "total_ns")

    def __init__(self) -> None:
        self.count = self.total_ns = self.least_ns = self.most_ns = 0
        self.squares = 0  # sum of squared nanoseconds: exact, however long it runs
        self.buckets = array("Q", bytes(8 * BUCKETS))

    def add(self, durations_ns: Iterable[int]) -> None:
        """Many at once cost less each. A negative one (a clock set back) counts as 0."""
        durations = list(durations_ns)
        if not durations:
            return
        least, most = min(durations), max(durations)
        if least < 0:
            self.add([max(0, ns) for ns in durations])
            return
        self.least_ns = min(self.least_ns, least) if self.count else least
        self.most_ns = max(self.most_ns, most)
        self.count += len(durations)
        self.total_ns += sum(durations)
        self.squares += sum(map(mul, durations, durations))
        for bucket, count in Counter(map(bisect_left, repeat(EDGES), durations)).items():
            self.buckets[bucket] += count

    def merge(self, other: Histogram) -> None:
        if not other.count:
            return
        self.least_ns = min(self.least_ns, other.least_ns) if self.count else other.least_ns
        self.most_ns = max(self.most_ns, other.most_ns)
        self.count += other.count
        self.total_ns += other.total_ns
        self.squares += other.squares
        for bucket, count in other.sparse().items():
            self.buckets[bucket] += count

    def copy(self) -> Histogram:
        copied = copy(self)
        copied.buckets = self.buckets[:]
        return copied

    def sparse(self) -> dict[int, int]:
        """Bucket number -> count, of those that are not empty."""
        return {bucket: count for bucket, count in enumerate(self.buckets) if count}

    @classmethod
    def restore(cls, sums: Sequence[int], sparse: Mapping[int, int]) -> Histogram:
        """From (total, squares, least, most) and ``sparse``. Raises ValueError where they cannot be true."""
        restored = cls()
        for bucket, count in sparse.items():
            if not (0 <= bucket < BUCKETS and 0 < count < 2**63):
                raise ValueError("no such bucket")
            restored.buckets[bucket] = count
        restored.count = sum(sparse.values())
        restored.total_ns, restored.squares, restored.least_ns, restored.most_ns = sums
        if min(sums) < 0 or restored.least_ns > restored.most_ns:
            raise ValueError("sums that no durations have")
        return restored

    def quantile_s(self, p: float) -> float | None:
        """The smallest duration in seconds that at least the share ``p`` do not exceed, within ``RELATIVE_ERROR``.

        The sample quantile of rank ceil(p n) (type 1 of Hyndman and Fan 1996), taken as the middle of its bucket and
        never outside of what was seen. Below 1 us the error is at most 1 us; over 1000 s it is the longest seen.
        """
        if not self.count:
            return None
        rank = max(1, math.ceil(p * self.count - 1e-9))
        if rank >= self.count:
            return self.most_ns / 1e9
        bucket = bisect_left(list(accumulate(self.buckets)), rank)
        return min(max(_middle_ns(bucket), self.least_ns), self.most_ns) / 1e9

    def count_up_to(self, seconds: float) -> int:
        """How many took no longer. Exact where ``seconds`` is an edge; else up to the edge below."""
        return sum(self.buckets[: bisect_right(EDGES, round(seconds * 1e9))])

    @property
    def total_s(self) -> float:
        return self.total_ns / 1e9

    @property
    def mean_s(self) -> float | None:
        return self.total_ns / self.count / 1e9 if self.count else None

    @property
    def stdev_s(self) -> float | None:
        """Of the sample (n - 1); None for fewer than two. Integers keep it right where floats would cancel out."""
        if self.count < 2:  # noqa: PLR2004
            return None
        return math.sqrt((self.count * self.squares - self.total_ns**2) / (self.count * (self.count - 1))) / 1e9

    @property
    def min_s(self) -> float | None:
        return self.least_ns / 1e9 if self.count else None

    @property
    def max_s(self) -> float | None:
        return self.most_ns / 1e9 if self.count else None


def _middle_ns(bucket: int) -> float:
    if bucket == 0:
        return EDGES[0] / 2
    return (EDGES[bucket - 1] + EDGES[bucket]) / 2 if bucket < len(EDGES) else math.inf
