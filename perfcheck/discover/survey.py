"""One request to each operation: which of them respond as they should, and why the others are left out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from urllib.parse import urljoin

from perfcheck.discover.actions import action_in_values, action_word
from perfcheck.discover.fill import Filled, ways_to_fill
from perfcheck.discover.harvest import Harvest
from perfcheck.discover.lenient import Fetch
from perfcheck.model import Endpoint, Failure, Fetched, Service
from perfcheck.model.operation import Candidate, LeftOut, Operation, Survey
from perfcheck.words import and_more

ENDLESS = "the response does not end: a stream?"
_TIMEOUT_S = 5.0  # of one request
_LEAST_S, _EACH_S = 60.0, 0.5  # of all of them at most: so much, or so much for each
_PASSES = 3  # over what did not respond as it should, with what was harvested since
_MOST_TRIES = 3  # of one operation
_LARGEST_HARVESTED = 5_000_000  # bytes
_SAFE = {"GET", "HEAD"}
_READS = {"search", "filter", "query", "count", "list", "find", "lookup", "paginate"}
_FIRST_EVENT = "write it yourself, with 'metric_of: first_byte'"
_LOG_IN = "log in with init --header, or with 'auth' in the baseline"
_NO_LOGIN = {401, 403, 407}
_WRONG_VALUE = {400, 404, 410, 422}
_MOST_REDIRECTS = 5
_LOGIN = re.compile(r"(?i)\b(log-?in|sign-?in|sso|auth|oauth2?|authorize|saml)\b")
_MOST_NAMED = 3
_NOWHERE = "/perfcheck-finds-nothing-here"


def survey(
    operations: Iterable[Operation],
    service: Service,
    fetch: Fetch,
    *,
    allowed: Collection[str] = (),
    progress: Callable[[int, int], None] = lambda *_: None,
    longest_s: float | None = None,
) -> Survey:
    """Send a request to each of ``operations`` that is safe to repeat: fewest parameters first, since lists have ids.

    ``allowed`` are patterns of what is requested although it may change something: ``/cache/clear``,
    ``POST /videos/search``. ``progress`` is called with how many operations are done, of how many. Whatever the service
    does, each operation is a candidate or left out with a reason; after ``longest_s`` the rest is left out, by
    default a minute, or half a second for each.
    """
    tries, left_out = [], []
    for operation in operations:
        refused = refusal(operation, allowed)
        if refused is None:
            tries.append(_Try(operation, _is_allowed(operation, allowed)))
        else:
            left_out.append(refused)
    tries.sort(key=lambda each: (each.operation.template.count("{"), len(each.operation.template)))
    if tries:
        longest_s = max(_LEAST_S, _EACH_S * len(tries)) if longest_s is None else longest_s
        surveyor = _Surveyor(service, fetch, time.monotonic() + longest_s)
        for done, each in enumerate(tries * _PASSES):
            progress(min(done, len(tries)), len(tries))
            if each.candidate is None:
                surveyor.attempt(each)
    return Survey(
        tuple(each.candidate for each in tries if each.candidate is not None),
        (*(LeftOut(each.operation, *each.outcome) for each in tries if each.candidate is None), *left_out),
    )


# --- What is requested -----------------------------------------------------------------------------------------------


def refusal(operation: Operation, allowed: Collection[str]) -> LeftOut | None:
    """Why no request is sent; None where one may be."""
    if _is_allowed(operation, allowed):
        return None
    if operation.method == "POST" and _is_read(operation.template):
        remedy = f"--allow '{operation.request_line}' measures it: it is then repeated"
        return LeftOut(operation, "a POST that may only read", remedy)
    if operation.method not in _SAFE:
        return LeftOut(operation, "may change something")
    if operation.reason is not None:
        return LeftOut(operation, operation.reason)
    word = action_word(operation.template)
    return LeftOut(operation, *_action(operation, word)) if word else None


def _is_allowed(operation: Operation, allowed: Collection[str]) -> bool:
    names = [operation.request_line, *([operation.template] if operation.method in _SAFE else [])]
    return any(fnmatchcase(name, pattern) for name in names for pattern in allowed)


def _is_read(template: str) -> bool:
    last = template.rstrip("/").rpartition("/")[2].lower()
    return not _READS.isdisjoint(re.split("[-_]", last))


def _action(operation: Operation, word: str) -> tuple[str, str]:
    return f"'{word}' looks like an action", f"--allow '{operation.template}' measures it"


# --- Requests --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Try:
    """An operation and what came of its requests so far."""

    operation: Operation
    is_allowed: bool  # whatever it looks like
    candidate: Candidate | None = None
    sent: list[Filled] = field(default_factory=list)
    outcome: tuple[str, str | None] = "no time was left", None  # reason and remedy


class _Surveyor:
    def __init__(self, service: Service, fetch: Fetch, until_s: float) -> None:
        self._base_url = re.sub("//[^/@]*@", "//", service.base_url.rstrip("/"))  # no redirect has the login in it
        self._headers = service.headers
        self._fetch = fetch
        self._until_s = until_s
        self._harvest = Harvest()
        # Some services return one page for any path, such as that of a single-page application: it proves no route.
        nowhere = fetch(Endpoint(name=_NOWHERE, path=_NOWHERE, line=0, headers=service.headers))
        self._page_for_any_path = nowhere.body if nowhere.failure is None else b""

    def attempt(self, attempt: _Try) -> None:
        """Send one request that was not sent yet, if there is one."""
        if len(attempt.sent) >= _MOST_TRIES:
            return
        for filled in ways_to_fill(attempt.operation, self._harvest):
            outcome = self._obstacle(attempt, filled)
            if outcome is None and filled not in attempt.sent:
                self._send(attempt, filled)
                return
            if outcome is not None and not attempt.sent:
                attempt.outcome = outcome

    def _obstacle(self, attempt: _Try, filled: Filled) -> tuple[str, str | None] | None:
        """Why this is not sent, and the remedy."""
        if filled.missing:
            remedy = "a recording, or an example in the OpenAPI document, would have a value"
            return f"no value known for {_names(filled.missing)}", remedy
        word = None if attempt.is_allowed else action_in_values(filled.path, filled.query)
        if word is not None:
            return _action(attempt.operation, word)
        return ("no time was left", None) if time.monotonic() > self._until_s else None

    def _send(self, attempt: _Try, filled: Filled) -> None:
        attempt.sent.append(filled)
        endpoint = filled.endpoint(attempt.operation, self._headers, _TIMEOUT_S)
        response, latency_ms = self._timed(endpoint)
        refused = None
        if response.location:
            other, refused = self._redirected(endpoint, response.location)
            if other != endpoint:
                endpoint = other
                response, latency_ms = self._timed(endpoint)
        if response.failure is not None:
            attempt.outcome = refused or _explained(filled, response)
        elif self._page_for_any_path and response.body == self._page_for_any_path:
            attempt.outcome = "returned the page that the service returns for any path", None
        else:
            attempt.candidate = Candidate(attempt.operation, endpoint, latency_ms)
            self._add(attempt.operation, endpoint.path, response)

    def _redirected(self, endpoint: Endpoint, location: str) -> tuple[Endpoint, tuple[str, str | None] | None]:
        """What to request instead: with the slash at its end that the service wants, or following the redirect.

        Each step is looked at before it is taken; the second value is why one is not.
        """
        url = self._base_url + endpoint.path
        for _ in range(_MOST_REDIRECTS):
            url = _joined(url, location)
            path = url.removeprefix(self._base_url).partition("?")[0]
            if not url.startswith(f"{self._base_url}/"):
                return endpoint, ("redirects to another service", None)
            if _LOGIN.search(path):  # whose page is not what is to be measured
                return endpoint, ("redirects to a login", _LOG_IN)
            if word := action_word(path):
                return endpoint, (f"redirects to '{word}', which looks like an action", None)
            if path.rstrip("/") == endpoint.path.rstrip("/"):
                return replace(endpoint, path=path), None
            location = self._fetch(replace(endpoint, path=url.removeprefix(self._base_url), query=())).location
            if not location:
                return replace(endpoint, follow_redirects=True), None
        return endpoint, ("redirects without an end", None)

    def _timed(self, endpoint: Endpoint) -> tuple[Fetched, float]:
        started_s = time.monotonic()
        response = self._fetch(endpoint)
        return response, (time.monotonic() - started_s) * 1000

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


def _explained(filled: Filled, response: Fetched) -> tuple[str, str | None]:
    """Why this response is none to measure, and the remedy."""
    if response.failure is Failure.STATUS and response.status is not None:
        if response.status in _NO_LOGIN:
            return f"HTTP {response.status}", _LOG_IN
        if response.status in _WRONG_VALUE and filled.made_up:
            return f"no id to be had: HTTP {response.status} with a made-up value for {_names(filled.made_up)}", None
        return f"HTTP {response.status}", None
    if response.failure is Failure.TIMEOUT and response.status is not None:
        return ENDLESS, _FIRST_EVENT
    return response.detail or "no response", response.remedy


def _joined(url: str, location: str) -> str:
    """Where it leads; nowhere for what is no address."""
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def _names(parameters: Sequence[str]) -> str:
    return and_more([f"{{{name}}}" for name in parameters], _MOST_NAMED)


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that cost users the most time first: by requests seen times latency."""
    return sorted(candidates, key=lambda each: -(each.operation.requests or 1) * each.latency_ms)
