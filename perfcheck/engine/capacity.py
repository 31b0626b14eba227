"""The capacity of a service: load by the generator, the search for the largest that holds, and the verdict on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from perfcheck.capacity.engine.engine import Engine, require_locust
from perfcheck.capacity.engine.remote import RemoteWorkers, worker_count
from perfcheck.capacity.evidence import AllowedShares
from perfcheck.capacity.measure import CapacityMeasurement, over_near
from perfcheck.capacity.model import Attempt, Ending
from perfcheck.capacity.search import SearchPlan, search
from perfcheck.capacity.verdict import judge_capacity
from perfcheck.client.client import Client
from perfcheck.engine.environment import EnvironmentProbe
from perfcheck.engine.load_plan import Mix, load_plan, mix_of
from perfcheck.engine.session import Callbacks, Execution, Outcome, assemble_run, ended_early, torn_down, wait_for
from perfcheck.errors import UsageError, caused_by_the_machine
from perfcheck.hosts import check_load_target
from perfcheck.model import (
    Baseline,
    CapacityGoals,
    CapacityResult,
    Counts,
    Finding,
    LoadModel,
    Rule,
    Run,
    RunnerHealth,
    Verdict,
)
from perfcheck.text import Redactor
from perfcheck.words import plural

if TYPE_CHECKING:
    from perfcheck.service_process import ServiceProcess

_MOST = 100_000.0  # users, or requests a second
_NOT_COUNTED = Counts(0, 0, 0, 0)


def check_capacity(
    baseline: Baseline,
    *,
    workers: int | RemoteWorkers = 1,
    owns_host: bool = False,
    against: Run | None = None,
    fail_on: Verdict | None = Verdict.CRITICAL,
    label: str | None = None,
    command: tuple[str, ...] = ("perfcheck", "capacity"),
    process: ServiceProcess | None = None,
    callbacks: Callbacks = Callbacks(),  # noqa: B008 - frozen
    trying: Callable[[Attempt], None] = lambda _: None,
    redact: Redactor | None = None,
) -> Outcome:
    """Search the largest load for which ``baseline.capacity`` holds, and judge it.

    ``workers`` are the processes that make the load, started here, or remote; ``owns_host``: the service may be on
    another machine. ``against`` is an earlier run with a capacity; ``trying`` is called before each load, all others as
    of ``check``.
    Raises UsageError for what cannot be requested under load, and where the extra is missing. An interruption ends the
    load, not the report.
    """
    goals, redact = baseline.capacity, redact or Redactor(baseline.secrets)
    require_locust()
    _check_service(baseline, owns_host=owns_host)
    mix = mix_of(baseline)
    if against is not None:
        _check_comparable(_result(goals, mix, workers, None), against)
    with (
        EnvironmentProbe() as probe,
        Client(baseline.service, redact=redact) as client,
        torn_down(client, baseline.teardown, redact) as from_teardown,
    ):
        error = wait_for(client, mix.endpoints, baseline.service.ready_timeout_s, callbacks, process=process)
        environment = probe.finish()
        execution, result, of_workers = _measured(baseline, mix, client, workers, error, callbacks, trying, redact)
    result, findings, exit_code = judge_capacity(result, against, fail_on, goals.line)
    outcome = assemble_run(
        client,
        environment,
        baseline,
        execution,
        (),
        (result.verdict, _NOT_COUNTED, exit_code),
        findings=(
            *(findings if result.steps else ()),
            *_left_out(goals),
            *of_workers,
            *ended_early(process, execution),
            *from_teardown,
            *execution.findings(client.findings, environment),
            *probe.findings,
        ),
        complete=result.verdict is not Verdict.NOT_MEASURED,
        redact=redact,
        command=command,
        label=label,
    )
    return replace(outcome, run=replace(outcome.run, capacity=result))


def _measured(
    baseline: Baseline,
    mix: Mix,
    client: Client,
    workers: int | RemoteWorkers,
    error: Exception | None,
    callbacks: Callbacks,
    trying: Callable[[Attempt], None],
    redact: Redactor,
) -> tuple[Execution, CapacityResult, list[Finding]]:
    """What was measured stays, whatever ends it early."""
    goals = baseline.capacity
    started_at, started_s = datetime.now(UTC), time.perf_counter()
    interrupted, of_error = False, Rule.SERVICE
    measurement: CapacityMeasurement | None = None
    try:
        if error is None:
            try:
                client.set_up(baseline.setup)
                of_error = Rule.RUNNER  # from here on the generator reports what the service does as figures
                with Engine(load_plan(baseline, mix, client), workers, redact) as engine:
                    measurement = CapacityMeasurement(engine, mix.limits_ms, trying)
                    measurement.run(search(_search_plan(goals, mix)))
            finally:
                callbacks.measured()
    except KeyboardInterrupt:
        callbacks.measured()  # in case the interruption came in the line before it
        interrupted = True
    except UsageError:
        raise
    except Exception as failure:  # noqa: BLE001 - raised again once the reports are written
        error = caused_by_the_machine(failure) or failure
    duration_ms = (time.perf_counter() - started_s) * 1000
    execution = Execution(
        started_at,
        started_s,
        duration_ms,
        RunnerHealth(),
        interrupted=interrupted,
        error=error,
        limits=(None,),
        could_not_measure=of_error,
    )
    of_workers = list(_worker_findings(measurement.engine)) if measurement else []
    return execution, _result(goals, mix, workers, measurement), of_workers


def _result(
    goals: CapacityGoals, mix: Mix, workers: int | RemoteWorkers, measurement: CapacityMeasurement | None
) -> CapacityResult:
    """Not judged yet."""
    steps, capacity = (measurement.steps, measurement.capacity) if measurement else ([], None)
    load = capacity and (capacity.high if capacity.reason is Ending.FAILS else capacity.answer)
    return CapacityResult(
        model=goals.model,
        verdict=Verdict.NOT_MEASURED,
        value=capacity.answer if capacity else None,
        interval=(capacity.low, capacity.high) if capacity else (None, None),
        at_least=goals.at_least,
        ended=str(capacity.reason) if capacity else str(Ending.STOPPED),
        within=mix.within,
        error_rate=goals.error_rate,
        mix=goals.mix,
        limits_ms=mix.limits_ms,
        think_s=goals.think_s if goals.model is LoadModel.USERS else None,
        think_time=goals.think_time,
        workers=worker_count(workers),
        seconds=capacity.seconds if capacity else 0.0,
        steps=tuple(step.summary(_search_plan(goals, mix).allowed) for step in steps),
        seconds_needed=capacity.seconds_needed if capacity else None,
        first=capacity.first if capacity else None,
        over=over_near(steps, load) if load else {},
    )


# --- Before the load -------------------------------------------------------------------------------------------------


def _check_service(baseline: Baseline, *, owns_host: bool) -> None:
    """Raises UsageError for a service that must not get this load, or to which it cannot be sent."""
    service = baseline.service
    host = service.connect_to[0] if service.connect_to else urlsplit(service.base_url).hostname or ""
    if not service.unix_socket:
        check_load_target(host, owns_host=owns_host)
    if service.http2:
        raise UsageError("load is made over HTTP/1.1 alone, and service.http2 is set", "remove it, or set it to false")
    if any(request.renew_s is not None for request in baseline.setup):
        message = "under load a login is not renewed, and a request of the setup has 'renew'"
        raise UsageError(message, "remove it, and let the login last as long as the search takes")


def _check_comparable(planned: CapacityResult, against: Run) -> None:
    """Raises UsageError for an earlier search of another kind, whose capacity is another number."""
    before, now = against.capacity, planned.conditions
    if before is None:
        raise UsageError("the earlier run has no capacity", "name one of 'perfcheck capacity'")
    if before.model is not planned.model:
        message = f"the earlier run found a capacity in {before.model}, and this one searches for {planned.model}"
        raise UsageError(message, f"add --model {before.model}")
    other = [name for name, value in before.conditions.items() if value != now[name]]
    if other:
        message = f"the earlier run cannot be compared: different {', '.join(other)}"
        raise UsageError(message, "name one that searched with the same, or leave out --against")


def _left_out(goals: CapacityGoals) -> Iterator[Finding]:
    for endpoint, reason in goals.left_out.items():
        yield Finding.note(Rule.CAPACITY, f"{endpoint} is not in the mix: {reason}")


def _worker_findings(engine: Engine) -> Iterator[Finding]:
    """What was missing: those half seconds are not judged, and steps that were complete stay as they are."""
    for worker, times in sorted(engine.silences.items()):
        message = f"worker {worker + 1} of the load fell silent ({plural(times, 'time')})"
        yield Finding.note(Rule.CAPACITY, f"{message}: the half seconds without its part were not judged")
    for worker, reason in sorted(engine.lost.items()):
        message = f"worker {worker + 1} of the load was lost: {reason}"
        yield Finding.note(Rule.CAPACITY, f"{message}; later steps were without it")


def _search_plan(goals: CapacityGoals, mix: Mix) -> SearchPlan:
    think_s = goals.think_s if goals.model is LoadModel.USERS else 0.0
    return SearchPlan(
        model=goals.model,
        allowed=AllowedShares(goals.error_rate, mix.allowed_over),
        lowest=goals.lowest,
        highest=goals.highest or _MOST,
        cycle_s=think_s + max(mix.limits_ms.values()) / 1e3 + max(endpoint.pauses_s for endpoint in mix.endpoints),
        max_s=goals.max_time_s,
    )
