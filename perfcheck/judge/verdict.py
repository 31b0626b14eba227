"""From measurements to verdicts and everything that a report shows. Pure; reports decide nothing themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import median

from perfcheck.errors import EXIT_CRITICAL, EXIT_NOT_MEASURED, EXIT_OK
from perfcheck.judge.rules import failed_share, failure_kinds, find, finite, finite_interval, of_step, shown_value
from perfcheck.model import (
    STATEMENT,
    WARM_UP,
    Counts,
    Decision,
    Endpoint,
    EndpointResult,
    Finding,
    Measurement,
    MetricOf,
    PageSummary,
    Phases,
    PhaseSummary,
    Requests,
    Rule,
    Sample,
    Timeline,
    TracedRequest,
    UndecidedPolicy,
    Verdict,
    heaviest_first,
    verdict_of,
    worst,
)
from perfcheck.stats.acceptance import binomial_bound
from perfcheck.stats.error_rate import SERVICE_LIMIT, service_fails
from perfcheck.stats.quantiles import summary
from perfcheck.units import format_ms, format_percentage
from perfcheck.words import plural

_MOST_TRACES = 3


def judge_endpoint(
    endpoint: Endpoint,
    measurement: Measurement,
    *,
    url_shown: Callable[[Endpoint], str],
    started_s: float,
    undecided: UndecidedPolicy,
) -> EndpointResult:
    """Everything that a report shows about one endpoint, and about each step of a workflow.

    ``url_shown`` is the address as it may be shown, ``started_s`` the sampler's clock at the start of the run.
    """
    steps = tuple(
        replace(
            judge_endpoint(step, each, url_shown=url_shown, started_s=started_s, undecided=undecided),
            timeline=Timeline(),
        )
        for step, each in zip(endpoint.parts, _by_step(endpoint, measurement), strict=True)
    )
    is_decided = bool(measurement.decisions) and measurement.decisions[-1].is_decided
    unconfirmed = next((last.verdict for last in measurement.decisions[-1:] if last.is_unconfirmed), None)
    # What follows is about all steps together.
    measurement = replace(measurement, decisions=tuple(replace(each, steps=()) for each in measurement.decisions))
    decision = measurement.decisions[-1] if measurement.decisions else None
    judged = [sample for stage, sample in measurement.samples if decision and stage == decision.stage]
    sent = [sample for stage, sample in measurement.samples if stage != WARM_UP]
    latencies = [sample.latency_ms for sample in judged if sample.latency_ms is not None]
    bodies = [sample.body_bytes for sample in sent if sample.body_bytes is not None and sample.failure is None]
    failed = [sample for sample in sent if sample.failure]
    slow = _as_slow_as_the_metric(judged, decision)
    limits = endpoint.limits
    body_bytes = max(bodies, default=None)
    findings = find(endpoint, measurement, decision, judged, body_bytes, undecided)
    findings = heaviest_first([*findings, *_findings_of_steps(steps, is_decided=is_decided)])
    value, over_timeout = shown_value(endpoint, decision)
    unmeasured = decision is None or decision.latency is Verdict.NOT_MEASURED
    return EndpointResult(
        name=endpoint.name,
        group=endpoint.group,
        method=endpoint.method,
        url=url_shown(endpoint),
        verdict=worst([verdict_of(findings), Verdict.NOT_MEASURED if unmeasured else Verdict.OK]),
        decided=is_decided,
        metric=endpoint.metric,
        value_ms=value,
        over_timeout=over_timeout,
        interval_ms=finite_interval(decision),
        target_ms=endpoint.target_ms,
        ideal_ms=endpoint.ideal_ms,
        warning_ms=finite(limits.warning_ms),
        critical_ms=finite(limits.critical_ms),
        ceiling_ms=endpoint.ceiling_ms,
        ratio=value / endpoint.target_ms if value is not None and endpoint.target_ms else None,
        requests=Requests(
            sent=len(sent),
            succeeded=len(sent) - len(failed),
            failed=len(failed),
            warmup=len(measurement.samples) - len(sent),
            judged=decision.requests if decision else 0,
            failed_under_load=len(measurement.failed_under_load),
        ),
        error_rate=len(failed) / len(sent) if sent else None,
        error_rate_bound=decision.excluded if decision else None,
        errors=dict(Counter(str(sample.failure) for sample in failed).most_common()),
        latency_ms=summary(latencies),
        phases_ms=_phases(slow, [sample for _, sample in measurement.samples]),
        body_bytes=body_bytes,
        server_timing=_server_timing(slow),
        samples_ms=tuple(map(finite, latencies)),
        timeline=_timeline(measurement, started_s),
        line=endpoint.line,
        findings=findings,
        server_timing_details=_server_timing_details(slow),
        critical_path=endpoint.critical_path,
        concurrency=decision.concurrency if decision else 1,
        unconfirmed=unconfirmed,
        metric_of=endpoint.metric_of,
        traces=_traces(judged, failed),
        steps=steps,
        page=_page(judged, slow, measurement),
    )


# How often a step fails is judged for all of them together.
_OF_A_STEP = {
    *(Rule.LATENCY, Rule.CEILING, Rule.OVER_TARGET, Rule.UNDECIDED, Rule.MOMENTARY, Rule.BODY_SIZE, Rule.DELAYED_ACK),
}


def _by_step(endpoint: Endpoint, measurement: Measurement) -> Iterator[Measurement]:
    """What each step of a workflow would have measured by itself, as far as it was sent."""
    for number, step in enumerate(endpoint.parts):
        samples = ((stage, sample.steps) for stage, sample in measurement.samples)
        yield Measurement(
            step.name,
            tuple((stage, each[number]) for stage, each in samples if len(each) > number),
            tuple(replace(each.steps[number], concurrency=each.concurrency) for each in measurement.decisions),
        )


def _findings_of_steps(steps: Iterable[EndpointResult], *, is_decided: bool) -> Iterator[Finding]:
    """``is_decided``: the workflow is, as by its failures; what a step still lacks is of no interest then."""
    for step in steps:
        for finding in step.findings:
            if finding.rule in _OF_A_STEP and not (is_decided and finding.rule is Rule.UNDECIDED):
                yield of_step(step, finding)


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


# --- Summaries -----------------------------------------------------------------------------------------------------


def _as_slow_as_the_metric(judged: Sequence[Sample], decision: Decision | None) -> list[Sample]:
    """The requests at least as slow as the metric: the cause of a slow p95 is in the slowest, not in the typical."""
    value = decision.value_ms if decision else None
    succeeded = [sample for sample in judged if sample.failure is None and sample.latency_ms is not None]
    return [sample for sample in succeeded if value is None or (sample.latency_ms or 0.0) >= value] or succeeded


def _phases(slow: Sequence[Sample], every: Sequence[Sample]) -> PhaseSummary:
    """Request phases of the slow requests; set-up phases of all connections, the warm-up's included."""
    succeeded = [sample.phases for sample in slow]
    opened = [sample.phases for sample in every]
    return PhaseSummary(
        dns=_median_of(opened, "dns_ms"),
        connect=_median_of(opened, "connect_ms"),
        tls=_median_of(opened, "tls_ms"),
        wait=_median_of(succeeded, "wait_ms"),
        download=_median_of(succeeded, "download_ms"),
    )


def _median_of(phases: Iterable[Phases], name: str) -> float | None:
    values = [value for value in (getattr(phase, name) for phase in phases) if value is not None]
    return median(values) if values else None


def _traces(judged: Sequence[Sample], failed: Sequence[Sample]) -> tuple[TracedRequest, ...]:
    """Of the last failure without a latency, and of the slowest judged requests."""
    slowest = sorted((sample for sample in judged if sample.latency_ms), key=lambda sample: -(sample.latency_ms or 0.0))
    chosen = [*[sample for sample in failed if sample.latency_ms is None][-1:], *slowest]
    return tuple(
        TracedRequest(sample.trace_id, finite(sample.latency_ms), str(sample.failure or "ok"))
        for sample in chosen
        if sample.trace_id
    )[:_MOST_TRACES]


def _page(judged: Sequence[Sample], slow: Sequence[Sample], measurement: Measurement) -> PageSummary | None:
    """What the browser reported: figures of all loads, and what blocked the median slow one."""
    loads = [sample.page for sample in judged if sample.page]
    if not loads:
        return None
    by_latency = sorted(slow, key=lambda sample: sample.latency_ms or 0.0)
    typical = by_latency[(len(by_latency) - 1) // 2].page if by_latency else None
    kept = [sample.page.files for _, sample in measurement.samples if sample.page and sample.page.files]
    return PageSummary(
        {name: median(load.figures.get(name, 0.0) for load in loads) for name in loads[0].figures},
        typical.blocking if typical else (),
        kept[-1] if kept else (),
    )


def _server_timing(slow: Sequence[Sample]) -> dict[str, float]:
    spans: dict[str, list[float]] = {}
    for sample in slow:
        for name, duration in parse_server_timing(sample.server_timing or "").items():
            spans.setdefault(name, []).append(duration)
    return {name: median(durations) for name, durations in spans.items()}


def _server_timing_details(slow: Sequence[Sample]) -> dict[str, str]:
    """The descriptions of the median slow request, since text itself has no median; and of every statement."""
    timed = [sample for sample in slow if sample.server_timing]
    timed.sort(key=lambda sample: sample.latency_ms or 0.0)
    described = [parse_descriptions(sample.server_timing or "") for sample in timed]
    statements = {name: text for each in described for name, text in each.items() if name.startswith(STATEMENT)}
    return statements | described[(len(timed) - 1) // 2] if timed else {}


def _timeline(measurement: Measurement, started_s: float) -> Timeline:
    samples = [sample for _, sample in measurement.samples]
    return Timeline(
        at_ms=tuple(round((sample.at_s - started_s) * 1000, 3) for sample in samples),
        latency_ms=tuple(finite(sample.latency_ms) for sample in samples),
        stage=tuple(stage for stage, _ in measurement.samples),
        outcome=tuple(str(sample.failure) if sample.failure else "ok" for sample in samples),
    )


# --- Server-Timing -------------------------------------------------------------------------------------------------

# W3C Server Timing, section 3 (https://www.w3.org/TR/server-timing/). Like browsers, what cannot be parsed is ignored;
# the header never makes a request fail.
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - an RFC 9110 token, not a secret
_METRIC_NAME = re.compile(rf"\s*({_TOKEN})")
_PARAMETER = re.compile(rf'\s*;\s*({_TOKEN})\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^;,"]*)))?')
_LONGEST_MS = 86_400_000.0  # a day: what is longer is no duration of a request
_TO_NEXT_METRIC = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"|")*?(?:,|$)')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_server_timing(header: str) -> dict[str, float]:
    """``db;dur=812;desc="101 queries", app;dur=30`` -> {"db": 812.0, "app": 30.0}, in milliseconds.

    Metrics without a duration are left out; of a repeated parameter the first counts; a repeated metric adds up.
    """
    durations: dict[str, float] = {}
    for name, parameters in _metrics(header):
        duration = _number(parameters.get("dur", ""))
        if duration is not None:
            durations[name] = durations.get(name, 0.0) + duration
    return durations


def parse_descriptions(header: str) -> dict[str, str]:
    """``db;dur=812;desc="101 queries", cache;desc=hit`` -> {"db": "101 queries", "cache": "hit"}, with or without dur.

    Of a repeated metric the first description counts; empty ones are left out.
    """
    descriptions: dict[str, str] = {}
    for name, parameters in _metrics(header):
        if text := parameters.get("desc", "").strip():
            descriptions.setdefault(name, text)
    return descriptions


def _metrics(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each metric with its parameters, their names in lower case."""
    position = 0
    while position < len(header):
        match = _METRIC_NAME.match(header, position)
        if match:
            parameters, position = _parameters(header, match.end())
            yield match.group(1), parameters
        rest = _TO_NEXT_METRIC.match(header, position)
        if rest is None or rest.end() == position:
            break
        position = rest.end()


def _parameters(header: str, position: int) -> tuple[dict[str, str], int]:
    parameters: dict[str, str] = {}
    while match := _PARAMETER.match(header, position):
        position = match.end()
        key, quoted, plain = match.groups()
        value = _ESCAPED.sub(r"\1", quoted) if quoted is not None else (plain or "").strip()
        parameters.setdefault(key.lower(), value)
    return parameters, position


def _number(text: str) -> float | None:
    try:
        value = float(text.strip())
    except ValueError:
        return None
    return round(value, 6) if 0 <= value <= _LONGEST_MS else None
