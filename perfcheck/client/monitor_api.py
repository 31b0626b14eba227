"""The statistics API of the monitor inside a service, read from outside.

Tolerant of how a service writes its figures (``monitor_fields``), but not of anything else: a page of HTML, a refusal,
an error, no response. Each of these has its own message and remedy, and the reading is then not alive.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from perfcheck.client import monitor_fields as fields
from perfcheck.client.route_table import Query, read_routes
from perfcheck.model import Endpoint, Failure, Fetched, MonitorReading, MonitorStatus, Service
from perfcheck.text import Redactor
from perfcheck.units import format_size
from perfcheck.words import plural

DEFAULT_PATH = "/api/performance"
_TIMEOUT_S = 10.0  # for each of its requests
_LARGEST_BODY = 16_000_000  # bytes; ten thousand endpoints of our own monitor are 12 MB
_HOW_TO_SET_IT = (
    "set the token as a header in the baseline: "
    "service: {headers: {Authorization: 'Bearer ${PERFCHECK_MONITOR_TOKEN}'}}"
)
_WRONG_PATH = "is the path right? It is set by 'monitor' under 'service' in the baseline, or by --monitor"
_STATUS_REMEDIES = {
    401: _HOW_TO_SET_IT,
    403: "without a token, the monitor can be read only from the machine of the service, without headers of your own; "
    f"with one, {_HOW_TO_SET_IT}",
    404: _WRONG_PATH,
    405: _WRONG_PATH,
    407: "the proxy requires a password; set NO_PROXY to bypass it",
    429: "the service limits the rate of requests; exempt the address that the check runs from",
}
_REMEDIES = {
    Failure.REFUSED: "is the service running? Set another address with --base-url",
    Failure.NAME: "correct 'base_url', or set the address with --base-url",
    Failure.CONNECT: "is the service running? Set another address with --base-url",
    Failure.TIMEOUT: "is the service overloaded, or hanging? A monitor responds within milliseconds",
    Failure.RESET: "look for a crash in the log of the service",
    Failure.BODY_TOO_LARGE: "is the path right? The statistics of a monitor are smaller",
}
_LOG = "see the log of the service"
_OTHER_PATH = "is the path right? Many front ends return a page, or a login form, for any path"
_ABSENT = {404, 405, 501}

_KNOWN_FIELDS = {"status", "issues", "monitored_endpoints", "summary", "all_endpoints"}  # one of them at least

Fetch = Callable[[Endpoint], Fetched]


@dataclass(eq=False)
class _NotReadError(Exception):
    """No usable response: why, the remedy, and whether only this address does not exist."""

    message: str
    remedy: str | None
    absent: bool = False
    status: MonitorStatus = MonitorStatus.UNKNOWN


def read_monitor(
    service: Service,
    fetch: Fetch,
    *,
    threshold_ms: float,
    redact: Redactor,
    shown: Callable[[Endpoint], str],
    endpoints: Sequence[Endpoint] = (),
    routes: bool = False,
) -> MonitorReading:
    """Fetch ``/health``, ``/stats``, ``/slow`` and ``/routes`` below ``service.monitor``.

    ``fetch`` sends a request, ``shown`` returns its URL without secrets. Whatever the service does, there is a reading;
    one that is not ``alive`` has a message that explains why. ``/slow`` and ``/routes`` may be missing, and one of the
    other two. ``endpoints`` are those of the baseline, which the service's router resolves; without any, its routes are
    read only for ``routes``.
    """
    missing: list[_NotReadError] = []

    def requested(name: str, *query: tuple[str, str]) -> object:
        endpoint = _address(service, name, query)
        return _json(fetch(endpoint), shown(endpoint), redact)

    def get(name: str) -> object:
        try:
            return requested(name)
        except _NotReadError as error:
            if not error.absent:
                raise
            missing.append(error)
            return None

    def tried(name: str, *query: tuple[str, str]) -> object:
        """Of what is only an addition."""
        with suppress(_NotReadError):
            return requested(name, *query)
        return None

    try:
        health, stats = get("health"), get("stats")
        if len(missing) > 1:
            raise missing[0]
        problems = [error.message for error in missing]
        slow = tried("slow", ("threshold", f"{threshold_ms:.12g}"))
        reading = _reading(health, stats, slow, problems, redact)
        if not endpoints and not routes:
            return reading
        path = _address(service, "routes", ()).path
        table = read_routes(lambda query: tried("routes", *query), path, endpoints, service.base_url, redact)
        return replace(reading, table=table)
    except _NotReadError as error:
        return MonitorReading(alive=False, status=error.status, message=error.message, remedy=error.remedy)


def stats_of(service: Service) -> Endpoint:
    """The address of a monitor's figures."""
    return _address(service, "stats", ())


def _address(service: Service, name: str, query: Query) -> Endpoint:
    path = f"{(service.monitor or DEFAULT_PATH).rstrip('/')}/{name}"
    headers = service.headers
    if not any(header.lower() == "accept" for header, _ in headers):
        headers = (*headers, ("Accept", "application/json"))
    return Endpoint(name=path, path=path, line=0, query=query, headers=headers, timeout_s=_TIMEOUT_S)


def _json(response: Fetched, where: str, redact: Redactor) -> object:
    if response.failure is not None:
        raise _failed(response, where, redact)
    if len(response.body) > _LARGEST_BODY:
        size = format_size(len(response.body))
        message = f"the monitor cannot be read: {where} returned {size}"
        raise _NotReadError(message, _REMEDIES[Failure.BODY_TOO_LARGE])
    if "html" in response.content_type.lower() or response.body.lstrip()[:1] == b"<":
        raise _NotReadError(f"no monitor found: {where} returned a web page, not JSON", _OTHER_PATH)
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        content = "an empty body" if not response.body.strip() else "a body that is not JSON"
        raise _NotReadError(f"no monitor found: {where} returned {content}", _OTHER_PATH) from None


def _failed(response: Fetched, where: str, redact: Redactor) -> _NotReadError:
    if response.failure is not Failure.STATUS:
        remedy = response.remedy or _REMEDIES.get(response.failure or Failure.CONNECT, "try it with 'curl -v'")
        return _NotReadError(f"no response from the monitor at {where}: {response.detail}", remedy)
    status = response.status or 0
    reason = _reason(response, redact)
    message = f"the monitor cannot be read: {where} returned {response.detail}{f' ({reason})' if reason else ''}"
    remedy = _STATUS_REMEDIES.get(status, _OTHER_PATH if status < 500 else _LOG)  # noqa: PLR2004
    return _NotReadError(message, remedy, absent=status in _ABSENT)


def _reason(response: Fetched, redact: Redactor) -> str:
    """The reason that a refusal gives, where that is a sentence in JSON."""
    if len(response.body) > _LARGEST_BODY:
        return ""
    try:
        refusal = fields.as_object(json.loads(response.body))
    except (ValueError, RecursionError):
        return ""
    return fields.text(refusal.get("error"), redact)


def _reading(health: object, stats: object, slow: object, problems: list[str], redact: Redactor) -> MonitorReading:
    state, figures = fields.as_object(health), _figures(stats)
    about = fields.as_object(figures.get("monitor"))
    slow_list = fields.as_object(slow).get("slow_endpoints", slow if isinstance(slow, list) else None)
    listed = fields.endpoints(slow_list, redact, listed_as_slow=True)
    endpoints = fields.merged(fields.endpoints(figures.get("all_endpoints"), redact), listed)
    status = fields.status(state.get("status"))
    if not endpoints and not _KNOWN_FIELDS & {*state, *figures}:
        raise _NotReadError("no monitor found: the response has none of the fields of a monitor", _OTHER_PATH)
    message, issues = fields.text(state.get("message"), redact), fields.texts(state.get("issues"), redact)
    if status is MonitorStatus.ERROR:
        reason = message or "; ".join(issues) or "no reason given"
        raise _NotReadError(f"the monitor reports an error: {reason}", _LOG, status=status)
    return MonitorReading(
        alive=True,
        status=status,
        message=message,
        issues=issues,
        endpoints=endpoints,
        since=fields.text(about.get("counting_since"), redact) or None,
        workers=fields.count(about.get("workers")),
        problems=(*fields.texts(about.get("problems"), redact), *problems, *_lost(about)),
    )


def _figures(stats: object) -> dict[str, Any]:
    """``/stats`` as an object, also where it is only the list of endpoints."""
    if isinstance(stats, list) and not (len(stats) == 1 and "all_endpoints" in fields.as_object(stats)):
        return {"all_endpoints": stats}
    return fields.as_object(stats)


def _lost(about: dict[str, Any]) -> list[str]:
    overflow = fields.count(about.get("requests_without_a_name_of_their_own"))
    failures = fields.count(about.get("defects"))
    lost = []
    if overflow:
        verb = "is" if overflow == 1 else "are"
        lost.append(f"{plural(overflow, 'request')} {verb} counted under one name, since there are too many endpoints")
    if failures:
        lost.append(f"the monitor failed {plural(failures, 'time')} and let the request pass")
    return lost
