"""The figures of an endpoint as text."""

from __future__ import annotations

from perfcheck.model import (
    PAGE_FIGURES,
    Changed,
    Comparison,
    EndpointChange,
    EndpointResult,
    MetricOf,
    PageSummary,
    Reference,
    Rule,
    Unit,
)
from perfcheck.text import clean
from perfcheck.units import (
    format_change,
    format_change_interval,
    format_figure,
    format_from_to,
    format_multiple,
    shown_as_multiple,
)
from perfcheck.words import and_more, plural

EN_DASH = "\N{EN DASH}"
AT_MOST = "\N{LESS-THAN OR EQUAL TO}"  # before the figures of a screened endpoint
_MOST_STEPS = 10
_IN_AMOUNT = {Changed.SLOWER: "more", Changed.FASTER: "less"}
_STATES = {Changed.NO_CHANGE: "no change", Changed.CANNOT_TELL: "inconclusive"}


def request_text(result: EndpointResult) -> str:
    """``GET http://127.0.0.1:8000/items``; ``4 steps: login, list, detail, search``."""
    if not result.is_workflow:
        return f"{result.method} {result.url}"
    return f"{plural(len(result.steps), 'step')}: {and_more([clean(step.name) for step in result.steps], _MOST_STEPS)}"


def measured(result: EndpointResult, *, unit: bool = False) -> str:
    """``812``, ``p95 172``, ``to first byte 12``, ``>10000``, ``≤210`` of a screened endpoint, in ms; ``bytes 1.2 MB``.

    With ``unit``: ``>10 s``.
    """
    if result.value_ms is None:
        return "-"
    metric = f"{result.metric_name} ".removeprefix("median ")
    value = format_figure(result.value_ms, result.unit, distinct_from=_nearest_limit(result), in_ms=not unit)
    return f"{metric}{_bound(result)}{value}"


def part_name(part: EndpointResult) -> str:
    """``step search`` of a workflow, ``load`` of a page."""
    return part.metric_name.removeprefix("median ") if part.is_figure else f"step {clean(part.name)}"


def reference_text(result: EndpointResult) -> str:
    """The target, or what was measured before: by the same load, and as much a bound."""
    bound = (
        _bound(result) if result.promise is Reference.BEFORE and result.target_ms and not result.over_timeout else ""
    )
    return f"{bound}{in_ms(result.target_ms, result)}"


def in_ms(value: float | None, result: EndpointResult) -> str:
    """For a column of milliseconds."""
    return format_figure(value, result.unit, in_ms=True)


def ratio_to_target(result: EndpointResult) -> str:
    """``1.72x``, ``≤0.7x`` of a screened endpoint; never rounded into a limit it is not at."""
    limit = _nearest_limit(result)
    if result.ratio is None or limit is None or result.target_ms is None:
        return "-"
    shown, at_limit = f"{result.ratio:.2f}x", limit / result.target_ms
    if shown == f"{at_limit:.2f}x":
        shown = format_multiple(result.ratio, distinct_from=at_limit)
    return f"{_bound(result)}{shown}"


def _bound(result: EndpointResult) -> str:
    """What is before a figure that is a lower or an upper bound."""
    return ">" if result.over_timeout else AT_MOST * result.is_screened


def _nearest_limit(result: EndpointResult) -> float | None:
    """The limit that the value must not be rounded into."""
    limits = [result.target_ms, result.warning_ms, result.critical_ms, result.ceiling_ms]
    value = result.value_ms or 0.0
    return min((limit for limit in limits if limit), key=lambda limit: abs(limit - value), default=None)


def interval(result: EndpointResult) -> str:
    """``730-893`` in milliseconds, ``>730`` where it is open above, ``-`` without one."""
    low, high = interval_ends(result)
    if low is None and high is None:
        return "-"
    if low is None:
        return f"<{in_ms(high, result)}"
    if high is None:
        return f">{in_ms(low, result)}"
    ends = dict.fromkeys(in_ms(end, result) for end in (low, high))  # once, where they look the same
    return EN_DASH.join(ends)


def interval_in_words(result: EndpointResult) -> str:
    """``interval 730-893 ms``; empty without one."""
    text = interval(result)
    return "" if text == "-" else f"interval {text}{' ms' * (result.unit is Unit.TIME)}"


def interval_ends(result: EndpointResult) -> tuple[float | None, float | None]:
    """In milliseconds. That of a screened endpoint is open below: alone it may be faster. A change has both ends."""
    low, high = result.interval_ms
    return None if result.is_screened and result.promise is Reference.TARGET else low, high


def is_within_ideal(result: EndpointResult) -> bool:
    return result.value_ms is not None and result.ideal_ms is not None and result.value_ms <= result.ideal_ms


# --- The parts of a workflow or a page -----------------------------------------------------------------------------


def step_text(step: EndpointResult) -> str:
    """``search 32.1 ms, target 12 ms``; ``search 12.0 -> 32.1 ms (+167%)``; ``load 2.1 s, ceiling 2 s`` of a page."""
    comparison = step.comparison
    name = part_name(step) if step.is_figure else clean(step.name)
    if comparison is not None and comparison.before_ms is not None and comparison.after_ms is not None:
        both = format_from_to(comparison.before_ms, comparison.after_ms, step.unit)
        text = f"{name} {both} ({compared_text(step)})"
    elif step.value_ms is None:
        text = f"{name} {'without a latency' if step.requests.sent else 'not sent'}"
    else:
        text = measured(step, unit=True) if step.is_figure else f"{name} {measured(step, unit=True)}"
    if step.promise is Reference.TARGET:
        limits = [("target", step.target_ms), ("ceiling", step.ceiling_ms)]
        text += "".join(f", {word} {format_figure(ms, step.unit)}" for word, ms in limits if ms is not None)
    failed = step.errors and not step.is_figure
    return text + (f", {step.requests.failed} of {plural(step.requests.sent, 'request')} failed" if failed else "")


def page_text(page: PageSummary) -> str:
    """``first byte 12 ms, first contentful paint 80 ms, layout shift 0.02, 120 kB in 14 requests``."""
    known = {of: page.figures[of] for of in PAGE_FIGURES if of in page.figures}
    size, count = known.pop(MetricOf.BYTES, None), known.pop(MetricOf.REQUESTS, None)
    texts = [f"{of.label} {format_figure(value, of.unit)}" for of, value in known.items()]
    requests = "" if count is None else f"{format_figure(count, Unit.NUMBER)} {'request' if count == 1 else 'requests'}"
    transfer = " in ".join(filter(None, ["" if size is None else format_figure(size, Unit.SIZE), requests]))
    return ", ".join(filter(None, [*texts, transfer]))


# --- Changes -------------------------------------------------------------------------------------------------------


def change_text(change: EndpointChange) -> str:
    """``+27%``, ``-5%``, ``3.4x``; ``no clear change`` where two runs differ by no more than runs do."""
    if change.comparison is not None:
        return _comparison_text(change.comparison)
    return format_change(change.ratio) if change.clear else "no clear change"


def compared_text(result: EndpointResult) -> str:
    """``+26%``, ``no change``, ``small change``, ``inconclusive``, ``new``: of a comparison with an earlier release."""
    if result.comparison is None:
        return "new" if any(finding.rule is Rule.ADDED for finding in result.findings) else "-"
    return _comparison_text(result.comparison)


def _comparison_text(comparison: Comparison) -> str:
    if comparison.changed is Changed.NO_CHANGE and comparison.is_clear:
        return "small change"
    if state := _STATES.get(comparison.changed):
        return state
    if comparison.ratio is not None:
        return format_change(comparison.ratio, multiple=shown_as_multiple(*comparison.ratios))
    return str(comparison.changed) if comparison.unit is Unit.TIME else _IN_AMOUNT[comparison.changed]


def change_interval(result: EndpointResult) -> str:
    """Where the change lies, in the unit of the change itself."""
    comparison = result.comparison
    if comparison is None:
        return "-"
    return format_change_interval(*comparison.ratio_interval, multiple=shown_as_multiple(*comparison.ratios))


def compared_samples(result: EndpointResult) -> str:
    """``23 pairs``; ``67 requests before, 40 now``: what a comparison rests on."""
    comparison = result.comparison
    if comparison is None:
        return "-"
    if comparison.pairs is not None:
        return plural(comparison.pairs, "pair")
    return f"{plural(comparison.before_samples, 'request')} before, {comparison.after_samples:,} now"
