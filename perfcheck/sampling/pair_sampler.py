"""Two services side by side: a request to each, one right after the other, until it is known what changed.

What briefly slows the machine down affects both equally, and the order within a pair is drawn anew each time, so that
neither side has the advantage of being second. Pairs of different endpoints may overlap: both requests of a pair bear
the same load. What comes out slower is measured afresh alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from perfcheck.model import (
    WARM_UP,
    Changed,
    CompareLimits,
    Endpoint,
    EndpointProgress,
    ErrorProof,
    Failure,
    Forecast,
    Measurement,
    Metric,
    RateLimit,
    Sample,
    Sampling,
    Stop,
    Verdict,
)
from perfcheck.sampling.endpoint_session import expected_s
from perfcheck.sampling.pace import requests_of
from perfcheck.sampling.protocols import Phase, Transport
from perfcheck.sampling.scheduler import Scheduler
from perfcheck.sampling.stage import Stage
from perfcheck.stats.acceptance import EXTENDED
from perfcheck.stats.error_rate import RISE_ERROR, ErrorTest, chance_of_as_many
from perfcheck.stats.pairs import MOST_PAIRS, ChangeOutcome, PairTest
from perfcheck.stats.sequential import LEAST_SAMPLES

_JUDGED = 1
_MUCH_SLOWER, _MUCH_SLOWER_ALONE = 5, 2  # pairs, all of which are over the critical limit
_USUAL_PAIRS = 40  # that settle an endpoint whose latency varies by some 10%


@dataclass(frozen=True, slots=True)
class PairMeasurement:
    """Both sides of one endpoint, request by request, and the outcome of the pairs."""

    before: Measurement
    after: Measurement
    outcome: ChangeOutcome
    pairs: int  # that gave a latency on both sides
    steps: tuple[ChangeOutcome, ...] = ()  # of each part of the endpoint, by the same pairs


class PairSampler:
    """``transports`` send requests to the service before and to the one after. ``now`` is their clock, in seconds.

    ``max_pairs`` bounds the judged pairs of an endpoint. ``observe`` is called after each request.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        transports: tuple[Transport, Transport],
        *,
        limits: CompareLimits,
        sampling: Sampling,
        rng: random.Random,
        now: Callable[[], float],
        max_pairs: int | None = None,
        observe: Callable[[], None] = lambda: None,
    ) -> None:
        self._cut_short = Stop.INTERRUPTED
        most = max_pairs or MOST_PAIRS
        self._sessions = [PairSession(endpoint, limits, sampling.warmup, most, rng) for endpoint in endpoints]
        self._schedule = Scheduler(
            self._sessions,
            transports,
            sampling=sampling,
            rng=rng,
            now=now,
            observe=lambda *_: observe(),
            alone_first=True,
        )

    def run(self) -> None:
        """Measure until every endpoint is decided or the budget has ended. What is raised passes through."""
        if not self._schedule.run():
            self._cut_short = Stop.BUDGET

    def measurements(self) -> tuple[PairMeasurement, ...]:
        """What was measured so far, in the order of the endpoints. May be called at any time."""
        return tuple(session.measurement(self._cut_short) for session in self._sessions)

    def requests(self) -> int:
        return sum(2 * len(pair.after.samples) for pair in self.measurements())

    def forecast(self) -> Forecast:
        """What the rest will take."""
        return self._schedule.forecast()

    def limits(self) -> tuple[RateLimit | None, ...]:
        """What each service made the requests wait for; one where both are the same."""
        return self._schedule.paces.limits

    def progress(self) -> tuple[EndpointProgress, ...]:
        """The progress of each endpoint, in their order."""
        return tuple(session.progress() for session in self._sessions)


class _Pair(NamedTuple):
    stage: int
    before: Sample
    after: Sample
    width: int  # turns that may have been in flight


class PairSession:
    """Takes the pairs of one endpoint until there are enough: see :class:`~perfcheck.sampling.protocols.Schedulable`.

    Only whole pairs are recorded.
    """

    def __init__(self, endpoint: Endpoint, limits: CompareLimits, warmup: int, most: int, rng: random.Random) -> None:
        self.endpoint = endpoint
        self.used_s = 0.0
        self.not_before = -math.inf
        self.needs_alone = endpoint.is_page
        self.last_turn_ms: float | None = None
        self._limits = limits
        self._warmup = warmup
        self._most = most
        self._rng = rng
        self._half: tuple[int, Sample] | None = None  # of a pair that is under way
        self._side = rng.randrange(2)
        self._pairs: list[_Pair] = []
        self.typical_s: float | None = None
        self.need_s = self.proof_s = 0.0
        self.need_requests = self.proof_requests = 0.0
        self._begin()
        self._forecast()

    def _begin(self) -> None:
        self._concurrency = 1
        self._test = PairTest(self._limits.of(self.endpoint.metric_of), self._most)
        bare = without_limits(self.endpoint)
        # Nothing is over the limits of a side, so only failures keep it open.
        self._errors = tuple(ErrorTest(self.endpoint.error_limits, ErrorProof.QUICK) for _ in range(2))
        self._sides = tuple(Stage(bare, errors) for errors in self._errors)

    # --- What the scheduler wants to know ----------------------------------------------------------------------------

    @property
    def timed_out(self) -> bool:
        return bool(self._pairs) and Failure.TIMEOUT in {self._pairs[-1].before.failure, self._pairs[-1].after.failure}

    @property
    def _judged(self) -> int:
        return self._sides[0].requests

    @property
    def _is_finished(self) -> bool:
        """The pairs are settled; or one side fails beyond doubt, so that there is nothing to compare."""
        if self._judged >= self._most:
            return True
        if self._fails:
            return self._failures_are_settled()
        return self._test.is_settled and all(errors.is_settled(None) for errors in self._errors)

    @property
    def _fails(self) -> bool:
        return any(errors.shown is Verdict.CRITICAL for errors in self._errors)

    def _failures_are_settled(self) -> bool:
        """Whether it is known, too, that only one side fails; or that more requests would not help."""
        if self._judged < LEAST_SAMPLES:
            return False
        return any(map(self._rose, self._errors)) or self._judged >= EXTENDED

    def _rose(self, errors: ErrorTest) -> bool:
        """Whether one side fails more often than the other, by Fisher's exact test."""
        fewest = min(each.failures for each in self._errors)
        return chance_of_as_many(fewest, self._judged, errors.failures, self._judged) < RISE_ERROR

    @property
    def suspicion(self) -> float:
        return self._test.suspicion

    def _phase(self) -> Phase:
        if self._is_finished:
            return Phase.FINISHED
        if len(self._pairs) < self._warmup:
            return Phase.WARM_UP
        return Phase.CONFIRMATION if self.needs_alone else Phase.FIRST

    def _forecast(self) -> None:
        """Once for each pair: the scheduler reads it for each candidate."""
        self.phase = self._phase()
        typical_ms = [side.latency.estimate() for side in self._sides if side.latency.count]
        if self._pairs and self._pairs[-1].after.took_s is not None:
            typical_ms = [1000 * (sample.took_s or 0.0) for sample in self._pairs[-1][1:3]]
        most_s = len(self._sides) * self.endpoint.timeout_s
        self.typical_s = min(sum(typical_ms) / 1000, most_s) if len(typical_ms) == len(self._sides) else None
        each_s = self.expected_s if self.typical_s is None else self.typical_s
        each_s += len(self._sides) * self.endpoint.pauses_s
        needed = min(self._test.pairs_needed(_USUAL_PAIRS), self._most) - self._judged + (self.phase is Phase.WARM_UP)
        turns: float = 0 if self.phase is Phase.FINISHED else max(needed, 1)
        self.need_s, self.need_requests = turns * each_s, turns * requests_of(self.endpoint)

    @property
    def expected_s(self) -> float:
        return len(self._sides) * expected_s(self.endpoint)

    @property
    def cost_s(self) -> float:
        return self.expected_s * (self._warmup + _USUAL_PAIRS)

    def next_request(self) -> tuple[int, Endpoint]:
        return self._side, self.endpoint

    # --- What happens ------------------------------------------------------------------------------------------------

    def take(self, sample: Sample, width: int, now: float) -> bool:  # noqa: ARG002
        """Take one sample; a pair in which one request failed has no latency to compare."""
        if self._half is None:
            self._half = self._side, sample
            self._side = 1 - self._side
            return False
        first, other = self._half
        self._half = None
        self._side = self._rng.randrange(2)
        self._take(*((other, sample) if first == 0 else (sample, other)), width)
        return True

    def _take(self, before: Sample, after: Sample, width: int) -> None:
        latencies = before.latency_ms, after.latency_ms
        self.last_turn_ms = None if None in latencies else sum(filter(None, latencies))
        counts = self.phase not in {Phase.WARM_UP, Phase.FINISHED} and not (width > 1 and self.needs_alone)
        self._pairs.append(_Pair(_JUDGED if counts else WARM_UP, before, after, width))
        if counts:
            self._judge(self._pairs[-1])
            if not self.needs_alone and self._is_likely_slower():
                self.measure_alone()
        self._forecast()

    def _judge(self, pair: _Pair) -> None:
        before, after = pair.before, pair.after
        self._concurrency = max(self._concurrency, pair.width)
        for side, sample in zip(self._sides, (before, after), strict=True):
            side.add(sample.latency_ms, failed=sample.failure is not None, steps=sample.steps)
        if before.latency_ms is not None and after.latency_ms is not None:
            self._test.add(before.latency_ms, after.latency_ms)

    def _is_likely_slower(self) -> bool:
        """Nothing but alone is it believed; and what is much slower need not be shown twice."""
        if self._concurrency > 1 and (
            self._fails or self._test.is_slower or (self._is_finished and self._leans_slower)
        ):
            return True
        enough = _MUCH_SLOWER if self._concurrency > 1 else _MUCH_SLOWER_ALONE
        return self._test.pairs >= enough and self._test.suspicion > 1 + self._limits.critical

    @property
    def _leans_slower(self) -> bool:
        return self._test.outcome().severity is not Verdict.OK

    def drop_turn(self) -> None:
        """The other half, if that was taken, is too old by then."""
        self._half = None

    def measure_alone(self) -> None:
        """What was measured under load is void."""
        self._half = None
        if self.needs_alone:
            return
        self.needs_alone = True
        self._pairs = [pair if pair.width == 1 else pair._replace(stage=WARM_UP) for pair in self._pairs]
        self._begin()
        for pair in self._pairs:
            if pair.stage == _JUDGED:
                self._judge(pair)
        self._forecast()

    def abandon(self, waited_s: float, since_s: float) -> None:
        """Half a pair is none."""

    def end_proof(self) -> None:
        """There are no requests for the failure rate alone."""

    # --- What came out -----------------------------------------------------------------------------------------------

    def measurement(self, cut_short: Stop) -> PairMeasurement:
        """``cut_short`` is why an unfinished endpoint goes no further."""
        stop = (Stop.MAX_REQUESTS if self._judged >= self._most else Stop.DECIDED) if self._is_finished else cut_short
        before = self._measurement_of(0, [(pair.stage, pair.before) for pair in self._pairs], stop)
        after = self._measurement_of(1, [(pair.stage, pair.after) for pair in self._pairs], stop)
        outcome, *steps = map(self._believed, [self._test.outcome(), *self._outcomes_of_steps()])
        return PairMeasurement(before, after, outcome, self._test.pairs, tuple(steps))

    def _believed(self, outcome: ChangeOutcome) -> ChangeOutcome:
        if self._concurrency == 1 or outcome.severity is Verdict.OK:
            return outcome
        # There was no time to measure it alone.
        return replace(outcome, changed=Changed.CANNOT_TELL, severity=Verdict.OK, decided=False, more=_USUAL_PAIRS)

    def _outcomes_of_steps(self) -> list[ChangeOutcome]:
        tests = [PairTest(self._limits.of(part.metric_of), self._most) for part in self.endpoint.parts]
        for stage, before, after, _ in self._pairs:
            if stage == _JUDGED and before.latency_ms is not None and after.latency_ms is not None:
                for test, old, new in zip(tests, before.steps, after.steps, strict=False):
                    test.add(old.latency_ms or 0.0, new.latency_ms or 0.0)
        return [test.outcome() for test in tests]

    def _measurement_of(self, side: int, samples: list[tuple[int, Sample]], stop: Stop) -> Measurement:
        errors, other = self._errors[side], self._errors[1 - side]
        verdict = errors.verdict(None)
        if verdict is Verdict.CRITICAL and not other.failures and self._judged >= EXTENDED and not self._rose(errors):
            verdict = Verdict.WARNING  # a few failures in a row, and none since: a check would have confirmed them
        # A stage may have enough for its own side while the pairs do not.
        decision = replace(
            self._sides[side].decision(),
            stop=stop,
            errors=verdict,
            errors_decided=errors.is_settled(None),
            concurrency=self._concurrency,
        )
        return Measurement(self.endpoint.name, tuple(samples), (decision,) if self._judged else ())

    def progress(self) -> EndpointProgress:
        typical_s = self.typical_s
        return EndpointProgress(
            endpoint=self.endpoint.name,
            stage=WARM_UP if self.phase is Phase.WARM_UP else _JUDGED,
            requests=self._judged,
            least=_USUAL_PAIRS,
            value_ms=None if typical_s is None else 1000 * typical_s,
            verdict=self._test.outcome().severity if self._is_finished else None,
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
        steps=tuple(map(without_limits, endpoint.steps)),
        figures=tuple(map(without_limits, endpoint.figures)),
    )
