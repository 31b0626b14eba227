"""Who is asked next: in turn, in rounds that are shuffled, until all are finished or the time is up."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from perfcheck.model import Endpoint


class Asked(Protocol):
    """One endpoint on its way, as far as its turns go."""

    @property
    def is_finished(self) -> bool: ...
    @property
    def is_warming_up(self) -> bool: ...
    @property
    def hangs(self) -> bool:
        """Whether its last request got no answer in time."""

    @property
    def not_before(self) -> float:
        """When it may be asked again, on the clock of the rounds."""


T = TypeVar("T", bound=Asked)


class Rounds:
    """``now`` and ``sleep`` are the clock, in seconds; ``rng`` shuffles."""

    def __init__(
        self, *, budget_s: float, rng: random.Random, now: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._budget_s = budget_s
        self._rng = rng
        self._now = now
        self._sleep = sleep

    def run(self, tracks: Sequence[T], ask: Callable[[T, float], bool]) -> bool:
        """Ask until every track is finished. False: the budget has ended first.

        ``ask`` is given a track and the seconds left, and tells whether there was time enough. What it raises passes
        through.
        """
        deadline = self._now() + self._budget_s
        while active := [track for track in tracks if not track.is_finished]:
            if not self._round(active, deadline, ask):
                return False
        return True

    def _round(self, active: list[T], deadline: float, ask: Callable[[T, float], bool]) -> bool:
        """One turn of each endpoint that may be asked now, or a sleep until one may. False: the budget has ended.

        Nobody is asked twice before all have been asked, so that a short budget gives each at least a little. After
        that, endpoints that let a request time out wait until the others are done: they would eat the budget of all.
        """
        warming = [track for track in active if track.is_warming_up]
        order = warming or [track for track in active if not track.hangs] or active
        self._rng.shuffle(order)
        now = self._now()
        asked = False
        for track in order:
            if track.not_before > now:
                continue
            if now >= deadline or not ask(track, deadline - now):
                return False
            now = self._now()
            asked = True
        if not asked:
            wake = min(track.not_before for track in order)
            if wake >= deadline:
                return False
            self._sleep(wake - now)
        return True


class Patience:
    """An endpoint whose requests are not to outlast the budget by much."""

    __slots__ = ("_within", "endpoint")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._within = endpoint

    def within(self, left_s: float) -> Endpoint:
        """The endpoint with a timeout of no more than about ``left_s``: rounded up to whole seconds.

        So it changes once a second, and not for every request, which would have to be prepared anew.
        """
        if left_s >= self.endpoint.timeout_s:
            return self.endpoint
        timeout_s = min(float(math.ceil(left_s)), self.endpoint.timeout_s)
        if self._within.timeout_s != timeout_s:
            self._within = replace(self.endpoint, timeout_s=timeout_s)
        return self._within
