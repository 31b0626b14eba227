"""How the latencies of two stored samples compare: estimates of after / before and confidence bounds, as logarithms.

One procedure a kind of metric; all of them give the same result for the same samples, and none draws random numbers.

- *median*: the Hodges-Lehmann shift of the logarithms with the bounds of Mann and Whitney, which are exact for small
  samples (up to 36 and 36, or 8 and 700) and normal approximations beyond. It is the ratio at which the two samples
  would look alike, which is the ratio of the medians where the shape of the distribution stayed the same.
- *percentiles*: the ratio of the two percentiles. Its bounds come from how many of the slowest requests of both
  together belong to which: exact at every size where one distribution is a multiple of the other, whatever its shape.
- *mean*: the ratio of the means by Welch's method on logarithms (delta method, Student's t with Satterthwaite's
  degrees of freedom). An approximation: with few samples and rare large outliers it errs more often than it says. A
  mean with a timeout in it has no value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import variance
from typing import Protocol

from perfcheck.model import Metric
from perfcheck.stats.differences import Differences
from perfcheck.stats.quantiles import QUANTILE, mean, quantile
from perfcheck.stats.ranks import most_among_top, rank_sum_bound, t_quantile

FAR = 50.0  # the logarithm of a latency that ran into a timeout, as good as infinite and fit to calculate with
_LEAST_TOP = 12
NO_RATIO = FAR / 2  # logarithms of a ratio beyond this are those of a timeout
SHORTEST_MS = 1e-6


class Ratio(Protocol):
    """Logarithms of after / before. Beyond ``NO_RATIO``, or infinite, where there is no such number."""

    @property
    def estimate(self) -> float:
        """The best single value."""

    def bounds(self, alpha: float) -> tuple[float, float]:
        """The true ratio lies under the first, and over the second, with a probability of at most ``alpha`` each."""


def ratio_of(before: Sequence[float], after: Sequence[float], metric: Metric) -> Ratio | None:
    """For samples of at least one latency each; None where the metric has no value."""
    if metric is Metric.MEDIAN:
        return MedianRatio(before, after)
    if metric is Metric.MEAN:
        return MeanRatio.of(before, after)
    return QuantileRatio(before, after, QUANTILE[metric])


class MedianRatio:
    __slots__ = ("_after", "_before", "_differences", "estimate")

    def __init__(self, before: Sequence[float], after: Sequence[float]) -> None:
        self._before, self._after = len(before), len(after)
        self._differences = Differences([as_log(value) for value in before], [as_log(value) for value in after])
        self.estimate = self._differences.median()

    def bounds(self, alpha: float) -> tuple[float, float]:
        rank = rank_sum_bound(self._before, self._after, alpha)
        if not rank:
            return -math.inf, math.inf
        differences = self._differences
        return differences.smallest(rank), differences.smallest(differences.count + 1 - rank)


class QuantileRatio:
    """Of the ``top`` slowest of both together, when all are alike, about a proportional part is from each.

    If too many of them are from after, it is slower. By how much it may be faster again until they are not too many is
    the lower bound: where the first one too many and the last of the others meet.

    At least twelve are looked at, also where fewer are over the percentile: of fewer no number would be too many, and
    67 requests on each side, which prove a healthy p95, could never show that it became eight times as slow.
    """

    __slots__ = ("_after", "_before", "_top", "estimate")

    def __init__(self, before: Sequence[float], after: Sequence[float], p: float) -> None:
        self._before = sorted(as_log(value) for value in before)
        self._after = sorted(as_log(value) for value in after)
        both = len(before) + len(after)
        self._top = max(1, min(_LEAST_TOP, both // 2), round((1 - p) * both))
        self.estimate = as_log(quantile(sorted(after), p)) - as_log(quantile(sorted(before), p))

    def bounds(self, alpha: float) -> tuple[float, float]:
        return self._lowest(self._before, self._after, alpha), -self._lowest(self._after, self._before, alpha)

    def _lowest(self, before: Sequence[float], after: Sequence[float], alpha: float) -> float:
        top = self._top
        many = most_among_top(len(before), len(after), top, alpha)
        if many > min(top, len(after)) or top - many + 1 > len(before):
            return -math.inf
        return after[-many] - before[-(top - many + 1)]


class MeanRatio:
    __slots__ = ("_degrees", "_error", "estimate")

    def __init__(self, estimate: float, error: float, degrees: float) -> None:
        self.estimate = estimate
        self._error = error
        self._degrees = degrees

    @classmethod
    def of(cls, before: Sequence[float], after: Sequence[float]) -> MeanRatio | None:
        means = mean(before), mean(after)
        if min(means) <= 0 or math.inf in means or 1 in (len(before), len(after)):
            return None
        parts = [
            variance([value / middle for value in values]) / len(values)
            for values, middle in zip((before, after), means, strict=True)
        ]
        spread = sum(part**2 / (len(values) - 1) for part, values in zip(parts, (before, after), strict=True))
        degrees = sum(parts) ** 2 / spread if spread else math.inf
        return cls(math.log(means[1]) - math.log(means[0]), math.sqrt(sum(parts)), degrees)

    def bounds(self, alpha: float) -> tuple[float, float]:
        aside = _t(alpha, self._degrees) * self._error if self._error else 0.0
        return self.estimate - aside, self.estimate + aside


@lru_cache(maxsize=4096)
def _t(alpha: float, degrees: float) -> float:
    return t_quantile(1 - alpha, degrees)


def as_log(latency_ms: float) -> float:
    """So that a timeout is far over every latency, two of them are alike, and 0 is some latency too short to matter."""
    return min(math.log(max(latency_ms, SHORTEST_MS)), FAR)
