"""What a busy runner, or a service that limits requests, means for a run.

A warning where it could have changed a verdict, else a note. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perfcheck.model import EndpointResult, Finding, RateLimit, Rule, RunnerHealth, Severity
from perfcheck.text import clean
from perfcheck.units import format_about, format_rate
from perfcheck.words import and_more

_REMEDY = "use a runner that does less at the same time or has more CPUs, or --confirm 2"
_MOST_NAMED = 5
_WAITS = 3  # of a service for a CPU in one request: it is woken by the request, and by what its database returns


def runner_findings(
    runner: RunnerHealth, cpus: int, results: Sequence[EndpointResult] = (), *, subject: str = ""
) -> Iterator[Finding]:
    """One finding where the runner was busy; ``results`` are those that it may have slowed, ``subject`` a beginning.

    Waiting only lengthens latencies, so the verdicts that it may have changed are breaches.
    """
    if not runner.message:
        return
    message = f"{subject}{clean(runner.message)}"
    names = [clean(result.name) for result in results if _is_in_doubt(result, runner, cpus)]
    if names:
        message += f", which alone may have put {and_more(names, _MOST_NAMED)} over the limit"
        yield Finding.warning(Rule.RUNNER, message, remedy=_REMEDY)
    else:
        yield Finding.note(Rule.RUNNER, f"{message}; no verdict depends on it")


def rate_limit_findings(limits: Sequence[RateLimit | None]) -> Iterator[Finding]:
    """A note for each service that made the requests wait; of two, the first is the one before."""
    names = ("the service",) if len(limits) == 1 else ("the service before", "the service after")
    for name, limit in zip(names, limits, strict=True):
        if limit is not None:
            waited = format_about(limit.waited_s)
            message = f"{name} limits requests (429): waited {waited} for {limit.responses} of them"
            fits = (
                "to what it allows" if limit.rate_per_s is None else f"({format_rate(limit.rate_per_s, digits=2)} fits)"
            )
            yield Finding.note(
                Rule.CONNECTION, message, value=limit.responses, unit="requests", remedy=f"set sampling.rate {fits}"
            )


def _is_in_doubt(result: EndpointResult, runner: RunnerHealth, cpus: int) -> bool:
    """Whether a latency over a limit is within it without what the wait, and stolen time, can have added at most."""
    if not result.value_ms:
        return False
    waited = _WAITS * (runner.queued_ms_per_request or 0.0) / result.value_ms
    stolen = (runner.steal_share or 0.0) * cpus  # all of it from the CPU that served the request
    left = max(1 - waited - stolen, 0.0)
    return any(
        finding.value is not None and finding.limit is not None and finding.value * left <= finding.limit
        for finding in result.findings
        if finding.severity is not Severity.NOTE and finding.rule.is_about_latency
    )
