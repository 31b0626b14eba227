"""Whether the machine that runs the check was itself the bottleneck."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from perfcheck.model import RunnerHealth
from perfcheck.units import format_ms, format_percentage

# perfcheck mostly sleeps. When it has to wait for a CPU in a tenth of the time, a service on the same machine does too.
# Below 0.1 ms a request it is the ordinary time of a wake-up.
_MOST_RUN_QUEUE_SHARE = 0.10
_LEAST_QUEUED_MS = 0.1
# Stolen time comes in slices of milliseconds, so a twentieth of it is many requests hit, and hit hard.
_MOST_STEAL_SHARE = 0.05
_LEAST_STEAL_S = 1.0  # it is counted in ticks of 10 ms: in less time one or two of them would be a large share


class _CpuTime(NamedTuple):
    """Of all CPUs since the machine started, in clock ticks."""

    total: int
    steal: int


class RunnerMonitor:
    """Watches the thread that makes it, and its machine, until ``finish()``; what is not reported stays None.

    The wait for a CPU is the scheduler's account of the thread (Linux, Documentation/scheduler/sched-stats).
    """

    def __init__(
        self,
        stat: Path = Path("/proc/stat"),
        schedstat: Path = Path("/proc/thread-self/schedstat"),
    ) -> None:
        self._stat, self._schedstat = stat, schedstat
        self._cpu_time = _cpu_time(stat)
        self._queued_s = _queued_s(schedstat)
        self._started_s, self._used_s = time.perf_counter(), time.thread_time()

    def finish(self, requests: int) -> RunnerHealth:
        """The figures since then, in which so many requests were sent."""
        wall_s, used_s = time.perf_counter() - self._started_s, time.thread_time() - self._used_s
        queued_s = _queued_s(self._schedstat)
        waited_s = None if queued_s is None or self._queued_s is None else queued_s - self._queued_s
        queue_share = None if waited_s is None or not requests else min(waited_s / wall_s, 1.0)
        queued_ms = None if waited_s is None or not requests else waited_s * 1000 / requests
        steal_share = _steal_share(self._cpu_time, _cpu_time(self._stat)) if wall_s >= _LEAST_STEAL_S else None
        return RunnerHealth(
            cpu_ms_per_request=used_s * 1000 / requests if requests else None,
            run_queue_share=queue_share,
            steal_share=steal_share,
            load_average=_load_average(),
            message=_message(queue_share, queued_ms, steal_share),
            queued_ms_per_request=queued_ms,
        )


def _message(queue_share: float | None, queued_ms: float | None, steal_share: float | None) -> str | None:
    if steal_share is not None and steal_share > _MOST_STEAL_SHARE:
        return f"the host took {format_percentage(steal_share)} of this machine's CPU time (steal)"
    if queue_share is None or queued_ms is None:
        return None
    if queue_share > _MOST_RUN_QUEUE_SHARE and queued_ms > _LEAST_QUEUED_MS:
        share = format_percentage(queue_share)
        return f"perfcheck waited for a free CPU during {share} of the run ({format_ms(queued_ms)} per request)"
    return None


def _queued_s(schedstat: Path) -> float | None:
    """How long the thread was ready to run without a CPU, in total so far."""
    try:
        return int(schedstat.read_bytes().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def _cpu_time(stat: Path) -> _CpuTime | None:
    """From the first line of /proc/stat (proc_stat(5)): user nice system idle iowait irq softirq steal ..."""
    try:
        with stat.open(encoding="ascii") as lines:
            name, *ticks = lines.readline().split()
        spent = [int(tick) for tick in ticks[:8]]  # guest time, which follows, is part of user time
    except (OSError, ValueError):
        return None
    return _CpuTime(sum(spent), spent[7]) if name == "cpu" and len(spent) == 8 else None  # noqa: PLR2004


def _steal_share(before: _CpuTime | None, after: _CpuTime | None) -> float | None:
    if before is None or after is None or after.total <= before.total:
        return None
    return max(after.steal - before.steal, 0) / (after.total - before.total)


def _load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None
