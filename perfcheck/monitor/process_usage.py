"""What this process uses: CPU time and memory, with nothing but the standard library."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_getrusage: Callable[[int], Any] | None
try:
    from resource import getrusage as _getrusage
except ImportError:  # Windows
    _getrusage = None

_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Of one process. None: not available on this system."""

    pid: int
    cpu_seconds: float  # user and system, since the process began
    cpu_share: float | None  # of one CPU, on average over observed_seconds
    memory_bytes: int | None  # resident now
    peak_memory_bytes: int | None  # resident at most, so far
    threads: int  # of Python
    observed_seconds: float  # since the monitor was imported, or since the fork


class _Clock:
    """The system counts CPU time since the process began; a share needs the time since then as well."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.wall, self.cpu = time.monotonic(), time.process_time()


_clock = _Clock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_clock.restart)


def process_usage() -> ProcessUsage:
    """Read now; takes some ten microseconds and raises nothing."""
    cpu, observed = time.process_time(), time.monotonic() - _clock.wall
    return ProcessUsage(
        pid=os.getpid(),
        cpu_seconds=cpu,
        cpu_share=(cpu - _clock.cpu) / observed if observed > 0 else None,
        memory_bytes=_resident(),
        peak_memory_bytes=_peak(),
        threads=threading.active_count(),
        observed_seconds=observed,
    )


def _resident() -> int | None:
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def _peak() -> int | None:
    if _getrusage is None:
        return None
    peak = int(_getrusage(0).ru_maxrss)  # 0: RUSAGE_SELF
    return peak if sys.platform == "darwin" else 1024 * peak  # kilobytes, except there
