"""Two running services compared, or one with itself: from their addresses to a run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from perfcheck.cli.assembly import Judged, Origin, Outcome, assemble_run
from perfcheck.cli.check import exit_code_of, run_findings, sample_until_done, unreached, wait_for
from perfcheck.errors import CouldNotMeasureError
from perfcheck.judge.comparison import Held, cannot_tell, compared_alone
from perfcheck.judge.noise import noise_findings
from perfcheck.judge.verdict import judge_endpoint, judge_run
from perfcheck.measure.client import Client
from perfcheck.measure.pair_sampler import PairMeasurement, PairSampler, without_limits
from perfcheck.measure.runner_health import RunnerMonitor
from perfcheck.model import (
    Against,
    Baseline,
    ComparedHow,
    Comparison,
    Endpoint,
    EndpointResult,
    Metric,
    Sample,
    Stop,
    UndecidedPolicy,
    Verdict,
)
from perfcheck.record.environment import EnvironmentProbe
from perfcheck.text import Redactor


@dataclass(frozen=True, slots=True)
class LivePlan:
    """What is to be compared, and how it is told of."""

    before: Baseline  # the same but for the address of the service
    after: Baseline
    how: ComparedHow
    seed: int
    label: str | None
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
    endpoints = plan.after.endpoints
    with (
        EnvironmentProbe() as probe,
        Client(plan.before.service, redact=plan.redact) as before,
        Client(plan.after.service, redact=plan.redact) as after,
    ):
        defect: Exception | None = wait_for(before, waiting) or wait_for(after, waiting)
        environment = probe.finish()
        sampler = PairSampler(
            endpoints,
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
        runner = RunnerMonitor()
        runner.start()
        started_at, started_s = datetime.now(UTC), time.perf_counter()
        interrupted = False
        if defect is None:
            interrupted, defect = sample_until_done(sampler.run, measured)
        duration_ms = (time.perf_counter() - started_s) * 1000
        pairs = sampler.measurements()
        health = runner.finish(list(_samples(pairs)))
        results = tuple(
            _result(plan, endpoint, pair, (before.url_shown(endpoint), after.url_shown(endpoint)), started_s)
            for endpoint, pair in zip(endpoints, pairs, strict=True)
        )
        if isinstance(defect, CouldNotMeasureError):
            results = tuple(unreached(result, defect) for result in results)
        verdict, counts, exit_code = judge_run(results, plan.fail_on)
        beside = cannot_tell(results, "run it again" if interrupted else _how_to_settle(pairs))
        if plan.how is ComparedHow.SAME:
            beside += noise_findings(results, _latencies(pairs))
        judged = Judged(
            results=results,
            verdict=verdict,
            counts=counts,
            exit_code=exit_code_of(exit_code, interrupted=interrupted, defect=defect),
            complete=not (interrupted or defect or counts.not_measured or _ran_out_of_time(pairs)),
            findings=(*run_findings(after.notices, health, interrupted=interrupted, defect=defect), *beside),
        )
        origin = Origin(
            after,
            environment,
            plan.after,
            plan.redact,
            plan.label,
            plan.command,
            started_at,
            duration_ms,
            plan.seed,
            health,
        )
        against = Against(
            how=plan.how,
            label=None,
            run_id=None,
            started_at=None,
            commit=None,
            base_url=before.base_url_shown,
            limits=plan.after.compare,
            with_targets=False,
        )
        return Outcome(assemble_run(origin, judged, against), defect)


def _samples(pairs: tuple[PairMeasurement, ...]) -> list[Sample]:
    return [sample for pair in pairs for side in (pair.before, pair.after) for _, sample in side.samples]


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
    held = Held(
        after=after,
        before=before,
        comparison=_comparison(before, after, pair),
        severity=pair.outcome.severity,
        remedy=None,
    )
    return compared_alone(held, plan.after.compare)


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
    if _ran_out_of_time(pairs):
        return "raise --budget"
    most = max(len(pair.after.samples) for pair in pairs)
    return f"it is close to a limit: --max-pairs {2 * most} may tell"
