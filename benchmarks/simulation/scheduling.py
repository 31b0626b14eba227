"""Whole checks of many endpoints in scripted time, against services that wait, compute, or hold a lock."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulation.noise import Bursts, Clock, endpoint

from perfcheck.model import Endpoint, Failure, Measurement, Metric, Sample, Sampling
from perfcheck.sampling.protocols import Transport
from perfcheck.sampling.sampler import Sampler


@dataclass(frozen=True)
class Behaviour:
    """How long a service takes for an endpoint, alone."""

    median_ms: float
    sigma: float = 0.3
    failure_rate: float = 0.0


@dataclass
class Workers:
    """A transport in scripted time: so many workers (None: any number) that work on one request after another.

    ``locked`` is the share of each request that only one of them can work on at a time.
    """

    clock: Clock
    rng: random.Random
    behaviours: dict[str, Behaviour]
    workers: int | None = None
    locked: float = 0.0
    bursts: Bursts | None = None
    log: list[tuple[float, str, int]] = field(default_factory=list)  # when, which, how many were in flight before
    _flying: list[tuple[float, int, object, Sample]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._free_s = [0.0] * (self.workers or 0)
        self._unlocked_s = 0.0

    def start(self, endpoint: Endpoint, tag: object) -> None:
        now, behaviour = self.clock.seconds, self.behaviours[endpoint.name]
        self.log.append((now, endpoint.name, len(self._flying)))
        work_s = behaviour.median_ms / 1000 * self.rng.lognormvariate(0, behaviour.sigma)
        if self.bursts:
            work_s *= self.bursts.factor(now)
        end_s = self._end(now, work_s)
        sample = Sample(now, 1000 * (end_s - now), status=200)
        if self.rng.random() < behaviour.failure_rate:
            sample = Sample(now, None, Failure.STATUS, status=500)
        if end_s - now > endpoint.timeout_s:
            end_s, sample = now + endpoint.timeout_s, Sample(now, math.inf, Failure.TIMEOUT)
        heapq.heappush(self._flying, (end_s + endpoint.pauses_s, len(self.log), tag, sample))

    def _end(self, now: float, work_s: float) -> float:
        if self.workers is not None:
            free_s = heapq.heappop(self._free_s)
            end_s = max(now, free_s) + work_s
            heapq.heappush(self._free_s, end_s)
            return end_s
        end_s = max(now + work_s * (1 - self.locked), self._unlocked_s if self.locked else 0.0) + work_s * self.locked
        self._unlocked_s = end_s
        return end_s

    def wait(self, until_s: float | None = None) -> list[tuple[object, Sample]]:
        end_s = self._flying[0][0] if self._flying else math.inf
        if until_s is not None and end_s > until_s:
            self.clock.sleep(until_s - self.clock.seconds)
            return []
        end_s, _, tag, sample = heapq.heappop(self._flying)
        self.clock.seconds = max(self.clock.seconds, end_s)
        return [(tag, sample)]

    def cancel(self, tag: object) -> None:
        self._flying = [flight for flight in self._flying if flight[2] is not tag]
        heapq.heapify(self._flying)

    def close_idle(self) -> None:
        """Connections are not modelled."""


class Observed:
    """A transport that notes which samples shared their time with others."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._in_flight: dict[object, bool] = {}  # with: is it shared
        self._shared: dict[int, Sample] = {}

    def start(self, endpoint: Endpoint, tag: object) -> None:
        self._in_flight = dict.fromkeys(self._in_flight, True)
        self._in_flight[tag] = bool(self._in_flight)
        self._transport.start(endpoint, tag)

    def wait(self, until_s: float | None = None) -> Sequence[tuple[object, Sample]]:
        ended = self._transport.wait(until_s)
        for tag, sample in ended:
            if self._in_flight.pop(tag):
                self._shared[id(sample)] = sample
        return ended

    def cancel(self, tag: object) -> None:
        del self._in_flight[tag]
        self._transport.cancel(tag)

    def close_idle(self) -> None:
        self._transport.close_idle()

    def is_shared(self, sample: Sample) -> bool:
        return id(sample) in self._shared


def check(
    endpoints: Sequence[Endpoint],
    transport: Workers,
    sampling: Sampling = Sampling(),  # noqa: B008 - frozen
) -> tuple[Sampler, tuple[Measurement, ...]]:
    sampler = Sampler(endpoints, transport, sampling=sampling, rng=transport.rng, now=transport.clock.now)
    sampler.run()
    return sampler, sampler.measurements()


def with_target(name: str, target_ms: float, metric: Metric = Metric.MEDIAN) -> Endpoint:
    return endpoint(name, metric, target_ms)
