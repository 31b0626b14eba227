"""Statistics of latencies. A request that timed out has an infinite latency, and counts like any other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import stdev

from perfcheck.model import LatencySummary, Metric

QUANTILE = {Metric.MEDIAN: 0.5, Metric.P75: 0.75, Metric.P90: 0.9, Metric.P95: 0.95, Metric.P99: 0.99}
_ROUNDING = 1e-9  # 0.95 * 20 may come out a hair off 19: that hair must not reach for the next sample


def quantile(sorted_values: Sequence[float], p: float) -> float:
    """Quantile ``p`` of values in ascending order, in their unit: linear between the two nearest ranks.

    This is type 7 of Hyndman and Fan (1996), the default of NumPy and R: rank ``(n - 1) p``, counted from 0. Where one
    of the two ranks is infinite, so is everything above the other. Raises ValueError when there is no value.
    """
    if not sorted_values:
        raise ValueError("a quantile needs at least one value")
    rank = (len(sorted_values) - 1) * p
    below = int(rank + _ROUNDING)
    share = rank - below
    low = sorted_values[below]
    if share <= _ROUNDING:
        return low
    high = sorted_values[below + 1]
    if math.isinf(high):
        return high
    return low + (high - low) * share


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, the same for every order of the values. Raises ValueError when there is no value."""
    if not values:
        raise ValueError("a mean needs at least one value")
    return math.fsum(values) / len(values)


def metric_value(latencies: Iterable[float], metric: Metric) -> float:
    """``metric`` of latencies in any order, in their unit. Raises ValueError when there is no latency."""
    values = sorted(latencies)
    return mean(values) if metric is Metric.MEAN else quantile(values, QUANTILE[metric])


def summary(latencies: Iterable[float]) -> LatencySummary:
    """Every statistic that reports show, in milliseconds; None where it is infinite or needs more values."""
    values = sorted(latencies)
    if not values:
        return LatencySummary()
    quantiles = {str(metric): _finite(quantile(values, p)) for metric, p in QUANTILE.items()}
    return LatencySummary(
        min=_finite(values[0]),
        mean=_finite(mean(values)),
        stdev=stdev(values) if len(values) > 1 and math.isfinite(values[-1]) else None,
        max=_finite(values[-1]),
        **quantiles,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
