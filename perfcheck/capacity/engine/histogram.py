"""Latencies in buckets 0.5% wide, whose counts of any number of workers add up exactly."""

from __future__ import annotations

import math
from collections import Counter

_LOG_WIDTH = math.log(1.005)
_LEAST_S = 1e-6


class LatencyHistogram(Counter[int]):
    """Counts by bucket: bucket i holds 1.005^i <= microseconds < 1.005^(i + 1), and the first all below, too."""

    def add(self, latency_s: float) -> None:
        self[int(math.log(max(latency_s, _LEAST_S) * 1e6) / _LOG_WIDTH)] += 1

    def over(self, limit_ms: float) -> int:
        """How many took longer: those of buckets whose middle does, so the limit is met within 0.25%."""
        return sum(count for bucket, count in self.items() if _middle_ms(bucket) > limit_ms)

    def quantile_ms(self, p: float, unanswered: int = 0) -> float | None:
        """The sample quantile of rank ceil(p n) (type 1 of Hyndman and Fan 1996), within 0.25%.

        ``unanswered`` are longer than all that are counted. None of nothing, and where it is one of these.
        """
        rank = max(1, math.ceil(p * (self.total() + unanswered) - 1e-9))
        for bucket in sorted(self):
            rank -= self[bucket]
            if rank <= 0:
                return _middle_ms(bucket)
        return None


def _middle_ms(bucket: int) -> float:
    return math.exp((bucket + 0.5) * _LOG_WIDTH) / 1e3
