"""Targets and ideals from past runs, by a stated rule. Pure.

The rule, for the good runs of one series, the last twenty of them:

- A run is good that measured the endpoint and found it OK or WARNING, by at least five requests of its own.
- The bound is the slowest of them, one in ten set aside: of 5 to 9 runs the slowest, of 20 the third slowest. A burst
  on the machine of one run is to decide no target.
- The target is the bound and a margin of 20%, rounded up. If one of the runs, the ones set aside included, would be
  WARNING by that target, it is the lowest by which none is.
- The ideal is the median of them and a quarter of the margin, rounded up, and never over the target.
- What is there already is tightened only, unless loosening is asked for, and left alone within 10%.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from perfcheck.history.eligible_runs import is_good, runs_in_words, why_none
from perfcheck.history.model import Move, PastMeasurement, Proposal
from perfcheck.history.preferred_numbers import round_up
from perfcheck.model import Endpoint
from perfcheck.units import format_ms, format_percentage

_SET_ASIDE = 10  # one run in so many
_NEXT = 1 + 1e-6  # to the next number of the ladder


@dataclass(frozen=True, slots=True)
class Rule:
    """``margin`` and ``least_change`` are shares: 0.2 is 20%."""

    runs: int = 20  # the last good ones
    margin: float = 0.20
    least_change: float = 0.10  # a smaller one is not worth a diff
    loosen: bool = False

    @property
    def margin_of_ideal(self) -> float:
        return self.margin / 4


def propose(
    endpoint: Endpoint, measurements: Sequence[PastMeasurement], rule: Rule | None = None, *, since: int = 0
) -> Proposal:
    """What to promise for an endpoint, from one series of it in the order of time.

    ``since`` is the index of the first measurement at the level of today, such as that of the last Step of a Trend:
    what lies before is another service. With ``rule.loosen``, CRITICAL runs count too, unless it was by their errors:
    whoever accepts that it has become slower accepts those.
    """
    rule = rule or Rule()
    level = measurements[since:]
    good = [one for one in level if is_good(one, endpoint, loosen=rule.loosen)][-rule.runs :]
    reason = why_none(endpoint, level, good, loosen=rule.loosen, changed=since > 0)
    if reason is not None:
        return _proposal(endpoint, good, None, None, reason)
    values = sorted(one.value_ms for one in good if one.value_ms is not None)
    needed, why = _needed(endpoint, values, rule, changed=since > 0)
    target = _move(endpoint.target_ms, needed, rule, why)
    ideal = _ideal(endpoint, values, target.after_ms if target else endpoint.target_ms, rule)
    moves = [move.why for move in (target, ideal) if move]
    told = "; ".join(moves) if moves else _why_it_stays(endpoint.target_ms or needed, needed, why, rule)
    return _proposal(endpoint, good, target, ideal, told)


def _proposal(
    endpoint: Endpoint, good: Sequence[PastMeasurement], target: Move | None, ideal: Move | None, why: str
) -> Proposal:
    return Proposal(
        endpoint.name, endpoint.metric, endpoint.target_ms, endpoint.ideal_ms, len(good), target, ideal, why
    )


def _needed(endpoint: Endpoint, values: Sequence[float], rule: Rule, *, changed: bool) -> tuple[float, str]:
    """The target by the rule, and the figures it comes from. ``values`` are sorted."""
    count, aside = len(values), len(values) // _SET_ASIDE
    runs = runs_in_words(count, changed=changed)
    bound, slowest = values[-1 - aside], values[-1]
    with_margin = round(bound * (1 + rule.margin), 9)
    lowest = slowest / _multiple(endpoint)
    target = round_up(max(with_margin, lowest))
    while target * _multiple(endpoint) < slowest:  # by what division has lost
        target = round_up(target * _NEXT)
    if lowest > with_margin:
        return target, f"of {runs} the slowest took {format_ms(slowest)}, and is to stay below WARNING"
    within = f"{count - aside} of {runs}" if aside else runs
    why = f"{within} took at most {format_ms(bound)}, and {format_percentage(rule.margin)} on top"
    return target, f"{why} is {format_ms(with_margin)}"


def _multiple(endpoint: Endpoint) -> float:
    """How far over the target WARNING begins; 1 where nothing is known, which no limit lies below."""
    if endpoint.target_ms is None or endpoint.warning_ms is None:
        return 1.0
    return endpoint.warning_ms / endpoint.target_ms


def _move(before: float | None, after: float, rule: Rule, why: str) -> Move | None:
    """None where it is not worth a diff, or would be a looser promise that nobody asked for."""
    if before is None:
        return Move(None, after, why)
    share = (after - before) / before
    if abs(share) < rule.least_change or (share > 0 and not rule.loosen):
        return None
    return Move(before, after, why)


def _ideal(endpoint: Endpoint, values: Sequence[float], target_ms: float | None, rule: Rule) -> Move | None:
    """None where there is no ideal: whether to hope for anything is not for the figures to say."""
    before = endpoint.ideal_ms
    if before is None or target_ms is None:
        return None
    middle = median(values)
    with_margin = round(middle * (1 + rule.margin_of_ideal), 9)
    after = min(round_up(with_margin), target_ms)
    why = f"the median is {format_ms(middle)}, and {format_percentage(rule.margin_of_ideal)} on top"
    move = _move(before, after, rule, f"{why} is {format_ms(with_margin)}")
    if move is None and before > target_ms:
        return Move(before, target_ms, f"the ideal is not over the target of {format_ms(target_ms)}")
    return move


def _why_it_stays(before: float, needed: float, why: str, rule: Rule) -> str:
    if abs(needed - before) / before < rule.least_change:
        return f"{why}: {format_ms(needed)} is within {format_percentage(rule.least_change)} of the target"
    return f"{why}: {format_ms(needed)} would be looser, which --loosen REASON allows"
