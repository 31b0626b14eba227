"""A stage: latency and errors together, and when there are enough requests."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from perfcheck.model import BREACHES, Decision, Endpoint, ErrorLimits, ErrorProof, Metric, Sample, Stop, Verdict
from perfcheck.sampling.stage import Stage, has_answer, levels_after, unconfirmed
from perfcheck.stats.error_rate import ErrorTest
from perfcheck.stats.sequential import CONFIRMATION, FIRST_STAGE

OK, WARNING, CRITICAL, NOT_MEASURED = Verdict.OK, Verdict.WARNING, Verdict.CRITICAL, Verdict.NOT_MEASURED
ENDPOINT = Endpoint("a", "/", 1, target_ms=100.0, warning_ms=150.0, critical_ms=200.0)
FAILED = None  # in place of a latency


def stage(
    outcomes: Iterable[float | None],
    endpoint: Endpoint = ENDPOINT,
    before: Decision | None = None,
    max_requests: int | None = None,
) -> Stage:
    """Fed until it is over, or ``outcomes`` are: latencies in milliseconds, infinity a timeout, None a failure."""
    fed = new_stage(endpoint, before, max_requests)
    for latency in outcomes:
        assert fed.stop is None, "fed beyond its end"
        fed.add(latency, failed=latency is None or math.isinf(latency))
    return fed


def over_after(
    outcomes: Iterable[float | None],
    endpoint: Endpoint = ENDPOINT,
    before: Decision | None = None,
    max_requests: int | None = None,
) -> Stage:
    """Fed until it is over."""
    fed = new_stage(endpoint, before, max_requests)
    for latency in outcomes:
        fed.add(latency, failed=latency is None or math.isinf(latency))
        if fed.stop:
            break
    return fed


def new_stage(endpoint: Endpoint, before: Decision | None = None, max_requests: int | None = None) -> Stage:
    confirms = before is not None and before.errors is CRITICAL
    errors = ErrorTest(endpoint.error_limits, ErrorProof.PROVEN, confirms=confirms)
    return Stage(endpoint, errors, before, under=CONFIRMATION if before else FIRST_STAGE, max_requests=max_requests)


def test_healthy() -> None:
    decision = stage([90.0, 110.0, 100.0, 95.0, 105.0]).decision()
    assert decision == Decision(
        stage=1,
        stop=Stop.DECIDED,
        requests=5,
        failures=0,
        latency=OK,
        latency_decided=True,
        value_ms=100.0,
        interval_ms=(90.0, 110.0),
        errors=OK,
        errors_decided=False,  # that is for the requests for the failure rate alone
        more_requests=None,
    )


def test_all_timeouts_are_slow_and_failing() -> None:
    decision = stage([math.inf] * 5).decision()
    assert (decision.stop, decision.requests, decision.failures) == (Stop.DECIDED, 5, 5)
    assert (decision.latency, decision.latency_decided, decision.value_ms) == (CRITICAL, True, math.inf)
    assert (decision.errors, decision.errors_decided) == (CRITICAL, True)


def test_all_failing_has_no_latency() -> None:
    decision = stage([FAILED] * 5).decision()
    assert (decision.stop, decision.requests) == (Stop.DECIDED, 5)
    assert (decision.latency, decision.latency_decided, decision.value_ms) == (NOT_MEASURED, False, None)
    assert decision.interval_ms == (None, None)
    assert decision.verdict is CRITICAL
    assert has_answer(decision)


def test_errors_end_it_early_but_not_before_five() -> None:
    assert stage([FAILED] * 4).stop is None
    assert over_after([100.0, FAILED, FAILED, 160.0, 100.0, FAILED, 100.0]).requests == 6


def test_a_failure_does_not_keep_the_stage_open() -> None:
    fed = over_after([FAILED, *[100.0] * 100])
    assert fed.requests == 6
    assert (fed.decision().verdict, fed.decision().failures) == (OK, 1)


def test_a_slow_endpoint_needs_no_answer_about_errors() -> None:
    decision = over_after([FAILED, *[300.0] * 10]).decision()
    assert (decision.requests, decision.latency, decision.latency_decided) == (6, CRITICAL, True)
    assert not decision.errors_decided


def test_without_an_error_limit_failing_requests_end_with_the_looks() -> None:
    lenient = replace(ENDPOINT, error_limits=ErrorLimits(1.0, 1.0))
    decision = stage([FAILED] * 200, lenient).decision()
    assert (decision.stop, decision.verdict) == (Stop.MAX_REQUESTS, NOT_MEASURED)
    assert not has_answer(decision)


@pytest.mark.parametrize(("asked", "needed"), [(5, 5), (12, 12), (1, 5)])
def test_min_requests_buy_more(asked: int, needed: int) -> None:
    endpoint = replace(ENDPOINT, min_requests=asked)
    assert stage([100.0] * (needed - 1), endpoint).stop is None
    assert stage([100.0] * needed, endpoint).stop is Stop.DECIDED


def test_min_requests_beyond_the_usual_looks_keep_the_question_open_until_then() -> None:
    near = [140.0, 155.0, 140.0, 155.0, 140.0, 155.0, 140.0] * 100
    assert over_after(near).decision().latency_decided is False
    decision = over_after(near, endpoint=replace(ENDPOINT, min_requests=700)).decision()
    assert (decision.requests, decision.latency, decision.latency_decided) == (700, OK, True)


@pytest.mark.parametrize(
    ("metric", "slow_of_100", "looks"),
    [
        (Metric.MEDIAN, 50, 200),
        (Metric.P75, 25, 200),
        (Metric.P90, 10, 200),
        (Metric.P95, 5, 300),
        (Metric.MEAN, 50, 200),
    ],
)
def test_an_open_question_is_left_open_after_the_looks(metric: Metric, slow_of_100: int, looks: int) -> None:
    near = [150.0 + 1e-9 if i * slow_of_100 % 100 < slow_of_100 else 150.0 - 1e-9 for i in range(1000)]
    fed = over_after(near, replace(ENDPOINT, metric=metric))
    assert (fed.stop, fed.requests) == (Stop.MAX_REQUESTS, looks)
    assert fed.decision().latency_decided is False


def test_max_requests() -> None:
    decision = over_after([100.0, 160.0] * 10, max_requests=8).decision()
    assert (decision.stop, decision.requests, decision.latency_decided) == (Stop.MAX_REQUESTS, 8, False)
    few = over_after([100.0] * 10, max_requests=3).decision()
    assert (few.stop, few.requests, few.latency) == (Stop.MAX_REQUESTS, 3, NOT_MEASURED)
    exact = over_after([100.0] * 10, max_requests=5).decision()
    assert exact.stop is Stop.DECIDED


def test_cut_short_it_has_the_class_of_its_estimate() -> None:
    decision = stage([160.0, 170.0, 100.0, 180.0, 190.0]).decision(Stop.BUDGET)
    assert (decision.stop, decision.latency, decision.latency_decided) == (Stop.BUDGET, WARNING, False)
    assert decision.more_requests is not None
    assert stage([160.0] * 4).decision(Stop.BUDGET).latency is NOT_MEASURED


def decided(latency: Verdict, *, errors: Verdict = OK, yes: bool = True) -> Decision:
    return Decision(1, Stop.DECIDED, 5, 0, latency, yes, 100.0, (None, None), errors, errors_decided=True)


@pytest.mark.parametrize(
    ("before", "latency_ms", "needed"),
    [
        (decided(CRITICAL), 300.0, 5),  # seen before
        (decided(CRITICAL), 160.0, 8),  # over the critical limit was over the warning limit as well
        (decided(WARNING), 160.0, 8),  # that it is not critical is shown with the error of a confirmation
        (decided(WARNING), 300.0, 11),  # worse than what was seen: a proof that does alone
        (decided(CRITICAL, yes=False), 300.0, 11),
        (decided(OK, errors=CRITICAL), 160.0, 59),  # errors: until they are found, or not found in 59
    ],
)
def test_only_what_was_seen_before_is_believed_easily(before: Decision, latency_ms: float, needed: int) -> None:
    fed = over_after([latency_ms] * 100, before=before)
    assert fed.requests == needed
    assert fed.decision().stage == 2
    assert fed.decision().latency_decided


def test_ok_takes_more_when_measured_again() -> None:
    """Both stages together call an endpoint over its limit OK in 5%."""
    assert over_after([100.0] * 9).requests == 5
    assert over_after([100.0] * 9, before=decided(CRITICAL)).requests == 8


def test_the_first_stage_takes_the_usual_error_for_a_breach() -> None:
    assert levels_after(None, CONFIRMATION) == levels_after(decided(CRITICAL), CONFIRMATION)


def test_confirmed_failing_needs_no_latency() -> None:
    decision = over_after([100.0, FAILED, 100.0, FAILED, FAILED], before=decided(OK, errors=CRITICAL)).decision()
    assert (decision.requests, decision.verdict, decision.latency) == (5, CRITICAL, NOT_MEASURED)


def test_failing_no_more_is_ok_after_59_requests() -> None:
    fed = over_after([100.0] * 60, before=decided(OK, errors=CRITICAL))
    assert (fed.requests, fed.decision().errors, fed.decision().latency) == (59, OK, OK)


def test_unconfirmed_takes_back_what_was_to_be_confirmed() -> None:
    taken = unconfirmed(decided(CRITICAL), Stop.BUDGET)
    assert (taken.verdict, taken.latency_decided, taken.errors_decided) == (CRITICAL, False, True)
    assert (taken.stop, taken.more_requests, taken.is_unconfirmed) == (Stop.BUDGET, 5, True)
    taken = unconfirmed(decided(OK, errors=WARNING), Stop.INTERRUPTED)
    assert (taken.verdict, taken.latency_decided, taken.errors_decided) == (WARNING, True, False)


# --- Steps of a workflow -------------------------------------------------------------------------------------------

FREE = Endpoint("free", "/free", 1, slow_ms=math.inf)
WORKFLOW = Endpoint("workflow", "", 1, slow_ms=math.inf, steps=(FREE, ENDPOINT))


def trials(
    *latencies: tuple[float | None, ...], before: Decision | None = None, workflow: Endpoint = WORKFLOW
) -> Stage:
    """Fed until it is over, or they are: the latencies of the steps, as far as they were sent."""
    fed = new_stage(workflow, before)
    for each in latencies:
        if fed.stop is None:
            total = None if None in each else math.fsum(latency or 0.0 for latency in each)
            failed = total is None or math.isinf(total)
            fed.add(total, failed=failed, steps=[Sample(0.0, latency) for latency in each])
    return fed


def test_a_slow_step_is_a_breach_although_the_workflow_has_no_limit() -> None:
    fed = trials(*[(900.0, 250.0)] * 5)
    decision = fed.decision()
    assert (fed.decided, decision.stop, decision.requests) == (CRITICAL, Stop.DECIDED, 5)
    assert (decision.latency, decision.slowest, decision.verdict, decision.is_decided) == (OK, CRITICAL, CRITICAL, True)
    assert [(step.latency, step.value_ms) for step in decision.steps] == [(OK, 900.0), (CRITICAL, 250.0)]


def test_a_stage_is_over_when_all_of_its_steps_are_decided() -> None:
    """A workflow of 2 s is CRITICAL at once; its step, at its limit, takes longer."""
    limited = replace(WORKFLOW, target_ms=1.0, warning_ms=1.5, critical_ms=2.0)
    near = [(900.0, 149.0), (900.0, 151.0)] * 200
    fed = trials(*near[:10], workflow=limited)
    assert (fed.decided, fed.stop) == (CRITICAL, None)
    assert fed.decision().is_decided  # that it is CRITICAL
    assert trials(*near, workflow=limited).decision().stop is Stop.MAX_REQUESTS


def test_a_confirmation_accepts_at_5_percent_only_what_that_step_showed_before() -> None:
    """At 2.5%, which is the share of two steps, seven of seven are enough, and at 0.05% they are not."""
    other = replace(WORKFLOW, steps=(ENDPOINT, ENDPOINT))
    before = trials(*[(90.0, 250.0)] * 7, workflow=other).decision()
    slow_again = trials(*[(90.0, 250.0)] * 30, before=before, workflow=other)
    assert [step.latency_decided for step in slow_again.decision().steps] == [True, True]
    now_the_other = trials(*[(250.0, 250.0)] * 7, before=before, workflow=other).decision()
    assert [step.latency_decided for step in now_the_other.steps] == [False, True]


def test_many_steps_are_called_slow_no_more_often_than_one() -> None:
    """Each is just under its limit. With 5% for each of twelve, a third of the workflows would be over one."""
    rng = random.Random(1)
    workflow = replace(WORKFLOW, steps=(ENDPOINT,) * 12)
    slow = 0
    for _ in range(60):
        passes = (tuple(149.9 * rng.lognormvariate(0, 0.3) for _ in workflow.steps) for _ in range(60))
        slow += trials(*passes, workflow=workflow).decided in BREACHES
    assert slow <= 6


def test_a_workflow_that_ends_early_has_the_latencies_that_there_are() -> None:
    decision = trials(*[(90.0, None)] * 5).decision()
    assert decision.errors is CRITICAL
    assert [(step.latency, step.requests) for step in decision.steps] == [(OK, 5), (NOT_MEASURED, 0)]


def test_a_breach_of_a_step_that_was_not_confirmed_is_not_beyond_doubt() -> None:
    decision = unconfirmed(trials(*[(900.0, 250.0)] * 5).decision(), Stop.BUDGET)
    assert not decision.is_decided
    assert [step.is_unconfirmed for step in decision.steps] == [True, True]
    assert [step.latency_decided for step in decision.steps] == [True, False]
