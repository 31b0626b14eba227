"""One endpoint by the monitor's figures: a verdict, and why.

Pure. These are figures of every request that was served, not of a sample, so no error probability is stated: what is
over a limit was over it. A few requests are little evidence of the next ones, which the rules allow for.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields

from perfcheck.judge.rules import failed_share, finite, line_of
from perfcheck.model import (
    Endpoint,
    EndpointResult,
    ErrorLimits,
    Finding,
    LatencySummary,
    Limits,
    Metric,
    MetricOf,
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
from perfcheck.stats.error_rate import CRITICAL_PROOF, WARNING_PROOF, evidence_of_many
from perfcheck.units import format_ms, format_percentage
from perfcheck.words import and_more, plural

_FEW = 5  # requests: below it no latency is CRITICAL, as none of a measurement would be
MOST_NAMED = 10
_NOT_AN_ENDPOINT = ("(unmatched)", "(other endpoints)")  # requests that the monitor cannot assign
_UNKNOWN_LINE = "an unknown line"


def is_reported(reported: MonitoredEndpoint, owners: Sequence[Endpoint]) -> bool:
    """With a figure; or without one, where only its name in a list of slow endpoints shows that it is new."""
    return has_figures(reported) or (reported.listed_as_slow and not owners)


def has_figures(reported: MonitoredEndpoint) -> bool:
    return reported.requests != 0 and (reported.mean_ms is not None or reported.median_ms is not None)


def shown_name(reported: MonitoredEndpoint, owners: Sequence[Endpoint]) -> str:
    return owners[0].name if len(owners) == 1 else reported.name


def judge_monitored(
    reported: MonitoredEndpoint, owners: Sequence[Endpoint], threshold_ms: float, url: str
) -> EndpointResult:
    """``owners`` are the endpoints of the baseline that the monitor counts as this one.

    Of several the loosest limits apply: whatever the share of each in the figure, if it is over the loosest limit, one
    of them is over its own.
    """
    owner = max(owners, key=lambda owner: (owner.limits.critical_ms, owner.limits.warning_ms), default=None)
    metric, value = _figure(reported, owner)
    limits = owner.limits if owner is not None else Limits(threshold_ms, math.inf)
    is_other = owner is not None and owner.metric_of is not MetricOf.LATENCY  # than what the monitor measures
    limits = Limits(math.inf, math.inf) if is_other else limits
    findings = heaviest_first(
        [
            *_latency(reported, owner, metric, value, limits, threshold_ms),
            *_errors(reported, owner),
            *repetitions(reported, owner.line if owner else None),
            *_how_it_was_read(owners, owner, metric),
        ]
    )
    target = owner.target_ms if owner and not is_other else None
    requests, errors = reported.requests or 0, reported.errors or 0
    return EndpointResult(
        name=shown_name(reported, owners),
        group=owner.group if owner else None,
        method="GET",
        url=url,
        verdict=verdict_of(findings),
        decided=False,
        metric=metric,
        value_ms=value,
        over_timeout=False,
        interval_ms=(None, None),
        target_ms=target,
        ideal_ms=owner.ideal_ms if owner and not is_other else None,
        warning_ms=finite(limits.warning_ms),
        critical_ms=finite(limits.critical_ms),
        ceiling_ms=owner.ceiling_ms if owner and not is_other else None,
        ratio=value / target if value is not None and target else None,
        requests=Requests(sent=requests, succeeded=requests - errors, failed=errors, warmup=0, judged=requests),
        error_rate=errors / requests if requests and reported.errors is not None else None,
        error_rate_bound=None,
        errors={"server error": errors} if errors else {},
        latency_ms=LatencySummary(
            **{field.name: _latency_ms(reported, field.name) for field in fields(LatencySummary)}
        ),
        phases_ms=PhaseSummary(),
        body_bytes=reported.largest_body,
        server_timing={},
        samples_ms=(),
        timeline=Timeline(),
        line=owner.line if owner else 0,
        findings=findings,
        source=Source.MONITORED,
    )


def _figure(reported: MonitoredEndpoint, owner: Endpoint | None) -> tuple[Metric, float | None]:
    """The metric of the baseline where the monitor has it, else the mean, else the median."""
    for metric in (owner.metric if owner else Metric.MEAN, Metric.MEAN, Metric.MEDIAN):
        if (value := _latency_ms(reported, metric)) is not None:
            return metric, value
    return Metric.MEAN, None


def _latency_ms(reported: MonitoredEndpoint, statistic: str) -> float | None:
    value: float | None = getattr(reported, f"{statistic}_ms")
    return value


def _latency(
    reported: MonitoredEndpoint,
    owner: Endpoint | None,
    metric: Metric,
    value: float | None,
    limits: Limits,
    threshold_ms: float,
) -> Iterator[Finding]:
    if value is None:  # all that is known is its name, in a list of slow endpoints
        if owner is None and reported.listed_as_slow:
            message = f"the monitor lists it as over {format_ms(threshold_ms)}, and it is not in the baseline"
            yield _new_slow(reported, None, threshold_ms, message)
        return
    verdict = limits.classify(value)
    if verdict is Verdict.OK:
        return
    is_few = reported.requests is not None and reported.requests < _FEW
    few = f" (only {plural(reported.requests or 0, 'request')})" if is_few else ""
    if owner is None:
        message = f"{metric} {format_ms(value, distinct_from=threshold_ms)}, over {format_ms(threshold_ms)}"
        message += f", and not in the baseline{few}"
        yield _new_slow(reported, value, threshold_ms, message)
        return
    severity = Severity.WARNING if few else Severity(verdict.value)
    rule, limit = (Rule.LATENCY, limits.critical_ms if verdict is Verdict.CRITICAL else limits.warning_ms)
    if verdict is Verdict.CRITICAL and owner.ceiling_ms is not None and limit == owner.ceiling_ms:
        rule = Rule.CEILING
    elif owner.target_ms is None:
        rule = Rule.NEW_SLOW_ENDPOINT
    target = f", its target is {format_ms(owner.target_ms)}" if owner.target_ms is not None else ", without a target"
    what = "ceiling" if rule is Rule.CEILING else "limit"
    message = f"{metric} {format_ms(value, distinct_from=limit)}, over its {what} of {format_ms(limit)}{target}"
    message += few
    remedy = f"{_slowest_statement(reported)}'perfcheck run {owner.name}' measures it from outside"
    yield Finding(
        rule, severity, value=value, limit=limit, unit="ms", message=message, remedy=remedy, line=line_of(owner, rule)
    )


def _new_slow(reported: MonitoredEndpoint, value: float | None, threshold_ms: float, message: str) -> Finding:
    if reported.name.endswith(_NOT_AN_ENDPOINT):
        remedy = "the monitor has no route for these requests; see the log of the service for the slow ones"
    else:
        known = f"if it is there under another name, set 'monitor_name: {reported.name}'"
        remedy = f"{_slowest_statement(reported)}add it to the baseline with a target; {known}"
    return Finding(
        Rule.NEW_SLOW_ENDPOINT,
        Severity.WARNING,
        value=value,
        limit=threshold_ms,
        unit="ms",
        message=message,
        remedy=remedy,
    )


def _slowest_statement(reported: MonitoredEndpoint) -> str:
    """``its slowest statement, 480 ms in a request, is SELECT name FROM labels, from shop/views.py:47; ``"""
    slowest = reported.slowest_statement
    if slowest is None:
        return ""
    time = f", {format_ms(slowest.ms)} in a request," if slowest.ms is not None else ""
    caller = f", from {slowest.caller}" if slowest.caller else ""
    return f"its slowest statement{time} is {slowest.shape}{caller}; "


def _how_it_was_read(owners: Sequence[Endpoint], owner: Endpoint | None, metric: Metric) -> Iterator[Finding]:
    if owner is None:
        return
    if len(owners) > 1:
        names = and_more([owner.name for owner in owners], MOST_NAMED)
        message = (
            f"the monitor counts {len(owners)} endpoints of the baseline as this one ({names}); "
            f"compared with the loosest limits, those of {owner.name}"
        )
        yield Finding.note(Rule.COUNTED_TOGETHER, message, remedy=_how_to_keep_apart(owners), line=owner.line)
    if owner.metric_of is not MetricOf.LATENCY:
        message = f"the monitor does not report its {owner.metric_name}: its {metric} is shown, and not judged"
        yield Finding.note(Rule.OTHER_METRIC, message, line=owner.line)
    elif metric is not owner.metric:
        message = f"the monitor does not report its {owner.metric}; its {metric} is judged instead"
        yield Finding.note(Rule.OTHER_METRIC, message, line=owner.line)


def _how_to_keep_apart(owners: Sequence[Endpoint]) -> str | None:
    """By the query parameters that differ; None where none does."""
    counts = Counter(field for owner in owners for field in set(owner.query))
    differ = sorted({name for (name, _), count in counts.items() if count < len(owners)})
    named = ", ".join(f"'{name}'" for name in differ[:MOST_NAMED])
    return f"the setting 'variants' of perfcheck.monitor counts them separately, by {named}" if differ else None


def repetitions(reported: MonitoredEndpoint, line: int | None) -> Iterator[Finding]:
    """One note for all: which statement is repeated the most, and the lines that the others come from."""
    statements = sorted(reported.n_plus_one, key=lambda statement: -statement.most)
    if not statements:
        return
    most, *others = statements
    times = f", in {plural(most.requests, 'request')}" if most.requests else ""
    message = (
        f"likely N+1: the same statement up to {most.most} times per request{times}, "
        f"from {most.caller or _UNKNOWN_LINE}: {most.shape or 'an unknown statement'}"
    )
    if others:
        lines = list(dict.fromkeys(statement.caller or _UNKNOWN_LINE for statement in others))
        message += f"; and {plural(len(others), 'more statement')}, from {and_more(lines, MOST_NAMED)}"
    remedy = "load these rows with one query: a join, or an eager load"
    yield Finding.note(Rule.N_PLUS_ONE, message, value=float(most.most), unit="requests", remedy=remedy, line=line)


# --- Errors --------------------------------------------------------------------------------------------------------


def _errors(reported: MonitoredEndpoint, owner: Endpoint | None) -> Iterator[Finding]:
    if not reported.errors or not reported.requests:
        return
    limits = owner.error_limits if owner else ErrorLimits()
    rate = reported.errors / reported.requests
    line = line_of(owner, Rule.ERROR_RATE) if owner else None
    remedy = "see the log of the service"
    for severity, limit, proof in (
        (Severity.CRITICAL, limits.critical, CRITICAL_PROOF),
        (Severity.WARNING, limits.warning, WARNING_PROOF),
    ):
        evidence = evidence_of_many(reported.errors, reported.requests, limit)
        if reported.errors >= proof.failures and evidence >= proof.evidence:
            what = failed_share(reported.errors, reported.requests, limit)
            message = f"{what}, over {format_percentage(limit)}"
            yield Finding(
                Rule.ERROR_RATE,
                severity,
                value=rate,
                limit=limit,
                unit="ratio",
                message=message,
                remedy=remedy,
                line=line,
            )
            return
    if rate > limits.warning:
        what = failed_share(reported.errors, reported.requests, limits.warning)
        message = f"{what}, over the limit of {format_percentage(limits.warning)} but too few to judge"
        yield Finding.note(Rule.ERRORS_SEEN, message, value=rate, limit=limits.warning, unit="ratio", line=line)
