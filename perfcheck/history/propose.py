"""Targets and ideals from past runs, by the rule that docs/how-to/baseline-update.md states. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from perfcheck.history.model import PastMeasurement, Proposal, ProposedValue
from perfcheck.model import Endpoint, Source, Unit, Verdict
from perfcheck.times import parse_time
from perfcheck.units import format_figure, format_percentage
from perfcheck.words import cannot_tell, plural

MIN_OCCASIONS = 5  # since runs minutes apart see the machine in one mood
_OCCASION_S = 3600.0  # apart
_MIN_SPAN_S = 86400.0  # from the first to the last
_FLOOR_MS = 5.0  # above the median: what a machine adds at times, however quick the endpoint
_MIN_REQUESTS = 5
_SET_ASIDE = 10  # one run in so many, so that a burst on the machine of one run decides no target
_NEXT = 1 + 1e-6  # to the next preferred number
# Of each power of ten. None is more than a quarter above the one before, so that rounding up adds at most that.
PREFERRED_NUMBERS = (1.0, 1.2, 1.5, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
_EXACT = 1 + 1e-9  # what arithmetic adds to a number that is a preferred one already


# Margins of a target from one occasion, on which the machine was in one mood: docs/how-to/init.md
FIRST_MARGIN = 0.5
FIRST_MARGIN_OF_FEW = 1.0  # of fewer requests than a run judges by


@dataclass(frozen=True, slots=True)
class ProposalRule:
    """``margin`` and ``min_change`` are fractions: 0.2 is 20%."""

    runs: int = 20  # the last good ones
    margin: float = 0.20
    min_change: float = 0.10  # a smaller one is not worth a diff
    loosen: bool = False


def propose(
    endpoint: Endpoint,
    measurements: Sequence[PastMeasurement],
    rule: ProposalRule | None = None,
    *,
    since: int = 0,
    runs_needed: int | None = None,
) -> Proposal:
    """A target and an ideal for an endpoint, from one series of it in the order of time.

    ``since`` is the index of the first measurement after the last change; those before it no longer apply. Where the
    newest ones may be another change, ``runs_needed`` is how many more will show it, and nothing is proposed. With
    ``rule.loosen``, CRITICAL runs count too, unless errors made them so: whoever accepts that an endpoint has become
    slower accepts those.
    """
    rule = rule or ProposalRule()
    recent = measurements[since:]
    good = _newest([row for row in recent if _is_good(row, endpoint, loosen=rule.loosen)], rule.runs)
    reason = _reason_for_none(endpoint, recent, good, loosen=rule.loosen, changed=since > 0)
    if reason is None and runs_needed is not None:
        reason = f"its newest runs differ from those before: {cannot_tell(runs_needed)}"
    nothing = Proposal(
        endpoint.name, endpoint.metric_name, endpoint.target_ms, endpoint.ideal_ms, len(good), None, None, reason or ""
    )
    if reason is not None:
        return nothing
    values = sorted(row.value_ms for row in good if row.value_ms is not None)
    needed, why = _needed_target(endpoint, values, rule, changed=since > 0)
    target = _change(endpoint.target_ms, needed, rule, why)
    ideal = _ideal(endpoint, values, target.after_ms if target else endpoint.target_ms, rule)
    reasons = [value.why for value in (target, ideal) if value]
    before = endpoint.target_ms or needed
    reason = "; ".join(reasons) if reasons else _why_unchanged(before, needed, why, rule, endpoint.unit)
    return replace(nothing, target=target, ideal=ideal, why=reason)


# --- Which runs count ----------------------------------------------------------------------------------------------


def _is_good(row: PastMeasurement, endpoint: Endpoint, *, loosen: bool) -> bool:
    verdicts = {Verdict.OK, Verdict.WARNING} | ({Verdict.CRITICAL} if loosen else set())
    return (
        row.source is Source.MEASURED
        and row.verdict in verdicts
        and row.metric == endpoint.metric_name
        and row.requests >= _MIN_REQUESTS
        and row.value_ms is not None
        and row.value_ms < math.inf
        and (row.error_rate or 0.0) <= endpoint.error_limits.critical
    )


def _newest(good: Sequence[PastMeasurement], runs: int) -> Sequence[PastMeasurement]:
    """The last so many, or as many more as it takes to have them from enough occasions."""
    for count in range(min(runs, len(good)), len(good) + 1):
        if _missing_occasions(good[len(good) - count :]) is None:
            return good[len(good) - count :]
    return good[-runs:]


def _reason_for_none(
    endpoint: Endpoint,
    recent: Sequence[PastMeasurement],
    good: Sequence[PastMeasurement],
    *,
    loosen: bool,
    changed: bool,
) -> str | None:
    """Why these runs allow no proposal; None where they do. ``recent`` are all since the last change."""
    if not recent:
        return "no runs of it in the history"
    if recent[-1].metric != endpoint.metric_name:
        return f"its runs measured the {recent[-1].metric}, and the baseline now uses {endpoint.metric_name}"
    if recent[-1].verdict is Verdict.CRITICAL and not loosen:
        return "the last run was CRITICAL: fix that first, or accept it with --loosen REASON"
    missing = _missing_occasions(good)
    if missing is None:
        return None
    others = len(recent) - len(good)
    left_out = f"; {others} more {'was' if others == 1 else 'were'} not good" if others else ""
    return f"{_good_runs(len(good), changed=changed)}, {missing}{left_out}"


def _missing_occasions(good: Sequence[PastMeasurement]) -> str | None:
    """What these runs lack for a target: ``2 more occasions are needed, an hour apart``; None for nothing."""
    times = [time.timestamp() for row in good if (time := parse_time(row.started_at)) is not None]
    occasions: list[float] = []
    for second in times:
        if not occasions or second - occasions[-1] >= _OCCASION_S:
            occasions.append(second)
    missing = MIN_OCCASIONS - len(occasions)
    if missing > 0:
        if missing == 1:
            return "1 more occasion is needed, an hour later"
        return f"{missing} more occasions are needed, an hour apart"
    return None if times[-1] - times[0] >= _MIN_SPAN_S else "all within a day: one a day after the first is needed"


def _good_runs(count: int, *, changed: bool) -> str:
    """``5 good runs``, ``5 good runs since it changed``."""
    return plural(count, "good run") + " since it changed" * changed


def first_values(endpoint: Endpoint, values_ms: Sequence[float], requests: int) -> tuple[float, float]:
    """Target and ideal of an endpoint that was never measured before, from so many requests on one occasion."""
    margin = FIRST_MARGIN if requests >= _MIN_REQUESTS else FIRST_MARGIN_OF_FEW
    values, rule = sorted(values_ms), ProposalRule(margin=margin)
    target_ms, _ = _needed_target(endpoint, values, rule, changed=False)
    ideal_ms, _ = _needed_ideal(values, target_ms, rule)
    return target_ms, ideal_ms


# --- Values --------------------------------------------------------------------------------------------------------


def _needed_target(
    endpoint: Endpoint, values: Sequence[float], rule: ProposalRule, *, changed: bool
) -> tuple[float, str]:
    """The target by the rule, and the figures it comes from. ``values`` are sorted."""
    count, aside = len(values), len(values) // _SET_ASIDE
    runs = _good_runs(count, changed=changed)
    bound, slowest = values[-1 - aside], values[-1]
    with_margin = round(bound * (1 + rule.margin), 9)
    lowest = slowest / _warning_multiple(endpoint)
    figure = partial(format_figure, unit=endpoint.unit)
    least = endpoint.metric_of.min_difference or _FLOOR_MS
    floor = round(median(values) + least, 9)
    target = round_up(max(with_margin, lowest, floor))
    while target * _warning_multiple(endpoint) < slowest:  # what division has lost
        target = round_up(target * _NEXT)
    if floor > max(with_margin, lowest):
        why = "that the machine may add" if endpoint.unit is Unit.TIME else "that are no change"
        middle = f"the median of {runs} is {figure(median(values))}"
        return target, f"{middle}, plus {figure(least)} {why} is {figure(floor)}"
    worst, took = ("slowest", "took") if endpoint.unit is Unit.TIME else ("highest", "had")
    if lowest > with_margin:
        return target, f"the {worst} of {runs} {took} {figure(slowest)} and has to stay below WARNING"
    within = f"{count - aside} of {runs}" if aside else runs
    why = f"{within} {took} at most {figure(bound)}, plus {format_percentage(rule.margin)}"
    return target, f"{why} is {figure(with_margin)}"


def _warning_multiple(endpoint: Endpoint) -> float:
    """How far over the target WARNING begins; 1 where that is not known, since no limit is lower."""
    if endpoint.target_ms is None or endpoint.warning_ms is None:
        return 1.0
    return endpoint.warning_ms / endpoint.target_ms


def _change(before: float | None, after: float, rule: ProposalRule, why: str) -> ProposedValue | None:
    """None where it is not worth a diff, or is looser without ``rule.loosen``."""
    if before is None:
        return ProposedValue(None, after, why)
    share = (after - before) / before
    if abs(share) < rule.min_change or (share > 0 and not rule.loosen):
        return None
    return ProposedValue(before, after, why)


def _ideal(
    endpoint: Endpoint, values: Sequence[float], target_ms: float | None, rule: ProposalRule
) -> ProposedValue | None:
    """None where the endpoint has no ideal: whether to have one is for its owners to decide."""
    before = endpoint.ideal_ms
    if before is None or target_ms is None:
        return None
    after, why = _needed_ideal(values, target_ms, rule, endpoint.unit)
    change = _change(before, after, rule, why)
    if change is None and before > target_ms:
        target = format_figure(target_ms, endpoint.unit)
        return ProposedValue(before, target_ms, f"the ideal may not exceed the target of {target}")
    return change


def _needed_ideal(
    values: Sequence[float], target_ms: float, rule: ProposalRule, unit: Unit = Unit.TIME
) -> tuple[float, str]:
    middle, margin = median(values), rule.margin / 4
    with_margin = round(middle * (1 + margin), 9)
    shown, needed = (format_figure(value, unit) for value in (middle, with_margin))
    why = f"the median is {shown}, plus {format_percentage(margin)} is {needed}"
    return min(round_up(with_margin), target_ms) if with_margin else target_ms, why


def _why_unchanged(before: float, needed: float, why: str, rule: ProposalRule, unit: Unit) -> str:
    shown = format_figure(needed, unit)
    if abs(needed - before) / before < rule.min_change:
        return f"{why}: {shown} is within {format_percentage(rule.min_change)} of the target"
    return f"{why}: {shown} would be looser, which --loosen REASON allows"


def round_up(value: float) -> float:
    """The lowest preferred number that is not below ``value``, which is above 0: 254 -> 300, 0.81 -> 0.9."""
    power = math.floor(math.log10(value))
    mantissa = value / 10.0**power
    number = next(number for number in PREFERRED_NUMBERS if number * _EXACT >= mantissa)
    return round(number * 10.0**power, 9)
