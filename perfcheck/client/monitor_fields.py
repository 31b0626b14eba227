"""The JSON of the statistics API, field by field: whatever form a figure has, it is read, or it is None.

Any service may have this API, written by hand, in any language: times may be whole seconds or text, fields may be
missing or null, lists may be objects and objects lists. What makes no sense is ignored and never raises.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from perfcheck.model import MonitoredEndpoint, MonitoredRoute, MonitorStatus, Repeated, SlowStatement
from perfcheck.text import Redactor

MOST_ENDPOINTS = 10_000
_MOST_TEXTS = 20
_MOST_REPEATED = 10
_LONGEST_NAME = 500
_LONGEST_TEXT = 300
_LONGEST_NUMBER = 40  # characters
_LARGEST = 1e15  # of anything that is counted, and of milliseconds: some 30,000 years
_NAMES = ("endpoint", "name", "endpoint_name", "route", "path")
_WORDS = {
    MonitorStatus.HEALTHY: {"healthy", "ok", "okay", "up", "pass", "good", "running"},
    MonitorStatus.DEGRADED: {"degraded", "warn", "warning", "slow"},
    MonitorStatus.NO_DATA: {"no_data", "no-data", "no data", "nodata", "empty"},
    MonitorStatus.ERROR: {"error", "down", "fail", "failed", "failing", "unhealthy", "critical"},
}

Object = dict[str, Any]


def as_object(value: object) -> Object:
    """``value`` if it is an object, or the only object in a list; else an empty one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else {}


def number(value: object) -> float | None:
    """A finite number that is not negative, also as text (``"0.35"``); None for anything else, true and false too."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        parsed = float(value[:_LONGEST_NUMBER] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return parsed if math.isfinite(parsed) and 0 <= parsed <= _LARGEST else None


def count(value: object) -> int | None:
    parsed = number(value)
    return None if parsed is None else int(parsed)


def status(value: object) -> MonitorStatus:
    word = value.strip().lower() if isinstance(value, str) else ""
    return next((known for known, words in _WORDS.items() if word in words), MonitorStatus.UNKNOWN)


def text(value: object, redact: Redactor) -> str:
    return redact.clean(value, _LONGEST_TEXT) if isinstance(value, str) else ""


def texts(value: object, redact: Redactor) -> tuple[str, ...]:
    """A list of sentences; also a single one, and objects with a ``message``."""
    items = value if isinstance(value, list) else [value]
    sentences = (text(item.get("message") if isinstance(item, dict) else item, redact) for item in items[:_MOST_TEXTS])
    return tuple(sentence for sentence in sentences if sentence)


def endpoints(value: object, redact: Redactor, *, listed_as_slow: bool = False) -> Iterator[MonitoredEndpoint]:
    """From a list of objects or of names, or an object of either by name. At most MOST_ENDPOINTS, none twice."""
    seen: set[str] = set()
    for name, fields in _named(value):
        shown = redact.clean(name, _LONGEST_NAME)
        if shown and shown not in seen and len(seen) < MOST_ENDPOINTS:
            seen.add(shown)
            yield _endpoint(shown, fields, redact, listed_as_slow=listed_as_slow)


def _named(value: object) -> Iterator[tuple[str, Object]]:
    if isinstance(value, dict):
        for name, fields in value.items():
            yield name, fields if isinstance(fields, dict) else {"avg_response_time": fields}
    for item in value if isinstance(value, list) else ():
        if isinstance(item, str):
            yield item, {}
        elif isinstance(item, dict):
            name = next((item[key] for key in _NAMES if isinstance(item.get(key), str)), None)
            if name is not None:
                yield name, item


def _endpoint(name: str, fields: Object, redact: Redactor, *, listed_as_slow: bool) -> MonitoredEndpoint:
    def milliseconds(*kinds: str) -> float | None:
        return next((ms for kind in kinds if (ms := _milliseconds(fields, kind)) is not None), None)

    requests = count(fields.get("total_requests", fields.get("requests")))
    errors = count(fields.get("errors", fields.get("error_count")))
    return MonitoredEndpoint(
        name=name,
        requests=requests,
        errors=errors if requests is None or errors is None else min(errors, requests),
        mean_ms=milliseconds("avg", "mean"),
        min_ms=milliseconds("min"),
        max_ms=milliseconds("max"),
        stdev_ms=milliseconds("stdev"),
        median_ms=milliseconds("p50", "median"),
        p75_ms=milliseconds("p75"),
        p90_ms=milliseconds("p90"),
        p95_ms=milliseconds("p95"),
        p99_ms=milliseconds("p99"),
        largest_body=count(fields.get("max_response_bytes")),
        n_plus_one=tuple(_repeated(fields.get("n_plus_one"), redact)),
        slowest_statement=_statement(fields.get("slow_statements"), redact),
        listed_as_slow=listed_as_slow,
    )


def _milliseconds(fields: Object, kind: str) -> float | None:
    """``avg_response_time`` is in seconds, ``avg_response_time_ms`` in milliseconds."""
    seconds = number(fields.get(f"{kind}_response_time"))
    return number(fields.get(f"{kind}_response_time_ms")) if seconds is None else seconds * 1000


def _repeated(value: object, redact: Redactor) -> Iterator[Repeated]:
    for item in value[:_MOST_REPEATED] if isinstance(value, list) else ():
        most = count(item.get("most")) if isinstance(item, dict) else None
        if most:
            yield Repeated(
                shape=text(item.get("shape"), redact),
                most=most,
                caller=text(item.get("caller"), redact) or None,
                requests=count(item.get("requests")),
            )


def _statement(value: object, redact: Redactor) -> SlowStatement | None:
    """The first of a list."""
    item = as_object(value[:1]) if isinstance(value, list) else {}
    seconds = number(item.get("time_per_request"))
    shape, caller = text(item.get("shape"), redact), text(item.get("caller"), redact)
    return SlowStatement(shape, None if seconds is None else 1000 * seconds, caller or None) if shape else None


def merged(known: Iterable[MonitoredEndpoint], more: Iterable[MonitoredEndpoint]) -> tuple[MonitoredEndpoint, ...]:
    """``known``, marked where ``more`` lists them as slow, and the rest of ``more``."""
    others = {endpoint.name: endpoint for endpoint in more}
    first = [
        replace(endpoint, listed_as_slow=True) if others.pop(endpoint.name, None) else endpoint for endpoint in known
    ]
    return (*first, *others.values())


# --- The route table -------------------------------------------------------------------------------------------------


def routes(value: object, redact: Redactor) -> tuple[MonitoredRoute, ...]:
    """At most MOST_ENDPOINTS, in their order."""
    listed = as_object(value).get("routes")
    rows = [as_object(row) for row in listed[:MOST_ENDPOINTS]] if isinstance(listed, list) else []
    return tuple(_route(row, redact) for row in rows if isinstance(row.get("template"), str))


def _route(row: Object, redact: Redactor) -> MonitoredRoute:
    given, template = row.get("method"), redact.clean(row["template"], _LONGEST_NAME)
    method = given.upper()[:_LONGEST_NUMBER] if isinstance(given, str) else None
    own = f"{method} {template}" if method else template
    name = row.get("name")
    return MonitoredRoute(
        method=method,
        template=template,
        name=redact.clean(name, _LONGEST_NAME) if isinstance(name, str) else own,
        handler=text(row.get("handler"), redact) or None,
        monitored=row.get("monitored") is not False,
    )


def resolved(value: object, redact: Redactor) -> dict[str, str | None]:
    """Request -> the name under which it is counted; None: it reaches no route."""
    named = as_object(value).get("resolved")
    return {
        request: redact.clean(name, _LONGEST_NAME) if isinstance(name, str) else None
        for request, name in (named.items() if isinstance(named, dict) else ())
    }
