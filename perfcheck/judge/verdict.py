"""From what was measured to verdicts and everything a report shows: the one place where perfcheck judges.

Pure. Reports print what stands here and decide nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from perfcheck.errors import EXIT_CRITICAL, EXIT_NOT_MEASURED, EXIT_OK
from perfcheck.judge.findings import find, finite_interval, is_decided, shown_value
from perfcheck.judge.server_timing import parse_descriptions, parse_server_timing
from perfcheck.model import (
    Counts,
    Decision,
    Endpoint,
    EndpointResult,
    Finding,
    Measurement,
    Phases,
    PhaseSummary,
    Requests,
    Sample,
    Timeline,
    UndecidedPolicy,
    Verdict,
    verdict_of,
    worst,
)
from perfcheck.stats.boundaries import ALPHA
from perfcheck.stats.quantiles import summary


def judge_endpoint(
    endpoint: Endpoint, measurement: Measurement, *, url: str, started_s: float, undecided: UndecidedPolicy
) -> EndpointResult:
    """Everything a report says about one endpoint.

    ``url`` is the address as it may be shown, ``started_s`` the sampler's clock at the start of the run.
    """
    decision = measurement.decisions[-1] if measurement.decisions else None
    judged = [sample for stage, sample in measurement.samples if decision and stage == decision.stage]
    sent = [sample for stage, sample in measurement.samples if stage > 0]
    latencies = [sample.latency_ms for sample in judged if sample.latency_ms is not None]
    bodies = [sample.body_bytes for sample in sent if sample.body_bytes is not None and sample.failure is None]
    failed = [sample for sample in sent if sample.failure]
    slow = _that_make_the_metric(judged, decision)
    limits = endpoint.limits
    body_bytes = max(bodies, default=None)
    findings = find(endpoint, measurement, decision, judged, body_bytes, undecided)
    value, over_timeout = shown_value(endpoint, decision)
    return EndpointResult(
        name=endpoint.name,
        group=endpoint.group,
        method=endpoint.method,
        url=url,
        verdict=_verdict(decision, findings),
        decided=decision is not None and is_decided(decision),
        metric=endpoint.metric,
        value_ms=value,
        over_timeout=over_timeout,
        interval_ms=finite_interval(decision),
        target_ms=endpoint.target_ms,
        ideal_ms=endpoint.ideal_ms,
        warning_ms=_finite(limits.warning_ms),
        critical_ms=_finite(limits.critical_ms),
        ceiling_ms=endpoint.ceiling_ms,
        ratio=value / endpoint.target_ms if value is not None and endpoint.target_ms else None,
        requests=Requests(
            sent=len(sent),
            succeeded=len(sent) - len(failed),
            failed=len(failed),
            warmup=len(measurement.samples) - len(sent),
            judged=decision.requests if decision else 0,
        ),
        error_rate=len(failed) / len(sent) if sent else None,
        error_rate_bound=1 - ALPHA ** (1 / len(sent)) if sent and not failed else None,
        errors=dict(Counter(str(sample.failure) for sample in failed).most_common()),
        latency_ms=summary(latencies),
        phases_ms=_phases(slow, [sample for _, sample in measurement.samples]),
        body_bytes=body_bytes,
        server_timing=_server_timing(slow),
        samples_ms=tuple(value if math.isfinite(value) else None for value in latencies),
        timeline=_timeline(measurement, started_s),
        line=endpoint.line,
        findings=findings,
        server_timing_details=_server_timing_details(slow),
        critical_path=endpoint.critical_path,
    )


def judge_run(results: Sequence[EndpointResult], fail_on: Verdict | None) -> tuple[Verdict, Counts, int]:
    """The verdict of a run, its counts and its exit code.

    ``fail_on`` is the mildest verdict that fails the run (None: no verdict does). A run that left an endpoint not
    measured does not pass, since nothing is known of it.
    """
    verdicts = [result.verdict for result in results]
    verdict = worst(verdicts)
    counts = Counts(
        ok=verdicts.count(Verdict.OK),
        warning=verdicts.count(Verdict.WARNING),
        critical=verdicts.count(Verdict.CRITICAL),
        not_measured=verdicts.count(Verdict.NOT_MEASURED),
    )
    failing = counts.critical + (counts.warning if fail_on is Verdict.WARNING else 0)
    if fail_on is not None and failing:
        return verdict, counts, EXIT_CRITICAL
    return verdict, counts, EXIT_NOT_MEASURED if counts.not_measured or not verdicts else EXIT_OK


def _verdict(decision: Decision | None, findings: Iterable[Finding]) -> Verdict:
    unmeasured = decision is None or decision.latency is Verdict.NOT_MEASURED
    return worst([verdict_of(findings), Verdict.NOT_MEASURED if unmeasured else Verdict.OK])


def _finite(limit_ms: float) -> float | None:
    return limit_ms if math.isfinite(limit_ms) else None


# --- Summaries -----------------------------------------------------------------------------------------------------


def _that_make_the_metric(judged: Sequence[Sample], decision: Decision | None) -> list[Sample]:
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


def _server_timing(slow: Sequence[Sample]) -> dict[str, float]:
    spans: dict[str, list[float]] = {}
    for sample in slow:
        for name, duration in parse_server_timing(sample.server_timing or "").items():
            spans.setdefault(name, []).append(duration)
    return {name: median(durations) for name, durations in spans.items()}


def _server_timing_details(slow: Sequence[Sample]) -> dict[str, str]:
    """What the service said in words, with the request in the middle of the slow ones: words have no median."""
    told = [sample for sample in slow if sample.server_timing]
    told.sort(key=lambda sample: sample.latency_ms or 0.0)
    return parse_descriptions(told[(len(told) - 1) // 2].server_timing or "") if told else {}


def _timeline(measurement: Measurement, started_s: float) -> Timeline:
    samples = [sample for _, sample in measurement.samples]
    return Timeline(
        at_ms=tuple(round((sample.at_s - started_s) * 1000, 3) for sample in samples),
        latency_ms=tuple(
            sample.latency_ms if sample.latency_ms is not None and math.isfinite(sample.latency_ms) else None
            for sample in samples
        ),
        stage=tuple(stage for stage, _ in measurement.samples),
        outcome=tuple(str(sample.failure) if sample.failure else "ok" for sample in samples),
    )
