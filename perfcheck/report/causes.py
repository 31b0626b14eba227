"""Where the time of a slow endpoint went, and the likely cause, by the phases and the service's own account."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto

from perfcheck.model import STATEMENT, Changed, Comparison, EndpointResult, MetricOf, Reference, Unit
from perfcheck.text import clean
from perfcheck.units import format_from_to, format_ms

_MINOR = 0.01  # of the latency: a phase below it explains nothing
NOTABLE_SHARE = 0.1  # of the latency, or of its increase: a span below it is not where to look
_IDENTICAL = re.compile(r"\b(\d{1,9}) (?:identical|alike)\b", re.ASCII)  # as the monitor reports it; alike: up to 0.1.0
_MOST_SPANS = 5
_SUM = 1.02  # of the time available: more than medians of single spans may exceed it by
_CONTAINER = 0.8  # of the time available
_TOTALS = {"app", "total"}  # the first is that of perfcheck's monitor
_MOST_INCREASES = 3
_MOST_OF_IT = 0.5  # of the increase of a workflow
_LONGEST_DETAIL = 80
_MOST_BLOCKING = 3
_AFTER_RENDERING = {
    *(MetricOf.FIRST_CONTENTFUL_PAINT, MetricOf.LARGEST_CONTENTFUL_PAINT, MetricOf.LOAD, MetricOf.TOTAL_BLOCKING_TIME),
}


def where_the_time_went(result: EndpointResult) -> str:
    """The slow phase first, and the service's own account of it; empty where latency is not the matter."""
    return in_one_line(*account(result))


def in_one_line(phases: Sequence[str], spans: Sequence[str], sums: Sums) -> str:
    """``waiting for the first byte 930 ms; Server-Timing: app 925 ms, of which db 812 ms (101 queries)``."""
    if sums is Sums.NESTED and len(spans) > 1:
        spans = [f"{spans[0]}, of which {', '.join(spans[1:])}"]
    note = " (overlapping)" if sums is Sums.OVERLAPPING else ""
    return "; ".join([*phases, *([f"Server-Timing{note}: {', '.join(spans)}"] if spans else [])])


def account(result: EndpointResult) -> tuple[list[str], list[str], Sums]:
    """The phases, the slow one first, and the spans of the service; none where latency is not the matter."""
    subject = subject_of(result)
    if subject is None:
        return [], [], Sums.APART
    phases = [f"{name} {format_ms(ms)}" for ms, name in _slow_phases(subject)]
    if subject is not result and len(result.steps) > 1:
        share = f"{format_ms(subject.value_ms)} of {format_ms(result.value_ms)}"
        phases = [f"step {clean(subject.name)} {share}", *phases]
    return phases, _spans(subject), sums_of(subject)


def subject_of(result: EndpointResult) -> EndpointResult | None:
    """What to look into for where the time went: the endpoint, or the slow step of a workflow; None for neither."""
    if not is_slow(result):
        return None
    subject = _step_or_whole(result)
    return subject if subject is not None and subject.unit is Unit.TIME else None


def _step_or_whole(result: EndpointResult) -> EndpointResult | None:
    return slow_step(result) if result.is_workflow else result


def slow_step(result: EndpointResult) -> EndpointResult | None:
    """The step of a slow workflow that makes it slow.

    The one that became slower beyond its own noise, where that is what was compared; else the one that is over a limit
    of its own; else the one that takes most. None for a change that no step alone shows.
    """
    measured = [step for step in result.steps if step.value_ms is not None] if result.is_workflow else []
    if not measured or not is_slow(result):
        return None
    if slower := slower_steps(result):
        return slower[0]
    if result.promise is Reference.BEFORE:
        return None
    over = [step for step in measured if is_slow(step)]
    return max(over or measured, key=lambda step: step.value_ms or 0.0)


def slower_steps(result: EndpointResult) -> list[EndpointResult]:
    """Of a workflow that became slower, the steps that did, by more than noise; the largest increase first.

    That is the verdict of their own comparison; or, where it needed more requests than the workflow did, the interval
    of the change of a step that has most of the increase.
    """
    workflow = became_slower(result) if result.is_workflow else None
    if workflow is None:
        return []
    most = _MOST_OF_IT * _increase_ms(workflow)
    increases = [
        (_increase_ms(comparison), step)
        for step in result.steps
        if (comparison := step.comparison)
        and (became_slower(step) or (comparison.is_clear and _increase_ms(comparison) > most))
    ]
    return [step for ms, step in sorted(increases, key=lambda increase: -increase[0]) if ms > 0]


def _increase_ms(comparison: Comparison) -> float:
    return (comparison.after_ms or 0.0) - (comparison.before_ms or 0.0)


class Sums(Enum):
    """How the spans of a service add up, as far as their sum shows: the header has neither order nor nesting."""

    APART = auto()  # they may have been one after the other
    NESTED = auto()  # the longest contains the others: it takes nearly all of the time, as its name or the sum shows
    OVERLAPPING = auto()  # longer together than the time they had, and none is long enough to contain the others


def sums_of(result: EndpointResult) -> Sums:
    available, spans = _until_the_first_byte(result), longest_first(result)
    if not available or len(spans) < 2:  # noqa: PLR2004
        return Sums.APART
    longest, ms = spans[0]
    fit = sum(ms for _, ms in spans) <= _SUM * available
    if ms >= _CONTAINER * available and (longest in _TOTALS or not fit):
        return Sums.NESTED
    return Sums.APART if fit else Sums.OVERLAPPING


def _until_the_first_byte(result: EndpointResult) -> float:
    """Of the same slow requests as the spans: the header can cover only what came before it."""
    return result.phases_ms.wait or result.value_ms or 0.0


def notable_names(result: EndpointResult) -> tuple[str, ...]:
    """The slowest phase, and the spans that take a share of the time: the same ones have one cause."""
    subject = subject_of(result)
    if subject is None or not subject.value_ms:
        return ()
    least = NOTABLE_SHARE * subject.value_ms
    slowest = [subject.name] * (subject is not result) + [name for _, name in _slow_phases(subject)[:1]]
    return (*slowest, *sorted(name for name, ms in longest_first(subject) if ms >= least))


def is_slow(result: EndpointResult) -> bool:
    slow = any(finding.rule.is_about_latency for finding in result.findings)
    return slow and not result.over_timeout and result.value_ms is not None


def _slow_phases(result: EndpointResult) -> list[tuple[float, str]]:
    if not _is_of_request(result):
        return []
    least = _MINOR * (result.value_ms or 0.0)
    phases = result.phases_ms
    named = [(phases.wait, "waiting for the first byte"), (phases.download, after_the_first_byte(result))]
    return sorted(((ms, name) for ms, name in named if ms and ms > least), reverse=True)


def _is_of_request(result: EndpointResult) -> bool:
    """Whether what is judged is the time of a request, whose phases are the parts of it; not a figure of a page."""
    return result.page is None and result.metric_of in {MetricOf.LATENCY, MetricOf.FIRST_BYTE}


def after_the_first_byte(result: EndpointResult) -> str:
    """The name of the rest of the latency."""
    return "download" if result.metric_of is MetricOf.LATENCY else "first byte to first event"


def _spans(result: EndpointResult) -> list[str]:
    """``app 925 ms``, ``db 812 ms (101 queries)``: those of the Server-Timing header, what contains others first."""
    described = {name: text for name, text in result.server_timing_details.items() if not name.startswith(STATEMENT)}
    # A label ("Database") adds nothing to the name; a count does.
    details = {name: clean(text, _LONGEST_DETAIL) for name, text in described.items() if any(map(str.isdecimal, text))}
    parts = [
        f"{name} {format_ms(ms)}" + (f" ({details[name]})" if name in details else "")
        for name, ms in longest_first(result)[:_MOST_SPANS]
    ]
    return (
        parts + [f"{name} ({text})" for name, text in details.items() if name not in result.server_timing][:_MOST_SPANS]
    )


def longest_first(result: EndpointResult) -> list[tuple[str, float]]:
    """The spans of the service, without its single statements: those are a cause of their own."""
    spans = [(name, ms) for name, ms in result.server_timing.items() if not name.startswith(STATEMENT)]
    return sorted(spans, key=lambda span: -span[1])


def likely_cause(result: EndpointResult) -> str:
    """Which steps or spans of the service increased since before, or statements that one request repeated (N+1).

    Of a page, what kept the browser from rendering it.
    """
    subject = subject_of(result)
    repeated = _repeated_statements(subject) if subject else ""
    spans = _increased_spans(subject or result, increase_of(result))
    return "; ".join(
        filter(None, [*_increased_steps(result), _blocked_rendering(_step_or_whole(result)), *spans, repeated])
    )


def _blocked_rendering(loaded: EndpointResult | None) -> str:
    """``blocked rendering: /static/consent.js 812 ms, /static/app.js ran 640 ms``, where that is what took so long."""
    if loaded is None or loaded.page is None:
        return ""
    parts = [loaded, *(step for step in loaded.steps if step.is_figure)]
    own = ((part, finding) for part in parts for finding in part.findings if not finding.step)
    slow = {part.metric_of for part, finding in own if finding.rule.is_about_latency}
    longest = sorted(loaded.page.blocking, key=lambda resource: -resource.ms)[:_MOST_BLOCKING]
    named = (f"{clean(one.url, _LONGEST_DETAIL)} {'ran ' * one.runs}{format_ms(one.ms)}" for one in longest)
    return f"blocked rendering: {', '.join(named)}" if longest and slow & _AFTER_RENDERING else ""


def _increased_steps(result: EndpointResult) -> Iterator[str]:
    """``step search 12.0 -> 32.1 ms``."""
    for step in slower_steps(result)[:_MOST_INCREASES]:
        if step.comparison and step.comparison.before_ms is not None and step.comparison.after_ms is not None:
            yield f"step {clean(step.name)} {format_from_to(step.comparison.before_ms, step.comparison.after_ms)}"


def _repeated_statements(result: EndpointResult) -> str:
    """Where the service counts them in its header, and its database takes part of the time."""
    count = _IDENTICAL.search(result.server_timing_details.get("db", ""))
    if not count or not result.value_ms:
        return ""
    share = result.server_timing.get("db", 0.0) / result.value_ms
    return f"likely N+1: {count[1]} identical statements in one request" if share >= NOTABLE_SHARE else ""


def _increased_spans(result: EndpointResult, comparison: Comparison | None) -> list[str]:
    """Of an endpoint that became slower, by its Server-Timing."""
    if comparison is None:
        return []
    notable = increased(longest_first(result), comparison)
    return [_increase(name, comparison, result) for name in notable[:_MOST_INCREASES]]


def increase_of(result: EndpointResult) -> Comparison | None:
    """What took longer: the endpoint, or the step of a workflow; None for neither."""
    comparison = became_slower(result)
    if result.is_workflow:
        comparison = next((step.comparison for step in slower_steps(result)), None)
    return comparison if comparison is not None and comparison.unit is Unit.TIME else None


def became_slower(result: EndpointResult) -> Comparison | None:
    comparison = result.comparison
    return comparison if comparison is not None and comparison.changed is Changed.SLOWER else None


def increased(now: Iterable[tuple[str, float]], comparison: Comparison) -> list[str]:
    """The names whose increase is a share of the latency's, the largest first."""
    increases = {name: ms - comparison.before_server_timing.get(name, 0.0) for name, ms in now}
    least = NOTABLE_SHARE * max(_increase_ms(comparison), 0.0)
    return sorted((name for name, ms in increases.items() if ms > least), key=lambda name: -increases[name])


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
