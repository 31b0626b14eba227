"""Simulated services whose capacity theory gives: servers behind one queue, under closed or open load.

Requests are served in the order of their arrival, so that how long each will take is known when it arrives. Every
half second counts those that began in it, as the generator of load does. Deterministic for a given seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from itertools import repeat

from perfcheck.capacity.model import BLOCK_S, Block, Judged

_PERSISTENCE, _SAME_PACE = 0.7, 500  # correlation of one pace with the next, and requests that are served at a pace


@dataclass(frozen=True, slots=True)
class Servers:
    """``count`` servers behind one queue, with exponential or fixed service times, and the limit of a request."""

    count: int
    service_s: float
    limit_s: float
    is_fixed: bool = False
    mix: tuple[tuple[float, float], ...] = ()  # weight and limit of each endpoint; none: there is only one
    unsteady: float = 0.0  # standard deviation of the logarithm of a fixed service time, from pace to pace

    def draw(self, rng: random.Random) -> Callable[[], float]:
        """What draws service times."""
        service_s, rate, exponential = self.service_s, 1 / self.service_s, rng.expovariate
        if self.unsteady:
            return self._paces(rng).__next__
        return (lambda: service_s) if self.is_fixed else (lambda: exponential(rate))

    def _paces(self, rng: random.Random) -> Iterator[float]:
        """As on a machine that other work slows now and then, for some seconds."""
        pace = 0.0
        while True:
            pace = _PERSISTENCE * pace + self.unsteady * math.sqrt(1 - _PERSISTENCE**2) * rng.gauss(0, 1)
            yield from repeat(self.service_s * math.exp(pace), _SAME_PACE)


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
        return _block(self.run(load, BLOCK_S), self._servers, self._rng)

    def run(self, load: float, seconds: float) -> list[float]:
        """Keep so many users for a time; returns the latencies of the requests that began in it, in seconds."""
        free, arrivals, service = self._free, self._arrivals, self._service
        exponential, rate = self._rng.expovariate, 1 / self._think_s
        users, end = int(load), self._now + seconds
        while len(arrivals) < users:
            heappush(arrivals, self._now + self._rng.random() * self._think_s)
        leaving = len(arrivals) - users
        latencies: list[float] = []
        while arrivals[0] < end:
            if leaving:
                heappop(arrivals)
                leaving -= 1
                continue
            arrival = arrivals[0]
            finish = max(arrival, free[0]) + service()
            heapreplace(free, finish)
            heapreplace(arrivals, finish + exponential(rate))
            latencies.append(finish - arrival)
        self._now = end
        return latencies


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
        return _block(self.run(load, BLOCK_S), self._servers, self._rng)

    def run(self, load: float, seconds: float) -> list[float]:
        """Keep a rate for a time; returns the latencies of the requests that arrived in it, in seconds."""
        free, service, exponential = self._free, self._service, self._rng.expovariate
        end = self._now + seconds
        latencies: list[float] = []
        arrival = self._now + exponential(load)
        while arrival < end:
            finish = max(arrival, free[0]) + service()
            heapreplace(free, finish)
            latencies.append(finish - arrival)
            arrival += exponential(load)
        self._now = end
        return latencies


def over_limit(latencies: list[float], limit_s: float) -> int:
    return sum(latency > limit_s for latency in latencies)


def _block(latencies: list[float], servers: Servers, rng: random.Random) -> Block:
    """Endpoints of a mix differ in their limits alone, so theory has the share of each."""
    if not servers.mix:
        return Block(len(latencies), over_limit(latencies, servers.limit_s), 0)
    own: list[list[float]] = [[] for _ in servers.mix]
    weights = [weight for weight, _ in servers.mix]
    for endpoint, latency in zip(rng.choices(own, weights, k=len(latencies)), latencies, strict=True):
        endpoint.append(latency)
    judged = {
        str(index): Judged(len(endpoint), over_limit(endpoint, limit_s))
        for index, (endpoint, (_, limit_s)) in enumerate(zip(own, servers.mix, strict=True))
    }
    return Block(len(latencies), sum(endpoint.over for endpoint in judged.values()), 0, endpoints=judged)
