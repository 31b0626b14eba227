"""The statistics over HTTP: a pure function from a request to a response, which each middleware calls and sends.

Seven addresses under ``settings().prefix``; every other path is left to the application. Responses are JSON
(``/metrics`` is OpenMetrics) and are never cached.

They go to this machine only, or to a client with the token: docs/how-to/monitor.md says why each check is there.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address
from urllib.parse import parse_qsl, urlsplit

from perfcheck.monitor import api_json, metrics, routes, workers
from perfcheck.monitor.log import NAME, is_written, log_safely
from perfcheck.monitor.routes import Router
from perfcheck.monitor.settings import settings
from perfcheck.monitor.statistics import Snapshot
from perfcheck.text import clean
from perfcheck.words import plural

_READ: tuple[str, ...] = ("GET", "HEAD")
ADDRESSES = dict.fromkeys(("stats", "slow", "summary", "health", "metrics", "routes"), _READ) | {
    "log-summary": ("POST",)
}
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,12})?", re.ASCII)
_LARGEST_THRESHOLD_MS = 3_600_000.0  # an hour
_MOST_FIELDS = 50
_LONGEST_QUERY = 2000
_NAMED_IN_LOG = 5
_FAILED = {
    "status": "error",
    "monitored_endpoints": 0,
    "slow_endpoints": 0,
    "overall_avg_time": 0.0,
    "issues": ["the monitor could not read its own statistics"],
    "message": "the monitor failed; the reason is in the service's log",
    "error": "the monitor failed; the reason is in the service's log",
}


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A whole response. The body is empty for HEAD, with the Content-Length that GET would have."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class _BadRequestError(Exception):
    """The request makes no sense: a sentence for the client."""


def answer(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    peer: str | None,
    snapshot: Callable[[], Snapshot] | None = None,
    router: Callable[[], Router | None] | None = None,
    routed_as: str | None = None,
) -> ApiResponse | None:
    """The response, or None where ``path`` is not one of the API's, which is then the application's to serve.

    ``query`` is the raw query string; ``headers`` by lower-case name, repeated ones joined by ", "; ``peer`` the
    client's address as the server has it, empty or None on a Unix socket. ``routed_as`` is the path of this request as
    the router has it, where that is another one. Raises nothing.
    """
    try:
        known = settings()
        prefix, _, name = path.rpartition("/")
        if prefix != known.prefix or name not in ADDRESSES:
            return None
    except Exception:  # noqa: BLE001 - not even the settings can be read: the application goes on without its monitor
        log_safely(logging.ERROR, "the monitor's API failed", exc_info=True)
        return None
    try:
        response = _refused(method, name, headers, peer, known.token)
        if response is None and name == "routes":
            response = _routes(router() if router is not None else None, routed_as or path, query)
        elif response is None:
            response = _served(name, query, (snapshot or workers.this.snapshot)(), 1000 * known.slow_s)
    except _BadRequestError as error:
        response = _json(400, {"error": str(error)})
    except Exception:  # noqa: BLE001 - a 500 for the client, and the reason for the log
        log_safely(logging.ERROR, "the monitor's API failed", exc_info=True)
        response = _json(500, _FAILED)
    return replace(response, body=b"") if method == "HEAD" else response


def _served(name: str, query: str, snapshot: Snapshot, slow_ms: float) -> ApiResponse:
    match name:
        case "stats":
            return _json(200, api_json.stats(snapshot, slow_ms, _threshold_ms(query), metrics.process_usage()))
        case "slow":
            threshold = _threshold_ms(query)
            return _json(200, api_json.slow(snapshot, slow_ms if threshold is None else threshold))
        case "summary":
            return _json(200, api_json.summary(snapshot, slow_ms))
        case "health":
            return _json(200, api_json.health(snapshot, slow_ms))
        case "metrics":
            return _metrics(snapshot)
        case _:
            return _log_summary(snapshot, slow_ms)


def _routes(router: Router | None, path: str, query: str) -> ApiResponse:
    if router is None:
        return _json(501, {"error": "the router of this application is unknown to the monitor"})
    sent = next(iter(_given(query, "at")), path)
    removed = sent.removesuffix(path) if sent.endswith(path) else ""
    return _json(200, routes.document(router, _given(query, "request"), removed))


def _log_summary(snapshot: Snapshot, slow_ms: float) -> ApiResponse:
    """One line overall and one for each of the slowest: bounded, however many endpoints there are."""
    health = api_json.health(snapshot, slow_ms)
    log_safely(logging.INFO, "%s: %s", health["status"], health["message"])
    for endpoint in api_json.slowest(api_json.served(snapshot), slow_ms)[:_NAMED_IN_LOG]:
        mean_ms = 1000 * (endpoint.recent_mean_s or 0)
        requests = plural(len(endpoint.recent), "request")
        log_safely(logging.INFO, "slow: %s, %.0f ms on average over %s", endpoint.name, mean_ms, requests)
    done: dict[str, object] = {"status": "logged"}
    if not is_written(logging.INFO):
        remedy = f"add a handler and set its level: logging.getLogger('{NAME}').setLevel(logging.INFO)"
        done = {"status": "not logged", "error": "no handler of the log takes lines at INFO", "remedy": remedy}
    return _json(200, {**done, "message": health["message"], "logger": NAME})


def _metrics(snapshot: Snapshot) -> ApiResponse:
    try:
        text, content_type = metrics.exposition(snapshot)
    except ImportError:
        return _json(501, {"error": "this needs prometheus-client: pip install 'perfcheck[metrics]'"})
    return _response(200, text, content_type)


def _given(query: str, wanted: str) -> list[str]:
    """The values of one parameter."""
    if len(query) > _LONGEST_QUERY:
        raise _BadRequestError("the query string is too long")
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise _BadRequestError("the query string cannot be read") from None
    return [value for name, value in fields if name == wanted]


def _threshold_ms(query: str) -> float | None:
    given = _given(query, "threshold")
    if not given:
        return None
    if len(given) > 1:
        raise _BadRequestError("threshold is given more than once")
    value = float(given[0]) if _NUMBER.fullmatch(given[0]) else -1.0
    if not 0 <= value <= _LARGEST_THRESHOLD_MS:
        raise _BadRequestError(
            f"threshold must be a number of milliseconds from 0 to {_LARGEST_THRESHOLD_MS:.0f}, "
            f"such as threshold=500, not '{clean(given[0], 40)}'"
        )
    return value


def _json(status: int, value: object, *more: tuple[str, str]) -> ApiResponse:
    body = json.dumps(value, allow_nan=False, indent=1).encode() + b"\n"
    return _response(status, body, "application/json", *more)


def _response(status: int, body: bytes, content_type: str, *more: tuple[str, str]) -> ApiResponse:
    headers = (
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        *more,
    )
    return ApiResponse(status, headers, body)


# --- Access --------------------------------------------------------------------------------------------------------

_CONFIGURE = "set PERFCHECK_MONITOR_TOKEN for the service and send 'Authorization: Bearer TOKEN'"
# What curl, browsers, HTTP libraries and Prometheus send by themselves. Any other header may be a proxy's, of which
# there are more than a list could name; its presence is enough, its value is never looked at.
_DIRECT = re.compile(
    r"""
    accept(?:-charset|-encoding|-language)? | authorization | cache-control | connection | content-length | content-type
  | cookie | dnt | expect | host | http2-settings | if-modified-since | if-none-match | keep-alive | origin | pragma
  | priority | range | referer | save-data | sec-(?:ch|fetch)-[a-z-]+ | sec-gpc | sec-purpose | te | transfer-encoding
  | upgrade | upgrade-insecure-requests | user-agent | x-prometheus-scrape-timeout-seconds | x-requested-with
    """,
    re.VERBOSE,
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]@/\s]+)(?::\d{1,5})?", re.ASCII)


def _refused(
    method: str, name: str, headers: Mapping[str, str], peer: str | None, token: str | None
) -> ApiResponse | None:
    """None for a request that may be served."""
    if token is not None:
        if not _has_token(headers.get("authorization", ""), token):
            error = {"error": "the token is missing or wrong", "remedy": "send 'Authorization: Bearer TOKEN'"}
            return _json(401, error, ("WWW-Authenticate", 'Bearer realm="perfcheck monitor"'))
    elif reason := _untrusted(headers, peer):
        return _json(403, {"error": f"{reason}, and no token is configured", "remedy": _CONFIGURE})
    elif method not in _READ and _is_of_another_site(headers):
        remedy = "send it from a shell, or configure a token"
        return _json(403, {"error": "the request came from a page of another site", "remedy": remedy})
    if method not in ADDRESSES[name]:
        allowed = ", ".join(ADDRESSES[name])
        message = f"{clean(method, 20)} is not allowed here, only {allowed}"
        return _json(405, {"error": message}, ("Allow", allowed))
    return None


def _untrusted(headers: Mapping[str, str], peer: str | None) -> str | None:
    """Why the request does not come from this machine, or may not."""
    if not _is_loopback(peer or ""):
        return "the statistics are for this machine only"
    if added := next((name for name in headers if not _DIRECT.fullmatch(name)), None):
        return f"the header '{clean(added, 40)}' may be a proxy's"
    if not _is_this_machine(headers.get("host", "")):
        return "the Host header does not name this machine"
    return None


def _has_token(authorization: str, token: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    # Headers are bytes that came as Latin-1 text; comparing bytes takes the same time wherever they differ.
    same = hmac.compare_digest(
        given.strip().encode("latin-1", "replace"), token.strip().encode("utf-8", "surrogateescape")
    )
    return same and scheme.lower() == "bearer"


def _is_loopback(peer: str) -> bool:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _is_this_machine(host: str) -> bool:
    match = _HOST.fullmatch(host.strip())
    name = match.group(1).strip("[]").lower().removesuffix(".") if match else ""
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_of_another_site(headers: Mapping[str, str]) -> bool:
    """By headers that browsers send and shells do not."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    except ValueError:
        return True
