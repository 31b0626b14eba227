"""What is found of an endpoint that is compared with an earlier release, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from perfcheck.judge.rules import of_step
from perfcheck.model import (
    Changed,
    CompareLimits,
    Comparison,
    EndpointResult,
    Finding,
    Rule,
    Severity,
    Source,
    Unit,
    Verdict,
)
from perfcheck.stats.error_rate import RISE_ERROR, chance_of_as_many
from perfcheck.text import clean
from perfcheck.units import format_change_interval, format_figure, format_percentage, format_slower, shown_as_multiple
from perfcheck.words import plural

# Findings of a check against targets, and of an earlier comparison: neither belongs into a comparison by itself.
_NOT_OF_A_COMPARISON = {
    *(Rule.LATENCY, Rule.CEILING, Rule.OVER_TARGET, Rule.NEW_SLOW_ENDPOINT, Rule.UNDECIDED, Rule.MOMENTARY),
    *(Rule.SLOWER, Rule.FASTER, Rule.SMALL_DIFFERENCE, Rule.CANNOT_TELL, Rule.ADDED, Rule.NOT_COMPARED),
}
_WITHIN_LIMITS = "together with the others that is within the limits"


@dataclass(frozen=True, slots=True)
class EndpointPair:
    """One endpoint in both releases. ``severity`` is what the test has shown: OK for nothing."""

    after: EndpointResult
    before: EndpointResult | None  # None: there was no such endpoint
    comparison: Comparison | None  # None: one side has nothing to compare
    severity: Verdict
    remedy: str | None  # for what became slower
    steps: tuple[EndpointPair, ...] = ()  # of a workflow, or figures of a page


def limits_from(before_ms: float, limits: CompareLimits) -> tuple[float, float]:
    """The latencies over which an endpoint is WARNING and CRITICAL that took ``before_ms``."""
    least = before_ms + limits.min_difference_ms
    return max(before_ms * (1 + limits.warning), least), max(before_ms * (1 + limits.critical), least)


def change_findings(pair: EndpointPair, limits: CompareLimits) -> Iterator[Finding]:
    line, comparison = pair.after.line, pair.comparison
    if pair.before is None:
        yield Finding.note(Rule.ADDED, "new: there is nothing to compare it with", line=line)
    elif comparison is None:
        if pair.after.verdict is not Verdict.NOT_MEASURED or decided_failure(pair.before):
            message = f"not compared: {_why_not_compared(pair.before, pair.after)}"
            yield Finding.note(Rule.NOT_COMPARED, message, line=line)
    elif comparison.changed is Changed.SLOWER:
        limit = limits.critical if pair.severity is Verdict.CRITICAL else limits.warning
        yield Finding(
            Rule.SLOWER,
            Severity(pair.severity.value),
            value=comparison.ratio,
            limit=1 + limit,
            unit="ratio",
            message=f"{_how_much(comparison, limit)}, over the limit of {_limit(comparison, limit, limits)}",
            remedy=pair.remedy,
            line=line,
        )
    elif comparison.changed is Changed.FASTER:
        yield Finding.note(Rule.FASTER, _how_much(comparison), line=line)
    elif comparison.changed is Changed.NO_CHANGE and (small := _too_small_to_count(comparison, limits)):
        yield Finding.note(Rule.SMALL_DIFFERENCE, small, line=line)
    elif comparison.changed is Changed.CANNOT_TELL:
        yield _undecided_change(comparison, limits, line)


def slower_steps(pair: EndpointPair) -> Iterator[Finding]:
    """Notes on the steps that became slower where that is too little of their workflow to count.

    Likewise on the figures of a page, which is compared by its metric alone.
    """
    if pair.comparison is None or pair.comparison.changed is Changed.SLOWER:
        return
    for step in pair.steps:
        if step.comparison is not None and step.comparison.changed is Changed.SLOWER:
            metric = pair.comparison.metric_name
            why = f"the verdict is by the {metric}" if step.after.is_figure else _WITHIN_LIMITS
            message = f"{_how_much(step.comparison)}; {why}"
            yield of_step(step.after, Finding.note(Rule.SMALL_DIFFERENCE, message, line=step.after.line))


def _undecided_change(comparison: Comparison, limits: CompareLimits, line: int) -> Finding:
    """A warning where the estimate lies over the critical limit: undecided, and no reason to stay silent."""
    ratio, before_ms = comparison.ratio, comparison.before_ms
    looks_critical = (
        ratio is not None and before_ms is not None and ratio * before_ms > limits_from(before_ms, limits)[1]
    )
    samples = "requests" if comparison.pairs is None else "pairs"
    message = f"inconclusive: {_how_much(comparison)}"
    message += f", from too few {samples} to be certain" if ratio is not None else ""
    if more := comparison.more_samples:
        what = (
            plural(more, "more pair") if comparison.pairs is not None else f"{plural(more, 'more request')} in each run"
        )
        message += f"; about {what} would settle it"
    return Finding(
        rule=Rule.CANNOT_TELL,
        severity=Severity.WARNING if looks_critical else Severity.NOTE,
        value=ratio,
        unit="ratio",
        message=message,
        line=line,
    )


def _limit(comparison: Comparison, share: float, limits: CompareLimits) -> str:
    """``10%``; ``5 ms`` where that is more."""
    least = limits.min_difference_ms
    return (
        format_figure(least, comparison.unit)
        if (comparison.before_ms or 0.0) * share < least
        else format_percentage(share)
    )


def _too_small_to_count(comparison: Comparison, limits: CompareLimits) -> str | None:
    """For a change that is large enough as a share, and too small in milliseconds."""
    before, ratio = comparison.before_ms, comparison.ratio
    if before is None or ratio is None or 1 / (1 + limits.warning) <= ratio <= 1 + limits.warning:
        return None
    difference, least = before * abs(ratio - 1), limits.min_difference_ms
    if difference >= least:
        return None  # it is within the limit pair by pair, which says nothing about milliseconds
    unit = comparison.unit
    by, enough = format_figure(difference, unit, distinct_from=least), format_figure(least, unit)
    slower = format_slower(ratio, unit=unit, distinct_from=1 + limits.warning)
    return f"{comparison.metric_name} {slower}, by {by}: less than the {enough} that count as a change"


def _why_not_compared(before: EndpointResult, after: EndpointResult) -> str:
    if changed := request_change(before, after):
        return f"the request changed ({changed})"
    if before.metric_of is not after.metric_of:
        return f"measured differently (metric_of: {before.metric_of} -> {after.metric_of})"
    if Source.MONITORED in {before.source, after.source}:
        return "the monitor inside the service keeps no samples"
    for screened, when in ((after, "now"), (before, "before")):
        if screened.is_screened:
            return f"screened over {screened.concurrency} connections {when}; --connections 1 measures it alone"
    reasons = [finding.message for finding in before.findings if finding.rule is Rule.NOT_MEASURED]
    if reasons:
        return f"not measured before ({reasons[0]})"
    if failure := decided_failure(before):
        return f"before, {failure.message}"
    return "not measured before"


def _how_much(comparison: Comparison, limit: float | None = None) -> str:
    """``median 26% slower than the 212 ms before (+18% to +34%)``; without a ratio, how many latencies there are.

    The ratio is that of all pairs, or of all requests, and not the quotient of the two medians: the one after is left
    out, since every reader does the sum. ``limit`` is the share that the ratio is over.
    """
    metric, before_ms, ratio, unit = comparison.metric_name, comparison.before_ms, comparison.ratio, comparison.unit
    if ratio is None:
        values = (before_ms, comparison.after_ms)
        before, after = ("over the timeout" if value is None else format_figure(value, unit) for value in values)
        noun = "latency" if unit is Unit.TIME else "value"
        counts = f"{plural(comparison.before_samples, noun)} before, {comparison.after_samples} now"
        return f"{metric} {before} -> {after}; {counts}"
    multiple = shown_as_multiple(*comparison.ratios)
    least = None if limit is None else 1 + limit
    than = f"{f'the {format_figure(before_ms, unit)} ' if before_ms else ''}before"
    slower = format_slower(ratio, than=than, unit=unit, distinct_from=least, multiple=multiple)
    ends = format_change_interval(*comparison.ratio_interval, multiple=multiple)
    return f"{metric} {slower} ({'with an open interval' if ends == '-' else ends})"


def other_findings(after: EndpointResult, before: EndpointResult | None) -> Iterator[Finding]:
    """Failures and bodies: a note where they were no better before."""
    for finding in after.findings:
        if finding.rule in _NOT_OF_A_COMPARISON:
            continue
        if finding.rule is Rule.NOT_MEASURED and before is not None and decided_failure(before):
            continue  # for that reason no more requests were sent
        if before is not None and finding.severity is not Severity.NOTE and _was_so_before(finding, after, before):
            yield replace(finding, severity=Severity.NOTE, message=f"no better before: {finding.message}")
        else:
            yield finding


def _was_so_before(finding: Finding, after: EndpointResult, before: EndpointResult) -> bool:
    if finding.rule is Rule.ERROR_RATE:
        old, new = before.requests, after.requests
        return old.failed > 0 and chance_of_as_many(old.failed, old.sent, new.failed, new.sent) >= RISE_ERROR
    largest = next((step for step in before.steps if step.name == finding.step), before).body_bytes
    return finding.rule is Rule.BODY_SIZE and largest is not None and largest >= (finding.value or 0.0)


def decided_failure(result: EndpointResult) -> Finding | None:
    """The finding that it fails beyond doubt, if there is one."""
    for finding in result.findings:
        if finding.rule is Rule.ERROR_RATE and finding.severity is Severity.CRITICAL:
            return finding
    return None


def request_change(before: EndpointResult, after: EndpointResult) -> str | None:
    """``GET -> HEAD``: what is different about the request itself; None where it is the same."""
    if before.method != after.method:
        return f"{clean(before.method)} -> {clean(after.method)}"
    sent = [[step for step in result.steps if not step.is_figure] for result in (before, after)]
    then, now = ([(step.name, step.method, _path(step.url)) for step in steps] for steps in sent)
    if then != now:
        names = [", ".join(clean(step.name) for step in steps) for steps in sent]
        return f"{names[0]} -> {names[1]}" if names[0] != names[1] else "that of a step"
    old, new = _path(before.url), _path(after.url)
    return None if old == new else f"{clean(old)} -> {clean(new)}"


def _path(url: str) -> str:
    """The URL without the server, which has another name or port in every run."""
    return "/" + url.partition("://")[2].partition("/")[2]
