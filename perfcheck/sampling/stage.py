"""One stage of one endpoint: latencies until their class is decided, with an eye on failures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from perfcheck.model import BREACHES, Decision, Endpoint, Metric, Sample, Stop, Verdict, worst
from perfcheck.stats.error_rate import ErrorTest
from perfcheck.stats.mean import MeanTest
from perfcheck.stats.sequential import (
    ALPHA,
    ALPHA_ALONE,
    FIRST_STAGE,
    LEAST_SAMPLES,
    MOST_LOOKS,
    Levels,
    QuantileTest,
    Spend,
    looks_of,
)

LatencyTest: TypeAlias = QuantileTest | MeanTest


class Stage:
    """Fed with the outcome of each request in turn; ``stop`` is why the stage is over, None until then.

    It is over when the latency is decided, or when the requests fail beyond doubt. Never before five requests, nor
    before ``min_requests``, except by ``max_requests``. Where latency finds no answer within the looks of its test, the
    stage ends all the same. A stage that confirms failures goes on until they are settled. Each part of the endpoint
    that has a limit has a test of its own, and the stage is over when all of them are decided.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        errors: ErrorTest,
        before: Decision | None = None,
        *,
        under: Spend = FIRST_STAGE,
        max_requests: int | None = None,
    ) -> None:
        """``before`` is the decision of the stage before, ``under`` the error that may be spent on calling it OK."""
        self._number = before.stage + 1 if before else 1
        self._least = max(LEAST_SAMPLES, endpoint.min_requests)
        self._errors = errors
        self._confirms_errors = before is not None and before.errors is Verdict.CRITICAL
        befores = before.steps if before else (None,) * len(endpoint.parts)
        tests = sum(each.limits.warning_ms < math.inf for each in (endpoint, *endpoint.parts))
        self.latency, *steps = (
            latency_test(each, self._least, levels_after(shown, under, tests=max(tests, 1)))
            for each, shown in zip((endpoint, *endpoint.parts), (before, *befores), strict=True)
        )
        self._steps = tuple(steps)
        self._tests = (self.latency, *(test for test in self._steps if test.limits.critical_ms < math.inf))
        self._most = max(self.latency.looks, self._least)
        if max_requests is not None:
            self._most = min(self._most, max_requests)
        self.requests = 0
        self.stop: Stop | None = None

    @property
    def least(self) -> int:
        """Requests before which the stage cannot find its endpoint OK."""
        return max(self._least, self.latency.least)

    @property
    def decided(self) -> Verdict | None:
        """The verdict by latency: a breach as soon as it is shown, OK when nothing is open."""
        verdicts = {test.decided for test in self._tests}
        if breaches := [verdict for verdict in verdicts if verdict in BREACHES]:
            return worst(verdict for verdict in breaches if verdict)
        return None if None in verdicts else Verdict.OK

    def add(self, latency_ms: float | None, *, failed: bool, steps: Sequence[Sample] = ()) -> None:
        """Take one more request: its latency if it has one (infinity for a timeout), and whether it failed.

        ``steps`` are of its parts; of a workflow, as far as it came.
        """
        if latency_ms is not None:
            self.latency.add(latency_ms)
        for test, sample in zip(self._steps, steps, strict=False):
            if sample.latency_ms is not None:
                test.add(sample.latency_ms)
        self._errors.add(failed=failed)
        self.requests += 1
        if self.requests >= self._least and self._is_answered():
            self.stop = Stop.DECIDED
        elif self.requests >= self._most:
            self.stop = Stop.MAX_REQUESTS

    def _is_answered(self) -> bool:
        if self._errors.shown is Verdict.CRITICAL:
            return True
        decided = [test.decided for test in self._tests]
        if None in decided:
            return False
        return Verdict.CRITICAL in decided or not self._confirms_errors or self._errors.is_settled(None)

    def decision(self, otherwise: Stop = Stop.INTERRUPTED) -> Decision:
        """The decision by now; ``otherwise`` is why the stage ended if it was not over by itself.

        Its errors are those that are beyond doubt; what the requests for the failure rate alone bring is added later.
        """
        errors = self._errors
        return replace(
            self._by_latency(self.latency, otherwise),
            requests=self.requests,
            failures=errors.failures,
            errors=errors.shown,
            errors_decided=errors.shown is Verdict.CRITICAL,
            steps=tuple(self._by_latency(test, otherwise) for test in self._steps),
        )

    def _by_latency(self, test: LatencyTest, otherwise: Stop) -> Decision:
        return Decision(
            stage=self._number,
            stop=self.stop or otherwise,
            requests=test.count,
            failures=0,
            latency=_latency_verdict(test),
            latency_decided=test.decided is not None or test not in self._tests,
            value_ms=test.estimate() if test.count else None,
            interval_ms=test.interval(),
            errors=Verdict.OK,
            errors_decided=True,
            more_requests=test.more_requests(),
        )


def _latency_verdict(test: LatencyTest) -> Verdict:
    """The class of the estimate: the same as the decided one where it is decided."""
    return Verdict.NOT_MEASURED if test.count < LEAST_SAMPLES else test.limits.classify(test.estimate())


def has_answer(decision: Decision) -> bool:
    """Whether a stage can be judged by itself: it has latencies enough, or failures enough to do without."""
    return decision.latency is not Verdict.NOT_MEASURED or (
        decision.errors is Verdict.CRITICAL and decision.errors_decided
    )


def unconfirmed(decision: Decision, stop: Stop) -> Decision:
    """A decision that was to be confirmed, and was not: its findings are no longer beyond doubt.

    To confirm it would take about as many requests again.
    """
    return replace(
        decision,
        stop=stop,
        latency_decided=decision.latency_decided and decision.latency is Verdict.OK,
        errors_decided=decision.errors_decided and decision.errors is Verdict.OK,
        more_requests=decision.requests,
        is_unconfirmed=True,
        steps=tuple(unconfirmed(step, stop) for step in decision.steps),
    )


def levels_after(before: Decision | None, under: Spend, tests: int = 1) -> Levels:
    """The error that a stage may spend on calling the metric over a limit.

    An endpoint that sits at a limit is often measured again, and each time one of twenty is called wrongly. So only
    what the stage before has shown already is accepted at 5%, which makes 0.25% for both together; what it has not
    shown takes evidence that would do alone. Several ``tests``, of an endpoint and its parts, share the error equally
    (Bonferroni): one of them over a limit is enough. All of them have to be under theirs, so that is not shared.
    """
    usual, alone = ALPHA / tests, ALPHA_ALONE / tests
    if before is None:
        return Levels(usual, usual, under)
    seen = before.latency if before.latency_decided else Verdict.OK
    return Levels(
        warning=usual if seen in {Verdict.WARNING, Verdict.CRITICAL} else alone,
        critical=usual if seen is Verdict.CRITICAL else alone,
        under=under,
    )


def latency_test(endpoint: Endpoint, least: int, levels: Levels) -> LatencyTest:
    """The test of the endpoint's metric, looking after at least ``least`` requests."""
    looks = min(max(looks_of(endpoint.metric), least), MOST_LOOKS)
    if endpoint.metric is Metric.MEAN:
        return MeanTest(endpoint.limits, looks, levels)
    return QuantileTest(endpoint.metric, endpoint.limits, looks, levels)
