"""One check, from a baseline to a run: measures, judges, and keeps what there is when it is cut short."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime

from perfcheck.cli.assembly import Judged, Origin, Outcome, assemble_run
from perfcheck.discover.monitor_api import read_monitor, stats_of
from perfcheck.errors import EXIT_BUG, EXIT_INTERRUPTED, CouldNotMeasureError, PerfcheckError
from perfcheck.judge.health import beside_a_run, without_a_monitor
from perfcheck.judge.verdict import judge_endpoint, judge_run
from perfcheck.measure.client import Client
from perfcheck.measure.runner_health import RunnerMonitor
from perfcheck.measure.sampler import Sampler
from perfcheck.model import (
    Baseline,
    Endpoint,
    EndpointResult,
    Finding,
    Measurement,
    RunnerHealth,
    Severity,
    Stop,
    Verdict,
)
from perfcheck.record.environment import EnvironmentProbe
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
        defect: Exception | None = wait_for(client, waiting)
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
        runner = RunnerMonitor()
        runner.start()
        started_at, started_s = datetime.now(UTC), time.perf_counter()
        interrupted = False
        if defect is None:
            interrupted, defect = sample_until_done(sampler.run, measured)
        duration_ms = (time.perf_counter() - started_s) * 1000
        health = runner.finish([sample for m in sampler.measurements() for _, sample in m.samples])
        results = _judge(baseline, sampler.measurements(), client, started_s)
        beside: tuple[Finding, ...] = ()
        if defect is None and not interrupted and baseline.service.monitor is None and coverage:
            beside = (without_a_monitor(),)
        if defect is None and not interrupted and baseline.service.monitor is not None:
            results, beside = _with_the_monitor(
                baseline, known or baseline.endpoints, results, client, redact, coverage=coverage
            )
    if isinstance(defect, CouldNotMeasureError):
        results = tuple(unreached(result, defect) for result in results)
    verdict, counts, exit_code = judge_run(results, fail_on)
    judged = Judged(
        results=results,
        verdict=verdict,
        counts=counts,
        exit_code=exit_code_of(exit_code, interrupted=interrupted, defect=defect),
        complete=not (interrupted or defect or counts.not_measured or _ran_out_of_time(sampler)),
        findings=(*run_findings(client.notices, health, interrupted=interrupted, defect=defect), *beside),
    )
    origin = Origin(client, environment, baseline, redact, label, command, started_at, duration_ms, seed, health)
    return Outcome(assemble_run(origin, judged), defect)


def wait_for(client: Client, waiting: Callable[[], AbstractContextManager[None]]) -> CouldNotMeasureError | None:
    """Until the service answers; the reason when it does not, which every report is to tell."""
    try:
        with waiting():
            client.wait_until_ready()
    except CouldNotMeasureError as error:
        return error
    return None


def unreached(result: EndpointResult, reason: CouldNotMeasureError) -> EndpointResult:
    """Not measured, for this reason."""
    finding = Finding("not-measured", Severity.NOTE, None, None, None, reason.message, reason.remedy, result.line)
    return replace(result, findings=(finding,))


def exit_code_of(judged: int, *, interrupted: bool, defect: Exception | None) -> int:
    if interrupted:
        return EXIT_INTERRUPTED
    if defect is not None:
        return defect.exit_code if isinstance(defect, PerfcheckError) else EXIT_BUG
    return judged


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
    return beside_a_run(
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


def sample_until_done(run: Callable[[], None], measured: Callable[[], None]) -> tuple[bool, Exception | None]:
    """Whether the user interrupted it, and the defect of ours that ended it. What was measured stays either way."""
    try:
        try:
            run()
        finally:
            measured()
    except KeyboardInterrupt:
        measured()  # in case the interruption came in the line before it
        return True, None
    except Exception as error:  # noqa: BLE001 - raised again once the reports are written
        return False, error
    return False, None


def run_findings(
    notices: tuple[str, ...], health: RunnerHealth, *, interrupted: bool, defect: Exception | None
) -> Iterator[Finding]:
    if interrupted:
        yield _run_warning("interrupted", "interrupted: this is what was measured until then")
    if isinstance(defect, CouldNotMeasureError):
        yield _run_warning("service", defect.message)
    elif defect is not None:
        yield _run_warning("defect", "a bug in perfcheck ended the run: this is what was measured until then")
    for notice in notices:
        yield _run_warning("connection", notice)
    if health.message:
        yield _run_warning("runner", health.message)


def _run_warning(rule: str, message: str) -> Finding:
    return Finding(rule, Severity.WARNING, None, None, None, message, None, None)
