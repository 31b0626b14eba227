"""The statistics as the JSON objects of the API, with recommendations. Pure, from one snapshot.

An endpoint is slow when its recent mean is over the threshold. Times are in seconds unless the name has ms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from perfcheck.monitor.metrics import ProcessUsage
from perfcheck.monitor.statistics import OVERFLOW, EndpointStatistics, Snapshot, StatementTime
from perfcheck.times import rfc3339
from perfcheck.units import format_ms, format_percentage, format_size
from perfcheck.words import plural

_CRITICAL, _ATTENTION = 2.0, 1.5  # times the threshold, as a baseline has it by default
_SHOWN = 5
_ERROR_RATE_DEGRADED = 0.05
_FEWEST_ERRORS = 3  # fewer are chance, or a mistake of the client

Object = dict[str, Any]


def stats(snapshot: Snapshot, slow_ms: float, threshold_ms: float | None, process: ProcessUsage) -> Object:
    """``GET /stats``. ``filtered_endpoints`` only with a threshold."""
    known = served(snapshot)
    in_flight = {endpoint.name: endpoint.in_flight for endpoint in snapshot.endpoints if endpoint.in_flight}
    response: Object = {
        "summary": {**_overall(known, slow_ms), "requests_in_flight": sum(in_flight.values())},
        "slow_endpoints": [_slow_endpoint(endpoint) for endpoint in slowest(known, slow_ms)],
        "all_endpoints": [_endpoint(endpoint) for endpoint in known],
        "in_flight": in_flight,
        "process": asdict(process),
        "monitor": _about_the_monitor(snapshot),
        "generated_at": _time(snapshot.taken_at),
    }
    if threshold_ms is not None:
        response["threshold_ms"] = threshold_ms
        response["filtered_endpoints"] = [_slow_endpoint(endpoint) for endpoint in slowest(known, threshold_ms)]
    return response


def slow(snapshot: Snapshot, threshold_ms: float) -> Object:
    """``GET /slow``. The analysis sorts the slow ones by how far over the threshold they are."""
    over = slowest(served(snapshot), threshold_ms)
    times = {
        each.name: 1000 * (each.recent_mean_s or 0.0) / threshold_ms if threshold_ms else math.inf for each in over
    }
    return {
        "threshold_ms": threshold_ms,
        "slow_endpoints_count": len(over),
        "slow_endpoints": [_slow_endpoint(endpoint) for endpoint in over],
        "analysis": {
            "critical_endpoints": [name for name, ratio in times.items() if ratio > _CRITICAL],
            "needs_attention": [name for name, ratio in times.items() if _ATTENTION < ratio <= _CRITICAL],
            "minor_issues": [name for name, ratio in times.items() if ratio <= _ATTENTION],
        },
        "generated_at": _time(snapshot.taken_at),
    }


def summary(snapshot: Snapshot, slow_ms: float) -> Object:
    """``GET /summary``."""
    known = served(snapshot)
    figures = _overall(known, slow_ms)
    over = slowest(known, slow_ms)
    total, errors = figures["total_requests_processed"], sum(endpoint.errors for endpoint in known)
    return {
        "performance_summary": {
            "status": health(snapshot, slow_ms)["status"],
            "text": _sentence(known, len(over), slow_ms),
            "monitored_endpoints": len(known),
            "slow_endpoints": len(over),
            "total_requests": total,
            "error_rate": errors / total if total else 0.0,
            "overall_avg_response_time_ms": _ms(figures["overall_avg_response_time"]),
            "slowest_endpoint": figures["slowest_endpoint"],
        },
        "recommendations": recommendations(snapshot, slow_ms),
        "top_slow_endpoints": [_slow_endpoint(endpoint) for endpoint in over[:_SHOWN]],
        "generated_at": _time(snapshot.taken_at),
    }


def health(snapshot: Snapshot, slow_ms: float) -> Object:
    """``GET /health``: ``healthy``, ``degraded`` (with the issues) or ``no_data``."""
    known = served(snapshot)
    over = slowest(known, slow_ms)
    issues = [*_service_issues(known, over), *_monitor_issues(snapshot)]
    status = "degraded" if issues else "healthy" if known else "no_data"
    return {
        "status": status,
        "monitored_endpoints": len(known),
        "slow_endpoints": len(over),
        "overall_avg_time": _overall(known, slow_ms)["overall_avg_response_time"],
        "issues": issues,
        "message": _sentence(known, len(over), slow_ms),
        "generated_at": _time(snapshot.taken_at),
    }


def served(snapshot: Snapshot) -> list[EndpointStatistics]:
    """The endpoints that have a figure; one that is still in its first request has none."""
    return [endpoint for endpoint in snapshot.endpoints if endpoint.total]


def slowest(endpoints: Iterable[EndpointStatistics], threshold_ms: float) -> list[EndpointStatistics]:
    over = [endpoint for endpoint in endpoints if 1000 * (endpoint.recent_mean_s or 0.0) > threshold_ms]
    return sorted(over, key=lambda endpoint: -(endpoint.recent_mean_s or 0.0))


def _overall(known: Sequence[EndpointStatistics], slow_ms: float) -> Object:
    """The mean is that of all requests since counting began."""
    total = sum(endpoint.total for endpoint in known)
    ranked = sorted(known, key=lambda endpoint: endpoint.recent_mean_s or 0.0)
    return {
        "total_endpoints_monitored": len(known),
        "total_requests_processed": total,
        "slow_endpoints_count": len(slowest(known, slow_ms)),
        "overall_avg_response_time": _s(sum(each.duration.total_s for each in known) / total if total else 0.0),
        "slowest_endpoint": ranked[-1].name if ranked else None,
        "fastest_endpoint": ranked[0].name if ranked else None,
    }


_FIGURES = ("min", "max", "latest", "mean", "stdev", "p50", "p90", "p95", "p99")


def _endpoint(endpoint: EndpointStatistics) -> Object:
    """``avg_response_time`` is of the ``recent_samples``; every other figure is of all requests."""
    return {
        "endpoint": endpoint.name,
        "total_requests": endpoint.total,
        "recent_samples": len(endpoint.recent),
        "avg_response_time": _s(endpoint.recent_mean_s),
        **{f"{figure}_response_time": _s(getattr(endpoint, f"{figure}_s")) for figure in _FIGURES},
        **{name: getattr(endpoint, name) for name in ("errors", "error_rate", "disconnects", "in_flight")},
        "statuses": {str(status): count for status, count in endpoint.statuses.items()},
        "avg_response_bytes": endpoint.sizes.mean,
        "max_response_bytes": endpoint.sizes.max if endpoint.sizes.count else None,
        "queries": {
            "total": endpoint.queries.total,
            "max_per_request": endpoint.queries.max,
            "total_time": _s(endpoint.queries.total_s),
        },
        "n_plus_one": [asdict(repeated) for repeated in endpoint.n_plus_one],
        "slow_statements": [_statement(statement) for statement in endpoint.slow_statements[:_SHOWN]],
        "cache": {"hits": endpoint.cache_hits, "misses": endpoint.cache_misses},
        "latest_at": _time(endpoint.latest_at_s) if endpoint.latest_at_s is not None else None,
    }


def _statement(statement: StatementTime) -> Object:
    """The time is that of a request in which it was slow."""
    per_request = _s(statement.total_s / statement.requests)
    known = {"shape": statement.shape, "caller": statement.caller, "requests": statement.requests}
    return {**known, "total_time": _s(statement.total_s), "time_per_request": per_request}


def _slow_endpoint(endpoint: EndpointStatistics) -> Object:
    """The same, and the figures that a person looks for in milliseconds."""
    return {
        **_endpoint(endpoint),
        "avg_response_time_ms": _ms(endpoint.recent_mean_s),
        "max_response_time_ms": _ms(endpoint.max_s),
        "p95_response_time_ms": _ms(endpoint.p95_s),
        "latest_response_time_ms": _ms(endpoint.latest_s),
    }


def _about_the_monitor(snapshot: Snapshot) -> Object:
    return {
        "workers": snapshot.workers,
        "counting_since": _time(snapshot.started_at),
        "requests_without_a_name_of_their_own": snapshot.overflow,
        "defects": snapshot.defects,
        "problems": list(snapshot.problems),
    }


def _monitor_issues(snapshot: Snapshot) -> list[str]:
    issues = list(snapshot.problems)
    if snapshot.overflow:
        requests = plural(snapshot.overflow, "request")
        issues.append(f"too many endpoint names: {requests} counted under '{OVERFLOW}'")
    if snapshot.defects:
        times = plural(snapshot.defects, "time")
        issues.append(f"the monitor failed {times} and let the request pass; see the service's log")
    return issues


def _service_issues(known: Sequence[EndpointStatistics], over: Sequence[EndpointStatistics]) -> list[str]:
    issues = [f"{endpoint.name} is slow: {_ms(endpoint.recent_mean_s):g} ms on average" for endpoint in over]
    failing = [each for each in known if each.errors >= _FEWEST_ERRORS and each.error_rate > _ERROR_RATE_DEGRADED]
    return issues + [f"{each.name} fails: {each.errors} of {plural(each.total, 'request')}" for each in failing]


def _sentence(known: Sequence[EndpointStatistics], slow_count: int, slow_ms: float) -> str:
    if not known:
        return "no requests have been recorded yet"
    over = f"{slow_count} of {plural(len(known), 'endpoint')} over {slow_ms:g} ms on average"
    return f"{over}; {plural(sum(endpoint.total for endpoint in known), 'request')}"


def _s(seconds: float | None) -> float | None:
    """To the nanosecond that it was measured in."""
    return None if seconds is None else round(seconds, 9)


def _ms(seconds: float | None) -> float:
    return round(1000 * (seconds or 0.0), 3)


def _time(seconds: float) -> str:
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


# --- Recommendations that the statistics bear out, the heaviest first ------------------------------------------------

_MOST_RECOMMENDATIONS = 20
_ERROR_RATE = 0.01
_FEWEST_ERRORS_ADVISED = 2
_LARGE_BODY = 1_000_000  # bytes: over it a baseline warns by default
_PART_IN_QUERIES = 0.5


def recommendations(snapshot: Snapshot, slow_ms: float) -> list[str]:
    """Sentences, each with an endpoint, its figure and what would help; an empty list where there is nothing to do."""
    known = served(snapshot)
    advice = [*_failing(known), *_repeating(known), *_slow(known, slow_ms), *_large(known)]
    return advice[:_MOST_RECOMMENDATIONS]


def _failing(known: list[EndpointStatistics]) -> Iterator[str]:
    failing = [each for each in known if each.errors >= _FEWEST_ERRORS_ADVISED and each.error_rate > _ERROR_RATE]
    for endpoint in sorted(failing, key=lambda endpoint: -endpoint.error_rate):
        failed = f"{endpoint.errors} of {plural(endpoint.total, 'request')} failed"
        yield f"{endpoint.name}: {failed} ({format_percentage(endpoint.error_rate)}); see the service's log"


def _repeating(known: list[EndpointStatistics]) -> Iterator[str]:
    repeating = [endpoint for endpoint in known if endpoint.n_plus_one]
    for endpoint in sorted(repeating, key=lambda endpoint: -endpoint.n_plus_one[0].most):
        worst = endpoint.n_plus_one[0]
        yield (
            f"{endpoint.name}: N+1, the same statement up to {worst.most} times in one request, "
            f"from {worst.caller or 'an unknown line'}; load these rows with one query: {worst.shape}"
        )


def _slow(known: list[EndpointStatistics], slow_ms: float) -> Iterator[str]:
    for endpoint in slowest(known, slow_ms):
        mean = format_ms(1000 * (endpoint.recent_mean_s or 0.0))
        yield f"{endpoint.name}: {mean} on average; {_where_to_look(endpoint)}"


def _where_to_look(endpoint: EndpointStatistics) -> str:
    queries = endpoint.queries
    if queries.total and queries.total_s > _PART_IN_QUERIES * endpoint.duration.total_s:
        each = format_ms(1000 * queries.total_s / queries.total)
        where = f"most of it in {queries.mean or 0:.3g} queries per request, {each} each"
        return f"{where}: check their query plans" if not endpoint.slow_statements else f"{where}; {_slowest(endpoint)}"
    if queries.total:
        return "less than half of it in the database: measure parts of the handler with 'span(name)'"
    return "instrument its database, or measure parts of the handler with 'span(name)'"


def _slowest(endpoint: EndpointStatistics) -> str:
    slowest = endpoint.slow_statements[0]
    time = format_ms(1000 * slowest.total_s / slowest.requests)
    return f"check the plan of the slowest, {time} from {slowest.caller or 'an unknown line'}: {slowest.shape}"


def _large(known: list[EndpointStatistics]) -> Iterator[str]:
    large = [(endpoint.sizes.mean or 0.0, endpoint) for endpoint in known if (endpoint.sizes.mean or 0.0) > _LARGE_BODY]
    for size, endpoint in sorted(large, key=lambda pair: -pair[0]):
        yield f"{endpoint.name}: {format_size(round(size))} per response on average; paginate, or send fewer fields"
