"""One reading of the monitor inside the service, from its address to a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from perfcheck.client.client import Client
from perfcheck.client.monitor_api import DEFAULT_PATH, read_monitor, stats_of
from perfcheck.engine.environment import EnvironmentProbe
from perfcheck.engine.run_builder import Judged, Origin, Outcome, assemble_run
from perfcheck.engine.session import Course, unreached
from perfcheck.errors import EXIT_NOT_MEASURED, CouldNotMeasureError
from perfcheck.judge.health import Health, judge_health, names_in, why_unreadable
from perfcheck.judge.verdict import judge_endpoint
from perfcheck.model import (
    Baseline,
    Counts,
    Endpoint,
    Finding,
    Measurement,
    MonitorReading,
    Rule,
    RunnerHealth,
    Service,
    UndecidedPolicy,
    Verdict,
)
from perfcheck.text import Redactor


def check_health(
    service: Service,
    baseline: Baseline | None,
    *,
    threshold_ms: float,
    label: str | None,
    command: tuple[str, ...],
    fail_on: Verdict | None,
    redact: Redactor,
    choose: Callable[[Sequence[str]], Sequence[str] | None],
) -> Outcome:
    """Read the monitor of ``service`` and judge what it says, by the limits of ``baseline`` where there is one.

    ``choose`` is given the names that there are, and tells which to report on (None: all); it may raise. When the
    monitor says nothing of the service, the outcome's defect is a CouldNotMeasureError.
    """
    endpoints = baseline.endpoints if baseline else ()
    service = replace(service, monitor=service.monitor or DEFAULT_PATH)
    started_at, started_s = datetime.now(UTC), time.perf_counter()
    with EnvironmentProbe() as probe, Client(service, redact=redact) as client:
        reading = read_monitor(service, client.fetch, threshold_ms=threshold_ms, redact=redact, shown=client.url_shown)
        environment = probe.finish()
        url = client.url_shown(stats_of(service))
        unreadable = why_unreadable(reading)
        defect = CouldNotMeasureError(*unreadable) if unreadable else None
        if defect is not None:
            health = _unread(endpoints, client, defect)
        else:
            health = _judge(reading, service, endpoints, threshold_ms, fail_on, choose, url)
    judged = Judged(
        results=health.results,
        verdict=health.verdict,
        counts=health.counts,
        exit_code=health.exit_code,
        complete=defect is None and bool(health.results),
        findings=(*health.findings, *_of_the_connection(service)),
    )
    duration_ms = (time.perf_counter() - started_s) * 1000
    course = Course(started_at, started_s, duration_ms, RunnerHealth(), interrupted=False, defect=defect)
    origin = Origin(client, environment, baseline, redact, label, command, course)
    return Outcome(assemble_run(origin, judged), defect)


def _judge(
    reading: MonitorReading,
    service: Service,
    endpoints: Sequence[Endpoint],
    threshold_ms: float,
    fail_on: Verdict | None,
    choose: Callable[[Sequence[str]], Sequence[str] | None],
    url: str,
) -> Health:
    wanted = choose(names_in(reading, service, endpoints))
    return judge_health(reading, service, endpoints, threshold_ms=threshold_ms, fail_on=fail_on, wanted=wanted, url=url)


def _unread(endpoints: Sequence[Endpoint], client: Client, reason: CouldNotMeasureError) -> Health:
    """Every endpoint of the baseline not measured, for this reason, which every report is to tell."""
    estimate = UndecidedPolicy.ESTIMATE
    results = []
    for one in endpoints:
        never = Measurement(one.name, (), ())
        result = judge_endpoint(one, never, url=client.url_shown(one), started_s=0.0, undecided=estimate)
        results.append(unreached(result, reason))
    whole = Finding.warning(Rule.MONITOR, reason.message, remedy=reason.remedy)
    return Health(tuple(results), (whole,), Verdict.NOT_MEASURED, Counts(0, 0, 0, len(results)), EXIT_NOT_MEASURED)


def _of_the_connection(service: Service) -> tuple[Finding, ...]:
    if service.tls.verify:
        return ()
    return (Finding.warning(Rule.CONNECTION, "TLS certificates are not verified"),)
