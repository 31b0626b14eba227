"""The statistics over HTTP: a pure function from a request to an answer, which each middleware calls and sends.

Six addresses under ``settings().prefix``; every other path is left to the application. Answers are JSON (``/metrics``
is OpenMetrics), are never cached, and go only to whom ``access`` lets in.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from perfcheck.monitor import figures, metrics
from perfcheck.monitor.access import refusal
from perfcheck.monitor.advice import recommendations
from perfcheck.monitor.log import NAME, tell
from perfcheck.monitor.process import process_usage
from perfcheck.monitor.settings import Settings, settings
from perfcheck.monitor.statistics import Snapshot
from perfcheck.text import clean

_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,12})?", re.ASCII)
_LARGEST_THRESHOLD_MS = 3_600_000.0  # an hour
_MOST_FIELDS = 50
_LONGEST_QUERY = 2000
_NAMED_IN_LOG = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response. The body is empty for HEAD, with the Content-Length that GET would have."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class _BadRequestError(Exception):
    """The request makes no sense: a sentence for the client."""


@dataclass(frozen=True, slots=True)
class _Call:
    snapshot: Snapshot
    settings: Settings
    query: str

    @property
    def slow_ms(self) -> float:
        return 1000 * self.settings.slow_s


def answer(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    peer: str | None,
    snapshot: Callable[[], Snapshot] | None = None,
) -> Answer | None:
    """The answer, or None where ``path`` is not one of the API's, which is then the application's to answer.

    ``query`` is the raw query string; ``headers`` by lower-case name, repeated ones joined by ", "; ``peer`` the
    client's address as the server tells it, empty or None on a Unix socket. Raises nothing.
    """
    try:
        known = settings()
        name = path.removeprefix(known.prefix) if path.startswith(f"{known.prefix}/") else ""
        route = _ROUTES.get(name)
        if route is None:
            return None
        try:
            found = _answered(route, method, _Request(query, headers, peer), known, snapshot or _statistics)
        except _BadRequestError as error:
            found = _json(400, {"error": str(error)})
        except Exception:  # noqa: BLE001 - told to the client as 500, and to the log
            tell(logging.ERROR, "the monitor's API failed", exc_info=True)
            found = _json(500, {**_FAILED, "status": "error"})
        return Answer(found.status, found.headers, b"") if method == "HEAD" else found
    except Exception:  # noqa: BLE001 - not even the settings can be read: the application goes on without its monitor
        tell(logging.ERROR, "the monitor's API failed", exc_info=True)
        return None


_FAILED = {
    "monitored_endpoints": 0,
    "slow_endpoints": 0,
    "overall_avg_time": 0.0,
    "issues": ["the monitor could not read its own statistics"],
    "message": "the monitor failed; the service's log says why",
    "error": "the monitor failed; the service's log says why",
}


@dataclass(frozen=True, slots=True)
class _Request:
    query: str
    headers: Mapping[str, str]
    peer: str | None


def _answered(
    route: _Route, method: str, request: _Request, known: Settings, snapshot: Callable[[], Snapshot]
) -> Answer:
    refused = refusal(method, request.headers, request.peer, known.token)
    if refused is not None:
        more = (("WWW-Authenticate", 'Bearer realm="perfcheck monitor"'),) if refused.status == 401 else ()  # noqa: PLR2004
        return _json(refused.status, {"error": refused.reason, "remedy": refused.remedy}, *more)
    if method not in route.methods:
        allowed = ", ".join(route.methods)
        message = f"{clean(method, 20)} is not allowed here, only {allowed}"
        return _json(405, {"error": message}, ("Allow", allowed))
    return route.reply(_Call(snapshot(), known, request.query))


# --- The six addresses ---------------------------------------------------------------------------------------------


def _stats(call: _Call) -> Answer:
    threshold = _threshold_ms(call.query)
    return _json(200, figures.stats(call.snapshot, call.slow_ms, threshold, process_usage()))


def _slow(call: _Call) -> Answer:
    threshold = _threshold_ms(call.query)
    return _json(200, figures.slow(call.snapshot, call.slow_ms if threshold is None else threshold))


def _summary(call: _Call) -> Answer:
    advice = recommendations(call.snapshot, call.slow_ms)
    return _json(200, figures.summary(call.snapshot, call.slow_ms, advice))


def _health(call: _Call) -> Answer:
    return _json(200, figures.health(call.snapshot, call.slow_ms))


def _log_summary(call: _Call) -> Answer:
    """One line for the whole and one for each of the slowest: bounded, however many endpoints there are."""
    told = figures.health(call.snapshot, call.slow_ms)
    tell(logging.INFO, "%s: %s", told["status"], told["message"])
    for one in figures.slowest(figures.served(call.snapshot), call.slow_ms)[:_NAMED_IN_LOG]:
        tell(
            logging.INFO,
            "slow: %s, %.0f ms on average of %d",
            one.name,
            1000 * (one.recent_mean_s or 0),
            len(one.recent),
        )
    return _json(200, {"status": "logged", "message": told["message"], "logger": NAME})


def _metrics(call: _Call) -> Answer:
    try:
        text, content_type = metrics.exposition(call.snapshot, process_usage())
    except ImportError:
        return _json(501, {"error": "this needs the extra: pip install 'perfcheck[metrics]'"})
    return _reply(200, text, content_type)


@dataclass(frozen=True, slots=True)
class _Route:
    methods: tuple[str, ...]
    reply: Callable[[_Call], Answer]


_READ = ("GET", "HEAD")
_ROUTES = {
    "/stats": _Route(_READ, _stats),
    "/slow": _Route(_READ, _slow),
    "/summary": _Route(_READ, _summary),
    "/health": _Route(_READ, _health),
    "/metrics": _Route(_READ, _metrics),
    "/log-summary": _Route(("POST",), _log_summary),
}


# --- In and out ----------------------------------------------------------------------------------------------------


def _threshold_ms(query: str) -> float | None:
    if len(query) > _LONGEST_QUERY:
        raise _BadRequestError("the query string is too long")
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise _BadRequestError("the query string cannot be read") from None
    given = [value for name, value in fields if name == "threshold"]
    if not given:
        return None
    if len(given) > 1:
        raise _BadRequestError("threshold is given more than once")
    value = float(given[0]) if _NUMBER.fullmatch(given[0]) else -1.0
    if not 0 <= value <= _LARGEST_THRESHOLD_MS:
        raise _BadRequestError(
            f"threshold is a number of milliseconds from 0 to {_LARGEST_THRESHOLD_MS:.0f}, such as threshold=500; "
            f"it was '{clean(given[0], 40)}'"
        )
    return value


def _statistics() -> Snapshot:
    from perfcheck import monitor  # noqa: PLC0415 - it imports the middleware, which imports this

    return monitor.statistics()


def _json(status: int, value: object, *more: tuple[str, str]) -> Answer:
    body = json.dumps(value, allow_nan=False, indent=1).encode() + b"\n"
    return _reply(status, body, "application/json", *more)


def _reply(status: int, body: bytes, content_type: str, *more: tuple[str, str]) -> Answer:
    headers = (
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        *more,
    )
    return Answer(status, headers, body)
