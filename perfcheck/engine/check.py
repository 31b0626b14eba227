"""A check: measures the endpoints of a baseline, judges them, and keeps the measurements when it is cut short."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcheck.client.client import Client
from perfcheck.client.http_client import HttpClient
from perfcheck.client.monitor_api import read_monitor, stats_of
from perfcheck.engine.environment import EnvironmentProbe
from perfcheck.engine.pages import browser_for
from perfcheck.engine.selection import select_endpoints
from perfcheck.engine.session import (
    Callbacks,
    Operations,
    Outcome,
    assemble_run,
    ended_early,
    measure,
    sampling_of,
    torn_down,
    wait_for,
)
from perfcheck.judge.monitored_service import alongside_a_run, without_a_monitor
from perfcheck.judge.run_verdict import (
    failures_under_load,
    judge_run,
    no_target_findings,
    partial_findings,
    service_findings,
)
from perfcheck.judge.verdict import judge_endpoint
from perfcheck.model import Baseline, EndpointResult, Finding, Run, Service, Verdict, single_requests
from perfcheck.sampling.sampler import Sampler
from perfcheck.text import Redactor

if TYPE_CHECKING:
    from perfcheck.service_process import ServiceProcess

REQUESTS_TO_COMPARE = 30  # five prove a healthy median, and are too few to see that it became slower
_CHECK_URL = "start it, or correct the URL"
_SLOW_MS = 500.0  # on average, of an endpoint that is not in the baseline


def _over_the_network(service: Service, redact: Redactor, seed: int) -> HttpClient[Any]:
    return Client(service, redact=redact, seed=seed)


def check(
    baseline: Baseline,
    *,
    names: Sequence[str] = (),
    groups: Sequence[str] = (),
    against: Run | None = None,
    fail_on: Verdict | None = Verdict.CRITICAL,
    allow_partial: bool = False,
    label: str | None = None,
    command: tuple[str, ...] = ("perfcheck", "run"),
    max_requests: int | None = None,
    seed: int | None = None,
    measured_alone: Callable[[str], Mapping[str, str]] | None = None,
    known_operations: Callable[[str], Collection[str]] | None = None,
    process: ServiceProcess | None = None,
    callbacks: Callbacks = Callbacks(),  # noqa: B008 - frozen
    open_client: Callable[[Service, Redactor, int], HttpClient[Any]] = _over_the_network,
    redact: Redactor | None = None,
    browser_files: Path | None = None,
) -> Outcome:
    """Measure the endpoints of ``baseline`` that have these names and groups (all without any), and judge them.

    ``against`` is an earlier run: what became slower since then is one more reason for a verdict, and every endpoint
    is sent at least 30 requests. ``fail_on`` is the lowest verdict that gives the run exit code 1 (None: no verdict
    does). With ``allow_partial`` endpoints for which there was no time do not keep the run from passing, as long as one
    was measured; the run has a warning about them. ``command`` are the words that, followed by a name, check that
    endpoint again, for the reports. ``measured_alone`` as of :class:`~perfcheck.sampling.sampler.Sampler`, of the runs
    of the branch that it is called with, "" for none. ``known_operations`` returns the ``operations`` of the last saved
    run of that branch: then those of ``service.openapi`` that are new since, slow, and not in the baseline are a
    warning. ``process`` is that of the service, where the caller started it: when it ends, the wait for the service
    does. ``redact`` has the secrets of the baseline, and learns those that the service hands out.
    ``browser_files`` is a folder for a screenshot and a HAR of each page's slowest load.

    Raises UsageError for an unknown name. When the service does not answer, the outcome's error is a
    CouldNotMeasureError, and every endpoint not measured. KeyboardInterrupt ends the measuring, not the check: the run
    holds what was measured, and has exit code 130.
    """
    endpoints = select_endpoints(baseline, names, groups)
    if against is not None:
        endpoints = tuple(replace(e, min_requests=max(e.min_requests, REQUESTS_TO_COMPARE)) for e in endpoints)
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    redact, progress = redact or Redactor(baseline.secrets), callbacks.progress
    with (
        EnvironmentProbe() as probe,
        open_client(baseline.service, redact, seed) as client,
        browser_for(endpoints, (client,), (baseline,), redact, keep_in=browser_files),
        torn_down(client, baseline.teardown, redact) as from_teardown,
    ):
        timeout_s, unreachable = baseline.service.ready_timeout_s, None if baseline.file else _CHECK_URL
        error = wait_for(client, endpoints, timeout_s, callbacks, unreachable=unreachable, process=process)
        environment = probe.finish()
        alone = partial(measured_alone, environment.branch or "") if measured_alone else None
        sampler = Sampler(
            endpoints,
            client,
            sampling=sampling_of(baseline),
            rng=random.Random(seed),  # noqa: S311 - the order of requests, not a secret
            now=time.perf_counter,
            max_requests=max_requests,
            observe=lambda *_: progress(sampler),
            measured_alone=dict if against is not None and alone is None else alone,
        )
        execution = measure(sampler, error, callbacks, set_up=lambda: client.set_up(baseline.setup))
        results = tuple(
            judge_endpoint(
                endpoint,
                measurement,
                url_shown=client.url_shown,
                started_s=execution.started_s,
                undecided=baseline.sampling.undecided,
            )
            for endpoint, measurement in zip(endpoints, sampler.measurements(), strict=True)
        )
        from_monitor: tuple[Finding, ...] = ()
        operations = Operations()
        if execution.is_whole:
            try:
                results, from_monitor = _with_the_monitor(
                    baseline, results, client, redact, with_coverage=against is not None and bool(baseline.file)
                )
                if known_operations and baseline.service.openapi and len(baseline.endpoints) == len(endpoints):
                    from perfcheck.engine.new_operations import look_for_slow_operations

                    operations = look_for_slow_operations(
                        baseline,
                        results,
                        client,
                        redact,
                        known=partial(known_operations, environment.branch or ""),
                        started_s=execution.started_s,
                    )
                    results = (*results, *operations.slow)
            except KeyboardInterrupt:
                callbacks.measured()
                execution = replace(execution, interrupted=True)
    results = execution.as_it_ended(results)
    of_service = service_findings(results)
    _, counts, _ = judged = judge_run(results, fail_on, of_service, allow_partial=allow_partial)
    outcome = assemble_run(
        client,
        environment,
        baseline,
        execution,
        results,
        judged,
        findings=(
            *no_target_findings(results),
            *(partial_findings(results) if allow_partial and execution.is_whole else ()),
            *of_service,
            *failures_under_load(sampler.measurements()),
            *ended_early(process, execution),
            *from_teardown,
            *execution.findings(client.findings, environment, results),
            *probe.findings,
            *from_monitor,
            *operations.findings,
        ),
        complete=not counts.not_measured and not any(each.ran_out_of_time for each in sampler.measurements()),
        redact=redact,
        command=command,
        label=label,
        seed=seed,
        operations=operations.request_lines,
    )
    if against is None:
        return outcome
    from perfcheck.engine.saved_runs import compared_with

    selected = bool(names or groups or not baseline.file)
    return compared_with(against, outcome, baseline.compare, fail_on, selected=selected, allow_partial=allow_partial)


def _with_the_monitor(
    baseline: Baseline,
    results: tuple[EndpointResult, ...],
    client: HttpClient[Any],
    redact: Redactor,
    *,
    with_coverage: bool,
) -> tuple[tuple[EndpointResult, ...], tuple[Finding, ...]]:
    """What the monitor inside the service has counted by now, after the last sample: reading it disturbs none.

    ``with_coverage``: also which endpoints the baseline and the monitor do not have in common.
    """
    service = baseline.service
    if service.monitor is None:
        return results, (without_a_monitor(),) if with_coverage else ()
    reading = read_monitor(
        service,
        client.fetch,
        threshold_ms=_SLOW_MS,
        redact=redact,
        shown=client.url_shown,
        endpoints=tuple(single_requests(baseline.endpoints)),
    )
    return alongside_a_run(
        reading,
        service,
        baseline.endpoints,
        results,
        threshold_ms=_SLOW_MS,
        url=client.url_shown(stats_of(service)),
        whole=len(baseline.endpoints) == len(results),
        coverage=with_coverage,
        around=(*baseline.setup, *baseline.teardown),
    )
