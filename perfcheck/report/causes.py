"""Where the time of a slow endpoint went, and the likely cause, by the phases and the service's own account."""

from __future__ import annotations

import re
from collections.abc import Sequence

from perfcheck.model import Changed, Comparison, EndpointResult
from perfcheck.text import clean
from perfcheck.units import format_from_to, format_ms

_MINOR = 0.01  # of the latency: a phase below it explains nothing
_NOTABLE_SHARE = 0.1  # of the latency, or of its increase: a span below it is not where to look
_IDENTICAL = re.compile(r"\b(\d{1,9}) (?:identical|alike)\b", re.ASCII)  # as the monitor reports it; alike: up to 0.1.0
_MOST_SPANS = 5
_MOST_INCREASES = 3
_LONGEST_DETAIL = 80


def where_the_time_went(result: EndpointResult) -> str:
    """The slow phase first, and the service's own account of it; empty where latency is not the matter."""
    return in_one_line(*account(result))


def in_one_line(phases: Sequence[str], spans: Sequence[str]) -> str:
    """``waiting for the first byte 930 ms; Server-Timing: db 812 ms of 930 ms (101 queries), app 925 ms``."""
    return "; ".join([*phases, *([f"Server-Timing: {', '.join(spans)}"] if spans else [])])


def account(result: EndpointResult) -> tuple[list[str], list[str]]:
    """The phases, the slow one first, and the spans of the service; none where latency is not the matter."""
    phases = _slow_phases(result)
    return [f"{name} {format_ms(ms)}" for ms, name in phases], _spans(result) if _is_slow(result) else []


def notable_names(result: EndpointResult) -> tuple[str, ...]:
    """The slowest phase, and the spans that take a share of the time: endpoints that have the same are slow alike."""
    if not _is_slow(result) or not result.value_ms:
        return ()
    least = _NOTABLE_SHARE * result.value_ms
    slowest = [name for _, name in _slow_phases(result)[:1]]
    return (*slowest, *sorted(name for name, ms in result.server_timing.items() if ms >= least))


def _is_slow(result: EndpointResult) -> bool:
    slow = any(finding.rule.is_about_latency for finding in result.findings)
    return slow and not result.over_timeout and result.value_ms is not None


def _slow_phases(result: EndpointResult) -> list[tuple[float, str]]:
    if not _is_slow(result):
        return []
    least = _MINOR * (result.value_ms or 0.0)
    named = [(result.phases_ms.wait, "waiting for the first byte"), (result.phases_ms.download, "download")]
    return sorted(((ms, name) for ms, name in named if ms and ms > least), reverse=True)


def _spans(result: EndpointResult) -> list[str]:
    """``db 812 ms of 930 ms (101 queries)``, ``app 925 ms``: those of the Server-Timing header."""
    described = result.server_timing_details.items()  # a label ("Database") adds nothing to the name; a count does
    details = {name: clean(text, _LONGEST_DETAIL) for name, text in described if any(map(str.isdecimal, text))}
    spans = sorted(result.server_timing.items(), key=lambda span: (span[0] not in details, -span[1]))[:_MOST_SPANS]
    # Of the same slow requests as the spans, and up to the first byte: the header can cover only what came before it.
    total = format_ms(result.phases_ms.wait or result.value_ms)
    parts = [
        f"{name} {format_ms(ms)}" + (f" of {total} ({details[name]})" if name in details else "") for name, ms in spans
    ]
    return (
        parts + [f"{name} ({text})" for name, text in details.items() if name not in result.server_timing][:_MOST_SPANS]
    )


def likely_cause(result: EndpointResult) -> str:
    """Which of the service's own spans increased since before, or statements that one request repeated (N+1)."""
    return "; ".join(filter(None, [*_increased_spans(result), _repeated_statements(result)]))


def _repeated_statements(result: EndpointResult) -> str:
    """Where the service counts them in its header, and its database takes part of the time."""
    count = _IDENTICAL.search(result.server_timing_details.get("db", ""))
    if not count or not where_the_time_went(result) or not result.value_ms:
        return ""
    share = result.server_timing.get("db", 0.0) / result.value_ms
    return f"likely N+1: {count[1]} identical statements in one request" if share >= _NOTABLE_SHARE else ""


def _increased_spans(result: EndpointResult) -> list[str]:
    """Of an endpoint that became slower, by its Server-Timing."""
    comparison = result.comparison
    if comparison is None or comparison.changed is not Changed.SLOWER:
        return []
    before, now = comparison.before_server_timing, result.server_timing
    increases = {name: now[name] - before.get(name, 0.0) for name in now}
    least = _NOTABLE_SHARE * max((comparison.after_ms or 0.0) - (comparison.before_ms or 0.0), 0.0)
    notable = sorted((name for name, ms in increases.items() if ms > least), key=lambda name: -increases[name])
    return [_increase(name, comparison, result) for name in notable[:_MOST_INCREASES]]


def _increase(name: str, comparison: Comparison, result: EndpointResult) -> str:
    """``db 21.1 -> 69.8 ms (5 queries -> 152 queries)``."""
    before_ms, now_ms = comparison.before_server_timing.get(name), result.server_timing[name]
    change = f"{format_ms(now_ms)}, new" if before_ms is None else format_from_to(before_ms, now_ms)
    before, now = (
        clean(details.get(name, ""), _LONGEST_DETAIL)
        for details in (comparison.before_server_timing_details, result.server_timing_details)
    )
    counts = any(map(str.isdecimal, before + now)) and before and now and before != now
    return f"{clean(name)} {change}" + (f" ({before} -> {now})" if counts else "")
