"""An endpoint compared with an earlier release: from the outcome of a test to findings and a verdict.

Pure. In a comparison by itself the earlier release takes the place of the target, and the limits of the comparison that
of the limits. Next to a check against targets it is one more reason for a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from perfcheck.judge.change_findings import (
    EndpointPair,
    change_findings,
    decided_failure,
    limits_from,
    other_findings,
    slower_steps,
)
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
    Verdict,
    heaviest_first,
    verdict_of,
    worst,
)
from perfcheck.stats.pairs import ChangeOutcome
from perfcheck.stats.quantiles import quantile
from perfcheck.units import format_percentage
from perfcheck.words import plural

_NINE_OF_TEN = 0.9


def comparison_of(
    before: EndpointResult,
    after: EndpointResult,
    outcome: ChangeOutcome,
    metric: Metric,
    values: tuple[float | None, float | None],
    pairs: int | None = None,
) -> Comparison:
    """What a test of two samples, or of ``pairs``, has shown; ``values`` are the metric before and after.

    Where one of them is 0, only the floor below its logarithm gave a ratio, and there is none.
    """
    floor = after.metric_of.floor
    has_ratio = not floor or all(value is None or value >= floor for value in values)
    return Comparison(
        changed=outcome.changed,
        metric=metric,
        before_ms=values[0],
        after_ms=values[1],
        ratio=outcome.ratio if has_ratio else None,
        ratio_interval=outcome.interval if has_ratio else (None, None),
        before_samples=len(before.samples_ms),
        after_samples=len(after.samples_ms),
        pairs=pairs,
        before_error_rate=before.error_rate,
        before_samples_ms=before.samples_ms,
        before_server_timing=before.server_timing,
        before_server_timing_details=before.server_timing_details,
        more_samples=outcome.more,
        metric_of=after.metric_of,
        before_traces=before.traces,
    )


def compared_alone(pair: EndpointPair, limits: CompareLimits) -> EndpointResult:
    """The result of a comparison by itself."""
    after, before = pair.after, pair.before
    if _before_was_broken(pair):
        pair = replace(pair, comparison=None)
    own = limits.of(after.metric_of)
    findings = [*change_findings(pair, own), *slower_steps(pair), *other_findings(after, before)]
    comparison = pair.comparison
    if comparison is None or comparison.before_ms is None:
        limits_ms: tuple[float | None, ...] = (None, None, None)
    else:
        limits_ms = (comparison.before_ms, *limits_from(comparison.before_ms, own))
    target_ms, warning_ms, critical_ms = limits_ms
    return replace(
        after,
        verdict=_verdict(pair, findings),
        decided=_is_decided(pair, findings),
        unconfirmed=None,  # that was a breach of a limit, and here there is none
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
        steps=tuple(compared_alone(step, limits) for step in pair.steps) or after.steps,
    )


def compared_with_targets(pair: EndpointPair, limits: CompareLimits) -> EndpointResult:
    """The result of a check against targets, with the change as one more reason for its verdict.

    A measurement that could not be repeated in time makes neither CRITICAL.
    """
    after, unconfirmed = pair.after, pair.after.unconfirmed
    changes = [*change_findings(pair, limits.of(after.metric_of)), *slower_steps(pair)]
    if unconfirmed is not None:
        unconfirmed = worst([unconfirmed, verdict_of(changes)])
        changes = [
            replace(each, severity=Severity.WARNING) if each.severity is Severity.CRITICAL else each for each in changes
        ]
    return replace(
        after,
        verdict=worst([after.verdict, verdict_of(changes)]),
        unconfirmed=unconfirmed,
        findings=heaviest_first([*after.findings, *changes]),
        comparison=pair.comparison,
        steps=tuple(compared_with_targets(step, limits) for step in pair.steps) or after.steps,
    )


def _before_was_broken(pair: EndpointPair) -> bool:
    """Whether it failed so often before that its latencies are no basis for a comparison."""
    if pair.before is None or decided_failure(pair.before) is None:
        return False
    if pair.comparison is None or pair.comparison.changed is Changed.CANNOT_TELL:
        return True
    # Timeouts alone are latencies, and not shorter than those since: that is no news about the service.
    return pair.comparison.changed is Changed.NO_CHANGE and not pair.before.requests.succeeded


def _is_decided(pair: EndpointPair, findings: Iterable[Finding]) -> bool:
    """As measured, where there is nothing to compare with, or where it fails."""
    heavy = [finding for finding in findings if finding.severity is not Severity.NOTE]
    if pair.comparison is None or any(finding.rule is Rule.ERROR_RATE for finding in heavy):
        return pair.after.decided
    return pair.comparison.changed is not Changed.CANNOT_TELL


def _verdict(pair: EndpointPair, findings: Iterable[Finding]) -> Verdict:
    nothing = pair.after.verdict is Verdict.NOT_MEASURED or (pair.before is not None and pair.comparison is None)
    return worst([verdict_of(findings), Verdict.NOT_MEASURED if nothing else Verdict.OK])


def _interval_ms(comparison: Comparison | None) -> tuple[float | None, float | None]:
    """Of the latency after, as if the one before were known exactly."""
    if comparison is None or comparison.before_ms is None:
        return None, None
    low, high = comparison.ratio_interval
    before_ms = comparison.before_ms
    return None if low is None else low * before_ms, None if high is None else high * before_ms


# --- Findings of the run -------------------------------------------------------------------------------------------


def cannot_tell(results: Sequence[EndpointResult], remedy: str) -> tuple[Finding, ...]:
    """One note on all endpoints without a result, and what would settle it; none where each has one."""
    open_ones = [result for result in results if result.comparison and result.comparison.changed is Changed.CANNOT_TELL]
    if not open_ones:
        return ()
    count = len(open_ones)
    which = f"{count} of {len(results)} endpoints" if len(results) > 1 else "the endpoint is"
    message = f"{which} inconclusive: too few requests for this much noise"
    return (Finding.note(Rule.CANNOT_TELL, message, value=float(count), remedy=remedy),)


def noise_findings(results: Sequence[EndpointResult], pairs: Iterable[tuple[float, float]]) -> tuple[Finding, ...]:
    """The noise floor, for a run that compared a service with itself; ``pairs`` are its latencies."""
    differences = sorted(max(pair) / min(pair) - 1 for pair in pairs if min(pair) > 0 and math.isfinite(max(pair)))
    if not differences:
        return ()
    typical, most = quantile(differences, 0.5), quantile(differences, _NINE_OF_TEN)
    usual, rare = format_percentage(typical), format_percentage(most)
    phrases = [f"noise floor: the two requests of a pair typically differ by {usual}, in 1 of 10 pairs by over {rare}"]
    resolved = [share for share in map(resolution, results) if share is not None]
    if resolved:
        phrases.append(f"the ratios are known to within {format_percentage(max(resolved))}")
    wrong = sum(1 for result in results if result.comparison and result.comparison.changed is Changed.SLOWER)
    if wrong:
        phrases.append(f"{plural(wrong, 'endpoint')} called slower than itself, which is wrong")
    return (Finding.note(Rule.NOISE, "; ".join(phrases), value=most, unit="ratio"),)


def resolution(result: EndpointResult) -> float | None:
    """Half the width of the interval of the ratio: the smallest change that this many pairs can show."""
    if result.comparison is None:
        return None
    low, high = result.comparison.ratio_interval
    return None if low is None or high is None or not low else math.sqrt(high / low) - 1
