"""When the next request may be sent to a service: by the rate and the pause of the baseline, and by Retry-After."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from perfcheck.model import Endpoint, RateLimit, Sampling
from perfcheck.sampling.protocols import Transport

LONGEST_WAIT_S = 300.0  # what a service may request; a longer one is not waited for
_SHORTEST_WAIT_S = 1.0  # Retry-After: 0 is sent, too
_MARGIN = 0.9  # of the rate that a service has sustained
R = TypeVar("R")


class Pace:
    """Of the requests to one service, whichever endpoint they are for. Times are on the scheduler's clock."""

    def __init__(self, rate_per_s: float | None = None, pause_s: float = 0.0) -> None:
        self._interval_s = 1 / rate_per_s if rate_per_s else 0.0
        self._pause_s = pause_s
        self.free_s = -math.inf  # when the next request may be sent
        self.goes_on = False  # 429, however long one waits: until any other response
        self.waited_s = 0.0  # because of Retry-After
        self._responses = 0  # that were waited for
        self._accepted = 0
        self._waits: list[tuple[float, int]] = []  # when each ended, and what was accepted by then

    def takes_s(self, busy_s: float, requests: float, width: int = 1) -> float:
        """How long so many requests take, whose responses take ``busy_s`` one after another, ``width`` at a time."""
        return max((busy_s + requests * self._pause_s) / width, requests * self._interval_s)

    def sent(self, now: float, requests: int) -> None:
        if self._interval_s:
            self.free_s = max(self.free_s, now + requests * self._interval_s)

    def answered(self, now: float, *, refused: bool) -> None:
        """A response came, or none in time; ``refused``: 429 with Retry-After."""
        if self._pause_s:
            self.free_s = max(self.free_s, now + self._pause_s)
        if not refused:
            self.goes_on = False
            self._accepted += 1

    def wait(self, now: float, retry_after_s: float) -> None:
        """The response 429 that has come is waited for."""
        until_s, limited_until_s = now + wait_s(retry_after_s), self.limited_until_s
        self._responses += 1
        self.waited_s += max(until_s - max(limited_until_s, now), 0.0)
        if now < limited_until_s:  # it was sent before
            self._waits.pop()
        self._waits.append((max(limited_until_s, until_s), self._accepted))
        self.free_s = max(self.free_s, until_s)

    @property
    def limited_until_s(self) -> float:
        """When its last wait ends, or ended."""
        return self._waits[-1][0] if self._waits else -math.inf

    @property
    def limit(self) -> RateLimit | None:
        """What was waited for; None for nothing."""
        return RateLimit(self._responses, self.waited_s, self._sustained_per_s()) if self._responses else None

    def _sustained_per_s(self) -> float | None:
        """What was accepted from the end of the first wait to that of the last: a burst before them proves no rate."""
        (first_s, before), (last_s, by_then) = self._waits[0], self._waits[-1]
        return _MARGIN * (by_then - before) / (last_s - first_s) if by_then > before else None


class Paces:
    """That of each service. Both transports of a comparison may lead to the same one."""

    def __init__(self, transports: Sequence[Transport], sampling: Sampling) -> None:
        services = {id(each): Pace(sampling.rate_per_s, sampling.pause_ms / 1000) for each in transports}
        self._services = tuple(services.values())
        self._by_number = [services[id(each)] for each in transports]

    def __getitem__(self, number: int) -> Pace:
        """Of the service that the transport of this number leads to."""
        return self._by_number[number]

    def takes_s(self, busy_s: float, requests: float, width: int = 1) -> float:
        """As of Pace, of so many requests by each transport."""
        each = len(self._by_number) // len(self._services)
        return self._services[0].takes_s(busy_s, requests * each, width)

    @property
    def free_s(self) -> float:
        """When a turn may begin."""
        return max(pace.free_s for pace in self._services)

    @property
    def limited_until_s(self) -> float:
        return max(pace.limited_until_s for pace in self._services)

    @property
    def waited_s(self) -> float:
        return sum(pace.waited_s for pace in self._services)

    @property
    def limits(self) -> tuple[RateLimit | None, ...]:
        """What each service made the requests wait for."""
        return tuple(pace.limit for pace in self._services)


def wait_s(retry_after_s: float) -> float:
    return max(retry_after_s, _SHORTEST_WAIT_S)


def requests_of(endpoint: Endpoint) -> int:
    """What a turn of it costs of the rate: a workflow sends its steps one right after another."""
    return len(endpoint.steps) or 1


def paced(
    fetch: Callable[[Endpoint], R], sampling: Sampling, now: Callable[[], float], sleep: Callable[[float], None]
) -> Callable[[Endpoint], R]:
    """``fetch`` at the pace of ``sampling``, for requests that are not measured."""
    pace = Pace(sampling.rate_per_s, sampling.pause_ms / 1000)

    def fetched(endpoint: Endpoint) -> R:
        if (left_s := pace.free_s - now()) > 0:
            sleep(left_s)
        pace.sent(now(), requests_of(endpoint))
        try:
            return fetch(endpoint)
        finally:
            pace.answered(now(), refused=False)

    return fetched
