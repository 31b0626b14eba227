"""One endpoint while it is measured: from its warm-up to its verdict."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from perfcheck.model import (
    BREACHES,
    PROOF,
    WARM_UP,
    Decision,
    Endpoint,
    EndpointProgress,
    ErrorProof,
    Failure,
    Measurement,
    Sample,
    Sampling,
    Stop,
    Verdict,
)
from perfcheck.sampling.pace import requests_of
from perfcheck.sampling.pauses import gap_s, pause_s
from perfcheck.sampling.protocols import Phase
from perfcheck.sampling.stage import Stage, has_answer, unconfirmed
from perfcheck.stats.error_rate import ErrorTest
from perfcheck.stats.sequential import (
    ALONE_AFTER_SCREENING,
    CONFIRMATION,
    CONFIRMATION_AFTER_SCREENING,
    FIRST_STAGE,
    SCREENING,
)
from perfcheck.units import format_ms

_MOST_SCREENING = 3  # times the least requests for OK: what is still open under load is measured alone
_USUAL_SHARE = 0.6  # of its target, that an endpoint usually takes
_PAGE_S = 1.5  # a load of a page with what comes before and after it, whatever its figure


def expected_s(endpoint: Endpoint) -> float:
    """How long a request to an endpoint takes, by its target."""
    target_ms = min(endpoint.slow_ms, endpoint.limits.critical_ms, 1000 * endpoint.timeout_s)
    if endpoint.is_page:
        return _PAGE_S * (len(endpoint.steps) or 1)
    return _USUAL_SHARE * (target_ms if endpoint.target_ms is None else endpoint.target_ms) / 1000


class EndpointSession:
    """Takes the samples of one endpoint, decides, and sets what the scheduler reads.

    What happened is recorded before it is judged, so that an interruption between any two lines leaves nothing half
    done: :meth:`measurement` then judges the record from its beginning.
    """

    def __init__(self, endpoint: Endpoint, sampling: Sampling, max_requests: int | None = None) -> None:
        self.endpoint = endpoint
        self.used_s = 0.0
        self._sampling = sampling
        self._max_requests = max_requests
        self._expects_screening = False
        self._is_torn = False  # something happened that was not judged to the end
        self._record: list[Callable[[], None]] = []
        self.typical_s: float | None = None
        self.need_s = self.proof_s = 0.0
        self.need_requests = self.proof_requests = 0.0
        self._begin()

    def _begin(self) -> None:
        """Nothing has happened yet."""
        self.phase = Phase.WARM_UP if self._sampling.warmup else Phase.FIRST
        self.needs_alone = self.endpoint.is_page  # which keeps the processor busy, here and there
        self.not_before = -math.inf
        self._took_s: float | None = None  # the last load of a page
        self._samples: list[tuple[int, Sample]] = []
        self._widths: list[int] = []  # of the samples: turns that may have been in flight
        self._decisions: list[Decision] = []
        self._concurrency = 1  # the most turns in flight while it was judged by latency
        self._screened: tuple[list[tuple[int, Sample]], list[Decision]] | None = None  # while it is measured again
        self._is_failing = False  # beyond doubt, which takes one confirmation
        self._left = self._sampling.confirm  # confirmations of its latency
        self._proof = self._sampling.errors
        self._errors = ErrorTest(self.endpoint.error_limits, self._proof)
        self._fastest_ms = math.inf  # of the first stage
        self._under_load_ms: float | None = None  # the metric, of samples that are void
        self._stage = self._first_stage()
        self._forecast()

    # --- What the scheduler wants to know ----------------------------------------------------------------------------

    @property
    def stage(self) -> int:
        """The number of the stage that is being measured, 0 while it warms up."""
        return WARM_UP if self.phase is Phase.WARM_UP else len(self._decisions) + (not self._has_decided)

    @property
    def _has_decided(self) -> bool:
        return self.phase in {Phase.PROOF, Phase.FINISHED}

    @property
    def timed_out(self) -> bool:
        """Whether its last request got no response in time."""
        return bool(self._samples) and self._samples[-1][1].failure is Failure.TIMEOUT

    @property
    def last_turn_ms(self) -> float | None:
        return self._samples[-1][1].latency_ms if self._samples else None

    @property
    def suspicion(self) -> float:
        if self.phase is not Phase.FIRST:
            return 0.0
        ratio = self._fastest_ms / self._stage.latency.limits.critical_ms
        return ratio if ratio > 1 else 0.0

    def _forecast(self) -> None:
        """Once for each event: the scheduler reads it for each candidate."""
        request_ms = self._request_ms(self._value_ms())
        self.typical_s = None if request_ms is None else min(request_ms / 1000, self.endpoint.timeout_s)
        typical_s = self.expected_s if self.typical_s is None else self.typical_s
        turns, proofs, paused_s = self._needs(typical_s)
        turn_s = typical_s + self.endpoint.pauses_s
        self.need_s, self.proof_s = turns * turn_s + paused_s, proofs * turn_s
        each = requests_of(self.endpoint)
        self.need_requests, self.proof_requests = turns * each, proofs * each

    def _value_ms(self) -> float | None:
        """The metric, as far as it is known."""
        if self._stage.latency.count:
            return self._stage.latency.estimate()
        return self._decisions[-1].value_ms if self._decisions else self._under_load_ms

    def _request_ms(self, value_ms: float | None) -> float | None:
        """How long a request takes, where ``value_ms`` is its metric: that is not a time of every page."""
        return value_ms if self._took_s is None else 1000 * self._took_s

    def _needs(self, typical_s: float) -> tuple[int, int, float]:
        """Turns for its latency, and then for its failure rate alone; and seconds between and after the former."""
        if self.phase is Phase.FINISHED:
            return 0, 0, 0.0
        proof = max(0, self._errors_need(1000 * typical_s) - self._errors.requests)
        if self.phase is Phase.PROOF:
            return 0, proof, 0.0
        done = self._stage.requests
        requests = max(self._stage.least - done, done // 2, 1)
        if self.phase is Phase.CONFIRMATION:
            return requests, 0, requests * gap_s(self.endpoint.metric, self.stage, 1)
        proof = max(0, proof - requests)
        if self.phase is Phase.WARM_UP:
            requests += self._sampling.warmup
        return requests, proof, self._expected_confirmation_s(typical_s)

    def _expected_confirmation_s(self, typical_s: float) -> float:
        """What is over a limit by now will have to be confirmed."""
        value_ms = 1000 * typical_s if self._took_s is None else self._value_ms() or 0.0
        is_over = self._stage.latency.limits.classify(value_ms) in BREACHES
        if not (is_over and self._left):
            return 0.0
        metric = self.endpoint.metric
        return pause_s(metric, fails=self._is_failing) + self._stage.least * (typical_s + gap_s(metric, 2, 1))

    @property
    def expected_s(self) -> float:
        return expected_s(self.endpoint)

    @property
    def cost_s(self) -> float:
        return self.expected_s * (self._sampling.warmup + self._stage.least)

    @property
    def is_screened(self) -> bool:
        """Whether it was found OK under load alone."""
        return bool(self._decisions) and self._decisions[-1].concurrency > 1

    @property
    def need_alone(self) -> tuple[float, int]:
        """A forecast of the time that it takes to measure it again, alone, and of its requests."""
        least = self._stage.least
        turn_s = (self.typical_s or self.expected_s) + self.endpoint.pauses_s
        return least * turn_s, least * requests_of(self.endpoint)

    def next_request(self) -> tuple[int, Endpoint]:
        return 0, self.endpoint

    # --- What happens ------------------------------------------------------------------------------------------------

    def take(self, sample: Sample, width: int, now: float) -> bool:
        """Take a sample that was sent while up to ``width`` turns were in flight; ``now`` is the clock after it."""
        self._happens(partial(self._take, sample, width, now))
        return True

    def expect_screening(self) -> None:
        """Turns of other endpoints may overlap with those of its first stage, which has not begun."""
        self._expects_screening = True
        self._begin()

    def drop_turn(self) -> None:
        """Nothing was taken of it."""

    def measure_alone(self) -> None:
        """What was measured under load is void."""
        self._happens(self._void)

    def abandon(self, waited_s: float, since_s: float) -> None:
        """The time of the run ended while it waited for a response for unusually long."""
        detail = f"no response within {format_ms(1000 * waited_s)}, when the time of the run ended"
        self._happens(partial(self._keep, WARM_UP, Sample(since_s, None, Failure.TIMEOUT, detail=detail), 1))

    def measure_again(self) -> None:
        """It is OK under load, and a figure of its own is wanted too."""
        self._happens(self._measure_again)

    def end_proof(self) -> None:
        """No more requests for its failure rate."""
        self._happens(self._finish)

    def _happens(self, event: Callable[[], None]) -> None:
        self._is_torn = True
        self._record.append(event)
        event()
        self._forecast()
        self._is_torn = False

    def _take(self, sample: Sample, width: int, now: float) -> None:
        if self.phase in {Phase.WARM_UP, Phase.FINISHED} or (width > 1 and self.needs_alone):
            self._keep(WARM_UP, sample, width)
        elif self.phase is Phase.PROOF:
            self._keep(PROOF, sample, width)
            self._prove(now, failed=sample.failure is not None, width=width)
        else:
            self._keep(self.stage, sample, width)
            self._concurrency = max(self._concurrency, width)
            self._judge(sample, now)

    def _keep(self, stage: int, sample: Sample, width: int) -> None:
        self._samples.append((stage, sample))
        self._took_s = sample.took_s
        self._widths.append(width)
        if self.phase is Phase.WARM_UP and len(self._samples) >= self._sampling.warmup:
            self.phase = Phase.FIRST

    def _judge(self, sample: Sample, now: float) -> None:
        stage = self._stage
        stage.add(sample.latency_ms, failed=sample.failure is not None, steps=sample.steps)
        self._fastest_ms = min(self._fastest_ms, math.inf if sample.latency_ms is None else sample.latency_ms)
        if self._concurrency > 1 and self._has_failed_the_screening():
            self._void()
        elif stage.stop is not None:
            self._conclude(now)
        else:
            self.not_before = now + gap_s(self.endpoint.metric, self.stage, stage.requests)

    def _has_failed_the_screening(self) -> bool:
        """Load can only slow a request or make it fail: OK under load is OK, and nothing else is believed."""
        stage = self._stage
        if self._errors.failures or stage.decided in BREACHES:
            return True
        is_ok = stage.stop is Stop.DECIDED and stage.decided is Verdict.OK
        return not is_ok and (stage.stop is not None or stage.requests >= _MOST_SCREENING * stage.least)

    def _conclude(self, now: float) -> None:
        """The latency is decided, or the requests fail beyond doubt."""
        decision = replace(self._stage.decision(), concurrency=self._concurrency)
        self._decisions.append(decision)
        fails = decision.errors is Verdict.CRITICAL and not self._is_failing
        if fails and self._sampling.confirm:
            self._confirm_errors(now)
        elif decision.slowest in BREACHES and self._left and self._is_new(decision):
            self._left -= 1
            self._begin_confirmation(now)
        elif decision.verdict in {Verdict.CRITICAL, Verdict.NOT_MEASURED} or self._is_proven():
            self._finish()
        else:
            self.phase = Phase.PROOF
            self.not_before = now

    def _is_new(self, decision: Decision) -> bool:
        """Whether a breach was not there before: what is measured again for its failures may show one first."""
        if not self._is_failing:
            return True
        return decision.errors is not Verdict.CRITICAL and self._decisions[-2].slowest not in BREACHES

    def _prove(self, now: float, *, failed: bool, width: int) -> None:
        self._errors.add(failed=failed)
        if failed and max(width, self._concurrency) > 1:
            self._void()
        elif self._errors.shown is Verdict.CRITICAL and self._sampling.confirm and not self._is_failing:
            self._decisions[-1] = replace(self._decisions[-1], errors=Verdict.CRITICAL, errors_decided=True)
            self._confirm_errors(now)
        elif self._is_proven():
            self._finish()
        elif failed:
            self.needs_alone = True

    def _confirm_errors(self, now: float) -> None:
        errors = self._errors
        self._decisions[-1] = replace(self._decisions[-1], requests=errors.requests, failures=errors.failures)
        self._is_failing = True
        self._errors = ErrorTest(self.endpoint.error_limits, self._proof, confirms=True)
        self._begin_confirmation(now)

    def _begin_confirmation(self, now: float) -> None:
        """Nothing but OK is believed at once."""
        self.not_before = now + pause_s(self.endpoint.metric, fails=self._is_failing)
        self.phase = Phase.CONFIRMATION
        self.needs_alone = True
        under = CONFIRMATION_AFTER_SCREENING if self._expects_screening else CONFIRMATION
        under = replace(under, alpha=under.alpha / self._sampling.confirm)
        self._stage = Stage(
            self.endpoint, self._errors, self._decisions[-1], under=under, max_requests=self._max_requests
        )

    def _first_stage(self) -> Stage:
        under = FIRST_STAGE
        if self._expects_screening and self._screened is None:  # an OK of the screening is not found a second time
            under = ALONE_AFTER_SCREENING if self.needs_alone else SCREENING
        return Stage(self.endpoint, self._errors, under=under, max_requests=self._max_requests)

    def _void(self) -> None:
        """Measure afresh alone. A second chance of being found without failures takes more proof than the first."""
        if self.phase is Phase.FINISHED or self.needs_alone:
            return
        failed = self._errors.failures > 0
        self._under_load_ms = self._value_ms()
        first_is_void = not self._decisions or self._concurrency > 1
        for number, (_, sample) in enumerate(self._samples):
            if first_is_void or self._widths[number] > 1:
                self._samples[number] = WARM_UP, sample
        if failed and self._proof is ErrorProof.PROVEN:
            self._proof = ErrorProof.STRICT
        self._errors = ErrorTest(self.endpoint.error_limits, self._proof)
        self.needs_alone = True
        if first_is_void:
            self._begin_alone()
            return
        for stage, sample in self._samples:
            if stage != WARM_UP:
                self._errors.add(failed=sample.failure is not None)

    def _measure_again(self) -> None:
        """What was sent under load counts for the failure rate."""
        self._screened = list(self._samples), list(self._decisions)
        self._samples = [(PROOF if stage else WARM_UP, sample) for stage, sample in self._samples]
        self._begin_alone()

    def _begin_alone(self) -> None:
        self._decisions.clear()
        self._concurrency = 1
        self.needs_alone = True
        self.phase = min(self.phase, Phase.FIRST)
        self._stage = self._first_stage()

    def _is_proven(self) -> bool:
        return self._errors.requests >= self._errors_need(self._request_ms(self._value_ms()))

    def _errors_need(self, latency_ms: float | None) -> int:
        needed = self._errors.needed(latency_ms)
        return needed if self._max_requests is None else min(needed, self._max_requests)

    def _finish(self) -> None:
        self.phase = Phase.FINISHED

    # --- What came out -----------------------------------------------------------------------------------------------

    def measurement(self, cut_short: Stop) -> Measurement:
        """Everything so far; ``cut_short`` is why an unfinished endpoint goes no further."""
        if self._is_torn:
            self._begin()
            for event in tuple(self._record):
                event()
        samples, decisions = self._samples, self._decided_so_far(cut_short)
        fails = any(decision.errors in BREACHES for decision in decisions)
        if self._screened is not None and not self._decisions and not fails:  # no figure of its own, then
            samples, decisions = self._screened
            samples = [*samples, *((PROOF, sample) for _, sample in self._samples[len(samples) :])]
            decisions = [*decisions[:-1], self._with_errors(decisions[-1])]
        is_void = self.needs_alone and not decisions
        failed_under_load = tuple(
            sample
            for (stage, sample), width in zip(samples, self._widths, strict=True)
            if sample.failure and stage == WARM_UP and width > 1
        )
        return Measurement(self.endpoint.name, tuple(samples), tuple(decisions), is_void, failed_under_load)

    def _decided_so_far(self, cut_short: Stop) -> list[Decision]:
        """The finished stages, and the unfinished one where it has an answer.

        A breach that was to be confirmed and was not, or not to the end, is unconfirmed; what was measured under load
        alone is no breach at all.
        """
        decisions = self._decisions[:]
        if not self._has_decided and self._stage.requests:
            unfinished = replace(self._stage.decision(cut_short), concurrency=self._concurrency)
            if not (unfinished.concurrency > 1 and unfinished.verdict in BREACHES):
                decisions.append(unfinished)
        stop: Stop | None = None
        while len(decisions) > 1 and not has_answer(decisions[-1]):
            stop = decisions.pop().stop
        if not decisions:
            return []
        last = decisions[-1] = self._with_errors(decisions[-1])
        is_cut = not self._has_decided or stop is not None
        if is_cut and last.verdict in BREACHES and self._sampling.confirm:
            decisions[-1] = unconfirmed(last, stop or cut_short)
        return decisions

    def _with_errors(self, last: Decision) -> Decision:
        """The decision that stands, with what is known of failures by now."""
        errors, request_ms = self._errors, self._request_ms(last.value_ms)
        if self._is_failing and errors.shown is not Verdict.CRITICAL:
            if last.stage == 1:  # no confirmation yet
                return last
            settled = errors.is_settled(request_ms)
            unsettled = Verdict.WARNING if self.phase is Phase.FINISHED else Verdict.CRITICAL
            verdict = errors.verdict(request_ms) if settled else unsettled
        else:
            settled = errors.is_settled(request_ms) or not errors.failures
            verdict = errors.verdict(request_ms)
        missing = 0 if settled else self._errors_need(request_ms) - errors.requests
        return replace(
            last,
            failures=errors.failures,
            errors=verdict,
            errors_decided=settled,
            more_requests=max(missing, last.more_requests or 0) or None,
            excluded=errors.excluded(request_ms),
        )

    def progress(self, now: float) -> EndpointProgress:
        stage = self._stage
        return EndpointProgress(
            endpoint=self.endpoint.name,
            stage=self.stage,
            requests=stage.requests if self.stage else len(self._samples),
            least=stage.least,
            value_ms=self._value_ms(),
            verdict=self._decisions[-1].verdict if self._has_decided and self._decisions else None,
            wait_s=0.0 if self.phase is Phase.FINISHED else max(self.not_before - now, 0.0),
            unit=self.endpoint.unit,
        )
