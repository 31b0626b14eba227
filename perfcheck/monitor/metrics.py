"""What the process uses, and OpenMetrics, through prometheus-client (the extra ``perfcheck[metrics]``).

Names and boundaries are those of OpenTelemetry's semantic conventions for HTTP servers
(https://opentelemetry.io/docs/specs/semconv/http/http-metrics/): ``http.server.request.duration`` in seconds. The
buckets are exact, since every boundary is an edge of the monitor's own histogram.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from perfcheck.monitor.statistics import Snapshot

if TYPE_CHECKING:
    from prometheus_client import Metric

BOUNDARIES_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_LABELS = ["http_route"]


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


_started = time.monotonic(), time.process_time()


def _restart() -> None:
    """In a forked child: the system counts its CPU time from zero."""
    global _started  # noqa: PLW0603
    _started = time.monotonic(), time.process_time()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart)


def process_usage() -> ProcessUsage:
    """Read now; takes some ten microseconds and raises nothing."""
    cpu, observed = time.process_time(), time.monotonic() - _started[0]
    return ProcessUsage(
        pid=os.getpid(),
        cpu_seconds=cpu,
        cpu_share=(cpu - _started[1]) / observed if observed > 0 else None,
        memory_bytes=_resident(),
        peak_memory_bytes=_peak(),
        threads=threading.active_count(),
        observed_seconds=observed,
    )


def _resident() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def _peak() -> int | None:
    try:
        from resource import RUSAGE_SELF, getrusage  # noqa: PLC0415
    except ImportError:  # Windows
        return None
    peak = getrusage(RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # kilobytes, except there


# --- OpenMetrics -----------------------------------------------------------------------------------------------------


def exposition(snapshot: Snapshot) -> tuple[bytes, str]:
    """The text and its content type. Raises ImportError without prometheus-client.

    ``http_route`` is the endpoint's name: the route's template where no decorator gives another.
    """
    from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415

    metrics = list(_families(snapshot))
    text: bytes = generate_latest(SimpleNamespace(collect=lambda: metrics))  # type: ignore[no-untyped-call]
    return text, CONTENT_TYPE_LATEST


def _families(snapshot: Snapshot) -> Iterator[Metric]:
    """``process_*`` is of the worker that answers."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily  # noqa: PLC0415

    duration = HistogramMetricFamily(
        "http_server_request_duration_seconds", "Until the last byte of the body", labels=_LABELS, unit="seconds"
    )
    failed = CounterMetricFamily("http_server_request_errors", "Status 500 and above, or an exception", labels=_LABELS)
    left = CounterMetricFamily("http_server_request_disconnects", "The client left before the end", labels=_LABELS)
    queries = CounterMetricFamily("http_server_request_queries", "Statements sent to the database", labels=_LABELS)
    active = GaugeMetricFamily("http_server_active_requests", "In flight", labels=_LABELS)
    for endpoint in snapshot.endpoints:
        buckets = [(str(edge), float(endpoint.duration.count_up_to(edge))) for edge in BOUNDARIES_S]
        buckets.append(("+Inf", float(endpoint.duration.count)))
        duration.add_metric([endpoint.name], buckets=buckets, sum_value=endpoint.duration.total_s)
        failed.add_metric([endpoint.name], endpoint.errors)
        left.add_metric([endpoint.name], endpoint.disconnects)
        queries.add_metric([endpoint.name], endpoint.queries.total)
        active.add_metric([endpoint.name], endpoint.in_flight)
    yield from (duration, failed, left, queries, active)
    process = process_usage()
    yield GaugeMetricFamily("perfcheck_monitor_workers", "Processes that are counted", snapshot.workers)
    yield CounterMetricFamily("perfcheck_monitor_overflow", "Requests without a name of their own", snapshot.overflow)
    yield CounterMetricFamily("perfcheck_monitor_defects", "Times that the monitor failed", snapshot.defects)
    yield CounterMetricFamily("process_cpu_seconds", "User and system", process.cpu_seconds, unit="seconds")
    if process.memory_bytes is not None:
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident now", process.memory_bytes, unit="bytes")
