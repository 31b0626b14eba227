"""The sequential test of a quantile: fed one latency at a time until there are enough to decide its class.

After every sample, what the exact boundaries show about the two limits is remembered: that the quantile is over a
limit, or that it is under it, each wrongly with a probability of at most alpha over all looks together. A class is
decided when the point estimate falls into it and all that it claims was shown, at some n up to now:

    OK        under the warning limit
    WARNING   over the warning limit, and under the critical one
    CRITICAL  over the critical limit

Where estimate and evidence disagree, more samples are needed.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from perfcheck.model import Limits, Metric, Verdict
from perfcheck.stats.quantiles import QUANTILE, quantile

ALPHA = 0.05
ALPHA_ALONE = 0.001  # for what a stage shows that the stage before it did not: see sampling/stage.py
LEAST_SAMPLES = 5  # fewer are never judged, however clear they look
AT_FIRST_LOOK = 0.65  # share of alpha spent there; the rest grows with the logarithm of n
_NEGLIGIBLE = 1e-30  # probability of a state that leaves the walk: all of them together stay far below rounding


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Indexed by the number of requests n, from 0 to ``looks``; S is how many of them were over a limit.

    ``S >= upper[n]`` rejects "at most 1 - p are over it", ``S <= lower[n]`` rejects "at least 1 - p are over it", each
    wrongly with a probability of at most alpha over all n together. Where n is too small, ``upper`` is n + 1 and
    ``lower`` is -1.
    """

    share: float  # 1 - p
    upper: tuple[int, ...]
    lower: tuple[int, ...]

    @property
    def looks(self) -> int:
        return len(self.upper) - 1


@lru_cache(maxsize=64)
def boundaries(p: float, looks: int, alpha: float = ALPHA, at_first: float = AT_FIRST_LOOK) -> Boundaries:
    """Boundaries for quantile ``p`` (0 < p < 1) looked at after each of ``looks`` requests.

    ``at_first`` is the share of ``alpha`` that is spent at the first look.
    """
    share = round(1 - p, 12)
    upper = _upper(share, looks, alpha, at_first)
    under = _upper(p, looks, alpha, at_first)  # of the requests that are *not* over the limit
    return Boundaries(share, upper, tuple(n - count for n, count in enumerate(under)))


def _upper(share: float, looks: int, alpha: float, at_first: float) -> tuple[int, ...]:
    """Smallest counts at which a share of at most ``share`` is rejected.

    Walks the distribution of the count over the paths that have not stopped yet. At each n the boundary is the
    smallest count whose upper tail still fits into what may be spent up to n; the tail then leaves the walk.
    """
    first = max(LEAST_SAMPLES, math.ceil(math.log(at_first * alpha) / math.log(share)))
    bounds = [1]
    walking, lowest = [1.0], 0  # walking[i] is the probability of the count lowest + i
    spent = 0.0
    for n in range(1, looks + 1):
        walking = one_more(walking, share)
        if n < first:
            bounds.append(n + 1)
            continue
        tail, allowed = 0.0, alpha * _spent(n, first, looks, at_first)
        while walking and spent + tail + walking[-1] <= allowed:
            tail += walking.pop()
        spent += tail
        bounds.append(lowest + len(walking))
        skip = next((i for i, probability in enumerate(walking) if probability > _NEGLIGIBLE), 0)
        if skip:
            walking, lowest = walking[skip:], lowest + skip
    return tuple(bounds)


def one_more(walking: list[float], share: float) -> list[float]:
    """The distribution of a count after one more trial."""
    rest = 1 - share
    return [
        rest * walking[0],
        *(rest * stay + share * step for step, stay in pairwise(walking)),
        share * walking[-1],
    ]


def _spent(n: int, first: int, looks: int, at_first: float) -> float:
    """The share of alpha that may be spent up to look ``n``."""
    if looks <= first:
        return at_first
    grown = math.log((1 + n) / (1 + first)) / math.log((1 + looks) / (1 + first))
    return at_first + (1 - at_first) * grown


LOOKS = 200
LOOKS_OF_TAILS = {Metric.P95: 300, Metric.P99: 1000}
MOST_LOOKS = 10_000  # the exact walk takes a second there, and grows faster than n
HOPELESS = 100_000  # more requests than this are not worth suggesting

UNDER_WARNING, OVER_WARNING, UNDER_CRITICAL, OVER_CRITICAL = 1, 2, 4, 8
CLAIMS = {
    Verdict.OK: UNDER_WARNING,
    Verdict.WARNING: OVER_WARNING | UNDER_CRITICAL,
    Verdict.CRITICAL: OVER_CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Spend:
    """An error that may be spent over all looks together, and the share of it that goes at the first look."""

    alpha: float = ALPHA
    at_first: float = AT_FIRST_LOOK


# The error of calling a metric under a limit, split over all stages in which an endpoint can come out OK: an endpoint
# just over its limit gets that many chances, and 5% in each would add up to 7%. The two stages, and the three where
# endpoints are screened first, add up to ALPHA; several confirmations share that of one. The first stage gets most,
# since nearly all healthy endpoints end there: for a median to be OK in five requests, 0.5^5 = 3.125% has to fit into
# what it may spend at its first look.
FIRST_STAGE = Spend(0.04, 0.8125)
CONFIRMATION = Spend(0.01)
SCREENING = Spend(0.032, 1.0)
ALONE_AFTER_SCREENING = Spend(0.01)
CONFIRMATION_AFTER_SCREENING = Spend(0.008)


@dataclass(frozen=True, slots=True)
class Levels:
    """The error that may be spent on calling the metric over the warning or critical limit, and under either."""

    warning: float = ALPHA
    critical: float = ALPHA
    under: Spend = Spend()


USUAL = Levels()


class QuantileTest:
    """The test of the median or a percentile. ``looks`` None takes the metric's usual number.

    ``count`` are the latencies so far, ``least`` those before which OK cannot be decided, however low they are,
    ``looks`` those after which an open question stays open, and ``decided`` is the class as decided by now, None while
    it is open.
    """

    def __init__(self, metric: Metric, limits: Limits, looks: int | None = None, levels: Levels = USUAL) -> None:
        self._p = QUANTILE[metric]
        self._table = boundaries(self._p, looks or looks_of(metric))  # of the interval: 5% a side, whatever the levels
        self.looks = self._table.looks
        self._lower = boundaries(self._p, self.looks, levels.under.alpha, levels.under.at_first).lower
        self.least = min(bisect_left(self._lower, 0), self.looks)
        self._upper_warning = boundaries(self._p, self.looks, levels.warning).upper
        self._upper_critical = boundaries(self._p, self.looks, levels.critical).upper
        self._sorted: list[float] = []
        self._over_warning = 0
        self._over_critical = 0
        self._shown = 0
        self.limits = limits
        self.count = 0
        self.decided: Verdict | None = None

    def add(self, latency_ms: float) -> None:
        """Take one more latency; infinity for a request that timed out."""
        insort(self._sorted, latency_ms)
        self.count += 1
        if latency_ms > self.limits.warning_ms:
            self._over_warning += 1
            if latency_ms > self.limits.critical_ms:
                self._over_critical += 1
        if self.count <= self.looks:
            self._look()
        if self._shown:
            verdict = self.limits.classify(quantile(self._sorted, self._p))
            claim = CLAIMS[verdict]
            self.decided = verdict if self._shown & claim == claim else None

    def _look(self) -> None:
        n = self.count
        if self._over_warning >= self._upper_warning[n]:
            self._shown |= OVER_WARNING
        if self._over_critical >= self._upper_critical[n]:
            self._shown |= OVER_CRITICAL
        if self._over_critical <= self._lower[n]:
            self._shown |= UNDER_CRITICAL
            if self._over_warning <= self._lower[n]:
                self._shown |= UNDER_WARNING

    def estimate(self) -> float:
        """The metric over all latencies so far, in milliseconds. Raises ValueError when there is none."""
        return quantile(self._sorted, self._p)

    def interval(self) -> tuple[float | None, float | None]:
        """The values that the boundaries do not reject as limits: ``[x_(n-u+1), x_(n-l)]`` of the sorted samples.

        In milliseconds; None for an open end. Each end misses with a probability of at most 5%, whenever one stops.
        """
        n = self.count
        if not 0 < n <= self.looks:
            return None, None
        low, high = n - self._table.upper[n], n - self._table.lower[n] - 1  # ranks counted from 0
        return self._sorted[low] if low >= 0 else None, self._sorted[high] if high < n else None

    def more_requests(self) -> int | None:
        """About how many more would decide it. None when it is decided, or when no sensible number would.

        The count of slow requests is carried on at its share so far, to where it meets the boundary it needs.
        """
        if self.decided or not self.count:
            return None
        verdict = self.limits.classify(self.estimate())
        missing = CLAIMS[verdict] & ~self._shown
        at = max(
            self._falls_to_lower(self._over_warning) if missing & UNDER_WARNING else 0,
            self._falls_to_lower(self._over_critical) if missing & UNDER_CRITICAL else 0,
            self._rises_to(self._upper_warning, self._over_warning) if missing & OVER_WARNING else 0,
            self._rises_to(self._upper_critical, self._over_critical) if missing & OVER_CRITICAL else 0,
        )
        return math.ceil(at) - self.count if at <= HOPELESS else None

    def _rises_to(self, upper: Sequence[int], over: int) -> float:
        """The number of requests at which ``over`` of ``count``, carried on, meets a boundary; infinity for never."""
        share = over / self.count
        for n in range(self.count + 1, self.looks + 1):
            if share * n >= upper[n]:
                return n
        return self._past_the_table(upper[self.looks], share) if share > self._table.share else math.inf

    def _falls_to_lower(self, over: int) -> float:
        share = over / self.count
        for n in range(self.count + 1, self.looks + 1):
            if share * n <= self._lower[n]:
                return n
        return self._past_the_table(self._lower[self.looks], share) if share < self._table.share else math.inf

    def _past_the_table(self, last: int, share: float) -> float:
        """Boundaries follow ``n D(share over || 1 - p) = constant``, the constant being that of the last look.

        D is the Kullback-Leibler divergence of two yes/no trials: what bounds every sequential test (Wald 1945).
        """
        evidence = self.looks * divergence(max(last, 0) / self.looks, self._table.share)
        return max(evidence / divergence(share, self._table.share), self.count + 1.0)


def looks_of(metric: Metric) -> int:
    """How often a test of ``metric`` looks before it leaves the question open."""
    return LOOKS_OF_TAILS.get(metric, LOOKS)


def divergence(a: float, b: float) -> float:
    """Kullback-Leibler divergence of a yes/no trial with probability ``a`` from one with ``b`` (0 < b < 1), in nats."""
    return sum(p * math.log(p / q) for p, q in ((a, b), (1 - a, 1 - b)) if p > 0)
