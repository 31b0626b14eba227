"""The loads that a search has tried, as every report shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from perfcheck.model import CapacityResult, CapacityStep, LoadModel, ThinkTime
from perfcheck.text import clean
from perfcheck.units import format_load, format_ms, format_percentage, format_rate
from perfcheck.words import plural

HEADINGS = ("load", "requests", "median", "p95", "over limit", "failed", "")
_MOST_NAMED = 5


class Row(NamedTuple):
    """In the order of the headings."""

    load: str
    requests_per_s: str
    median: str
    p95: str
    over: str
    failed: str
    outcome: str


def rows(result: CapacityResult) -> list[Row]:
    """By load, the smallest first; what was tried more than once is there as often."""
    return [_row(result, step) for step in sorted(result.steps, key=lambda step: step.load)]


def _row(result: CapacityResult, step: CapacityStep) -> Row:
    outcomes = {True: "holds", False: "too much", None: "not judged"}
    return Row(
        format_load(step.load, is_rate=result.model is LoadModel.RATE),
        format_rate(step.requests_per_s, digits=3) if step.requests_per_s else "-",
        format_ms(step.median_ms),
        format_ms(step.p95_ms),
        _share(step.over, result.allowed_over),
        _share(step.failed, result.error_rate),
        outcomes[step.holds],
    )


def _share(share: float | None, allowed: float) -> str:
    return "-" if share is None else format_percentage(share, distinct_from=allowed)


def facts(result: CapacityResult) -> Iterator[tuple[str, str]]:
    """What the load was, by names of facts."""
    weights = sorted(result.mix.items(), key=lambda item: -item[1])
    named = [f"{clean(name)} {format_percentage(weight / sum(result.mix.values()))}" for name, weight in weights]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    yield "mix", ", ".join(named[:_MOST_NAMED]) + more
    if result.think_s is not None:
        varies = ", exponential" if result.think_time is ThinkTime.EXPONENTIAL else ""
        yield "think time", f"{format_ms(result.think_s * 1e3)}{varies}"
    yield "limits", limits_shown(result)
    yield "search", f"{result.seconds:.0f} s of load, {plural(len(result.steps), 'step')}; {result.ended}"


def limits_shown(result: CapacityResult) -> str:
    """``450 ms``, ``150 ms to 450 ms``."""
    limits = sorted({*result.limits_ms.values()})
    return " to ".join(format_ms(limit) for limit in dict.fromkeys((limits[0], limits[-1]))) if limits else "-"
