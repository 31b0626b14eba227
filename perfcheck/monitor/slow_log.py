"""Slow responses in the log ``perfcheck.monitor``: over 500 ms a warning, over 1 s an error. Never in the way.

Each endpoint logs a few lines and then, while they keep coming, one line a minute that says how many were left out: a
service that is slow throughout must not drown its own log, nor slow down further by writing it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from time import monotonic

from perfcheck.monitor.log import tell
from perfcheck.monitor.settings import Settings

_BURST = 5  # lines of one endpoint before it is held back
_EVERY_S = 60.0
_NAMES_KEPT = 10_000


@dataclass(slots=True)
class _Allowance:
    since: float
    lines: int = 0
    left_out: int = 0


@dataclass(slots=True)
class SlowLog:
    """Threads may race for a line more or less; nothing else."""

    _allowances: dict[str, _Allowance] = field(default_factory=dict)

    def report(self, name: str, duration_s: float, status: int | None, queries: int, settings: Settings) -> None:
        """Log a request that took longer than the settings call slow. Cheap where the line is held back."""
        very = duration_s > settings.very_slow_s
        if not very and duration_s <= settings.slow_s:
            return
        left_out = self._left_out(name, monotonic())
        if left_out is None:
            return
        tell(
            logging.ERROR if very else logging.WARNING,
            "%s response: %s took %.0f ms (over %.0f ms), status %s, %d queries%s",
            "very slow" if very else "slow",
            name,
            1000 * duration_s,
            1000 * (settings.very_slow_s if very else settings.slow_s),
            "unknown" if status is None else status,
            queries,
            f"; {left_out} more since the last line" if left_out else "",
        )

    def _left_out(self, name: str, now: float) -> int | None:
        """How many lines were held back before this one; None when it is held back as well."""
        allowance = self._allowances.get(name)
        if allowance is None:
            if len(self._allowances) >= _NAMES_KEPT:
                self._allowances.clear()
            allowance = self._allowances[name] = _Allowance(now)
        if now - allowance.since >= _EVERY_S:
            left_out, allowance.since, allowance.left_out = allowance.left_out, now, 0
            allowance.lines = _BURST if left_out else 1  # still slow: one line a minute from now on
            return left_out
        if allowance.lines >= _BURST:
            allowance.left_out += 1
            return None
        allowance.lines += 1
        return 0

    def forget(self) -> None:
        self._allowances.clear()
