"""The share of requests over a limit at a given load, as queueing theory has it, and the largest load for a share."""

from __future__ import annotations

import math
import random

from simulation.queues import ClosedQueue, Servers, over_limit

_LONG_S = 4000.0  # of simulation, where theory has no formula
_MOST_BUSY = 0.98  # of their time: no answer lies above
_INTERVALS = 200  # of a numerical integration
_MOST_QUEUED = 30  # for each server
_NEGLIGIBLE = 1e-8


def largest_rate(servers: Servers, share: float) -> float:
    """The largest rate at which at most ``share`` of the requests are over the limit, Poisson arrivals."""
    low, high = 0.0, _MOST_BUSY * servers.count / servers.service_s
    while high - low > 1e-5 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if share_over(servers, middle) <= share else (low, middle)
    return low


def share_over(servers: Servers, rate: float) -> float:
    """The share of requests over the limit at a rate."""
    return (_fixed_over if servers.is_fixed else _exponential_over)(servers, rate)


def most_users(servers: Servers, think_s: float, share: float) -> int:
    """The largest number of users with which at most ``share`` of the requests are over the limit."""
    over = _simulated_over if servers.is_fixed else _closed_over
    low, high = 0, 1
    while over(servers, think_s, high) <= share:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if over(servers, think_s, middle) <= share else (low, middle)
    return low


def _exponential_over(servers: Servers, rate: float) -> float:
    """M/M/c: the wait is none, or exponential with rate c mu - lambda (Erlang 1917; Gross and Harris, chapter 2)."""
    mu, limit = 1 / servers.service_s, servers.limit_s
    offered = rate / mu
    blocked = 1.0  # Erlang's B, by its recursion
    for count in range(1, servers.count + 1):
        blocked = offered * blocked / (count + offered * blocked)
    waits = blocked / (1 - offered / servers.count * (1 - blocked))  # Erlang's C
    spare = servers.count * mu - rate
    alone, together = math.exp(-mu * limit), math.exp(-spare * limit)
    if math.isclose(spare, mu, rel_tol=1e-9):
        return alone * (1 + waits * mu * limit)
    return alone * (1 - waits) + waits * (spare * alone - mu * together) / (spare - mu)


def _fixed_over(servers: Servers, rate: float) -> float:
    """M/D/c (Crommelin 1932), in the form of Franx (2001), which has no alternating sums."""
    service_s, count = servers.service_s, servers.count
    wait = servers.limit_s - service_s
    if wait < 0:
        return 1.0
    queue = _queue_lengths(rate * service_s, count)
    below = [sum(queue[: length + 1]) for length in range(len(queue))]
    k = math.floor(wait / service_s + 1e-9) + 1
    mean = rate * (k * service_s - wait)
    terms = (
        below[min(k * count - 1 - j, len(below) - 1)] * math.exp(j * math.log(mean) - mean - math.lgamma(j + 1))
        for j in range(k * count)
    )
    return 1 - math.fsum(terms)


def _queue_lengths(arrivals: float, count: int) -> list[float]:
    """The distribution of the queue of M/D/c, from what a service time brings: ``arrivals`` on average.

    Whoever is served now is gone a service time later, and whoever arrives meanwhile is not.
    """
    arriving = [math.exp(j * math.log(arrivals) - arrivals - math.lgamma(j + 1)) for j in range(10 * count)]
    queue = [1.0] + [0.0] * (_MOST_QUEUED * count)
    while True:
        present = [
            math.fsum(queue[n - j] * arriving[j] for j in range(max(0, n - len(queue) + 1), min(n + 1, len(arriving))))
            for n in range(len(queue) + count)
        ]
        after = [math.fsum(present[: count + 1]), *present[count + 1 :]]
        moved = math.fsum(abs(a - b) for a, b in zip(queue, after, strict=True))
        queue = after
        if moved < _NEGLIGIBLE:
            return queue


def _closed_over(servers: Servers, think_s: float, users: int) -> float:
    """Machine repair: a request finds what users less one have in steady state (Sevcik and Mitrani 1981).

    With ``w`` departures to wait for, the wait has Erlang's distribution; the service time is added numerically.
    """
    mu, count, limit = 1 / servers.service_s, servers.count, servers.limit_s
    weights = [1.0]
    for present in range(1, users):
        weights.append(weights[-1] * (users - present) / think_s / (min(present, count) * mu))
    total = math.fsum(weights)
    waiting = [weight / total for weight in weights[count:]]  # one departure to wait for, two, ...

    def wait_over(x: float) -> float:
        """No more than w - 1 departures in that time, a Poisson number."""
        mean = count * mu * x
        fewer = over = 0.0
        for w, share in enumerate(waiting):
            fewer += math.exp(w * math.log(mean) - mean - math.lgamma(w + 1)) if x else w == 0
            over += share * fewer
        return over

    edges = [wait_over(limit * i / _INTERVALS) for i in range(_INTERVALS + 1)]
    served = (
        (edges[i] - edges[i + 1]) * math.exp(-mu * limit * (1 - (i + 0.5) / _INTERVALS)) for i in range(_INTERVALS)
    )
    at_once = 1 - math.fsum(waiting)
    return edges[-1] + math.fsum(served) + at_once * math.exp(-mu * limit)


def _simulated_over(servers: Servers, think_s: float, users: int) -> float:
    """No formula is known for fixed service times and thinking users: a long simulation."""
    queue = ClosedQueue(servers, think_s, random.Random(1))
    queue.run(users, 20.0)
    latencies = queue.run(users, _LONG_S)
    return over_limit(latencies, servers.limit_s) / len(latencies)
