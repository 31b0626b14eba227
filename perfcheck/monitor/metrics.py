"""OpenMetrics, through prometheus-client (the extra ``perfcheck[metrics]``), imported at the first request for them.

Names and boundaries are those of OpenTelemetry's semantic conventions for HTTP servers
(https://opentelemetry.io/docs/specs/semconv/http/http-metrics/): ``http.server.request.duration`` in seconds. The
buckets are exact, since every boundary is an edge of the monitor's own histogram.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from perfcheck.monitor.process_usage import ProcessUsage
from perfcheck.monitor.statistics import EndpointStatistics, Snapshot

if TYPE_CHECKING:
    from prometheus_client import Metric

BOUNDARIES_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_LABELS = ["http_route"]


def exposition(snapshot: Snapshot, process: ProcessUsage) -> tuple[bytes, str]:
    """The text and its content type. Raises ImportError without prometheus-client.

    ``http_route`` is the endpoint's name: the route's template where no decorator gives another.
    """
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - an extra, imported when needed
    from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(snapshot, process))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text, CONTENT_TYPE_LATEST


class _Collector:
    def __init__(self, snapshot: Snapshot, process: ProcessUsage) -> None:
        self._snapshot = snapshot
        self._process = process

    def collect(self) -> Iterator[Metric]:
        yield from _of_endpoints(self._snapshot)
        yield from _of_the_process(self._snapshot, self._process)


def _of_endpoints(snapshot: Snapshot) -> Iterator[Metric]:
    from prometheus_client.core import (  # noqa: PLC0415
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    duration = HistogramMetricFamily(
        "http_server_request_duration_seconds", "Until the last byte of the body", labels=_LABELS, unit="seconds"
    )
    failed = CounterMetricFamily("http_server_request_errors", "Status 500 and above, or an exception", labels=_LABELS)
    left = CounterMetricFamily("http_server_request_disconnects", "The client left before the end", labels=_LABELS)
    queries = CounterMetricFamily("http_server_request_queries", "Statements sent to the database", labels=_LABELS)
    active = GaugeMetricFamily("http_server_active_requests", "In flight", labels=_LABELS)
    for endpoint in snapshot.endpoints:
        duration.add_metric([endpoint.name], buckets=_buckets(endpoint), sum_value=endpoint.duration.total_s)
        failed.add_metric([endpoint.name], endpoint.errors)
        left.add_metric([endpoint.name], endpoint.disconnects)
        queries.add_metric([endpoint.name], endpoint.queries.total)
        active.add_metric([endpoint.name], endpoint.in_flight)
    yield from (duration, failed, left, queries, active)


def _buckets(endpoint: EndpointStatistics) -> list[tuple[str, float]]:
    counts = [(str(edge), float(endpoint.duration.count_up_to(edge))) for edge in BOUNDARIES_S]
    return [*counts, ("+Inf", float(endpoint.duration.count))]


def _of_the_process(snapshot: Snapshot, process: ProcessUsage) -> Iterator[Metric]:
    """``process_*`` is of the worker that answers."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

    yield GaugeMetricFamily("perfcheck_monitor_workers", "Processes that are counted", snapshot.workers)
    yield CounterMetricFamily("perfcheck_monitor_overflow", "Requests without a name of their own", snapshot.overflow)
    yield CounterMetricFamily("perfcheck_monitor_defects", "Times that the monitor failed", snapshot.defects)
    yield CounterMetricFamily("process_cpu_seconds", "User and system", process.cpu_seconds, unit="seconds")
    if process.memory_bytes is not None:
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident now", process.memory_bytes, unit="bytes")
