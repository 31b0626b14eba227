"""Whether the machine that runs the check was itself the bottleneck."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from perfcheck.model import RunnerHealth, Sample
from perfcheck.units import format_percentage

# A tenth of the time in requests without a CPU makes latencies about a tenth too long: a fifth of the way from a target
# to its warning limit of 1.5 times. Below 0.1 ms a request it is the ordinary time of a wake-up.
_MOST_RUN_QUEUE_SHARE = 0.10
_LEAST_RUN_QUEUE_MS = 0.1
# Stolen time comes in slices of milliseconds, so a twentieth of it is many requests hit, and hit hard.
_MOST_STEAL_SHARE = 0.05


class _CpuTime(NamedTuple):
    """Of all CPUs since the machine started, in clock ticks."""

    total: int
    steal: int


class RunnerMonitor:
    """Watches from its making to ``finish()``; what the system does not report stays None."""

    def __init__(self, stat: Path = Path("/proc/stat")) -> None:
        self._stat = stat
        self._before = _cpu_time(stat)

    def finish(self, samples: Sequence[Sample]) -> RunnerHealth:
        """The figures since then, and of ``samples``."""
        cpu_ms = [sample.cpu_ms for sample in samples if sample.cpu_ms is not None]
        queue_share, queue_ms = _run_queue(samples)
        steal_share = _steal_share(self._before, _cpu_time(self._stat))
        return RunnerHealth(
            cpu_ms_per_request=fmean(cpu_ms) if cpu_ms else None,
            run_queue_share=queue_share,
            steal_share=steal_share,
            load_average=_load_average(),
            message=_message(queue_share, queue_ms, steal_share),
        )


def _run_queue(samples: Sequence[Sample]) -> tuple[float | None, float]:
    """The share of the time in requests without a CPU, and how much that was for one request on average."""
    waited_ms, request_ms, requests = 0.0, 0.0, 0
    for sample in samples:
        wait_ms, download_ms = sample.phases.wait_ms, sample.phases.download_ms
        if sample.failure or sample.run_queue_ms is None:
            continue
        if wait_ms is not None and download_ms is not None:
            waited_ms += sample.run_queue_ms
            request_ms += wait_ms + download_ms
            requests += 1
    if not request_ms:
        return None, 0.0
    return min(waited_ms / request_ms, 1.0), waited_ms / requests


def _message(queue_share: float | None, queue_ms: float, steal_share: float | None) -> str | None:
    if steal_share is not None and steal_share > _MOST_STEAL_SHARE:
        return (
            f"the host took {format_percentage(steal_share)} of this machine's CPU time (steal), so latencies may be "
            "too long: use a less crowded runner, or --confirm 2"
        )
    if queue_share is not None and queue_share > _MOST_RUN_QUEUE_SHARE and queue_ms > _LEAST_RUN_QUEUE_MS:
        return (
            f"perfcheck waited for a free CPU during {format_percentage(queue_share)} of the time in requests, so "
            "latencies may be too long: run less alongside it, or give the machine more CPUs"
        )
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
