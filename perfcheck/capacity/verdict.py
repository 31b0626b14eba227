"""What the answer of a search is worth: compared with what has to hold, and with that of an earlier run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from perfcheck.capacity.model import Ending
from perfcheck.errors import EXIT_CRITICAL, EXIT_NOT_MEASURED, EXIT_OK
from perfcheck.model import (
    CapacityChange,
    CapacityResult,
    EarlierCapacity,
    Finding,
    LoadModel,
    Rule,
    Run,
    Severity,
    Verdict,
    verdict_of,
)
from perfcheck.units import format_about, format_load, format_ms, format_percentage

_LONGEST_S = 1800.0  # of a forecast: longer ones are too short by a factor of 2 to 3
_CLEARLY_BEFORE = 1.5  # times as many are over as of all requests
_TOO_MUCH = {Ending.FAILS, Ending.COLLAPSE}  # then the upper end was tried; another one is the last that may hold
_BEYOND = {Ending.HOLDS, Ending.FAILS}  # what may be tried
_PROVEN = {CapacityChange.LOWER, CapacityChange.HIGHER}
_REMEDIES: dict[str, str] = {  # of an answer that does not decide; what is not here takes more time
    Ending.PRECISE: "lower capacity.at_least, or make the service faster: more time cannot decide it",
    Ending.HOLDS: "raise capacity.to",
    Ending.FAILS: "'perfcheck run' shows which endpoint is slow",
    Ending.GENERATOR: "add workers (--workers), or run it on another machine than the service",
    Ending.COLLAPSE: "see its log; restart it before the next search",
    Ending.STOPPED: "run it again, to its end",
}


def judge_capacity(
    result: CapacityResult, before: Run | None, fail_on: Verdict | None, line: int
) -> tuple[CapacityResult, tuple[Finding, ...], int]:
    """With its verdict and what has become of the earlier one; the findings, and the exit code by them.

    ``line`` of ``at_least`` in the baseline; ``before`` has a capacity of the same model. Not known is NOT_MEASURED,
    and what is not proven, as it is not to fail either, has exit code 3.
    """
    result = replace(result, before=_earlier(result, before)) if before else result
    findings = tuple(_findings(result, line))
    proven = verdict_of(finding for finding in findings if finding.rule is not Rule.UNDECIDED)
    verdict = verdict_of(findings) if _is_known(result) else Verdict.NOT_MEASURED
    if fail_on is not None and proven in {Verdict.CRITICAL, fail_on} and verdict is not Verdict.NOT_MEASURED:
        exit_code = EXIT_CRITICAL
    elif verdict is Verdict.NOT_MEASURED or (fail_on is not None and proven is not verdict):
        exit_code = EXIT_NOT_MEASURED
    else:
        exit_code = EXIT_OK
    return replace(result, verdict=verdict), findings, exit_code


def _is_known(result: CapacityResult) -> bool:
    """Whether there is an answer, or an interval that lies beyond what is needed, may be tried, or was found before."""
    has_changed = result.before is not None and result.before.changed in _PROVEN
    is_beyond = _is_enough(result) or _is_below(result) or result.ended in _BEYOND
    return result.value is not None or is_beyond or has_changed


def _is_enough(result: CapacityResult) -> bool:
    low = result.interval[0]
    return result.at_least is not None and low is not None and low >= result.at_least


def _is_below(result: CapacityResult) -> bool:
    high = result.interval[1]
    if result.at_least is None or high is None:
        return False
    return high < result.at_least or (high == result.at_least and result.ended in _TOO_MUCH)


def _findings(result: CapacityResult, line: int) -> Iterator[Finding]:
    if _is_known(result):
        yield _answer(result, line)
    yield from _first_to_leave(result)
    yield from _of_the_search(result)
    if result.before is not None:
        yield _change(result, result.before)


def _answer(result: CapacityResult, line: int) -> Finding:
    """In words, with which the findings begin."""
    held, fails = f"the limits hold for {_found(result)}", result.ended == Ending.FAILS
    if fails and result.interval[1] is not None:
        held = f"the limits do not hold even for {_load(result, result.interval[1])}, the smallest load"
    if result.at_least is None:
        if fails:
            return Finding.warning(Rule.CAPACITY, held, remedy=_remedy(result))
        return Finding.note(Rule.CAPACITY, held)
    needed = f"at least {_load(result, result.at_least)}"
    if _is_enough(result):
        return Finding.note(Rule.CAPACITY, f"{held}; needed: {needed}")
    if not _is_below(result):
        message = f"{held}, which does not prove that they hold for {needed}"
        return Finding.warning(Rule.UNDECIDED, message, remedy=_remedy(result), line=line or None)
    slower = "find what became slower, enlarge the service, or lower capacity.at_least"
    return Finding(
        Rule.CAPACITY,
        Severity.CRITICAL,
        value=result.interval[1] if result.value is None else result.value,
        limit=result.at_least,
        unit=result.model.unit,
        message=f"{held}; needed: {needed}",
        remedy=_remedy(result) if fails else slower,
        line=line or None,
    )


def _first_to_leave(result: CapacityResult) -> Iterator[Finding]:
    """Where an endpoint does so clearly before the others; or is over it the most, where no load holds."""
    first, load = result.first, result.value
    if result.ended == Ending.FAILS and result.over:
        first = max(result.over, key=lambda name: result.over[name] / (1 - result.within[name]))
        load = result.interval[1]
    share, total = result.over.get(first or "", 0.0), sum(result.mix.values())
    of_all = sum(result.mix[name] / total * over for name, over in result.over.items())
    if first and load is not None and share > _CLEARLY_BEFORE * of_all:
        limit = f"{format_percentage(share)} of its requests are over {format_ms(result.limits_ms[first])}"
        at = f"near {_load(result, load)} {limit}, and {format_percentage(of_all)} of all are over theirs"
        yield Finding.note(Rule.CAPACITY, f"{first} leaves its limit first: {at}")


def _of_the_search(result: CapacityResult) -> Iterator[Finding]:
    """Why there is no answer, or none with a narrow interval."""
    remedy, is_known = _remedy(result), _is_known(result)
    so_far = "" if is_known or result.interval == (None, None) else f": {_found(result)}"
    match result.ended:
        case Ending.GENERATOR:
            message = "the generator of the load was the limit, so the capacity of the service is not known"
            yield Finding.warning(Rule.RUNNER, message, remedy=remedy)
        case Ending.COLLAPSE:
            message = f"the service did not recover from an overload, though the load was taken off{so_far}"
            yield Finding.warning(Rule.SERVICE, message, remedy=remedy)
        case Ending.RARE if is_known:
            yield Finding.note(Rule.CAPACITY, "the largest load is not known in this time", remedy=remedy)
        case Ending.RARE:
            yield Finding.warning(Rule.CAPACITY, f"cannot tell in this time{so_far}", remedy=remedy)
        case Ending.TIME:
            yield Finding.note(Rule.CAPACITY, "the time was up before the interval was narrow", remedy=remedy)
        case Ending.STOPPED:
            lacking = "the capacity was known" if result.value is None else "the interval was narrow"
            yield Finding.note(Rule.CAPACITY, f"the search was stopped before {lacking}{so_far}", remedy=remedy)
        case Ending.HOLDS:
            yield Finding.note(Rule.CAPACITY, "that is the largest load that was allowed", remedy=remedy)


def _remedy(result: CapacityResult) -> str:
    """What leads to an answer, or to one that decides."""
    needed_s = result.seconds_needed or 0.0
    if remedy := _REMEDIES.get(result.ended):
        return remedy
    if needed_s > _LONGEST_S:
        return "the steps differ too much: measure on a quiet machine, or with more requests"
    if needed_s:
        return f"a precise answer takes about {format_about(needed_s)}: --max-time {math.ceil(needed_s / 60)}m"
    return "give it more time (--max-time)"


def _change(result: CapacityResult, before: EarlierCapacity) -> Finding:
    earlier = before.label or "the earlier run"
    was, now = _shown(result, before.value, before.interval), _found(result)
    match before.changed:
        case CapacityChange.LOWER:
            return Finding(
                Rule.CAPACITY,
                Severity.CRITICAL,
                value=result.value,
                limit=before.value,
                message=f"lower than in {earlier}: {now}, before {was}",
                remedy="'perfcheck compare' shows which endpoint became slower",
            )
        case CapacityChange.HIGHER:
            return Finding.note(Rule.CAPACITY, f"higher than in {earlier}: {now}, before {was}")
        case CapacityChange.NO_CHANGE:
            return Finding.note(Rule.CAPACITY, f"no change since {earlier}, which had {was}: the intervals overlap")
    message = f"cannot be compared with {earlier}: {now}, before {was}"
    remedy = _remedy(result) if result.value is None else "compare it with a run whose capacity is known"
    return Finding.warning(Rule.UNDECIDED, message, remedy=remedy)


def _earlier(result: CapacityResult, run: Run) -> EarlierCapacity | None:
    before = run.capacity
    if before is None:
        return None
    (low, high), (low_before, high_before) = result.interval, before.interval
    if high is not None and low_before is not None and high < low_before:
        changed = CapacityChange.LOWER
    elif low is not None and high_before is not None and low > high_before:
        changed = CapacityChange.HIGHER
    elif result.value is None or before.value is None:
        changed = CapacityChange.CANNOT_TELL
    else:
        changed = CapacityChange.NO_CHANGE
    return EarlierCapacity(run.label, run.started_at, before.value, before.interval, changed)


# --- Words -----------------------------------------------------------------------------------------------------------


def _load(result: CapacityResult, amount: float) -> str:
    return format_load(amount, is_rate=result.model is LoadModel.RATE)


def _found(result: CapacityResult) -> str:
    """What the search did; ``less than 64 users`` where those were tried, and were too much."""
    return _shown(result, result.value, result.interval, below="less than" if result.ended in _TOO_MUCH else "at most")


def _shown(
    result: CapacityResult, value: float | None, interval: tuple[float | None, float | None], *, below: str = "at most"
) -> str:
    """``42 users (39 to 45 users)``; ``at least 39 users`` where no value is known; ``below`` is for its other side."""
    low, high = interval
    if low is not None and high is not None:
        first = f"{low:,.0f}" if result.model is LoadModel.USERS else _load(result, low)
        ends = f"{first} to {_load(result, high)}"
    elif low is not None:
        ends = f"at least {_load(result, low)}"
    else:
        ends = "an unknown load" if high is None else f"{below} {_load(result, high)}"
    if value is None:
        return ends
    return _load(result, value) if low is high is None else f"{_load(result, value)} ({ends})"
