"""A health check: one reading of the monitor inside the service, judged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from perfcheck.client.client import Client
from perfcheck.client.monitor_api import DEFAULT_PATH, read_monitor, stats_of
from perfcheck.engine.environment import EnvironmentProbe
from perfcheck.engine.selection import select_names
from perfcheck.engine.session import Callbacks, Execution, Outcome, assemble_run, unreached, wait_for
from perfcheck.errors import EXIT_NOT_MEASURED, CouldNotMeasureError
from perfcheck.judge.monitored_service import Health, judge_health, names_in, why_unreadable
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
    UndecidedPolicy,
    Verdict,
)
from perfcheck.text import Redactor

if TYPE_CHECKING:
    from perfcheck.service_process import ServiceProcess


def check_health(
    baseline: Baseline,
    *,
    names: Sequence[str] = (),
    threshold_ms: float = 500.0,
    fail_on: Verdict | None = Verdict.CRITICAL,
    label: str | None = None,
    command: tuple[str, ...] = ("perfcheck", "health"),
    process: ServiceProcess | None = None,
    callbacks: Callbacks = Callbacks(),  # noqa: B008 - frozen
) -> Outcome:
    """Read the monitor of the service and judge its figures by the limits of ``baseline``, as far as it has any.

    ``threshold_ms``: an endpoint without limits of its own is slow over this. Other parameters as of ``check``. Raises
    UsageError for a name that the monitor does not have. When it reports nothing of the service, the outcome's error
    is a CouldNotMeasureError. An interruption is raised: there is nothing to keep.
    """
    redact = Redactor(baseline.secrets)
    service = replace(baseline.service, monitor=baseline.service.monitor or DEFAULT_PATH)
    started_at, started_s = datetime.now(UTC), time.perf_counter()
    with EnvironmentProbe() as probe, Client(service, redact=redact) as client:
        # Only a service that was just started is waited for: any other has figures to read, or is down.
        endpoints, timeout_s = baseline.endpoints, service.ready_timeout_s
        error = wait_for(client, endpoints, timeout_s, callbacks, process=process) if process else None
        reading = (
            MonitorReading(alive=False)
            if error
            else read_monitor(
                service,
                client.fetch,
                threshold_ms=threshold_ms,
                redact=redact,
                shown=client.url_shown,
                endpoints=baseline.endpoints,
            )
        )
        environment = probe.finish()
        if error is None and (unreadable := why_unreadable(reading)):
            error = CouldNotMeasureError(*unreadable)
        if error is not None:
            health = _unread(baseline.endpoints, client, error)
        else:
            health = judge_health(
                reading,
                service,
                baseline.endpoints,
                threshold_ms=threshold_ms,
                fail_on=fail_on,
                wanted=select_names(names_in(reading, service, baseline.endpoints), names),
                url=client.url_shown(stats_of(service)),
            )
    callbacks.measured()
    duration_ms = (time.perf_counter() - started_s) * 1000
    return assemble_run(
        client,
        environment,
        baseline,
        Execution(started_at, started_s, duration_ms, RunnerHealth(), interrupted=False, error=error),
        health.results,
        (health.verdict, health.counts, health.exit_code),
        findings=(*health.findings, *client.findings, *probe.findings),
        complete=bool(health.results),
        redact=redact,
        command=command,
        label=label,
    )


def _unread(endpoints: Sequence[Endpoint], client: Client, reason: CouldNotMeasureError) -> Health:
    """Every endpoint of the baseline not measured, for this reason, which every report shows."""
    estimate = UndecidedPolicy.ESTIMATE
    results = []
    for endpoint in endpoints:
        nothing = Measurement(endpoint.name, (), ())
        result = judge_endpoint(endpoint, nothing, url_shown=client.url_shown, started_s=0.0, undecided=estimate)
        results.append(unreached(result, reason))
    finding = Finding.warning(Rule.MONITOR, reason.message, remedy=reason.remedy)
    return Health(tuple(results), (finding,), Verdict.NOT_MEASURED, Counts(0, 0, 0, len(results)), EXIT_NOT_MEASURED)
