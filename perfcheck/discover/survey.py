"""One request to each operation: which of them respond as they should, and why the others are left out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from perfcheck.discover.actions import action_word
from perfcheck.discover.fallback import FallbackPage, Fetch
from perfcheck.discover.fill import Filled, ways_to_fill
from perfcheck.discover.harvest import Harvest
from perfcheck.model import Endpoint, Failure, Fetched, Service
from perfcheck.model.operation import Candidate, LeftOut, Operation, Survey
from perfcheck.words import and_more

_TIMEOUT_S = 5.0  # of one request
_LONGEST_S = 60.0  # of all of them
_PASSES = 3  # over what did not respond as it should, with what was harvested since
_MOST_TRIES = 3  # of one operation
_LARGEST_HARVESTED = 5_000_000  # bytes
_SAFE = {"GET", "HEAD"}
_READS = ("search", "filter", "query", "count", "list", "find", "lookup", "paginate")
_LOG_IN = "log in with service.headers in the baseline"
_NO_LOGIN = {401, 403, 407}
_WRONG_VALUE = {400, 404, 410, 422}
_LOGIN = re.compile(r"(?i)\b(log-?in|sign-?in|sso|auth|oauth2?|authorize|saml)\b")
_MOST_NAMED = 3


def survey(
    operations: Iterable[Operation],
    service: Service,
    fetch: Fetch,
    fallback: FallbackPage,
    *,
    allowed: Collection[str] = (),
    progress: Callable[[int, int], None] = lambda *_: None,
    now: Callable[[], float] = time.monotonic,
    longest_s: float = _LONGEST_S,
) -> Survey:
    """Send a request to each of ``operations`` that is safe to repeat: fewest parameters first, since lists have ids.

    ``allowed`` are patterns of what is requested although it may change something: ``/cache/clear``,
    ``POST /videos/search``. ``progress`` is called with how many operations are done, of how many. Whatever the service
    does, each operation is a candidate or left out with a reason; after ``longest_s`` the rest is left out.
    """
    tries, left_out = [], []
    for operation in operations:
        refused = refusal(operation, allowed)
        if refused is None:
            tries.append(_Try(operation))
        else:
            left_out.append(refused)
    tries.sort(key=lambda each: (each.operation.template.count("{"), len(each.operation.template)))
    surveyor = _Surveyor(service, fetch, fallback, now() + longest_s, now)
    for number in range(_PASSES if tries else 0):
        pending = [each for each in tries if each.candidate is None]
        for done, each in enumerate(pending, len(tries) - len(pending)):
            if not number:
                progress(done, len(tries))
            surveyor.attempt(each)
    progress(len(tries), len(tries))
    return Survey(
        tuple(each.candidate for each in tries if each.candidate is not None),
        (*(each.left_out() for each in tries if each.candidate is None), *left_out),
    )


# --- What is requested -----------------------------------------------------------------------------------------------


def refusal(operation: Operation, allowed: Collection[str]) -> LeftOut | None:
    """Why no request is sent; None where one may be."""
    name = f"{operation.method} {operation.template}"
    if any(fnmatchcase(name, pattern) for pattern in allowed):
        return None
    if operation.method not in _SAFE:
        if operation.method == "POST" and _is_read(operation.template):
            return LeftOut(operation, "a POST that may only read", f"--allow '{name}' measures it: it is then repeated")
        return LeftOut(operation, "may change something")
    if any(fnmatchcase(operation.template, pattern) for pattern in allowed):
        return None
    if operation.reason is not None:
        return LeftOut(operation, operation.reason)
    if word := action_word(operation.template):
        return LeftOut(operation, f"'{word}' looks like an action", f"--allow '{operation.template}' measures it")
    return None


def _is_read(template: str) -> bool:
    last = template.rstrip("/").rpartition("/")[2].lower().replace("_", "-")
    return any(word in _READS for word in last.split("-"))


# --- Requests --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Try:
    """An operation and what came of its requests so far."""

    operation: Operation
    candidate: Candidate | None = None
    sent: list[Filled] = field(default_factory=list)
    last: tuple[Filled, Fetched] | None = None
    missing: list[str] = field(default_factory=list)
    no_time: bool = False
    is_fallback: bool = False

    def left_out(self) -> LeftOut:
        if self.last is None:
            if self.no_time:
                return LeftOut(self.operation, "no time was left")
            names = and_more([f"{{{name}}}" for name in self.missing], _MOST_NAMED)
            remedy = "a recording, or an example in the OpenAPI document, would have a value"
            return LeftOut(self.operation, f"no value known for {names}", remedy)
        filled, response = self.last
        if self.is_fallback:
            return LeftOut(self.operation, "returned the page that the service returns for any path")
        return LeftOut(self.operation, *_explained(filled, response))


def _explained(filled: Filled, response: Fetched) -> tuple[str, str | None]:
    """Why this response is none to measure, and the remedy."""
    if response.failure is Failure.STATUS and response.status is not None:
        if response.status in _NO_LOGIN:
            return f"HTTP {response.status}", _LOG_IN
        if response.status in _WRONG_VALUE and filled.made_up:
            names = and_more([f"{{{name}}}" for name in filled.made_up], _MOST_NAMED)
            return f"no id to be had: HTTP {response.status} with a made-up value for {names}", None
        if response.location:
            is_login = _LOGIN.search(urlsplit(response.location).path)
            return ("redirects to a login", _LOG_IN) if is_login else (f"HTTP {response.status}", None)
        return f"HTTP {response.status}", None
    if response.failure is Failure.TIMEOUT and response.status is not None:
        return "the response does not end: a stream?", None
    return response.detail or "no response", response.remedy


def _after_redirect(endpoint: Endpoint, location: str) -> Endpoint:
    """What to request instead: the same with the slash at its end that the service wants, or following the redirect.

    A redirect to a login is not followed: the page of the login is not what is measured.
    """
    path = urlsplit(location).path
    if not location or _LOGIN.search(path):
        return endpoint
    if path.rstrip("/").endswith(endpoint.path.rstrip("/")) and endpoint.path != "/":
        return replace(endpoint, path=endpoint.path.rstrip("/") + "/" * path.endswith("/"))
    return replace(endpoint, follow_redirects=True)


class _Surveyor:
    def __init__(
        self, service: Service, fetch: Fetch, fallback: FallbackPage, until_s: float, now: Callable[[], float]
    ) -> None:
        self._headers = service.headers
        self._fetch = fetch
        self._until_s = until_s
        self._now = now
        self._harvest = Harvest()
        self._fallback = fallback

    def attempt(self, attempt: _Try) -> None:
        """Send one request that was not sent yet, if there is one."""
        if len(attempt.sent) >= _MOST_TRIES:
            return
        for filled in ways_to_fill(attempt.operation, self._harvest):
            if filled.missing:
                attempt.missing = filled.missing
            elif filled not in attempt.sent:
                attempt.no_time = self._now() > self._until_s
                if not attempt.no_time:
                    self._send(attempt, filled)
                return

    def _send(self, attempt: _Try, filled: Filled) -> None:
        attempt.sent.append(filled)
        endpoint = filled.endpoint(attempt.operation, self._headers, _TIMEOUT_S)
        response, latency_ms = self._timed(endpoint)
        other = _after_redirect(endpoint, response.location)
        if other != endpoint:
            endpoint = other
            response, latency_ms = self._timed(endpoint)
        attempt.last = filled, response
        attempt.is_fallback = self._fallback.is_in(response)
        if response.failure is None and not attempt.is_fallback:
            attempt.candidate = Candidate(attempt.operation, endpoint, latency_ms)
            self._add(attempt.operation, endpoint.path, response)

    def _timed(self, endpoint: Endpoint) -> tuple[Fetched, float]:
        started_s = self._now()
        response = self._fetch(endpoint)
        return response, (self._now() - started_s) * 1000

    def _add(self, operation: Operation, path: str, response: Fetched) -> None:
        if len(response.body) > _LARGEST_HARVESTED or "html" in response.content_type:
            return
        try:
            body = json.loads(response.body)
        except (ValueError, RecursionError):
            return
        for collection in dict.fromkeys((path, operation.template)):
            below = collection.rstrip("/").rpartition("/")[0]
            self._harvest.add(below if operation.method == "POST" else collection, body)  # /things/search lists things


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that cost users the most time first: by requests seen times latency."""
    return sorted(candidates, key=lambda each: -(each.operation.requests or 1) * each.latency_ms)
