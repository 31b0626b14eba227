"""An endpoint held against how it was before: from the outcome of a test to findings and a verdict.

Pure. In a comparison by itself the earlier release is the promise: it takes the place of the target, and the limits of
the comparison that of the limits. Beside a check against targets it is one more reason for a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from perfcheck.judge.comparability import asked_differently
from perfcheck.model import (
    Changed,
    CompareLimits,
    Comparison,
    EndpointResult,
    Finding,
    Metric,
    Reference,
    Rule,
    Severity,
    Source,
    Verdict,
    heaviest_first,
    verdict_of,
    worst,
)
from perfcheck.stats.error_rate import RISE_ERROR, chance_of_as_many
from perfcheck.units import format_change, format_ms, format_percentage, format_slower

# What a check against targets finds and a comparison does not ask for; and what an earlier comparison came to.
_OF_TARGETS = {
    Rule.LATENCY,
    Rule.CEILING,
    Rule.OVER_TARGET,
    Rule.NEW_SLOW_ENDPOINT,
    Rule.UNDECIDED,
    Rule.MOMENTARY,
}
_OF_COMPARISONS = {
    Rule.SLOWER,
    Rule.FASTER,
    Rule.SMALL_DIFFERENCE,
    Rule.CANNOT_TELL,
    Rule.ADDED,
    Rule.NOT_COMPARED,
}
_BY_PAIRS = "pair by pair"
_BY_REQUESTS = dict.fromkeys(Metric, "") | {Metric.MEDIAN: "request by request"}


@dataclass(frozen=True, slots=True)
class Held:
    """One endpoint after, and what it is held against. ``severity`` is what the test has shown: OK for nothing."""

    after: EndpointResult
    before: EndpointResult | None  # None: there was no such endpoint
    comparison: Comparison | None  # None: one side has nothing to compare
    severity: Verdict
    remedy: str | None  # for what became slower


def compared_alone(held: Held, limits: CompareLimits) -> EndpointResult:
    """The result of a comparison by itself."""
    after, before = held.after, held.before
    if _before_was_broken(held):
        held = replace(held, comparison=None)
    findings = [*_about_change(held, limits), *_apart_from_targets(after, before)]
    comparison = held.comparison
    if comparison is None or comparison.before_ms is None:
        limits_ms: tuple[float | None, ...] = (None, None, None)
    else:
        limits_ms = (comparison.before_ms, *limits_from(comparison.before_ms, limits))
    target_ms, warning_ms, critical_ms = limits_ms
    return replace(
        after,
        verdict=_verdict(held, findings),
        decided=_is_decided(held, findings),
        target_ms=target_ms,
        ideal_ms=None,
        warning_ms=warning_ms,
        critical_ms=critical_ms,
        ceiling_ms=None,
        ratio=comparison.ratio if comparison else None,
        interval_ms=_interval_ms(comparison),
        findings=heaviest_first(findings),
        comparison=comparison,
        promise=Reference.BEFORE,
    )


def compared_beside_targets(held: Held, limits: CompareLimits) -> EndpointResult:
    """The result of a check against targets, which has become slower as one more reason for its verdict."""
    about = list(_about_change(held, limits))
    findings = [*held.after.findings, *about]
    verdict = worst([held.after.verdict, verdict_of(about)])
    return replace(held.after, verdict=verdict, findings=heaviest_first(findings), comparison=held.comparison)


def cannot_tell(results: Sequence[EndpointResult], remedy: str) -> tuple[Finding, ...]:
    """One note on all that cannot be told, with what would settle it; none where there is an answer to each."""
    open_ones = [one for one in results if one.comparison and one.comparison.changed is Changed.CANNOT_TELL]
    if not open_ones:
        return ()
    count = len(open_ones)
    whose = f"{count} of {len(results)} endpoints" if len(results) > 1 else "the endpoint"
    message = f"it cannot be told whether {whose} became slower: too few requests for so much noise"
    return (Finding.note(Rule.CANNOT_TELL, message, value=float(count), remedy=remedy),)


def _before_was_broken(held: Held) -> bool:
    """Whether it failed so often before that what could be compared says nothing."""
    if held.before is None or _decided_failure(held.before) is None:
        return False
    return held.comparison is None or held.comparison.changed is Changed.CANNOT_TELL


def _decided_failure(result: EndpointResult) -> Finding | None:
    """That it fails beyond doubt, where it does."""
    critical = (one for one in result.findings if one.rule is Rule.ERROR_RATE and one.severity is Severity.CRITICAL)
    return next(critical, None)


def _is_decided(held: Held, findings: list[Finding]) -> bool:
    """Of what there is nothing to compare with, or fails, as it was measured."""
    if held.comparison is None or any(
        one.rule is Rule.ERROR_RATE for one in findings if one.severity is not Severity.NOTE
    ):
        return held.after.decided
    return held.comparison.changed is not Changed.CANNOT_TELL


def limits_from(before_ms: float, limits: CompareLimits) -> tuple[float, float]:
    """The latencies over which an endpoint is WARNING and CRITICAL that took ``before_ms``."""
    least = before_ms + limits.min_difference_ms
    return max(before_ms * (1 + limits.warning), least), max(before_ms * (1 + limits.critical), least)


def _verdict(held: Held, findings: list[Finding]) -> Verdict:
    nothing = held.after.verdict is Verdict.NOT_MEASURED or (held.before is not None and held.comparison is None)
    return worst([verdict_of(findings), Verdict.NOT_MEASURED if nothing else Verdict.OK])


def _interval_ms(comparison: Comparison | None) -> tuple[float | None, float | None]:
    """Of the latency after, were the one before known exactly."""
    if comparison is None or comparison.before_ms is None:
        return None, None
    low, high = comparison.ratio_interval
    before_ms = comparison.before_ms
    return None if low is None else low * before_ms, None if high is None else high * before_ms


# --- Findings ------------------------------------------------------------------------------------------------------


def _about_change(held: Held, limits: CompareLimits) -> Iterator[Finding]:
    line, comparison = held.after.line, held.comparison
    if held.before is None:
        yield Finding.note(Rule.ADDED, "new: there is nothing to hold it against", line=line)
    elif comparison is None:
        if held.after.verdict is not Verdict.NOT_MEASURED or _decided_failure(held.before):
            message = f"nothing to hold it against: {_why_unknown(held.before, held.after)}"
            yield Finding.note(Rule.NOT_COMPARED, message, line=line)
    elif comparison.changed is Changed.SLOWER:
        limit = limits.critical if held.severity is Verdict.CRITICAL else limits.warning
        message = f"{then_and_now(comparison)}; {_how_much(comparison)}, over the limit of {format_percentage(limit)}"
        severity = Severity(held.severity.value)
        yield Finding(
            rule=Rule.SLOWER,
            severity=severity,
            value=comparison.ratio,
            limit=1 + limit,
            unit="ratio",
            message=message,
            remedy=held.remedy,
            line=line,
        )
    elif comparison.changed is Changed.FASTER:
        message = f"{then_and_now(comparison)}; {_how_much(comparison)}"
        yield Finding.note(Rule.FASTER, message, line=line)
    elif comparison.changed is Changed.NO_CHANGE and (small := _too_small_to_count(comparison, limits)):
        yield Finding.note(Rule.SMALL_DIFFERENCE, small, line=line)
    elif comparison.changed is Changed.CANNOT_TELL:
        severity = Severity.WARNING if looks_critical(comparison, limits) else Severity.NOTE
        message = f"cannot tell whether it became slower: {_how_much(comparison)}"
        if more := comparison.more_samples:
            what = "pairs" if comparison.pairs is not None else "requests in each run"
            message += f"; about {more} more {what} would settle it"
        yield Finding(
            rule=Rule.CANNOT_TELL, severity=severity, value=comparison.ratio, unit="ratio", message=message, line=line
        )


def looks_critical(comparison: Comparison, limits: CompareLimits) -> bool:
    """Whether the estimate lies over the critical limit: undecided, and no reason to be silent."""
    if comparison.ratio is None or comparison.before_ms is None:
        return False
    return comparison.ratio * comparison.before_ms > limits_from(comparison.before_ms, limits)[1]


def _too_small_to_count(comparison: Comparison, limits: CompareLimits) -> str | None:
    """What would be a change by its share, and is none by what it amounts to."""
    before, after, ratio = comparison.before_ms, comparison.after_ms, comparison.ratio
    if before is None or after is None or ratio is None or 1 / (1 + limits.warning) <= ratio <= 1 + limits.warning:
        return None
    least = format_ms(limits.min_difference_ms)
    return f"{then_and_now(comparison)}: {format_slower(ratio)}, but less than the {least} that count as a change"


def _why_unknown(before: EndpointResult, after: EndpointResult) -> str:
    """In a phrase."""
    if another := asked_differently(before, after):
        return f"the request is another one ({another})"
    if Source.MONITORED in {before.source, after.source}:
        return "the monitor inside the service keeps no samples"
    told = next((finding.message for finding in before.findings if finding.rule is Rule.NOT_MEASURED), None)
    if told:
        return f"not measured before ({told})"
    if failure := _decided_failure(before):
        return f"before, {failure.message}"
    return "not measured before"


def then_and_now(comparison: Comparison) -> str:
    """``median 212 ms before, 268 ms now``."""
    before, after = comparison.before_ms, comparison.after_ms
    told = [
        f"{format_ms(ms)} {when}" if ms else f"over the timeout {when}"
        for ms, when in ((before, "before"), (after, "now"))
    ]
    return f"{comparison.metric} {', '.join(told)}"


def _how_much(comparison: Comparison) -> str:
    """``pair by pair 26% slower (+18% to +34%)``; without a ratio, what there is to go by.

    The ratio is that of all pairs, or of all requests, and not the quotient of the two medians: it says so, since every
    reader does the sum.
    """
    if comparison.ratio is None:
        return f"{comparison.before_samples} latencies before, {comparison.after_samples} now"
    low, high = comparison.ratio_interval
    by = _BY_PAIRS if comparison.pairs is not None else _BY_REQUESTS[comparison.metric]
    if low is None and high is None:
        return f"{by} about {format_slower(comparison.ratio)}, with an open interval"
    ends = ("at least " + format_change(low)) if high is None and low is not None else ""
    ends = ends or (f"at most {format_change(high)}" if low is None and high is not None else "")
    ends = ends or f"{format_change(low or 0.0)} to {format_change(high or 0.0)}"
    return f"{by} {format_slower(comparison.ratio)} ({ends})".strip()


def _apart_from_targets(after: EndpointResult, before: EndpointResult | None) -> Iterator[Finding]:
    """Failures and bodies: what was no better before is no news, and told as a note."""
    for finding in after.findings:
        if finding.rule in _OF_TARGETS | _OF_COMPARISONS:
            continue
        if finding.rule is Rule.NOT_MEASURED and before is not None and _decided_failure(before):
            continue  # it was not asked further for that reason
        known = before is not None and _was_so_before(finding, after, before)
        if known and finding.severity is not Severity.NOTE:
            yield replace(finding, severity=Severity.NOTE, message=f"{finding.message}; no better before")
        else:
            yield finding


def _was_so_before(finding: Finding, after: EndpointResult, before: EndpointResult) -> bool:
    if finding.rule is Rule.ERROR_RATE:
        one, other = before.requests, after.requests
        return one.failed > 0 and chance_of_as_many(one.failed, one.sent, other.failed, other.sent) >= RISE_ERROR
    largest = before.body_bytes
    return finding.rule is Rule.BODY_SIZE and largest is not None and largest >= (finding.value or 0.0)
