"""What checks, comparisons and health checks have in common: the wait for the service, the measuring, and the run."""

from __future__ import annotations

import platform
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from perfcheck import __version__
from perfcheck.client.http_client import HttpClient
from perfcheck.errors import (
    EXIT_BUG,
    EXIT_INTERRUPTED,
    CouldNotMeasureError,
    PerfcheckError,
    caused_by_the_machine,
)
from perfcheck.judge.run_verdict import excluded_failure_rates
from perfcheck.judge.runner import rate_limit_findings, runner_findings
from perfcheck.model import (
    Against,
    Baseline,
    BaselineInfo,
    Counts,
    Endpoint,
    EndpointResult,
    Environment,
    Finding,
    RateLimit,
    Rule,
    Run,
    RunnerHealth,
    Sampling,
    ServiceInfo,
    Tool,
    Verdict,
)
from perfcheck.runfile import FORMAT
from perfcheck.sampling.runner_health import RunnerMonitor
from perfcheck.stats.sequential import ALPHA
from perfcheck.text import Redactor
from perfcheck.times import rfc3339

if TYPE_CHECKING:
    from perfcheck.sampling.pair_sampler import PairSampler
    from perfcheck.sampling.sampler import Sampler
    from perfcheck.service_process import ServiceProcess

_LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True)
class Outcome:
    """``error`` is what cut the run short, or kept it from starting; the run then holds what was measured."""

    run: Run
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Operations:
    """Those of the service's OpenAPI document; ``slow`` are the results of new ones that are not in the baseline."""

    request_lines: tuple[str, ...] = ()
    slow: tuple[EndpointResult, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Callbacks:
    """How a caller follows the work while it goes on."""

    progress: Callable[[Sampler | PairSampler], None] = lambda _: None  # before the first request and after each
    measured: Callable[[], None] = lambda: None  # no more requests will be sent
    # Around the wait for the service, which takes at most so many seconds.
    waiting: Callable[[float], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True, slots=True)
class Execution:
    """How the measuring went."""

    started_at: datetime
    started_s: float  # the sampler's clock then
    duration_ms: float
    runner: RunnerHealth
    interrupted: bool  # by the user
    error: Exception | None  # what ended it early, or kept it from starting
    limits: tuple[RateLimit | None, ...] = ()  # what each service made the requests wait for
    could_not_measure: Rule = Rule.SERVICE  # what an error of this kind is about

    @property
    def is_whole(self) -> bool:
        return not self.interrupted and self.error is None

    def exit_code(self, judged: int) -> int:
        """``judged`` by the verdicts, unless the measuring did not come to its end."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        if self.error is not None:
            return self.error.exit_code if isinstance(self.error, PerfcheckError) else EXIT_BUG
        return judged

    def findings(
        self, connection: Iterable[Finding], environment: Environment, results: Sequence[EndpointResult] = ()
    ) -> Iterator[Finding]:
        """Run-level findings: warnings for what keeps the run from passing or may have changed a verdict, else notes.

        ``connection`` are the client's; ``results`` those that a busy runner may have slowed.
        """
        if self.interrupted:
            yield Finding.warning(Rule.INTERRUPTED, "interrupted: these are the measurements up to then")
        if isinstance(self.error, CouldNotMeasureError):
            yield Finding.warning(self.could_not_measure, self.error.message)
        elif isinstance(self.error, PerfcheckError):
            yield Finding.warning(Rule.INTERRUPTED, f"{self.error.message}: these are the measurements up to then")
        elif self.error is not None:
            yield Finding.warning(Rule.BUG, "a bug in perfcheck ended the run: these are the measurements up to then")
        yield from connection
        yield from rate_limit_findings(self.limits)
        yield from runner_findings(self.runner, environment.cpus, results)

    def as_it_ended(self, results: tuple[EndpointResult, ...]) -> tuple[EndpointResult, ...]:
        """The results; where the service did not answer, each not measured for that reason."""
        if self.interrupted:
            return tuple(replace(each, findings=_to_run_again(each.findings)) for each in results)
        if not isinstance(self.error, CouldNotMeasureError):
            return results
        reason = self.error
        return tuple(unreached(result, reason) for result in results)


def wait_for(
    client: HttpClient[Any],
    endpoints: Sequence[Endpoint],
    timeout_s: float,
    callbacks: Callbacks,
    *,
    unreachable: str | None = None,
    process: ServiceProcess | None = None,
) -> CouldNotMeasureError | None:
    """Wait until the service is ready; returns the error when it does not get so, for the reports.

    ``unreachable`` is the remedy for an address at which nothing answers, ``process`` that of the service if we started
    it.
    """
    try:
        with callbacks.waiting(timeout_s):
            if process is None:
                client.wait_until_ready(endpoints, unreachable=unreachable)
            else:
                client.wait_until_ready(endpoints, unreachable=process.unreachable, ended=process.ended)
    except CouldNotMeasureError as error:
        if process is not None:
            error.output = process.output()
        return error
    return None


@contextmanager
def torn_down(client: HttpClient[Any], requests: Sequence[Endpoint], redact: Redactor) -> Iterator[list[Finding]]:
    """Send the requests of a ``teardown`` at its end, whatever happened; notes on those that failed are there then.

    Only once ``client.set_up`` was called: a service that does not respond has nothing to remove.
    """
    notes: list[Finding] = []
    try:
        yield notes
    finally:
        remedy = "what it was to remove may still be there"
        try:
            for request, sample in client.tear_down(requests):
                message = f"the teardown request '{redact.clean(request.name)}' failed: {sample.detail}"
                notes.append(Finding.note(Rule.SERVICE, message, remedy=remedy, line=request.line))
        except KeyboardInterrupt:
            notes.append(Finding.note(Rule.INTERRUPTED, "the teardown was interrupted", remedy=remedy))
        except PerfcheckError as error:  # what was measured is not lost for it
            notes.append(
                Finding.note(Rule.SERVICE, f"the teardown failed: {redact.clean(error.message)}", remedy=error.remedy)
            )


def ended_early(process: ServiceProcess | None, execution: Execution) -> Iterator[Finding]:
    """A warning where the process of the service has ended while it was measured."""
    error = process.ended() if process and execution.is_whole else None
    if error is not None:
        remedy = "see its output, which -v keeps in a file"
        yield Finding.warning(Rule.SERVICE, f"during the measurement {error.message}", remedy=remedy)


def measure(
    sampler: Sampler | PairSampler,
    error: Exception | None,
    callbacks: Callbacks,
    *,
    set_up: Callable[[], None] = lambda: None,
) -> Execution:
    """Run ``set_up`` and the sampler, unless there is an ``error`` already; what was measured stays in any case."""
    callbacks.progress(sampler)
    runner = RunnerMonitor()
    started_at, started_s = datetime.now(UTC), time.perf_counter()
    interrupted = False
    try:
        if error is None:
            try:
                set_up()
                sampler.run()
            finally:
                callbacks.measured()
    except KeyboardInterrupt:
        callbacks.measured()  # in case the interruption came in the line before it
        interrupted = True
    except Exception as failure:  # noqa: BLE001 - raised again once the reports are written
        error = caused_by_the_machine(failure) or failure
    duration_ms = (time.perf_counter() - started_s) * 1000
    health = runner.finish(sampler.requests())
    return Execution(started_at, started_s, duration_ms, health, interrupted, error, sampler.limits())


def _to_run_again(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """After an interruption no budget is to be raised."""
    return tuple(
        replace(each, remedy="run it again") if each.rule is Rule.NOT_MEASURED and each.remedy else each
        for each in findings
    )


def unreached(result: EndpointResult, reason: CouldNotMeasureError) -> EndpointResult:
    """Not measured, for this reason."""
    finding = Finding.note(Rule.NOT_MEASURED, reason.message, remedy=reason.remedy, line=result.line)
    return replace(result, findings=(finding,))


def sampling_of(baseline: Baseline) -> Sampling:
    """How it is measured. Over HTTP/2 all requests would share one connection, and wait for each other there."""
    return replace(baseline.sampling, connections=1) if baseline.service.http2 else baseline.sampling


# --- The run -------------------------------------------------------------------------------------------------------


def assemble_run(
    client: HttpClient[Any],
    environment: Environment,
    baseline: Baseline,
    execution: Execution,
    results: Sequence[EndpointResult],
    judged: tuple[Verdict, Counts, int],
    *,
    findings: Sequence[Finding],
    complete: bool,
    redact: Redactor,
    command: tuple[str, ...],
    label: str | None = None,
    seed: int = 0,
    against: Against | None = None,
    operations: tuple[str, ...] = (),
) -> Outcome:
    """The run, with an id of its own; it ends now. ``judged`` is the verdict, the counts and the exit code by them."""
    verdict, counts, exit_code = judged
    of_endpoints, of_service = excluded_failure_rates(results)
    run = Run(
        format=FORMAT,
        id=str(uuid.uuid4()),
        label=redact.clean(label) if label else None,
        started_at=rfc3339(execution.started_at),
        finished_at=rfc3339(datetime.now(UTC)),
        duration_ms=execution.duration_ms,
        tool=Tool(__version__, client.description, platform.python_version()),
        environment=environment,
        service=ServiceInfo(client.base_url_shown, client.trace_url_shown),
        baseline=BaselineInfo(redact.clean(baseline.file, _LONGEST_PATH), baseline.sha256),
        seed=seed,
        alpha=ALPHA,
        verdict=verdict,
        exit_code=execution.exit_code(exit_code),
        complete=execution.is_whole and complete,
        counts=counts,
        runner=execution.runner,
        findings=tuple(findings),
        endpoints=tuple(results),
        command=tuple(map(redact, command)),
        groups={group.name: group.title for group in baseline.groups if group.title != group.name},
        against=against,
        excluded_failure_rate=of_endpoints,
        excluded_failure_rate_of_service=of_service,
        operations=operations,
    )
    return Outcome(run, execution.error)
