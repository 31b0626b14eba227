"""Two running services compared, or one with itself: from their addresses to a run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from perfcheck.client.client import Client
from perfcheck.engine.environment import EnvironmentProbe
from perfcheck.engine.run_builder import Judged, Origin, Outcome, assemble_run
from perfcheck.engine.session import Course, measure, wait_for
from perfcheck.errors import CouldNotMeasureError
from perfcheck.judge.compare_runs import added_and_removed
from perfcheck.judge.comparison import EndpointPair, cannot_tell, compared_alone, noise_findings
from perfcheck.judge.verdict import judge_endpoint, judge_run
from perfcheck.model import (
    Against,
    Baseline,
    ComparedHow,
    Comparison,
    Endpoint,
    EndpointResult,
    Finding,
    Metric,
    Rule,
    Sample,
    Stop,
    UndecidedPolicy,
    Verdict,
)
from perfcheck.sampling.pair_sampler import PairMeasurement, PairSampler, without_limits
from perfcheck.text import Redactor, clean

_MOST_NAMED = 5
_NO_SUCH_ENDPOINT = {404, 405, 410, 501}


@dataclass(frozen=True, slots=True)
class LivePlan:
    """What is to be compared, and how it is told of."""

    before: Baseline  # the same but for the address of the service
    after: Baseline
    how: ComparedHow
    seed: int
    command: tuple[str, ...]
    max_pairs: int | None
    fail_on: Verdict | None
    redact: Redactor


def compare_live(
    plan: LivePlan,
    *,
    watch: Callable[[PairSampler], None] | None,
    measured: Callable[[], None],
    waiting: Callable[[], AbstractContextManager[None]],
) -> Outcome:
    """Ask both services in pairs, and judge what became slower. ``watch``, ``measured``, ``waiting``: see ``check``."""
    with (
        EnvironmentProbe() as probe,
        Client(plan.before.service, redact=plan.redact) as before,
        Client(plan.after.service, redact=plan.redact) as after,
    ):
        defect = _wait_for(before, waiting) or _wait_for(after, waiting)
        # The commit is that of this folder, and may be neither side's.
        environment = replace(probe.finish(), commit=None, branch=None, dirty=None)
        sampler = PairSampler(
            plan.after.endpoints,
            (before.send, after.send),
            limits=plan.after.compare,
            sampling=plan.after.sampling,
            rng=random.Random(plan.seed),  # noqa: S311 - the order of requests, not a secret
            now=time.perf_counter,
            sleep=time.sleep,
            max_pairs=plan.max_pairs,
            observe=None if watch is None else lambda: watch(sampler),
        )
        if watch is not None:
            watch(sampler)
        course = measure(sampler.run, lambda: _samples(sampler.measurements()), defect=defect, measured=measured)
        pairs = sampler.measurements()
        results = course.unless_unreached(
            tuple(
                _result(plan, endpoint, pair, (before.url_shown(endpoint), after.url_shown(endpoint)), course.started_s)
                for endpoint, pair in zip(plan.after.endpoints, pairs, strict=True)
            )
        )
        verdict, counts, exit_code = judge_run(results, plan.fail_on)
        notices = list(dict.fromkeys((*before.notices, *after.notices)))
        judged = Judged(
            results=results,
            verdict=verdict,
            counts=counts,
            exit_code=course.exit_code(exit_code),
            complete=course.is_whole and not counts.not_measured and not _ran_out_of_time(pairs),
            findings=(*course.findings(notices), *_of_the_whole(plan, course, results, pairs)),
        )
        origin = Origin(after, environment, plan.after, plan.redact, None, plan.command, course, plan.seed)
        against = replace(_against(plan, before.base_url_shown), added=_added(results))
        return Outcome(assemble_run(origin, judged, against), course.defect)


def _added(results: tuple[EndpointResult, ...]) -> tuple[str, ...]:
    return tuple(one.name for one in results if any(finding.rule is Rule.ADDED for finding in one.findings))


def _wait_for(client: Client, waiting: Callable[[], AbstractContextManager[None]]) -> CouldNotMeasureError | None:
    defect = wait_for(client, waiting)
    if defect is None or "--base-url" not in (defect.remedy or ""):
        return defect
    return CouldNotMeasureError(defect.message, "start it, or correct its address", is_down=defect.is_down)


def _against(plan: LivePlan, base_url: str) -> Against:
    return Against(
        how=plan.how,
        label=None,
        run_id=None,
        started_at=None,
        commit=None,
        base_url=base_url,
        limits=plan.after.compare,
        with_targets=False,
    )


def _of_the_whole(
    plan: LivePlan, course: Course, results: tuple[EndpointResult, ...], pairs: tuple[PairMeasurement, ...]
) -> Iterator[Finding]:
    yield from added_and_removed(_added(results), (), "the service before")
    yield from _judged_by_a_tail(plan.after.endpoints)
    yield from cannot_tell(results, "run it again" if course.interrupted else _how_to_settle(pairs))
    if plan.how is ComparedHow.SAME:
        yield from noise_findings(results, _latencies(pairs))


def _samples(pairs: tuple[PairMeasurement, ...]) -> list[Sample]:
    return [sample for pair in pairs for side in (pair.before, pair.after) for _, sample in side.samples]


def _judged_by_a_tail(endpoints: Sequence[Endpoint]) -> Iterator[Finding]:
    """Pairs tell of the typical request; what the baseline judges by another metric may be slower there alone."""
    others = [endpoint for endpoint in endpoints if endpoint.metric is not Metric.MEDIAN]
    if others:
        names = ", ".join(f"{clean(one.name)} ({one.metric})" for one in others[:_MOST_NAMED])
        names += f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        message = f"compared by their typical request, where the baseline asks for more: {names}"
        remedy = "a slower tail alone shows in two saved runs: 'perfcheck run --against'"
        yield Finding.note(Rule.METRIC, message, remedy=remedy)


def _latencies(pairs: tuple[PairMeasurement, ...]) -> Iterator[tuple[float, float]]:
    """Of every judged pair in which both sides gave one, in milliseconds."""
    for pair in pairs:
        for (stage, before), (_, after) in zip(pair.before.samples, pair.after.samples, strict=True):
            if stage and before.latency_ms is not None and after.latency_ms is not None:
                yield before.latency_ms, after.latency_ms


def _ran_out_of_time(pairs: tuple[PairMeasurement, ...]) -> bool:
    return any(decision.stop is Stop.BUDGET for pair in pairs for decision in pair.after.decisions)


def _result(
    plan: LivePlan, endpoint: Endpoint, pair: PairMeasurement, urls: tuple[str, str], started_s: float
) -> EndpointResult:
    bare = without_limits(endpoint)
    before, after = (
        judge_endpoint(bare, side, url=url, started_s=started_s, undecided=UndecidedPolicy.ESTIMATE)
        for side, url in zip((pair.before, pair.after), urls, strict=True)
    )
    held = EndpointPair(
        after=after,
        before=None if _was_not_there(pair) and after.requests.succeeded else before,
        comparison=_comparison(before, after, pair),
        severity=pair.outcome.severity,
        remedy=None,
    )
    return compared_alone(held, plan.after.compare)


def _was_not_there(pair: PairMeasurement) -> bool:
    """Whether the service before had no such endpoint: what the other adds is no failure of its own."""
    answers = {sample.status for _, sample in pair.before.samples}
    return bool(answers) and answers <= _NO_SUCH_ENDPOINT


def _comparison(before: EndpointResult, after: EndpointResult, pair: PairMeasurement) -> Comparison | None:
    """None where there is not a single pair of latencies."""
    outcome = pair.outcome
    if not pair.pairs:
        return None
    return Comparison(
        changed=outcome.changed,
        metric=Metric.MEDIAN,
        before_ms=before.latency_ms.median,
        after_ms=after.latency_ms.median,
        ratio=outcome.ratio,
        ratio_interval=outcome.interval,
        before_samples=len(before.samples_ms),
        after_samples=len(after.samples_ms),
        pairs=pair.pairs,
        before_error_rate=before.error_rate,
        before_samples_ms=before.samples_ms,
        before_server_timing=before.server_timing,
        before_server_timing_details=before.server_timing_details,
        more_samples=outcome.more_pairs,
    )


def _how_to_settle(pairs: tuple[PairMeasurement, ...]) -> str:
    stops = {decision.stop: pair.pairs for pair in pairs for decision in pair.after.decisions}
    if Stop.BUDGET in stops:
        return "raise --budget"
    return (
        f"'--max-pairs {2 * stops[Stop.MAX_REQUESTS]}' may tell" if Stop.MAX_REQUESTS in stops else "look at failures"
    )
