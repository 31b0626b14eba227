"""What the statistics come to, as the JSON objects of the API: pure, from one snapshot.

An endpoint is slow when the mean of its recent requests is over the threshold: what was slow last week and is not any
more does not count, and what became slow today does. Times are in seconds, but where the name says ms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from perfcheck.monitor.process import ProcessUsage
from perfcheck.monitor.statistics import EndpointStatistics, Snapshot

_CRITICAL, _ATTENTION = 2.0, 1.5  # times the threshold, as a baseline has it by default
_SHOWN = 5
_ERROR_RATE_DEGRADED = 0.05
_ERRORS_THAT_TELL = 3  # fewer are chance, or somebody's mistake
_NO_DATA = "no requests have been recorded yet"

Object = dict[str, Any]


def stats(snapshot: Snapshot, slow_ms: float, threshold_ms: float | None, process: ProcessUsage) -> Object:
    """``GET /stats``. ``filtered_endpoints`` only with a threshold."""
    known = served(snapshot)
    answer: Object = {
        "summary": {**overall(known, slow_ms), "requests_in_flight": sum(one.in_flight for one in snapshot.endpoints)},
        "slow_endpoints": [slow_endpoint(one) for one in slowest(known, slow_ms)],
        "all_endpoints": [endpoint(one) for one in known],
        "in_flight": {one.name: one.in_flight for one in snapshot.endpoints if one.in_flight},
        "process": asdict(process),
        "monitor": about(snapshot),
        "generated_at": _time(snapshot.taken_at),
    }
    if threshold_ms is not None:
        answer["threshold_ms"] = threshold_ms
        answer["filtered_endpoints"] = [slow_endpoint(one) for one in slowest(known, threshold_ms)]
    return answer


def slow(snapshot: Snapshot, threshold_ms: float) -> Object:
    """``GET /slow``. The analysis sorts the slow ones by how far over the threshold they are."""
    found = slowest(served(snapshot), threshold_ms)
    times = {one.name: _times_over(one, threshold_ms) for one in found}
    return {
        "threshold_ms": threshold_ms,
        "slow_endpoints_count": len(found),
        "slow_endpoints": [slow_endpoint(one) for one in found],
        "analysis": {
            "critical_endpoints": [name for name, ratio in times.items() if ratio > _CRITICAL],
            "needs_attention": [name for name, ratio in times.items() if _ATTENTION < ratio <= _CRITICAL],
            "minor_issues": [name for name, ratio in times.items() if ratio <= _ATTENTION],
        },
        "generated_at": _time(snapshot.taken_at),
    }


def summary(snapshot: Snapshot, slow_ms: float, recommendations: Sequence[str]) -> Object:
    """``GET /summary``."""
    known = served(snapshot)
    figures = overall(known, slow_ms)
    found = slowest(known, slow_ms)
    total, errors = sum(one.total for one in known), sum(one.errors for one in known)
    return {
        "performance_summary": {
            "status": health(snapshot, slow_ms)["status"],
            "text": _sentence(known, len(found), slow_ms),
            "monitored_endpoints": len(known),
            "slow_endpoints": len(found),
            "total_requests": total,
            "error_rate": errors / total if total else 0.0,
            "overall_avg_response_time_ms": _ms(figures["overall_avg_response_time"]),
            "slowest_endpoint": figures["slowest_endpoint"],
        },
        "recommendations": list(recommendations),
        "top_slow_endpoints": [slow_endpoint(one) for one in found[:_SHOWN]],
        "generated_at": _time(snapshot.taken_at),
    }


def health(snapshot: Snapshot, slow_ms: float) -> Object:
    """``GET /health``: ``healthy``, ``degraded`` (with the issues) or ``no_data``."""
    known = served(snapshot)
    found = slowest(known, slow_ms)
    issues = [*_service_issues(known, found), *monitor_issues(snapshot)]
    status = "degraded" if issues else "healthy" if known else "no_data"
    return {
        "status": status,
        "monitored_endpoints": len(known),
        "slow_endpoints": len(found),
        "overall_avg_time": overall(known, slow_ms)["overall_avg_response_time"],
        "issues": issues,
        "message": _sentence(known, len(found), slow_ms),
        "generated_at": _time(snapshot.taken_at),
    }


def served(snapshot: Snapshot) -> list[EndpointStatistics]:
    """The endpoints that have a figure; one that is still in its first request has none."""
    return [one for one in snapshot.endpoints if one.total]


def slowest(endpoints: Iterable[EndpointStatistics], threshold_ms: float) -> list[EndpointStatistics]:
    """Those over the threshold, the slowest first."""
    found = [one for one in endpoints if 1000 * (one.recent_mean_s or 0.0) > threshold_ms]
    return sorted(found, key=lambda one: -(one.recent_mean_s or 0.0))


def _times_over(one: EndpointStatistics, threshold_ms: float) -> float:
    return 1000 * (one.recent_mean_s or 0.0) / threshold_ms if threshold_ms else math.inf


def overall(known: Sequence[EndpointStatistics], slow_ms: float) -> Object:
    """The mean is that of all requests since counting began."""
    total = sum(one.total for one in known)
    ranked = sorted(known, key=lambda one: one.recent_mean_s or 0.0)
    return {
        "total_endpoints_monitored": len(known),
        "total_requests_processed": total,
        "slow_endpoints_count": len(slowest(known, slow_ms)),
        "overall_avg_response_time": _s(sum(one.duration.total_s for one in known) / total if total else 0.0),
        "slowest_endpoint": ranked[-1].name if ranked else None,
        "fastest_endpoint": ranked[0].name if ranked else None,
    }


def endpoint(one: EndpointStatistics) -> Object:
    """``avg_response_time`` is of the ``recent_samples``; every other figure is of all requests."""
    return {
        "endpoint": one.name,
        "total_requests": one.total,
        "recent_samples": len(one.recent),
        "avg_response_time": _s(one.recent_mean_s),
        "min_response_time": _s(one.min_s),
        "max_response_time": _s(one.max_s),
        "latest_response_time": _s(one.latest_s),
        "mean_response_time": _s(one.mean_s),
        "stdev_response_time": _s(one.stdev_s),
        "p50_response_time": _s(one.p50_s),
        "p90_response_time": _s(one.p90_s),
        "p95_response_time": _s(one.p95_s),
        "p99_response_time": _s(one.p99_s),
        "errors": one.errors,
        "error_rate": one.error_rate,
        "disconnects": one.disconnects,
        "in_flight": one.in_flight,
        "statuses": {str(status): count for status, count in one.statuses.items()},
        "avg_response_bytes": one.sizes.mean,
        "max_response_bytes": one.sizes.max if one.sizes.count else None,
        "queries": {
            "total": one.queries.total,
            "max_per_request": one.queries.max,
            "total_time": _s(one.queries.total_s),
        },
        "n_plus_one": [asdict(repeated) for repeated in one.n_plus_one],
        "cache": {"hits": one.cache_hits, "misses": one.cache_misses},
        "latest_at": _time(one.latest_at_s) if one.latest_at_s is not None else None,
    }


def slow_endpoint(one: EndpointStatistics) -> Object:
    """The same, and the figures that a person looks for in milliseconds."""
    return {
        **endpoint(one),
        "avg_response_time_ms": _ms(one.recent_mean_s),
        "max_response_time_ms": _ms(one.max_s),
        "p95_response_time_ms": _ms(one.p95_s),
        "latest_response_time_ms": _ms(one.latest_s),
    }


def about(snapshot: Snapshot) -> Object:
    """The monitor itself."""
    return {
        "workers": snapshot.workers,
        "counting_since": _time(snapshot.started_at),
        "requests_without_a_name_of_their_own": snapshot.overflow,
        "defects": snapshot.defects,
        "problems": list(snapshot.problems),
    }


def monitor_issues(snapshot: Snapshot) -> list[str]:
    """Why the figures may not be everything."""
    issues = list(snapshot.problems)
    if snapshot.overflow:
        issues.append(f"{snapshot.overflow} requests are counted under one name, since there are too many endpoints")
    if snapshot.defects:
        issues.append(f"the monitor failed {snapshot.defects} times and let the request pass; see the service's log")
    return issues


def _service_issues(known: Sequence[EndpointStatistics], found: Sequence[EndpointStatistics]) -> list[str]:
    issues = [f"{one.name} is slow: {_ms(one.recent_mean_s):g} ms on average" for one in found]
    failing = [one for one in known if one.errors >= _ERRORS_THAT_TELL and one.error_rate > _ERROR_RATE_DEGRADED]
    return issues + [f"{one.name} fails: {one.errors} of {one.total} requests" for one in failing]


def _sentence(known: Sequence[EndpointStatistics], slow_count: int, slow_ms: float) -> str:
    if not known:
        return _NO_DATA
    endpoints = "1 endpoint" if len(known) == 1 else f"{len(known)} endpoints"
    over = f"{slow_count or 'none'} of {endpoints} over {slow_ms:g} ms on average"
    return f"{over}; {sum(one.total for one in known)} requests"


def _s(seconds: float | None) -> float | None:
    """To the nanosecond that it was measured in."""
    return None if seconds is None else round(seconds, 9)


def _ms(seconds: float | None) -> float:
    return round(1000 * (seconds or 0.0), 3)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
