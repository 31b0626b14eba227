"""From measurements to the verdict of an endpoint and what reports show of it. Pure; they decide nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import median

from perfcheck.judge.rules import find, finite, finite_interval, of_step, shown_value
from perfcheck.judge.server_timing import parse_descriptions, parse_server_timing
from perfcheck.model import (
    STATEMENT,
    WARM_UP,
    Decision,
    Endpoint,
    EndpointResult,
    Finding,
    Measurement,
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
from perfcheck.stats.quantiles import summary

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
