"""The comparison of stored samples: two runs, each measured in its own time.

A change needs both: that it is large enough to matter (the estimate is over the limit), and that it is no chance (a
confidence bound at 0.5% says that there is a change at all). No change is a claim as well: the interval must lie
within the limits, or it is "cannot tell".

What no statistics can tell is whether the service changed or the machine: where the machine drifted between the two
runs, equal services often come out slower or faster (see benchmarks/comparisons.py). Only the live
comparison can tell these apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from perfcheck.model import Changed, CompareLimits, Metric, Verdict
from perfcheck.stats.boundaries import LEAST_SAMPLES
from perfcheck.stats.quantiles import metric_value
from perfcheck.stats.ratios import NO_RATIO, SHORTEST_MS, Ratio, ratio_of

SURE = 0.005  # error of saying that there is a change, one-sided
INTERVAL_ALPHA = 0.05  # each side of the interval that is shown
_ROUNDING = 1e-12  # exactly at a limit is not over it
HOPELESS = 10_000  # more samples than this are not worth suggesting


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """What two samples show.

    ``severity`` is WARNING for what is slower, CRITICAL when the estimate is over the critical limit and it is sure to
    be over the warning limit. ``decided`` is False for CANNOT_TELL alone. ``ratio`` is after / before, ``interval``
    misses it in at most 5% on each side; None for an open end.
    """

    changed: Changed
    severity: Verdict
    decided: bool
    ratio: float | None  # None without samples, or when timeouts leave no figure
    interval: tuple[float | None, float | None]
    more_samples: int | None  # about how many more on each side would settle it; None when decided, or when none would


@dataclass(frozen=True, slots=True)
class _Bands:
    """The limits as logarithms of a ratio, the absolute floor taken in."""

    faster: float  # negative
    warning: float
    critical: float


NOTHING = SampleOutcome(
    Changed.CANNOT_TELL, Verdict.OK, decided=False, ratio=None, interval=(None, None), more_samples=None
)


def compare_samples(
    before: Sequence[float], after: Sequence[float], metric: Metric, limits: CompareLimits
) -> SampleOutcome:
    """Compare ``metric`` of two samples of latencies in milliseconds; infinity for a timeout. In any order.

    With fewer than five on either side the answer is CANNOT_TELL.
    """
    if not before or not after:
        return NOTHING
    ratio = ratio_of(before, after, metric)
    if ratio is None:
        return NOTHING
    if min(len(before), len(after)) < LEAST_SAMPLES:
        more = LEAST_SAMPLES - min(len(before), len(after))
        return SampleOutcome(
            Changed.CANNOT_TELL,
            Verdict.OK,
            decided=False,
            ratio=as_ratio(ratio.estimate),
            interval=(None, None),
            more_samples=more,
        )
    bands = _bands(metric_value(before, metric), metric_value(after, metric), limits)
    interval = ratio.bounds(INTERVAL_ALPHA)
    changed = _changed(ratio, interval, bands)
    decided = changed is not Changed.CANNOT_TELL
    return SampleOutcome(
        changed,
        _severity(ratio, bands) if changed is Changed.SLOWER else Verdict.OK,
        decided,
        as_ratio(ratio.estimate),
        (as_ratio(interval[0]), as_ratio(interval[1])),
        None if decided else _more(ratio, interval, bands, min(len(before), len(after))),
    )


def _bands(before_ms: float, after_ms: float, limits: CompareLimits) -> _Bands:
    def over(value_ms: float, share: float) -> float:
        least = limits.min_difference_ms / max(value_ms, SHORTEST_MS)
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
    if room <= 0 or not width < NO_RATIO:
        return None
    needed = samples * (width / room) ** 2
    return max(1, math.ceil(needed) - samples) if needed <= HOPELESS else None


def as_ratio(log: float) -> float | None:
    return math.exp(log) if abs(log) < NO_RATIO else None
