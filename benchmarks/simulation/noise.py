"""Simulated services: shapes of latency, stalling machines and failing requests, in scripted time.

Shared by the tests of the sampler and by benchmarks/decisions.py. All of it is deterministic for a given seed.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from perfcheck.model import Endpoint, Failure, Metric, Sample
from perfcheck.stats.quantiles import QUANTILE

TARGET_MS = 5.0
SPIKE_SHARE, SPIKE_FACTOR, SPIKE_SIGMA = 0.02, 10.0, 0.3
BURST_S = (0.1, 3.0)
BURST_FACTOR = (2.0, 6.0)


@dataclass(frozen=True)
class Shape:
    """A distribution of latencies, in no unit yet."""

    draw: Callable[[random.Random], float]
    below: Callable[[float], float]  # distribution function
    mean: float

    def true_value(self, metric: Metric) -> float:
        return self.mean if metric is Metric.MEAN else _inverse(self.below, QUANTILE[metric])


def _lognormal(sigma: float) -> Shape:
    return Shape(
        draw=lambda rng: math.exp(sigma * rng.gauss(0.0, 1.0)),
        below=lambda x: _lognormal_below(x, sigma),
        mean=math.exp(sigma**2 / 2),
    )


def _lognormal_below(x: float, sigma: float) -> float:
    return (1 + math.erf(math.log(x) / sigma / math.sqrt(2))) / 2


def _gamma4() -> Shape:
    return Shape(
        draw=lambda rng: rng.gammavariate(4.0, 1.0),
        below=lambda x: 1 - math.exp(-x) * (1 + x + x**2 / 2 + x**3 / 6),
        mean=4.0,
    )


def _spikes() -> Shape:
    def draw(rng: random.Random) -> float:
        usual = math.exp(SPIKE_SIGMA * rng.gauss(0.0, 1.0))
        return usual * SPIKE_FACTOR if rng.random() < SPIKE_SHARE else usual

    def below(x: float) -> float:
        usual, spike = _lognormal_below(x, SPIKE_SIGMA), _lognormal_below(x / SPIKE_FACTOR, SPIKE_SIGMA)
        return (1 - SPIKE_SHARE) * usual + SPIKE_SHARE * spike

    mean = math.exp(SPIKE_SIGMA**2 / 2) * (1 + SPIKE_SHARE * (SPIKE_FACTOR - 1))
    return Shape(draw, below, mean)


SHAPES = {
    "lognormal .1": _lognormal(0.1),
    "lognormal .3": _lognormal(0.3),
    "lognormal .6": _lognormal(0.6),
    "gamma 4": _gamma4(),
    "spikes 2%": _spikes(),
}


def _inverse(below: Callable[[float], float], p: float) -> float:
    low, high = 1e-9, 1e9
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if below(middle) < p else (low, middle)
    return low


@lru_cache(maxsize=256)
def unit(shape: str, metric: Metric) -> float:
    """What a draw of ``shape`` is multiplied with, so that its true ``metric`` is 1."""
    return 1 / SHAPES[shape].true_value(metric)


class Clock:
    """Time that passes only when a request or a sleep takes it."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        assert seconds > 0, "slept for no time: a busy loop"
        self.seconds += seconds


class Scripted:
    """A transport in scripted time: ``answer`` returns the sample of a request that is sent now, and its seconds.

    Requests in flight do not slow each other, unless ``answer`` makes them. A timeout is for ``answer`` to decide.
    """

    def __init__(self, clock: Clock, answer: Callable[[Endpoint], tuple[Sample, float]]) -> None:
        self._clock = clock
        self._answer = answer
        self._flying: list[tuple[float, int, object, Sample]] = []
        self._sent = 0

    @property
    def in_flight(self) -> int:
        return len(self._flying)

    def start(self, endpoint: Endpoint, tag: object) -> None:
        sample, seconds = self._answer(endpoint)
        self._sent += 1
        heapq.heappush(self._flying, (self._clock.seconds + seconds, self._sent, tag, sample))

    def cancel(self, tag: object) -> None:
        self._flying = [flight for flight in self._flying if flight[2] is not tag]
        heapq.heapify(self._flying)

    def close_idle(self) -> None:
        pass

    def wait(self, until_s: float | None = None) -> list[tuple[object, Sample]]:
        end_s = self._flying[0][0] if self._flying else math.inf
        if until_s is not None and end_s > until_s:
            self._clock.sleep(until_s - self._clock.seconds)
            return []
        self._clock.seconds = end_s
        _, _, tag, sample = heapq.heappop(self._flying)
        return [(tag, sample)]


class Bursts:
    """A machine that stalls now and then: for 0.1 to 3 s everything takes 2 to 6 times as long.

    The quiet times between are exponential, so long that ``share`` of all time is spent in bursts.
    """

    def __init__(self, share: float, rng: random.Random) -> None:
        self._rng = rng
        self._quiet_s = sum(BURST_S) / 2 * (1 - share) / share
        self._start = self._end = 0.0
        self._factor = 1.0
        if rng.random() < share:  # time began somewhere in the middle: longer bursts are met more often
            length = max(rng.uniform(*BURST_S), math.sqrt(rng.uniform(BURST_S[0] ** 2, BURST_S[1] ** 2)))
            self._end = rng.random() * length
            self._factor = rng.uniform(*BURST_FACTOR)
        else:
            self._next(0.0)

    def _next(self, after: float) -> None:
        self._start = after + self._rng.expovariate(1 / self._quiet_s)
        self._end = self._start + self._rng.uniform(*BURST_S)
        self._factor = self._rng.uniform(*BURST_FACTOR)

    def factor(self, at_s: float) -> float:
        """``at_s`` must not go back."""
        while at_s >= self._end:
            self._next(self._end)
        return self._factor if at_s >= self._start else 1.0


class Service:
    """Answers requests in scripted time. ``ratio`` is its true metric, in multiples of the target."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        *,
        shape: str = "lognormal .3",
        metric: Metric = Metric.MEDIAN,
        ratio: float = 0.5,
        burst_share: float = 0.0,
        failure_rate: float = 0.0,
        target_ms: float = TARGET_MS,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._draw = SHAPES[shape].draw
        self._scale = ratio * target_ms * unit(shape, metric)
        self._bursts = Bursts(burst_share, rng) if burst_share else None
        self._failure_rate = failure_rate

    def answer(self, _: Endpoint) -> tuple[Sample, float]:
        at_s = self._clock.seconds
        latency_ms = self._draw(self._rng) * self._scale
        if self._bursts:
            latency_ms *= self._bursts.factor(at_s)
        failed = self._failure_rate and self._rng.random() < self._failure_rate
        return Sample(at_s, None, Failure.STATUS) if failed else Sample(at_s, latency_ms), latency_ms / 1000


def endpoint(name: str = "a", metric: Metric = Metric.MEDIAN, target_ms: float = TARGET_MS) -> Endpoint:
    """With the usual limits, of 1.5 and 2 times the target."""
    return Endpoint(
        name,
        f"/{name}",
        line=1,
        metric=metric,
        target_ms=target_ms,
        warning_ms=1.5 * target_ms,
        critical_ms=2 * target_ms,
    )
