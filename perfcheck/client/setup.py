"""The requests before the first sample, what they captured, and how that is renewed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from perfcheck.client.loop import Steps, pause
from perfcheck.model import Endpoint, Sample

_PAUSE_NS = 5_000_000
_LONGEST_WAIT_S = 60.0  # of a Retry-After
_LONGEST_BLOCK_S = 60.0  # after logins that failed, until the next
_EARLY = 0.1  # of a lifetime: so much before its end it is renewed,
_EARLY_S = 30.0  # but at most so long


class Send(Protocol):
    def __call__(self, request: Endpoint, known: Mapping[str, str]) -> Steps[tuple[Sample, Mapping[str, str]]]:
        """``known`` are the values that it may insert. Its sample, and its values afterwards."""


@dataclass(eq=False, slots=True)
class _SentRequest:
    request: Endpoint
    known: AbstractSet[str]  # captured before it: a login is sent without the token of the last one
    version: int = 0  # how often it was sent
    due_s: float = math.inf  # when it is to be sent again
    sets_cookies: bool = False
    failed: Sample | None = None  # the last time
    failures: int = 0  # in a row
    blocked_until_s: float = 0.0


class Setup:
    """``values`` are what its requests captured."""

    def __init__(self, send: Send, changed: Callable[[], None], now: Callable[[], float] = time.monotonic) -> None:
        """``changed`` is called when values have changed."""
        self._send = send
        self._changed = changed
        self._now = now
        self._requests: list[_SentRequest] = []
        self._is_renewing = False
        self.values: dict[str, str] = {}

    def run(self, requests: Sequence[Endpoint]) -> Steps[tuple[Endpoint, Sample] | None]:
        """Send ``requests`` in order; the first that failed, with its sample, after which none is sent."""
        for request in requests:
            sent = _SentRequest(request, self.values.keys() | set())
            self._requests.append(sent)
            failed = yield from self._run(sent)
            if failed is not None:
                return request, failed
        return None

    @property
    def has_requests(self) -> bool:
        """Whether any was sent."""
        return bool(self._requests)

    def knows(self, names: AbstractSet[str]) -> bool:
        return names <= self.values.keys()

    def sets_cookies(self, request: Endpoint) -> None:
        """The response to ``request``, if it is one of the setup, has set a cookie."""
        for sent in self._requests:
            sent.sets_cookies = sent.sets_cookies or sent.request is request

    def version(self, endpoint: Endpoint) -> int:
        """It changes when a login of ``endpoint`` is renewed; 0 where it has none."""
        return sum(each.version for each in self._logins(endpoint))

    def renew_due(self, endpoint: Endpoint) -> Steps[None]:
        """Renew what ``endpoint`` inserts and whose time is up."""
        if not self._requests:
            return
        now_s = self._now()
        for sent in self._capturing(endpoint.values, with_cookies=not endpoint.is_anonymous):
            if sent.due_s <= now_s:
                yield from self._renew([sent])

    def renew(self, endpoint: Endpoint, version: int) -> Steps[Sample | None]:
        """Send the requests again that ``endpoint`` is logged in by, unless that was done since ``version``.

        The sample of one that failed. After that it takes a while until the next, so that no account gets locked.
        """
        while self._is_renewing:
            yield from pause(_PAUSE_NS)
        logins = self._logins(endpoint)
        if self.version(endpoint) == version:
            yield from self._renew(logins)
        return next((each.failed for each in logins if each.failed is not None), None)

    def _renew(self, requests: Iterable[_SentRequest]) -> Steps[None]:
        """In order, up to the first that fails; nothing where one of them has failed just now."""
        if self._is_renewing or any(self._now() < each.blocked_until_s for each in requests):
            return
        self._is_renewing = True
        try:
            for sent in requests:
                if (yield from self._run(sent)) is not None:
                    return
        finally:
            self._is_renewing = False

    def _logins(self, endpoint: Endpoint) -> list[_SentRequest]:
        """What its credentials come from: the values of its headers if it has any, else all; and the cookies.

        An id that the setup captured is none, and what it belongs to need not be made again.
        """
        if endpoint.is_anonymous or not self._requests:
            return []
        in_headers = endpoint.values_of_headers & self.values.keys()
        return self._capturing(in_headers or endpoint.values, with_cookies=True)

    def _capturing(self, names: AbstractSet[str], *, with_cookies: bool) -> list[_SentRequest]:
        """The requests that captured these values, and those whose values they needed, in order."""
        wanted, found = set(names), []
        for sent in reversed(self._requests):
            captures = any(capture.name in wanted for capture in sent.request.captures)
            if captures or (with_cookies and sent.sets_cookies):
                found.append(sent)
                wanted |= sent.request.values & sent.known
        return found[::-1]

    def _run(self, sent: _SentRequest) -> Steps[Sample | None]:
        """The sample of one that failed."""
        request, known = sent.request, {name: self.values[name] for name in sent.known}
        sent_s = self._now()
        sample, values = yield from self._send(request, known)
        if sample.retry_after_s is not None and sample.retry_after_s <= _LONGEST_WAIT_S:
            yield from pause(int(sample.retry_after_s * 1e9))
            sent_s = self._now()
            sample, values = yield from self._send(request, known)
        sent.version += 1
        if sample.failure is not None:
            sent.failed, sent.failures = sample, sent.failures + 1
            sent.blocked_until_s = self._now() + min(2.0**sent.failures, _LONGEST_BLOCK_S)
            return sample
        sent.failed, sent.failures = None, 0
        sent.due_s = sent_s + min(request.renew_s or math.inf, _lifetime_s(request, values))
        fresh = {each.name: values[each.name] for each in request.captures if not each.is_lifetime}
        if fresh:
            self.values |= fresh
            self._changed()
        return None


def _lifetime_s(request: Endpoint, values: Mapping[str, str]) -> float:
    """Until it should be renewed. Infinite where the response states nothing that can be used."""
    name = next((each.name for each in request.captures if each.is_lifetime), "")
    try:
        lifetime_s = float(values[name])
    except (KeyError, ValueError):
        return math.inf
    return lifetime_s - min(_EARLY * lifetime_s, _EARLY_S) if lifetime_s > 0 else math.inf
