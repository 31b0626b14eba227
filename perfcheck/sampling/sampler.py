"""The requests of a check, from the first to the last verdict.

The sampler measures nothing itself and knows no clock but the one it is given: it can be run against a real service,
or through days of scripted time in a second.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import partial

from perfcheck.model import (
    Decision,
    Endpoint,
    EndpointProgress,
    Failure,
    Measurement,
    Metric,
    Sample,
    Sampling,
    Stop,
    Verdict,
)
from perfcheck.sampling.scheduler import CappedTimeout, measure_in_rounds
from perfcheck.sampling.stage import WARM_UP, Stage, has_answer, unconfirmed

_PAUSE_S = 3.0  # before a stage that measures again
_GAP_S = 0.1  # in the first stage, after
_WITHOUT_GAP = 10  # samples
_FIRST_GAP_S = 0.75  # when measured again, between the
_SPREAD = 16  # first samples, and then
_LATER_GAP_S = 0.15
_TAILS = frozenset({Metric.P90, Metric.P95, Metric.P99})


def gap_s(metric: Metric, stage: int, requests: int) -> float:
    """Seconds to pause after ``requests`` judged requests of ``stage`` (1 is the first)."""
    if metric in _TAILS:
        return 0.0
    if stage == 1:
        return 0.0 if requests < _WITHOUT_GAP else _GAP_S
    return _FIRST_GAP_S if requests < _SPREAD else _LATER_GAP_S


class EndpointSession:
    """Takes the samples of one endpoint and schedules its next request.

    The samples, and the decisions of the stages that are over, are its record. What is not over yet is judged from
    them alone, so that an interruption between any two lines leaves nothing half done.
    """

    def __init__(self, endpoint: Endpoint, sampling: Sampling, max_requests: int | None) -> None:
        self.endpoint = endpoint
        self._confirm = sampling.confirm
        self._warmup = sampling.warmup
        self._max_requests = max_requests
        self._samples: list[tuple[int, Sample]] = []
        self._decisions: list[Decision] = []
        self._current = self._next_stage(self._decisions)
        self.stage = 1 if self._warmup == 0 else WARM_UP
        self.not_before = -math.inf
        self.is_finished = False
        self.timeout = CappedTimeout(endpoint)

    @property
    def is_warming_up(self) -> bool:
        return self.stage == WARM_UP

    @property
    def timed_out(self) -> bool:
        """Whether its last request got no response in time."""
        return bool(self._samples) and self._samples[-1][1].failure is Failure.TIMEOUT

    def take(self, sample: Sample, now: float) -> None:
        """Take one sample that was just measured; ``now`` is the sampler's clock after it."""
        self._samples.append((self.stage, sample))
        if self.stage == WARM_UP:
            self.stage = 1 if len(self._samples) >= self._warmup else WARM_UP
            return
        current = self._current
        current.add(sample.latency_ms, failed=sample.failure is not None)
        if current.stop is None:
            self.not_before = now + gap_s(self.endpoint.metric, self.stage, current.requests)
            return
        self._decisions.append(current.decision())
        if self._is_final(self._decisions):
            self.is_finished = True
        else:
            self._current = self._next_stage(self._decisions)
            self.stage += 1
            self.not_before = now + _PAUSE_S

    def _next_stage(self, decisions: Sequence[Decision]) -> Stage:
        return Stage(self.endpoint, decisions[-1] if decisions else None, max_requests=self._max_requests)

    def _is_final(self, decisions: Sequence[Decision]) -> bool:
        """Nothing but OK is believed at once, decided or not."""
        if not decisions:
            return False
        return decisions[-1].verdict in {Verdict.OK, Verdict.NOT_MEASURED} or len(decisions) > self._confirm

    def measurement(self, cut_short: Stop) -> Measurement:
        """Everything so far; ``cut_short`` is why an unfinished stage goes no further."""
        samples = tuple(self._samples)
        return Measurement(self.endpoint.name, samples, tuple(self._decided_so_far(samples, cut_short)))

    def _decided_so_far(self, samples: Sequence[tuple[int, Sample]], stop: Stop) -> list[Decision]:
        """The finished stages, and the unfinished one where it has an answer.

        Where a confirmation has none, because it was cut short or had no latencies, the stage before it stands,
        unconfirmed: what looked CRITICAL must not turn into something milder for lack of time.
        """
        decisions = self._decisions[:]
        unfinished: Stop | None = None
        while not self._is_final(decisions):
            current = self._next_stage(decisions)
            for stage, sample in samples:
                if stage == len(decisions) + 1:
                    current.add(sample.latency_ms, failed=sample.failure is not None)
            if current.requests == 0:
                unfinished = stop
                break
            decisions.append(current.decision(stop))
            if current.stop is None:
                break
        while len(decisions) > 1 and not has_answer(decisions[-1]):
            unfinished = decisions.pop().stop
        if decisions and unfinished is not None:
            decisions[-1] = unconfirmed(decisions[-1], unfinished)
        return decisions

    def progress(self, now: float) -> EndpointProgress:
        current = self._current
        return EndpointProgress(
            endpoint=self.endpoint.name,
            stage=self.stage,
            requests=len(self._samples) if self.stage == WARM_UP else current.requests,
            least=current.least,
            value_ms=current.latency.estimate() if current.latency.count else None,
            verdict=self._decisions[-1].verdict if self.is_finished else None,
            wait_s=0.0 if self.is_finished else max(self.not_before - now, 0.0),
            gap_s=gap_s(self.endpoint.metric, max(self.stage, 1), current.requests),
        )


class Sampler:
    """Sends requests to all endpoints in turn until each has its verdict, or the time is up.

    ``send`` makes one request. ``now`` and ``sleep`` are the clock, in seconds. ``max_requests`` bounds the judged
    requests of an endpoint in each stage. ``observe`` is called with each sample after it was taken into account: the
    name of the endpoint, the stage (0 is warm-up) and the sample.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        send: Callable[[Endpoint], Sample],
        *,
        sampling: Sampling,
        rng: random.Random,
        now: Callable[[], float],
        sleep: Callable[[float], None],
        max_requests: int | None = None,
        observe: Callable[[str, int, Sample], None] | None = None,
    ) -> None:
        self._send = send
        self._now = now
        self._observe = observe
        self._cut_short = Stop.INTERRUPTED
        budget_s = 120.0 if sampling.budget_s is None else sampling.budget_s
        self._measure_in_rounds = partial(measure_in_rounds, budget_s=budget_s, rng=rng, now=now, sleep=sleep)
        self._sessions = [EndpointSession(endpoint, sampling, max_requests) for endpoint in endpoints]

    def run(self) -> None:
        """Measure until every endpoint has its verdict or the budget has ended.

        A request that is under way when the budget ends is abandoned within a second, and not judged.

        Whatever ``send``, ``sleep`` or ``observe`` raise passes through, KeyboardInterrupt included. What was measured
        is kept: see :meth:`measurements`.
        """
        if not self._measure_in_rounds(self._sessions, self._measure):
            self._cut_short = Stop.BUDGET

    def _measure(self, session: EndpointSession, left_s: float) -> bool:
        """One sample. False: the budget ended before the response came, which is no failure of the endpoint."""
        stage = session.stage
        endpoint = session.timeout.within(left_s)
        sample = self._send(endpoint)
        abandoned = sample.failure is Failure.TIMEOUT and endpoint.timeout_s < session.endpoint.timeout_s
        if abandoned and stage != WARM_UP:
            return False
        session.take(sample, self._now())
        if self._observe:
            self._observe(session.endpoint.name, stage, sample)
        return not abandoned

    def measurements(self) -> tuple[Measurement, ...]:
        """What was measured and decided so far, in the order of the endpoints. May be called at any time."""
        return tuple(session.measurement(self._cut_short) for session in self._sessions)

    def progress(self) -> tuple[EndpointProgress, ...]:
        """The progress of each endpoint, in their order."""
        now = self._now()
        return tuple(session.progress(now) for session in self._sessions)
