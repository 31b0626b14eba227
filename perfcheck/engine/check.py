"""One check, from a baseline to a run: measures, judges, and keeps what there is when it is cut short."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from perfcheck.client.client import Client
from perfcheck.client.monitor_api import read_monitor, stats_of
from perfcheck.engine.environment import EnvironmentProbe
from perfcheck.engine.run_builder import Judged, Origin, Outcome, assemble_run
from perfcheck.engine.session import measure, wait_for
from perfcheck.judge.health import alongside_a_run, without_a_monitor
from perfcheck.judge.verdict import judge_endpoint, judge_run
from perfcheck.model import (
    Baseline,
    Endpoint,
    EndpointResult,
    Finding,
    Measurement,
    Sample,
    Stop,
    Verdict,
)
from perfcheck.sampling.sampler import Sampler
from perfcheck.text import Redactor

_SLOW_MS = 500.0  # on average, of an endpoint that is not in the baseline


def check(
    baseline: Baseline,
    *,
    seed: int,
    label: str | None,
    command: tuple[str, ...],
    max_requests: int | None,
    fail_on: Verdict | None,
    redact: Redactor,
    watch: Callable[[Sampler], None] | None,
    measured: Callable[[], None],
    waiting: Callable[[], AbstractContextManager[None]],
    known: Sequence[Endpoint] = (),
    coverage: bool = False,
) -> Outcome:
    """Measure and judge every endpoint of ``baseline``, and hear what the monitor inside the service has beside.

    ``known`` are the endpoints that the baseline had before some of them were chosen. ``coverage``: also which
    endpoints the baseline and the monitor do not have in common.

    ``watch`` is called before the first request and after each, ``measured`` when there are no more to come.
    ``waiting`` surrounds the wait for the service; when it does not answer, the outcome's defect is a
    CouldNotMeasureError, and every endpoint not measured.
    """
    with EnvironmentProbe() as probe, Client(baseline.service, redact=redact) as client:
        defect = wait_for(client, waiting)
        environment = probe.finish()
        sampler = Sampler(
            baseline.endpoints,
            client.send,
            sampling=baseline.sampling,
            rng=random.Random(seed),  # noqa: S311 - the order of requests, not a secret
            now=time.perf_counter,
            sleep=time.sleep,
            max_requests=max_requests,
            observe=None if watch is None else lambda *_: watch(sampler),
        )
        if watch is not None:
            watch(sampler)
        course = measure(sampler.run, lambda: _samples(sampler), defect=defect, measured=measured)
        results = _judge(baseline, sampler.measurements(), client, course.started_s)
        beside: tuple[Finding, ...] = ()
        if course.is_whole and baseline.service.monitor is None and coverage:
            beside = (without_a_monitor(),)
        if course.is_whole and baseline.service.monitor is not None:
            every = known or baseline.endpoints
            results, beside = _with_the_monitor(baseline, every, results, client, redact, coverage=coverage)
    results = course.unless_unreached(results)
    verdict, counts, exit_code = judge_run(results, fail_on)
    judged = Judged(
        results=results,
        verdict=verdict,
        counts=counts,
        exit_code=course.exit_code(exit_code),
        complete=course.is_whole and not counts.not_measured and not _ran_out_of_time(sampler),
        findings=(*course.findings(client.notices), *beside),
    )
    origin = Origin(client, environment, baseline, redact, label, command, course, seed)
    return Outcome(assemble_run(origin, judged), course.defect)


def _samples(sampler: Sampler) -> list[Sample]:
    return [sample for measurement in sampler.measurements() for _, sample in measurement.samples]


def _judge(
    baseline: Baseline, measurements: Sequence[Measurement], client: Client, started_s: float
) -> tuple[EndpointResult, ...]:
    return tuple(
        judge_endpoint(
            endpoint,
            measurement,
            url=client.url_shown(endpoint),
            started_s=started_s,
            undecided=baseline.sampling.undecided,
        )
        for endpoint, measurement in zip(baseline.endpoints, measurements, strict=True)
    )


def _with_the_monitor(
    baseline: Baseline,
    known: Sequence[Endpoint],
    results: tuple[EndpointResult, ...],
    client: Client,
    redact: Redactor,
    *,
    coverage: bool,
) -> tuple[tuple[EndpointResult, ...], tuple[Finding, ...]]:
    """What it has counted by now, after the last sample: its answers disturb none."""
    reading = read_monitor(baseline.service, client.fetch, threshold_ms=_SLOW_MS, redact=redact, shown=client.url_shown)
    return alongside_a_run(
        reading,
        baseline.service,
        known,
        results,
        threshold_ms=_SLOW_MS,
        url=client.url_shown(stats_of(baseline.service)),
        whole=len(known) == len(baseline.endpoints),
        coverage=coverage,
    )


def _ran_out_of_time(sampler: Sampler) -> bool:
    return any(decision.stop is Stop.BUDGET for m in sampler.measurements() for decision in m.decisions[-1:])
