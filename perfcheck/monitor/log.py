"""The log ``perfcheck.monitor``. It may fail (a full disk, a handler with an error) without a request noticing.

Slow responses are logged: over 500 ms a warning, over 1 s an error. Each endpoint logs a few lines and then, while it
stays slow, one line a minute that counts the lines left out: a service that is slow throughout must not drown its own
log, nor slow down further by writing it.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field
from time import monotonic

NAME = "perfcheck.monitor"
_log = logging.getLogger(NAME)
_BURST = 5  # lines of one endpoint before it is limited
_EVERY_S = 60.0
_NAMES_KEPT = 10_000


def log_safely(level: int, message: str, *arguments: object, exc_info: BaseException | bool | None = None) -> None:
    """As ``Logger.log``, and raises nothing."""
    with contextlib.suppress(Exception):
        _log.log(level, message, *arguments, exc_info=exc_info, stacklevel=2)


def is_written(level: int) -> bool:
    """Whether a handler of the application takes lines of this level."""
    logger: logging.Logger | None = _log if _log.isEnabledFor(level) else None
    while logger is not None:
        if any(handler.level <= level and not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


@dataclass(slots=True)
class _Allowance:
    since: float
    lines: int = 0
    left_out: int = 0


@dataclass(slots=True)
class SlowLog:
    """Threads may race for a line more or less; nothing else."""

    _allowances: dict[str, _Allowance] = field(default_factory=dict)

    def report(
        self, name: str, duration_s: float, status: int | None, queries: str, *, slow_s: float, very_slow_s: float
    ) -> None:
        """Log a request that took longer than ``slow_s``. Cheap where the line is left out."""
        very = duration_s > very_slow_s
        if not very and duration_s <= slow_s:
            return
        left_out = self._left_out(name, monotonic())
        if left_out is None:
            return
        log_safely(
            logging.ERROR if very else logging.WARNING,
            "%s response: %s took %.0f ms (over %.0f ms), status %s, %s%s",
            "very slow" if very else "slow",
            name,
            1000 * duration_s,
            1000 * (very_slow_s if very else slow_s),
            "unknown" if status is None else status,
            queries,
            f"; {left_out} more since the last line" if left_out else "",
        )

    def _left_out(self, name: str, now: float) -> int | None:
        """How many lines were left out before this one; None when this one is left out as well."""
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
