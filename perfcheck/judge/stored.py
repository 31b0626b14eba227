"""Two runs, each measured in its own time, compared endpoint by endpoint from the samples that they kept.

Nothing that a machine did differently on the two occasions can be told from a change of the service: what that means is
said beside the result. Two services measured side by side have no such doubt: see ``judge/pairs.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from perfcheck.judge.comparability import apart, asked_differently, differences
from perfcheck.judge.comparison import Held, cannot_tell, compared_alone, compared_beside_targets
from perfcheck.model import (
    Against,
    ComparedHow,
    CompareLimits,
    Comparison,
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

_MOST_NAMED = 5
_SHORT_HASH = 12
_HOW_TO_SETTLE = "measure both with '--min-requests 100', say; or compare two running services"


def compare_runs(
    before: Run, after: Run, limits: CompareLimits, *, with_targets: bool
) -> tuple[tuple[EndpointResult, ...], Against, tuple[Finding, ...]]:
    """The endpoints of ``after`` held against those of ``before``; what they were held against; and what of the whole.

    ``with_targets``: beside the verdict that ``after`` has already, instead of in its place.
    """
    known = {result.name: result for result in before.endpoints}
    judge = compared_beside_targets if with_targets else compared_alone
    remedy = _where_to_look(before, after)
    results = tuple(judge(_held(known.get(one.name), one, limits, remedy), limits) for one in after.endpoints)
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
        differences=differences(before, after),
        added=tuple(result.name for result in after.endpoints if result.name not in known),
        removed=tuple(name for name in known if name not in names),
    )
    told = (*nothing_compared(results), *_of_the_whole(before, after, against), *cannot_tell(results, _HOW_TO_SETTLE))
    return results, against, told


def _held(before: EndpointResult | None, after: EndpointResult, limits: CompareLimits, remedy: str | None) -> Held:
    comparison, severity = None, Verdict.OK
    if before is not None:
        comparison, severity = _compared(before, after, limits)
    return Held(after, before, comparison, severity, remedy)


def _compared(
    before: EndpointResult, after: EndpointResult, limits: CompareLimits
) -> tuple[Comparison | None, Verdict]:
    """None where one side has no samples, or the two requests are not the same."""
    if Source.MONITORED in {before.source, after.source} or asked_differently(before, after):
        return None, Verdict.OK
    one, other = ([math.inf if ms is None else ms for ms in result.samples_ms] for result in (before, after))
    if not one or not other:
        return None, Verdict.OK
    metric = after.metric
    outcome = compare_samples(one, other, metric, limits)
    comparison = Comparison(
        changed=outcome.changed,
        metric=metric,
        before_ms=_finite(metric_value(one, metric)),
        after_ms=_finite(metric_value(other, metric)),
        ratio=outcome.ratio,
        ratio_interval=outcome.interval,
        before_samples=len(one),
        after_samples=len(other),
        before_error_rate=before.error_rate,
        before_samples_ms=before.samples_ms,
        before_server_timing=before.server_timing,
        before_server_timing_details=before.server_timing_details,
        more_samples=outcome.more_samples,
    )
    return comparison, outcome.severity


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _where_to_look(before: Run, after: Run) -> str | None:
    one, other = before.environment.commit, after.environment.commit
    if not one or not other or one == other:
        return None
    commits = f"{clean(one)[:_SHORT_HASH]}..{clean(other)[:_SHORT_HASH]}"
    return f"what came between: 'git log --oneline {commits}'"


def added_and_removed(added: Sequence[str], removed: Sequence[str], what: str) -> Iterator[Finding]:
    """Notes on what only one side has; ``what`` is the other: "the run before"."""
    if added:
        yield Finding.note(Rule.ENDPOINTS, f"new, not in {what}: {_some(added)}")
    if removed:
        yield Finding.warning(Rule.ENDPOINTS, f"gone since {what}: {_some(removed)}")


def _of_the_whole(before: Run, after: Run, against: Against) -> list[Finding]:
    found = [Finding.warning(Rule.COMPARABILITY, difference) for difference in against.differences]
    if between := apart(before, after):
        message = (
            f"the two runs lie {between} apart: what the machine did differently in the meantime is in the figures"
        )
        remedy = "'perfcheck compare URL URL' measures two services side by side, in the same minute"
        found.append(Finding.note(Rule.COMPARABILITY, message, remedy=remedy))
    return [*found, *added_and_removed(against.added, against.removed, "the run before")]


def nothing_compared(results: Sequence[EndpointResult]) -> tuple[Finding, ...]:
    """A warning where not one endpoint had anything to be held against: a gate must not pass on that."""
    if any(result.comparison is not None for result in results):
        return ()
    message = f"none of the {len(results)} endpoints could be held against the run before"
    return (Finding.warning(Rule.NOT_COMPARED, message),)


def _some(names: Sequence[str]) -> str:
    named = ", ".join(clean(name, 60) for name in names[:_MOST_NAMED])
    return named + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
