"""What a latency is held against."""

from __future__ import annotations

import math
from dataclasses import dataclass

from perfcheck.model import Endpoint, Verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """Latencies in milliseconds over which the metric is WARNING or CRITICAL; infinity where there is no such limit."""

    warning_ms: float
    critical_ms: float

    def classify(self, value_ms: float) -> Verdict:
        """The class of a value. Strict: exactly at a limit is not over it."""
        if value_ms > self.critical_ms:
            return Verdict.CRITICAL
        return Verdict.WARNING if value_ms > self.warning_ms else Verdict.OK


def limits_of(endpoint: Endpoint) -> Limits:
    """The limits in force. A ceiling below the critical limit, or below both limits, takes their place.

    An endpoint without a target has the ceiling alone, and a warning over ``slow_ms``.
    """
    critical = min(_or_infinity(endpoint.critical_ms), _or_infinity(endpoint.ceiling_ms))
    warning = endpoint.slow_ms if endpoint.target_ms is None else _or_infinity(endpoint.warning_ms)
    return Limits(min(warning, critical), critical)


def _or_infinity(limit: float | None) -> float:
    return math.inf if limit is None else limit
