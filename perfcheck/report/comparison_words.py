"""What reports say of a comparison with an earlier release, in words and figures. Says; never judges."""

from __future__ import annotations

from collections import Counter

from perfcheck.model import Changed, ComparedHow, Comparison, EndpointResult, Rule, Run
from perfcheck.text import clean
from perfcheck.units import format_change, format_ms

_GREW = 0.1  # of the growth of the whole: a span that grew by less explains nothing
_MOST_GROWN = 3
_SHORT_HASH = 10
_LONGEST_DETAIL = 80


def before_and_now(run: Run) -> tuple[str, str]:
    """The two sides of a comparison, in a few words each: labels where there are, else addresses or times."""
    against = run.against
    if against is None or against.how is not ComparedHow.STORED:
        before = against.base_url if against else ""
        return clean(before), clean(run.service.base_url)
    before = _named(against.label, against.started_at or "", against.commit)
    return before, _named(run.label, run.started_at, run.environment.commit)


def _named(label: str | None, started_at: str, commit: str | None) -> str:
    """``v1.4 (2026-11-25 20:59 UTC, commit 0943df9)``."""
    when = f"{clean(started_at)[:16].replace('T', ' ')} UTC"
    facts = ", ".join([when, *([f"commit {clean(commit)[:_SHORT_HASH]}"] if commit else [])])
    return f"{clean(label)} ({facts})" if label else f"the run of {facts}"


def none_slower(run: Run) -> str:
    """``None of 11 endpoints became slower; 1 became faster, of 2 it cannot be told.``"""
    changed = Counter(one.comparison.changed for one in run.endpoints if one.comparison)
    total = len(run.endpoints)
    unknown = changed[Changed.CANNOT_TELL]
    if unknown == total:
        return (
            f"It cannot be told whether {'any of the ' + str(total) if total > 1 else 'the'} endpoints became slower."
        )
    said = f"None of {total} endpoints became slower" if total > 1 else "The endpoint did not become slower"
    if unknown:
        said = f"None of {total} endpoints was found to be slower"
    told = [f"{changed[Changed.FASTER]} became faster"] * (changed[Changed.FASTER] > 0)
    told += [f"of {unknown} it cannot be told"] * (unknown > 0)
    return f"{said}{'; ' if told else ''}{', '.join(told)}."


def certainty_of_comparison(run: Run) -> str:
    sides = "An endpoint that takes as long as before is called slower with a probability of at most "
    if run.against and run.against.how is ComparedHow.STORED:
        return f"{sides}0.5%, if the machine was as fast on both occasions."
    return f"{sides}1.6%, at whatever moment the comparison stops."


def amount_compared(result: EndpointResult) -> str:
    """``23 pairs``; ``67 requests before, 67 now``."""
    comparison = result.comparison
    if comparison is None:
        return "-"
    if comparison.pairs is not None:
        return f"{comparison.pairs} pairs"
    return f"{comparison.before_samples} requests before, {comparison.after_samples} now"


def change_of(result: EndpointResult) -> str:
    """``+26%``, ``no change``, ``cannot tell``, ``new``: what became of an endpoint since."""
    if result.comparison is None:
        return "new" if any(finding.rule is Rule.ADDED for finding in result.findings) else "-"
    return change_in_words(result.comparison)


def change_in_words(comparison: Comparison) -> str:
    """``+26%``, ``no change``, ``cannot tell``."""
    if comparison.changed in {Changed.NO_CHANGE, Changed.CANNOT_TELL} or comparison.ratio is None:
        return str(comparison.changed)
    return format_change(comparison.ratio)


def change_interval(result: EndpointResult) -> str:
    """``-3 to +2%``, where the change lies; ``-`` where nothing is known of it."""
    low, high = result.comparison.ratio_interval if result.comparison else (None, None)
    if low is None and high is None:
        return "-"
    if low is None or high is None:
        return f"over {format_change(low)}" if low is not None else f"under {format_change(high or 0.0)}"
    ends = [format_change(end) for end in (low, high)]
    return " to ".join([ends[0].removesuffix("%") if ends[1].endswith("%") else ends[0], ends[1]])


def what_grew(result: EndpointResult) -> str:
    """``db 21.1 ms before, 69.8 ms now (5 queries before, 152 queries now)``: what made an endpoint slower.

    By the service's own account of its slow requests (Server-Timing); empty where it became no slower, or gives none.
    """
    comparison = result.comparison
    if comparison is None or comparison.changed is not Changed.SLOWER:
        return ""
    before, now = comparison.before_server_timing, result.server_timing
    growth = {name: now[name] - before.get(name, 0.0) for name in now}
    whole = (comparison.after_ms or 0.0) - (comparison.before_ms or 0.0)
    grown = sorted(
        (name for name, ms in growth.items() if ms > _GREW * max(whole, 0.0)), key=lambda name: -growth[name]
    )
    return "; ".join(_grown(name, comparison, result) for name in grown[:_MOST_GROWN])


def _grown(name: str, comparison: Comparison, result: EndpointResult) -> str:
    before_ms, now_ms = comparison.before_server_timing.get(name), result.server_timing[name]
    then = f"{format_ms(before_ms)} before" if before_ms is not None else "not there before"
    told = f"{clean(name)} {then}, {format_ms(now_ms)} now"
    before, now = (
        clean(details.get(name, ""), _LONGEST_DETAIL)
        for details in (comparison.before_server_timing_details, result.server_timing_details)
    )
    counted = any(map(str.isdecimal, before + now))  # a label tells no more than the name; a count does
    return f"{told} ({before} before, {now} now)" if counted and before != now and before and now else told
