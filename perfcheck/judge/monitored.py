"""One endpoint by the monitor's figures: a verdict, and why.

Pure. These are figures of every request that was served, not of a sample, so no error probability is stated: what is
over a limit was over it. What a few requests did says little of the next ones, which the rules allow for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from perfcheck.judge.findings import line_of
from perfcheck.model import (
    Endpoint,
    EndpointResult,
    ErrorLimits,
    Finding,
    LatencySummary,
    Limits,
    Metric,
    MonitoredEndpoint,
    PhaseSummary,
    Requests,
    Rule,
    Severity,
    Source,
    Timeline,
    Verdict,
    heaviest_first,
    verdict_of,
)
from perfcheck.stats.error_rate import CRITICAL_PROOF, WARNING_PROOF, Proof
from perfcheck.stats.error_rate import evidence as exact_evidence
from perfcheck.units import format_ms, format_percentage

FEW = 5  # requests: below it no latency is CRITICAL, as none of a measurement would be
_MOST_FAILURES_EXACTLY = 2000
_NAMED = 10
_NOT_AN_ENDPOINT = ("(unmatched)", "(other endpoints)")  # what the monitor cannot tell apart


def is_told(one: MonitoredEndpoint, owners: Sequence[Endpoint]) -> bool:
    """With a figure; or without, where its name in a list of slow endpoints is what makes it new."""
    return has_figures(one) or (one.listed_as_slow and not owners)


def has_figures(one: MonitoredEndpoint) -> bool:
    return one.requests != 0 and (one.mean_ms is not None or one.median_ms is not None)


def shown_name(one: MonitoredEndpoint, owners: Sequence[Endpoint]) -> str:
    return owners[0].name if len(owners) == 1 else one.name


def judge_monitored(
    one: MonitoredEndpoint, owners: Sequence[Endpoint], threshold_ms: float, url: str
) -> EndpointResult:
    """``owners`` are the endpoints of the baseline that the monitor counts as this one.

    Of several the loosest limits are in force: whatever part each of them has in the figure, when that is over the
    loosest limit, one of them is over its own.
    """
    held = max(owners, key=_looseness) if owners else None
    metric, value = _figure(one, held)
    limits = held.limits if held is not None else Limits(threshold_ms, math.inf)
    findings = heaviest_first(
        [
            *_latency(one, held, metric, value, limits, threshold_ms),
            *_errors(one, held),
            *repetitions(one, held.line if held else None),
            *_how_it_was_read(owners, held, metric),
        ]
    )
    target = held.target_ms if held else None
    requests, errors = one.requests or 0, one.errors or 0
    return EndpointResult(
        name=shown_name(one, owners),
        group=held.group if held else None,
        method="GET",
        url=url,
        verdict=verdict_of(findings),
        decided=False,
        metric=metric,
        value_ms=value,
        over_timeout=False,
        interval_ms=(None, None),
        target_ms=target,
        ideal_ms=held.ideal_ms if held else None,
        warning_ms=_finite(limits.warning_ms),
        critical_ms=_finite(limits.critical_ms),
        ceiling_ms=held.ceiling_ms if held else None,
        ratio=value / target if value is not None and target else None,
        requests=Requests(sent=requests, succeeded=requests - errors, failed=errors, warmup=0, judged=requests),
        error_rate=errors / requests if requests and one.errors is not None else None,
        error_rate_bound=None,
        errors={"server error": errors} if errors else {},
        latency_ms=LatencySummary(
            min=one.min_ms,
            mean=one.mean_ms,
            stdev=one.stdev_ms,
            median=one.median_ms,
            p75=one.p75_ms,
            p90=one.p90_ms,
            p95=one.p95_ms,
            p99=one.p99_ms,
            max=one.max_ms,
        ),
        phases_ms=PhaseSummary(),
        body_bytes=one.largest_body,
        server_timing={},
        samples_ms=(),
        timeline=Timeline(),
        line=held.line if held else 0,
        findings=findings,
        source=Source.MONITORED,
    )


def _looseness(endpoint: Endpoint) -> tuple[float, float]:
    limits = endpoint.limits
    return limits.critical_ms, limits.warning_ms


def _finite(limit_ms: float) -> float | None:
    return limit_ms if math.isfinite(limit_ms) else None


def _figure(one: MonitoredEndpoint, held: Endpoint | None) -> tuple[Metric, float | None]:
    """The metric of the baseline where the monitor has it, else the mean, else the median."""
    told = {
        Metric.MEDIAN: one.median_ms,
        Metric.P75: one.p75_ms,
        Metric.P90: one.p90_ms,
        Metric.P95: one.p95_ms,
        Metric.P99: one.p99_ms,
        Metric.MEAN: one.mean_ms,
    }
    for metric in (held.metric if held else Metric.MEAN, Metric.MEAN, Metric.MEDIAN):
        if told[metric] is not None:
            return metric, told[metric]
    return Metric.MEAN, None


def _latency(
    one: MonitoredEndpoint,
    held: Endpoint | None,
    metric: Metric,
    value: float | None,
    limits: Limits,
    threshold_ms: float,
) -> Iterator[Finding]:
    if value is None:  # its name stands in a list of slow endpoints, and that is all there is
        if held is None and one.listed_as_slow:
            message = f"the monitor lists it as over {format_ms(threshold_ms)}, and it is not in the baseline"
            yield _new_slow(one, None, threshold_ms, message)
        return
    verdict = limits.classify(value)
    if verdict is Verdict.OK:
        return
    few = one.requests is not None and one.requests < FEW
    if held is None:
        message = f"{metric} {format_ms(value, distinct_from=threshold_ms)}, over {format_ms(threshold_ms)}"
        message += f", and not in the baseline{_of_few(one.requests) if few else ''}"
        yield _new_slow(one, value, threshold_ms, message)
        return
    severity = Severity.WARNING if few else Severity(verdict.value)
    rule, limit = (Rule.LATENCY, limits.critical_ms if verdict is Verdict.CRITICAL else limits.warning_ms)
    if verdict is Verdict.CRITICAL and held.ceiling_ms is not None and limit == held.ceiling_ms:
        rule = Rule.CEILING
    elif held.target_ms is None:
        rule = Rule.NEW_SLOW_ENDPOINT
    target = f", its target is {format_ms(held.target_ms)}" if held.target_ms is not None else ", without a target"
    what = "ceiling" if rule is Rule.CEILING else "limit"
    message = f"{metric} {format_ms(value, distinct_from=limit)}, over its {what} of {format_ms(limit)}{target}"
    message += _of_few(one.requests) if few else ""
    remedy = f"'perfcheck run {held.name}' measures it from outside"
    yield Finding(
        rule=rule,
        severity=severity,
        value=value,
        limit=limit,
        unit="ms",
        message=message,
        remedy=remedy,
        line=line_of(held, rule),
    )


def _new_slow(one: MonitoredEndpoint, value: float | None, threshold_ms: float, message: str) -> Finding:
    if one.name.endswith(_NOT_AN_ENDPOINT):
        remedy = "these are requests that the monitor has no route for; the log of the service names the slow ones"
    else:
        remedy = f"add it to the baseline with a target; where it is there, 'monitor_name: {one.name}' tells so"
    return Finding(
        rule=Rule.NEW_SLOW_ENDPOINT,
        severity=Severity.WARNING,
        value=value,
        limit=threshold_ms,
        unit="ms",
        message=message,
        remedy=remedy,
    )


def _of_few(requests: int | None) -> str:
    return f" (of {requests} request{'s' * (requests != 1)} only)"


def _how_it_was_read(owners: Sequence[Endpoint], held: Endpoint | None, metric: Metric) -> Iterator[Finding]:
    if held is None:
        return
    if len(owners) > 1:
        names = some([owner.name for owner in owners])
        message = (
            f"the monitor counts {len(owners)} endpoints of the baseline as this one ({names}); "
            f"held against the loosest, {held.name}"
        )
        yield Finding.note(Rule.COUNTED_TOGETHER, message, line=held.line)
    if metric is not held.metric:
        message = f"the monitor has no {held.metric} of it; its {metric} is judged instead"
        yield Finding.note(Rule.OTHER_METRIC, message, line=held.line)


def repetitions(one: MonitoredEndpoint, line: int | None) -> Iterator[Finding]:
    """One note for all: which statement is repeated the most, and the lines that the others come from."""
    found = sorted(one.n_plus_one, key=lambda repeated: -repeated.most)
    if not found:
        return
    worst_one = found[0]
    times = f" in {worst_one.requests} requests" if worst_one.requests else ""
    message = (
        f"likely N+1: the same statement up to {worst_one.most} times in one request{times}, "
        f"from {worst_one.caller or 'an unknown line'}: {worst_one.shape or 'not told'}"
    )
    if others := found[1:]:
        lines = some(list(dict.fromkeys(repeated.caller or "an unknown line" for repeated in others)))
        message += f"; and {len(others)} more statement{'s' * (len(others) > 1)}, from {lines}"
    remedy = "load these rows with one query: a join, or an eager load"
    yield Finding.note(Rule.N_PLUS_ONE, message, value=float(worst_one.most), unit="requests", remedy=remedy, line=line)


# --- Errors --------------------------------------------------------------------------------------------------------


def _errors(one: MonitoredEndpoint, held: Endpoint | None) -> Iterator[Finding]:
    if not one.errors or not one.requests:
        return
    limits = held.error_limits if held else ErrorLimits()
    rate = one.errors / one.requests
    what = f"{one.errors} of {one.requests} requests failed ({format_percentage(rate)})"
    line = line_of(held, Rule.ERROR_RATE) if held else None
    remedy = "the log of the service has the reasons"
    for severity, limit, proof in (
        (Severity.CRITICAL, limits.critical, CRITICAL_PROOF),
        (Severity.WARNING, limits.warning, WARNING_PROOF),
    ):
        if _holds(one.errors, one.requests, limit, proof):
            message = f"{what}, over {format_percentage(limit)}"
            yield Finding(
                rule=Rule.ERROR_RATE,
                severity=severity,
                value=rate,
                limit=limit,
                unit="ratio",
                message=message,
                remedy=remedy,
                line=line,
            )
            return
    if rate > limits.warning:
        message = f"{what}, over the limit of {format_percentage(limits.warning)} but too few to judge by"
        yield Finding.note(Rule.ERRORS_SEEN, message, value=rate, limit=limits.warning, unit="ratio", line=line)


def _holds(failures: int, requests: int, limit: float, proof: Proof) -> bool:
    return failures >= proof.failures and evidence(failures, requests, limit) >= proof.evidence


def evidence(failures: int, requests: int, limit: float) -> float:
    """``error_rate.evidence``, also for the millions of requests of a monitor.

    That one adds up a term for each failure. Where they are many, its integral over the rates above the limit is that
    of a normal peak (Laplace's method): ``exp(n KL(s/n, t)) sqrt(2 pi p (1-p) / n) / (1-t)`` with p = s/n, right to
    within some percent where the rate is clearly over the limit; at most at it, there is no evidence.
    """
    if failures <= _MOST_FAILURES_EXACTLY or not 0 < limit < 1:
        return exact_evidence(failures, requests, limit)
    rate = failures / requests
    if rate <= limit:
        return 0.0
    if failures == requests:
        return math.inf
    divergence = rate * math.log(rate / limit) + (1 - rate) * math.log((1 - rate) / (1 - limit))
    width = math.sqrt(2 * math.pi * rate * (1 - rate) / requests) / (1 - limit)
    return math.exp(min(requests * divergence + math.log(width), 600.0))


# --- In words ------------------------------------------------------------------------------------------------------


def some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
