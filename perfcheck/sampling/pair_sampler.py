"""Two services side by side: a request to each, one right after the other, until it is known what changed.

What briefly slows the machine down affects both equally, and the order within a pair is drawn anew each time, so that
neither side has the advantage of being second.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from perfcheck.model import (
    CompareLimits,
    Endpoint,
    EndpointProgress,
    Failure,
    Measurement,
    Metric,
    Sample,
    Sampling,
    Stop,
)
from perfcheck.sampling.scheduler import CappedTimeout, measure_in_rounds
from perfcheck.sampling.stage import WARM_UP, Stage
from perfcheck.stats.acceptance import EXTENDED
from perfcheck.stats.error_rate import RISE_ERROR, chance_of_as_many
from perfcheck.stats.pairs import MOST_PAIRS, ChangeOutcome, PairTest
from perfcheck.stats.sequential import LEAST_SAMPLES

_JUDGED = 1
_USUAL_PAIRS = 12
Send = Callable[[Endpoint], Sample]


@dataclass(frozen=True, slots=True)
class PairMeasurement:
    """Both sides of one endpoint, request by request, and the outcome of the pairs."""

    before: Measurement
    after: Measurement
    outcome: ChangeOutcome
    pairs: int  # that gave a latency on both sides


class PairSampler:
    """``send`` makes one request, to the service before and to the one after. ``now`` and ``sleep`` are the clock.

    ``max_pairs`` bounds the judged pairs of an endpoint. ``observe`` is called after each pair.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        send: tuple[Send, Send],
        *,
        limits: CompareLimits,
        sampling: Sampling,
        rng: random.Random,
        now: Callable[[], float],
        sleep: Callable[[float], None],
        max_pairs: int | None = None,
        observe: Callable[[], None] | None = None,
    ) -> None:
        self._send = send
        self._rng = rng
        self._now = now
        self._observe = observe
        self._cut_short = Stop.INTERRUPTED
        budget_s = 120.0 if sampling.budget_s is None else sampling.budget_s
        self._measure_in_rounds = partial(measure_in_rounds, budget_s=budget_s, rng=rng, now=now, sleep=sleep)
        self._sessions = [
            PairSession(endpoint, limits, sampling.warmup, max_pairs or MOST_PAIRS) for endpoint in endpoints
        ]

    def run(self) -> None:
        """Measure until every endpoint is decided or the budget has ended. What is raised passes through."""
        if not self._measure_in_rounds(self._sessions, self._measure):
            self._cut_short = Stop.BUDGET

    def _measure(self, session: PairSession, left_s: float) -> bool:
        """One pair. False: the budget ended before both responses came, and the pair does not count."""
        first = self._rng.randrange(2)
        samples: list[Sample | None] = [None, None]
        for side in (first, 1 - first):
            endpoint = session.timeout.within(left_s)
            sent_s = self._now()
            sample = samples[side] = self._send[side](endpoint)
            if sample.failure is Failure.TIMEOUT and endpoint.timeout_s < session.timeout.endpoint.timeout_s:
                return False
            left_s = max(left_s - (self._now() - sent_s), 0.001)
        before, after = samples
        if before is not None and after is not None:
            session.take(before, after)
        if self._observe:
            self._observe()
        return True

    def measurements(self) -> tuple[PairMeasurement, ...]:
        """What was measured so far, in the order of the endpoints. May be called at any time."""
        return tuple(session.measurement(self._cut_short) for session in self._sessions)

    def progress(self) -> tuple[EndpointProgress, ...]:
        """The progress of each endpoint, in their order."""
        return tuple(session.progress() for session in self._sessions)


class PairSession:
    """Takes the pairs of one endpoint until there are enough."""

    def __init__(self, endpoint: Endpoint, limits: CompareLimits, warmup: int, most: int) -> None:
        self.timeout = CappedTimeout(endpoint)
        self.not_before = -math.inf
        self._pairs: list[tuple[Sample, Sample]] = []
        self._warmup = warmup
        self._most = most
        self._test = PairTest(limits, most)
        # Nothing is over the limits of a side, so only failures keep it open.
        self._sides = Stage(without_limits(endpoint)), Stage(without_limits(endpoint))

    @property
    def is_warming_up(self) -> bool:
        return len(self._pairs) < self._warmup

    @property
    def timed_out(self) -> bool:
        return bool(self._pairs) and any(sample.failure is Failure.TIMEOUT for sample in self._pairs[-1])

    @property
    def is_finished(self) -> bool:
        """The pairs are settled; or one side fails beyond doubt, so that there is nothing to compare."""
        if self._judged >= self._most:
            return True
        if any(side.fails for side in self._sides):
            return self._failures_are_settled()
        return self._test.is_settled and all(side.stop is not None for side in self._sides)

    def _failures_are_settled(self) -> bool:
        """Whether it is known, too, that only one side fails; or that more requests would not help."""
        if self._judged < LEAST_SAMPLES:
            return False
        failed = [sum(pair[side].failure is not None for pair in self._pairs[self._warmup :]) for side in (0, 1)]
        fewer, more = sorted(failed)
        chance = chance_of_as_many(fewer, self._judged, more, self._judged)
        return chance < RISE_ERROR or self._judged >= EXTENDED

    @property
    def _judged(self) -> int:
        return max(len(self._pairs) - self._warmup, 0)

    def take(self, before: Sample, after: Sample) -> None:
        """A pair in which one request failed has no latency to compare; a timeout is a latency over every other."""
        warming = self.is_warming_up
        self._pairs.append((before, after))
        if warming:
            return
        for side, sample in zip(self._sides, (before, after), strict=True):
            side.add(sample.latency_ms, failed=sample.failure is not None)
        if before.latency_ms is not None and after.latency_ms is not None:
            self._test.add(before.latency_ms, after.latency_ms)

    def measurement(self, cut_short: Stop) -> PairMeasurement:
        stop = (Stop.MAX_REQUESTS if self._judged >= self._most else Stop.DECIDED) if self.is_finished else cut_short
        before, after = (self._side(side, stop) for side in (0, 1))
        return PairMeasurement(before, after, self._test.outcome(), self._test.pairs)

    def _side(self, side: int, stop: Stop) -> Measurement:
        samples = tuple(
            (WARM_UP if number < self._warmup else _JUDGED, pair[side]) for number, pair in enumerate(self._pairs)
        )
        # A stage may have enough for its own side while the pairs do not.
        decisions = (replace(self._sides[side].decision(), stop=stop),) if self._judged else ()
        return Measurement(self.timeout.endpoint.name, samples, decisions)

    def progress(self) -> EndpointProgress:
        typical = [side.latency.estimate() for side in self._sides if side.latency.count]
        return EndpointProgress(
            endpoint=self.timeout.endpoint.name,
            stage=WARM_UP if self.is_warming_up else _JUDGED,
            requests=self._judged,
            least=_USUAL_PAIRS,
            value_ms=sum(typical) if typical else None,
            verdict=self._test.outcome().severity if self.is_finished else None,
        )


def without_limits(endpoint: Endpoint) -> Endpoint:
    """The endpoint for a comparison: its latency is compared with the other side alone.

    Pairs compare the typical request, whatever the metric of the baseline.
    """
    return replace(
        endpoint,
        metric=Metric.MEDIAN,
        target_ms=None,
        ideal_ms=None,
        warning_ms=None,
        critical_ms=None,
        ceiling_ms=None,
        slow_ms=math.inf,
    )
