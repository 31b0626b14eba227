"""Which request is sent next: in rounds that are shuffled, until all endpoints are finished or the time is up."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from perfcheck.model import Endpoint


class Schedulable(Protocol):
    """One endpoint while it is measured, as the scheduler sees it."""

    @property
    def is_finished(self) -> bool: ...
    @property
    def is_warming_up(self) -> bool: ...
    @property
    def timed_out(self) -> bool:
        """Whether its last request got no response in time."""

    @property
    def not_before(self) -> float:
        """When its next request may be sent, on the clock of the scheduler."""


S = TypeVar("S", bound=Schedulable)


def measure_in_rounds(
    sessions: Sequence[S],
    measure: Callable[[S, float], bool],
    *,
    budget_s: float,
    rng: random.Random,
    now: Callable[[], float],
    sleep: Callable[[float], None],
) -> bool:
    """Measure until every session is finished. False: the budget ended first.

    ``measure`` gets a session and the seconds left, sends one request or pair, and returns whether there was time
    enough. What it raises passes through. ``now`` and ``sleep`` are the clock, in seconds; ``rng`` shuffles.

    A round is one turn of each endpoint that is due, or a sleep until one is. No endpoint gets a second request before
    all have had one, so that a short budget gives each at least a little. After that, endpoints whose last request
    timed out wait until the others are done: they would use up the budget of all.
    """
    deadline = now() + budget_s
    while active := [session for session in sessions if not session.is_finished]:
        warming = [session for session in active if session.is_warming_up]
        order = warming or [session for session in active if not session.timed_out] or active
        rng.shuffle(order)
        time_s = now()
        measured = False
        for session in order:
            if session.not_before > time_s:
                continue
            if time_s >= deadline or not measure(session, deadline - time_s):
                return False
            time_s = now()
            measured = True
        if not measured:
            wake = min(session.not_before for session in order)
            if wake >= deadline:
                return False
            sleep(wake - time_s)
    return True


class CappedTimeout:
    """Keeps the requests of an endpoint from outlasting the budget by much."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._capped = endpoint

    def within(self, left_s: float) -> Endpoint:
        """The endpoint with a timeout of no more than about ``left_s``: rounded up to whole seconds.

        So it changes once a second, and not for every request, which would have to be prepared anew.
        """
        if left_s >= self.endpoint.timeout_s:
            return self.endpoint
        timeout_s = min(float(math.ceil(left_s)), self.endpoint.timeout_s)
        if self._capped.timeout_s != timeout_s:
            self._capped = replace(self.endpoint, timeout_s=timeout_s)
        return self._capped
