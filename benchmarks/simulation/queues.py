"""Simulated services whose capacity theory gives: servers behind one queue, under closed or open load.

Requests are served in the order of their arrival, so that how long each will take is known when it arrives. Every
half second counts those that began in it, as the generator of load does. Deterministic for a given seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace

from perfcheck.capacity.model import BLOCK_S, Block


@dataclass(frozen=True, slots=True)
class Servers:
    """``count`` servers behind one queue, with exponential or fixed service times, and the limit of a request."""

    count: int
    service_s: float
    limit_s: float
    is_fixed: bool = False

    def draw(self, rng: random.Random) -> Callable[[], float]:
        """What draws service times."""
        service_s, rate, exponential = self.service_s, 1 / self.service_s, rng.expovariate
        return (lambda: service_s) if self.is_fixed else (lambda: exponential(rate))


class ClosedQueue:
    """Users who send a request, wait for the answer, and think for an exponential time before the next one.

    A user who is taken away leaves at the end of a thought, as in the generator of load.
    """

    def __init__(self, servers: Servers, think_s: float, rng: random.Random) -> None:
        self._servers = servers
        self._service = servers.draw(rng)
        self._think_s = think_s
        self._rng = rng
        self._now = 0.0
        self._free = [0.0] * servers.count  # when each server will be free
        self._arrivals: list[float] = []  # the next of each user

    def drain(self) -> float:
        """Users in the queue are as many as there are users: no backlog is left that a new load would not have."""
        return 0.0

    def block(self, load: float) -> Block:
        return Block(*self.run(load, BLOCK_S), failed=0)

    def run(self, load: float, seconds: float) -> tuple[int, int]:
        """Keep so many users for a time; returns the requests that began in it, and how many were over the limit."""
        free, arrivals, service, limit = self._free, self._arrivals, self._service, self._servers.limit_s
        exponential, rate = self._rng.expovariate, 1 / self._think_s
        users, end = int(load), self._now + seconds
        while len(arrivals) < users:
            heappush(arrivals, self._now + self._rng.random() * self._think_s)
        leaving = len(arrivals) - users
        requests = over = 0
        while arrivals[0] < end:
            if leaving:
                heappop(arrivals)
                leaving -= 1
                continue
            arrival = arrivals[0]
            finish = max(arrival, free[0]) + service()
            heapreplace(free, finish)
            heapreplace(arrivals, finish + exponential(rate))
            requests += 1
            over += finish - arrival > limit
        self._now = end
        return requests, over


class OpenQueue:
    """Requests that arrive at exponential intervals, whatever the service does."""

    def __init__(self, servers: Servers, rng: random.Random) -> None:
        self._servers = servers
        self._service = servers.draw(rng)
        self._rng = rng
        self._now = 0.0
        self._free = [0.0] * servers.count

    def drain(self) -> float:
        """Wait until no request is left; returns how long that took, in seconds."""
        began, self._now = self._now, max(self._now, *self._free)
        return self._now - began

    def block(self, load: float) -> Block:
        return Block(*self.run(load, BLOCK_S), failed=0)

    def run(self, load: float, seconds: float) -> tuple[int, int]:
        """Keep a rate for a time; returns the requests that arrived in it, and how many were over the limit."""
        free, service, limit, exponential = self._free, self._service, self._servers.limit_s, self._rng.expovariate
        end = self._now + seconds
        requests = over = 0
        arrival = self._now + exponential(load)
        while arrival < end:
            finish = max(arrival, free[0]) + service()
            heapreplace(free, finish)
            requests += 1
            over += finish - arrival > limit
            arrival += exponential(load)
        self._now = end
        return requests, over
