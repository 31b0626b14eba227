"""The verdict of a run, its exit code, and what is found of all its endpoints together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from perfcheck.errors import EXIT_CRITICAL, EXIT_NOT_MEASURED, EXIT_OK
from perfcheck.judge.rules import failed_share, failure_kinds
from perfcheck.model import Counts, EndpointResult, Finding, Measurement, MetricOf, Rule, Verdict, verdict_of, worst
from perfcheck.stats.acceptance import binomial_bound
from perfcheck.stats.error_rate import SERVICE_LIMIT, service_fails
from perfcheck.units import format_ms, format_percentage
from perfcheck.words import plural


def judge_run(
    results: Sequence[EndpointResult],
    fail_on: Verdict | None,
    findings: Iterable[Finding] = (),
    *,
    allow_partial: bool = False,
) -> tuple[Verdict, Counts, int]:
    """The verdict of a run, its counts and its exit code.

    ``fail_on`` is the lowest verdict that fails the run (None: no verdict does), ``findings`` are those of the run that
    its verdict depends on. A run that left an endpoint not measured does not pass, since nothing is known about it;
    with ``allow_partial`` it does when only time was lacking and some endpoint was measured. A breach that could not be
    confirmed neither fails the run nor lets it pass.
    """
    verdicts = [result.verdict for result in results]
    of_run = verdict_of(findings)
    verdict = worst([*verdicts, of_run]) if verdicts else Verdict.NOT_MEASURED
    counts = Counts(*map(verdicts.count, Verdict))  # its fields are in the order of the verdicts
    confirmed = worst([of_run, *(result.verdict for result in results if result.unconfirmed is None)])
    if fail_on is not None and confirmed in {Verdict.CRITICAL, fail_on}:
        return verdict, counts, EXIT_CRITICAL
    unmeasured = counts.not_measured - (partial(results) if allow_partial else 0)
    unproven = fail_on is not None and any(result.unconfirmed in {Verdict.CRITICAL, fail_on} for result in results)
    return verdict, counts, EXIT_NOT_MEASURED if unmeasured or unproven or not verdicts else EXIT_OK


def partial(results: Sequence[EndpointResult]) -> int:
    """How many endpoints may pass although there was no time for them; 0 where none was measured at all."""
    measured = any(result.verdict is not Verdict.NOT_MEASURED and not result.is_monitored for result in results)
    return sum(result.lacked_time for result in results) if measured else 0


def partial_findings(results: Sequence[EndpointResult]) -> tuple[Finding, ...]:
    """The warning of a run that passes in part, for ``allow_partial``."""
    count = partial(results)
    if not count:
        return ()
    they = "they pass" if count > 1 else "it passes"
    message = (
        f"{count} of {plural(len(results), 'endpoint')} {'were' if count > 1 else 'was'} not measured: there was no "
        f"time; {they} because of --allow-partial"
    )
    return (Finding.warning(Rule.PARTIAL, message, remedy="raise --budget to measure all of them"),)


def no_target_findings(results: Sequence[EndpointResult]) -> Iterator[Finding]:
    """A note on a run that says little, since nothing in it has a target, or a ceiling."""
    if results and not any(result.has_limit for result in results):
        slow = max(
            (result.warning_ms or 0.0 for result in results if result.metric_of is MetricOf.LATENCY), default=0.0
        )
        latencies = f" and latencies over {format_ms(slow)}" if slow else ""
        message = f"no endpoint has a target: only failures{latencies} are found"
        remedy = (
            "'perfcheck run --save' and then 'perfcheck baseline update' propose targets from what was measured; or "
            "write 'target: 300ms' on an endpoint"
            if any(result.line for result in results)
            else "set one, for example --target 300ms"
        )
        yield Finding.note(Rule.NO_TARGET, message, remedy=remedy)


def excluded_failure_rates(results: Sequence[EndpointResult]) -> tuple[float | None, float | None]:
    """The failure rates that are excluded with 95% confidence: of each endpoint that passes, and of all of them.

    An endpoint that fails under load is measured again, so what failed there has to count for all of them: without it,
    the requests that are left would be those that did not fail.
    """
    passed = [r for r in _without_error_findings(results) if r.verdict in {Verdict.OK, Verdict.WARNING}]
    bounds = [result.error_rate_bound for result in passed if result.error_rate_bound is not None]
    if not bounds:
        return None, None
    under_load = sum(result.requests.failed_under_load for result in passed)
    failed, sent = (sum(getattr(result.requests, name) for result in passed) for name in ("failed", "sent"))
    return max(bounds), binomial_bound(failed + under_load, sent + under_load)


def service_findings(results: Sequence[EndpointResult]) -> tuple[Finding, ...]:
    """A warning where too many requests fail, all endpoints together, and no endpoint alone shows it."""
    passed = _without_error_findings(results)
    failed, sent = (sum(getattr(result.requests, name) for result in passed) for name in ("failed", "sent"))
    if not service_fails(failed, sent):
        return ()
    message = (
        f"{failed_share(failed, sent, SERVICE_LIMIT)}, over {format_percentage(SERVICE_LIMIT)}, spread over endpoints "
        "that pass by themselves"
    )
    remedy = "see the service's log: something that they share fails now and then"
    return (Finding.warning(Rule.ERROR_RATE, message, remedy=remedy),)


def failures_under_load(measurements: Iterable[Measurement]) -> tuple[Finding, ...]:
    """A note on requests that failed while others were in flight: no verdict is based on them."""
    failed = [sample for measurement in measurements for sample in measurement.failed_under_load]
    if not failed:
        return ()
    message = f"{plural(len(failed), 'request')} failed while others were in flight: {failure_kinds(failed)}"
    remedy = "no verdict is based on them, since load may be the cause; '--connections 1' sends one request at a time"
    return (Finding.note(Rule.ERRORS_SEEN, message, value=len(failed), remedy=remedy),)


def _without_error_findings(results: Sequence[EndpointResult]) -> list[EndpointResult]:
    return [
        result
        for result in results
        if not result.is_monitored and not any(finding.rule is Rule.ERROR_RATE for finding in result.findings)
    ]
