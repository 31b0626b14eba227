"""The requests before the first sample, what they captured, and how that is renewed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from perfcheck.client.loop import Steps, pause
from perfcheck.model import Endpoint, Sample
from perfcheck.text import Redactor

_PAUSE_NS = 5_000_000


class Send(Protocol):
    def __call__(self, request: Endpoint, known: Mapping[str, str]) -> Steps[tuple[Sample, Mapping[str, str]]]:
        """``known`` are the values that it may insert. Its sample, and its values afterwards."""


class Setup:
    """``values`` are what its requests captured: secrets, from then on."""

    def __init__(self, send: Send, redact: Redactor, changed: Callable[[], None]) -> None:
        """``changed`` is called when values have changed."""
        self._send = send
        self._redact = redact
        self._changed = changed
        self._requests: list[Endpoint] = []
        self._sent_s: dict[str, float] = {}  # when, by the name of a request
        self._is_renewing = False
        self.values: dict[str, str] = {}
        self.version = 0

    def run(self, requests: Sequence[Endpoint]) -> Steps[tuple[Endpoint, Sample] | None]:
        """Send ``requests`` in order; the first that failed, with its sample, after which none is sent."""
        for request in requests:
            self._requests.append(request)
            sample = yield from self._run(request)
            if sample.failure is not None:
                return request, sample
        return None

    def knows(self, names: AbstractSet[str]) -> bool:
        return names <= self.values.keys()

    def is_renewable(self, names: AbstractSet[str]) -> bool:
        return not names.isdisjoint(self.values)

    def renew_due(self, names: AbstractSet[str]) -> Steps[None]:
        """Renew those of the values whose time is up."""
        now_s = time.monotonic()
        for request in self._capturing(names):
            if request.renew_s is not None and self._sent_s[request.name] + request.renew_s <= now_s:
                yield from self.renew({capture.name for capture in request.captures}, self.version)

    def renew(self, names: AbstractSet[str], version: int) -> Steps[Sample | None]:
        """Send the requests again that captured these values, unless that was done since ``version``.

        The sample of one that failed.
        """
        while self._is_renewing:
            yield from pause(_PAUSE_NS)
        if self.version != version:
            return None
        self._is_renewing = True
        try:
            for request in self._capturing(names):
                sample = yield from self._run(request)
                if sample.failure is not None:
                    return sample
        finally:
            self._is_renewing = False
        return None

    def _capturing(self, names: AbstractSet[str]) -> list[Endpoint]:
        """The requests that captured these values, and those whose values they needed, in order."""
        wanted, found = set(names), []
        for request in reversed(self._requests):
            if any(capture.name in wanted for capture in request.captures):
                found.append(request)
                wanted |= request.values
        return found[::-1]

    def _run(self, request: Endpoint) -> Steps[Sample]:
        """It does not know what it captured itself before: a login is sent without the token of the last one."""
        earlier = itertools.takewhile(lambda each: each is not request, self._requests)
        known = {capture.name for each in earlier for capture in each.captures}
        self._sent_s[request.name] = time.monotonic()
        values = {name: value for name, value in self.values.items() if name in known}
        sample, found = yield from self._send(request, values)
        if sample.failure is None and request.captures:
            fresh = {capture.name: found[capture.name] for capture in request.captures}
            self._redact.add(*fresh.values())
            self.values |= fresh
            self.version += 1
            self._changed()
        return sample
