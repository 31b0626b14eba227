"""Two runs, each measured in its own time, compared endpoint by endpoint from the samples that they kept.

What the machine did differently on the two occasions cannot be separated from a change of the service, so the findings
list every known difference. Two services measured side by side have no such doubt: see ``stats/pairs.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from perfcheck.judge.change_findings import EndpointPair, request_change
from perfcheck.judge.compare_endpoint import cannot_tell, compared_alone, compared_with_targets, comparison_of
from perfcheck.judge.rules import finite
from perfcheck.judge.runner import runner_findings
from perfcheck.model import (
    Against,
    ComparedHow,
    CompareLimits,
    Comparison,
    EarlierRun,
    EndpointChange,
    EndpointResult,
    Finding,
    Rule,
    Run,
    Source,
    Verdict,
)
from perfcheck.stats.quantiles import metric_value
from perfcheck.stats.two_sample import compare_samples
from perfcheck.text import clean
from perfcheck.times import parse_time
from perfcheck.words import and_more, plural, short_commit

_Interval = tuple[float | None, float | None]


def changes_since(run: Run, previous: Run) -> EarlierRun:
    """The metric of each endpoint that both runs measured, and which changes are clear.

    A change is clear where the two intervals do not overlap, which two runs of an unchanged service seldom show.
    """
    before, now = ([result.name for result in each.endpoints] for each in (previous, run))
    changes = _changes(previous.endpoints, run.endpoints)
    return EarlierRun(
        label=previous.label,
        started_at=previous.started_at,
        changes=changes,
        added=tuple(name for name in now if name not in before),
        removed=tuple(name for name in before if name not in now),
    )


def _changes(before: Sequence[EndpointResult], now: Sequence[EndpointResult]) -> dict[str, EndpointChange]:
    known = {result.name: result for result in before}
    changes = {result.name: _change(result, known[result.name]) for result in now if result.name in known}
    return {name: change for name, change in changes.items() if change is not None}


def _change(now: EndpointResult, before: EndpointResult) -> EndpointChange | None:
    """None where the two have no figure of one kind."""
    if now.is_screened or before.is_screened:
        return None
    if now.value_ms is None or before.value_ms is None or now.metric_name != before.metric_name:
        return None
    if now.over_timeout or before.over_timeout:
        return None
    apart = _is_below(now.interval_ms, before.interval_ms) or _is_below(before.interval_ms, now.interval_ms)
    steps = _changes(before.steps, now.steps)
    return EndpointChange(before.value_ms, now.value_ms, clear=apart, steps=steps, unit=now.unit)


def _is_below(interval: _Interval, other: _Interval) -> bool:
    high, low = interval[1], other[0]
    return high is not None and low is not None and high < low


_MOST_NAMED = 5
_LONGEST_NAME = 60
_HOW_TO_SETTLE = "measure both with '--min-requests 100', for example, or compare two running services"
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 24 * 3600.0


def compare_runs(
    before: Run, after: Run, limits: CompareLimits, *, with_targets: bool
) -> tuple[tuple[EndpointResult, ...], Against, tuple[Finding, ...]]:
    """The endpoints of ``after`` compared with those of ``before``, what ``before`` is, and run-level findings.

    ``with_targets``: in addition to the verdicts that ``after`` has already, instead of in their place.
    """
    known = {result.name: result for result in before.endpoints}
    judge = compared_with_targets if with_targets else compared_alone
    remedy = _commits_between(before, after)
    results = tuple(judge(_pair(known.get(result.name), result, limits, remedy), limits) for result in after.endpoints)
    names = {result.name for result in after.endpoints}
    against = Against(
        how=ComparedHow.STORED,
        label=before.label,
        run_id=before.id,
        started_at=before.started_at,
        commit=before.environment.commit,
        base_url=before.service.base_url,
        limits=limits,
        with_targets=with_targets,
        differences=tuple(differences(before, after)),
        added=tuple(result.name for result in after.endpoints if result.name not in known),
        removed=tuple(name for name in known if name not in names),
    )
    findings = (
        *nothing_compared(results),
        *_comparability(before, after, against, results),
        *added_and_removed(against.added, against.removed, "the run before"),
        *cannot_tell(results, _HOW_TO_SETTLE),
    )
    return results, against, findings


def _pair(
    before: EndpointResult | None, after: EndpointResult, limits: CompareLimits, remedy: str | None
) -> EndpointPair:
    comparison, severity = None, Verdict.OK
    if before is not None:
        comparison, severity = _compare(before, after, limits)
    known = {step.name: step for step in before.steps} if before else {}
    steps = after.steps if comparison else ()
    pairs = tuple(_pair(known.get(step.name), step, limits, remedy) for step in steps)
    return EndpointPair(after, before, comparison, severity, remedy, pairs)


def _compare(before: EndpointResult, after: EndpointResult, limits: CompareLimits) -> tuple[Comparison | None, Verdict]:
    """None where one side has no samples or was screened, or the two requests are not the same."""
    if before.is_screened or after.is_screened:
        return None, Verdict.OK
    if Source.MONITORED in {before.source, after.source} or request_change(before, after):
        return None, Verdict.OK
    if before.metric_of is not after.metric_of:
        return None, Verdict.OK
    old, new = ([math.inf if ms is None else ms for ms in result.samples_ms] for result in (before, after))
    if not old or not new:
        return None, Verdict.OK
    metric = after.metric
    of = after.metric_of
    outcome = compare_samples(old, new, metric, limits.of(of), of.floor)
    values = finite(metric_value(old, metric)), finite(metric_value(new, metric))
    return comparison_of(before, after, outcome, metric, values), outcome.severity


def _commits_between(before: Run, after: Run) -> str | None:
    """The remedy for what became slower."""
    old, new = before.environment.commit, after.environment.commit
    if not old or not new or old == new:
        return None
    return f"see the commits between: 'git log --oneline {short_commit(old)}..{short_commit(new)}'"


# --- Findings of the run -------------------------------------------------------------------------------------------


def nothing_compared(results: Sequence[EndpointResult]) -> tuple[Finding, ...]:
    """A warning where not one endpoint could be compared: a gate must not pass on that."""
    if any(result.comparison is not None for result in results):
        return ()
    which = f"none of the {plural(len(results), 'endpoint')}" if len(results) > 1 else "no endpoint"
    return (Finding.warning(Rule.NOT_COMPARED, f"{which} could be compared with the run before"),)


def added_and_removed(added: Sequence[str], removed: Sequence[str], before: str) -> Iterator[Finding]:
    """Notes on what only one side has; ``before`` is the other: "the run before"."""
    if added:
        yield Finding.note(Rule.ENDPOINTS, f"new, not in {before}: {_names(added)}")
    if removed:
        yield Finding.note(Rule.ENDPOINTS, f"gone since {before}: {_names(removed)}")


def _names(names: Sequence[str]) -> str:
    return and_more([clean(name, _LONGEST_NAME) for name in names], _MOST_NAMED)


# --- How much the comparison is worth ------------------------------------------------------------------------------


def _comparability(before: Run, after: Run, against: Against, results: Sequence[EndpointResult]) -> Iterator[Finding]:
    """Warnings where they may be why an endpoint is slower, else notes."""
    slower = any(finding.rule is Rule.SLOWER for result in results for finding in result.findings)
    report = Finding.warning if slower else Finding.note
    for difference in against.differences:
        yield report(Rule.COMPARABILITY, difference)
    for name, run, slowed in (("the run before", before, ()), ("this run", after, results)):
        yield from runner_findings(run.runner, run.environment.cpus, slowed, subject=f"{name}: ")
        if not run.complete:
            yield Finding.note(Rule.COMPARABILITY, f"{name} is incomplete")
    if between := time_between(before, after):
        message = f"the two runs are {between} apart: whatever changed on the machine in between is part of the figures"
        remedy = "'perfcheck compare URL URL' measures two services side by side, at the same time"
        yield Finding.note(Rule.COMPARABILITY, message, remedy=remedy)


def differences(before: Run, after: Run) -> Iterator[str]:
    """Sentences on what may have changed the figures other than the service, the most important first."""
    old, new = before.environment, after.environment
    if (old.platform, old.cpus) != (new.platform, new.cpus):
        yield (
            f"measured on different machines ({_machine(before)} -> {_machine(after)}): every figure depends on the "
            "machine, so this is hardly evidence about the service"
        )
    if old.ci != new.ci:
        yield f"measured in different environments ({_ci(before)} -> {_ci(after)})"
    versions = [clean(run.tool.version) for run in (before, after)]
    if versions[0] != versions[1]:
        yield f"measured by different versions of perfcheck ({' -> '.join(versions)})"
    protocols = [clean(run.tool.client.rpartition(", ")[2]) for run in (before, after)]
    if protocols[0] != protocols[1]:
        yield f"measured over different protocols ({' -> '.join(protocols)})"


def _machine(run: Run) -> str:
    return f"{clean(run.environment.platform)} with {plural(run.environment.cpus, 'CPU')}"


def _ci(run: Run) -> str:
    return clean(run.environment.ci) if run.environment.ci else "no CI"


def time_between(before: Run, after: Run) -> str | None:
    """``3 days``: the time between two runs; None when it is under a minute, or cannot be read."""
    started, ended = (parse_time(run.started_at) for run in (before, after))
    if started is None or ended is None:
        return None
    seconds = abs((ended - started).total_seconds())
    for size, unit in ((_DAY_S, "day"), (_HOUR_S, "hour"), (_MINUTE_S, "minute")):
        if seconds >= size:
            return plural(round(seconds / size), unit)
    return None
