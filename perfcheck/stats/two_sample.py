"""The comparison of stored samples: two runs, each measured in its own time.

A change must be large enough to matter (the estimate is over the limit) and more than chance (a confidence bound at
0.5% shows that there is a change at all). "No change" is a claim as well: the interval must lie within the limits, or
the result is "cannot tell".

No statistics can separate a change of the service from a change of the machine: where the machine drifted between the
two runs, equal services often come out slower or faster (see benchmarks/comparisons.py). Only the live comparison can.

The ratio after / before is estimated by one procedure per kind of metric, on logarithms. None draws random numbers:

- *median*: the Hodges-Lehmann shift of the logarithms with the bounds of Mann and Whitney, which are exact for small
  samples (up to 36 and 36, or 8 and 700) and normal approximations beyond. It is the ratio at which the two samples
  would look the same, which is the ratio of the medians where the shape of the distribution stayed the same.
- *percentiles*: the ratio of the two percentiles. Its bounds come from how many of the slowest requests of both
  together belong to which: exact at every size where one distribution is a multiple of the other, whatever its shape.
- *mean*: the ratio of the means by Welch's method on logarithms (delta method, Student's t with Satterthwaite's
  degrees of freedom). An approximation: with few samples and rare large outliers it errs more often than stated. A
  mean with a timeout in it has no value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import variance
from typing import TypeAlias

from perfcheck.model import Changed, CompareLimits, Metric, Verdict
from perfcheck.stats.pairs import ChangeOutcome
from perfcheck.stats.quantiles import QUANTILE, mean, metric_value, quantile
from perfcheck.stats.ranks import Differences, most_among_top, rank_sum_bound, t_quantile
from perfcheck.stats.sequential import LEAST_SAMPLES

SURE = 0.005  # one-sided error of calling it a change
INTERVAL_ALPHA = 0.05  # each side of the interval that is shown
_ROUNDING = 1e-12  # exactly at a limit is not over it
HOPELESS = 10_000  # more samples than this are not worth suggesting


@dataclass(frozen=True, slots=True)
class _Bands:
    """The limits as logarithms of a ratio, with the absolute minimum difference applied."""

    faster: float  # negative
    warning: float
    critical: float


NOTHING = ChangeOutcome(Changed.CANNOT_TELL, Verdict.OK, decided=False, ratio=None, interval=(None, None), more=None)


def compare_samples(
    before: Sequence[float],
    after: Sequence[float],
    metric: Metric,
    limits: CompareLimits,
    floor: float = 0.0,
) -> ChangeOutcome:
    """Compare ``metric`` of two samples of latencies in milliseconds; infinity for a timeout. In any order.

    Likewise of another figure, with ``limits`` in its unit. Values below ``floor`` count as it.

    It is CRITICAL when the estimate is over the critical limit and it is surely over the warning limit. Each end of the
    interval misses with at most 5%. With fewer than five on either side the answer is CANNOT_TELL.
    """
    if not before or not after:
        return NOTHING
    before, after = ([max(value, floor) for value in values] for values in (before, after))
    ratio = ratio_of(before, after, metric)
    if ratio is None:
        return NOTHING
    if min(len(before), len(after)) < LEAST_SAMPLES:
        return replace(
            NOTHING,
            ratio=as_ratio(ratio.estimate),
            more=LEAST_SAMPLES - min(len(before), len(after)),
        )
    bands = _bands(metric_value(before, metric), metric_value(after, metric), limits)
    interval = _around_the_estimate(ratio)
    changed = _changed(ratio, interval, bands)
    decided = changed is not Changed.CANNOT_TELL
    return ChangeOutcome(
        changed,
        _severity(ratio, bands) if changed is Changed.SLOWER else Verdict.OK,
        decided,
        as_ratio(ratio.estimate),
        (as_ratio(interval[0]), as_ratio(interval[1])),
        None if decided else _more(ratio, interval, bands, min(len(before), len(after))),
    )


def _around_the_estimate(ratio: Ratio) -> tuple[float, float]:
    """A percentile's bounds count the slowest requests of both together, and need not enclose the estimate."""
    low, high = ratio.bounds(INTERVAL_ALPHA)
    return min(low, ratio.estimate), max(high, ratio.estimate)


def _bands(before_ms: float, after_ms: float, limits: CompareLimits) -> _Bands:
    def over(value_ms: float, share: float) -> float:
        least = limits.min_difference_ms / max(value_ms, _SHORTEST_MS)
        return math.log1p(max(share, least)) + _ROUNDING

    return _Bands(
        faster=-over(after_ms, limits.warning),
        warning=over(before_ms, limits.warning),
        critical=over(before_ms, limits.critical),
    )


def _changed(ratio: Ratio, interval: tuple[float, float], bands: _Bands) -> Changed:
    if ratio.estimate > bands.warning and ratio.bounds(SURE)[0] > 0:
        return Changed.SLOWER
    if ratio.estimate < bands.faster and ratio.bounds(SURE)[1] < 0:
        return Changed.FASTER
    if bands.faster <= interval[0] and interval[1] <= bands.warning:
        return Changed.NO_CHANGE
    return Changed.CANNOT_TELL


def _severity(ratio: Ratio, bands: _Bands) -> Verdict:
    sure_over = ratio.bounds(SURE)[0]
    return Verdict.CRITICAL if ratio.estimate > bands.critical and sure_over > bands.warning else Verdict.WARNING


def _more(ratio: Ratio, interval: tuple[float, float], bands: _Bands, samples: int) -> int | None:
    """The interval shrinks with the root of the number of samples, until it is clear of what is in its way."""
    estimate = ratio.estimate
    if estimate > bands.warning:
        room, width = estimate, estimate - ratio.bounds(SURE)[0]
    elif estimate < bands.faster:
        room, width = -estimate, ratio.bounds(SURE)[1] - estimate
    else:
        room = min(bands.warning - estimate, estimate - bands.faster)
        width = max(interval[1] - estimate, estimate - interval[0])
    if room <= 0 or not width < _NO_RATIO:
        return None
    needed = samples * (width / room) ** 2
    return max(1, math.ceil(needed) - samples) if needed <= HOPELESS else None


def as_ratio(log: float) -> float | None:
    return math.exp(log) if abs(log) < _NO_RATIO else None


# --- Ratios --------------------------------------------------------------------------------------------------------

_FAR = 50.0  # the logarithm of a latency that ran into a timeout, as good as infinite and fit to calculate with
_LEAST_TOP = 12
_NO_RATIO = _FAR / 2  # logarithms of a ratio beyond this are those of a timeout
_SHORTEST_MS = 1e-6


# Each has ``estimate``, the best single value, and ``bounds(alpha)``: the true ratio lies under the first, and over the
# second, with a probability of at most ``alpha`` each. They are logarithms of after / before; beyond ``_NO_RATIO``, or
# infinite, where there is no such number.
Ratio: TypeAlias = "MedianRatio | QuantileRatio | MeanRatio"


def ratio_of(before: Sequence[float], after: Sequence[float], metric: Metric) -> Ratio | None:
    """For samples of at least one latency each; None where the metric has no value."""
    if metric is Metric.MEDIAN:
        return MedianRatio(before, after)
    if metric is Metric.MEAN:
        return MeanRatio.of(before, after)
    return QuantileRatio(before, after, QUANTILE[metric])


class MedianRatio:
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
    """Of the ``top`` slowest of both together, a proportional part comes from each if the two are equal.

    If too many of them are from after, it is slower. The lower bound is the factor by which it would have to become
    faster until they are not too many: where the first one too many and the last of the others meet.

    At least twelve are counted, also where fewer are over the percentile: of fewer no number would be too many, and 67
    requests on each side, which prove a healthy p95, could never show that it became eight times as slow.
    """

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
        aside = t_quantile(1 - alpha, self._degrees) * self._error if self._error else 0.0
        return self.estimate - aside, self.estimate + aside


def as_log(latency_ms: float) -> float:
    """A timeout is far over every latency and equal to every other timeout; 0 is a latency too short to matter."""
    return min(math.log(max(latency_ms, _SHORTEST_MS)), _FAR)
