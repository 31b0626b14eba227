"""Two services side by side: each endpoint is asked of both, one right after the other, until it is known what changed.

What slows the machine down for a moment falls on both alike, and the order within a pair is drawn anew each time, so
that neither side has the advantage of being second.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from perfcheck.model import CompareLimits, Endpoint, Failure, Measurement, Metric, Sample, Sampling, Stop, Verdict
from perfcheck.sampling.scheduler import Patience, Rounds
from perfcheck.sampling.stage import Stage
from perfcheck.stats.boundaries import LEAST_SAMPLES
from perfcheck.stats.error_rate import EXTENDED, RISE_ERROR, chance_of_as_many
from perfcheck.stats.pairs import MOST_PAIRS, PairOutcome, PairTest

WARM_UP = 0
_JUDGED = 1
_USUAL_PAIRS = 12
Send = Callable[[Endpoint], Sample]


@dataclass(frozen=True, slots=True)
class PairMeasurement:
    """Both sides of one endpoint, request by request, and what the pairs came to."""

    before: Measurement
    after: Measurement
    outcome: PairOutcome
    pairs: int  # that gave a latency on both sides


@dataclass(frozen=True, slots=True)
class PairProgress:
    """Where one endpoint stands, for a live display."""

    endpoint: str
    stage: int  # 0 while it warms up
    requests: int  # pairs so far
    least: int  # pairs that it usually takes
    value_ms: float | None  # typical latency of both requests of a pair together
    verdict: Verdict | None  # once it is final
    wait_s: float = 0.0
    gap_s: float = 0.0


class PairSampler:
    """``send`` makes one request, of the service before and of the one after. ``now`` and ``sleep`` are the clock.

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
        self._rounds = Rounds(budget_s=sampling.budget_s, rng=rng, now=now, sleep=sleep)
        self._tracks = [PairTrack(one, limits, sampling.warmup, max_pairs or MOST_PAIRS) for one in endpoints]

    def run(self) -> None:
        """Measure until every endpoint is decided or the budget has ended. What is raised passes through."""
        if not self._rounds.run(self._tracks, self._ask):
            self._cut_short = Stop.BUDGET

    def _ask(self, track: PairTrack, left_s: float) -> bool:
        """One pair. False: the budget ended before both answers were there, and the pair does not count."""
        first = self._rng.randrange(2)
        samples: list[Sample | None] = [None, None]
        for side in (first, 1 - first):
            endpoint = track.patience.within(left_s)
            asked_s = self._now()
            sample = samples[side] = self._send[side](endpoint)
            if sample.failure is Failure.TIMEOUT and endpoint.timeout_s < track.patience.endpoint.timeout_s:
                return False
            left_s = max(left_s - (self._now() - asked_s), 0.001)
        before, after = samples
        if before is not None and after is not None:
            track.take(before, after)
        if self._observe:
            self._observe()
        return True

    def measurements(self) -> tuple[PairMeasurement, ...]:
        """What was measured so far, in the order of the endpoints. May be asked for at any time."""
        return tuple(track.measurement(self._cut_short) for track in self._tracks)

    def progress(self) -> tuple[PairProgress, ...]:
        """Where each endpoint stands, in the order of the endpoints."""
        return tuple(track.progress() for track in self._tracks)


class PairTrack:
    """Takes the pairs of one endpoint, and says when there are enough."""

    def __init__(self, endpoint: Endpoint, limits: CompareLimits, warmup: int, most: int) -> None:
        self.patience = Patience(endpoint)
        self.not_before = -math.inf
        self._pairs: list[tuple[Sample, Sample]] = []
        self._warmup = warmup
        self._most = most
        self._test = PairTest(limits, most)
        self._sides = _stage(endpoint), _stage(endpoint)

    @property
    def is_warming_up(self) -> bool:
        return len(self._pairs) < self._warmup

    @property
    def hangs(self) -> bool:
        return bool(self._pairs) and any(sample.failure is Failure.TIMEOUT for sample in self._pairs[-1])

    @property
    def is_finished(self) -> bool:
        """The pairs have said what they can; or one side fails beyond doubt, so that there is nothing to compare."""
        if self._judged >= self._most:
            return True
        if any(side.fails for side in self._sides):
            return self._failures_are_told()
        return self._test.is_settled and all(side.stop is not None for side in self._sides)

    def _failures_are_told(self) -> bool:
        """Whether it is known, too, that only one side fails; or that there is no more to know about it."""
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
        """A pair in which one request failed says nothing of the latency; a timeout is a latency over every other."""
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
        # A stage is content with what its own side has; the pairs may not be.
        decisions = (replace(self._sides[side].decision(), stop=stop),) if self._judged else ()
        return Measurement(self.patience.endpoint.name, samples, decisions)

    def progress(self) -> PairProgress:
        typical = [side.latency.estimate() for side in self._sides if side.latency.count]
        return PairProgress(
            endpoint=self.patience.endpoint.name,
            stage=WARM_UP if self.is_warming_up else _JUDGED,
            requests=self._judged,
            least=_USUAL_PAIRS,
            value_ms=sum(typical) if typical else None,
            verdict=self._test.outcome().severity if self.is_finished else None,
        )


def without_limits(endpoint: Endpoint) -> Endpoint:
    """The endpoint as a comparison knows it: the other side is all that its latency is held against.

    Pairs tell of the typical request, whatever the metric of the baseline.
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


def _stage(endpoint: Endpoint) -> Stage:
    """Counts latencies and failures of one side. Nothing is over its limits, so only failures keep it open."""
    return Stage(without_limits(endpoint))
