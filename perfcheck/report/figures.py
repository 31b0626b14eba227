"""The figures of an endpoint as text."""

from __future__ import annotations

from perfcheck.model import Changed, Comparison, EndpointChange, EndpointResult, Reference, Rule
from perfcheck.text import clean
from perfcheck.units import format_change, format_change_interval, format_ms, format_multiple, shown_as_multiple
from perfcheck.words import and_more, plural

EN_DASH = "\N{EN DASH}"
AT_MOST = "\N{LESS-THAN OR EQUAL TO}"  # before the figures of a screened endpoint
_MOST_STEPS = 10
_STATES = {Changed.NO_CHANGE: "no change", Changed.CANNOT_TELL: "inconclusive"}


def request_text(result: EndpointResult) -> str:
    """``GET http://127.0.0.1:8000/items``; ``4 steps: login, list, detail, search``."""
    if not result.steps:
        return f"{result.method} {result.url}"
    return f"{plural(len(result.steps), 'step')}: {and_more([clean(step.name) for step in result.steps], _MOST_STEPS)}"


def measured(result: EndpointResult, *, unit: bool = False) -> str:
    """``812``, ``p95 172``, ``to first byte 12``, ``>10000``, ``≤210`` of a screened endpoint, in ms.

    With ``unit``: ``>10 s``.
    """
    if result.value_ms is None:
        return "-"
    metric = f"{result.metric_name} ".removeprefix("median ")
    value = format_ms(result.value_ms, distinct_from=_nearest_limit(result), unit=unit)
    return f"{metric}{_bound(result)}{value}"


def reference_text(result: EndpointResult) -> str:
    """The target, or what was measured before: by the same load, and as much a bound."""
    bound = (
        _bound(result) if result.promise is Reference.BEFORE and result.target_ms and not result.over_timeout else ""
    )
    return f"{bound}{format_ms(result.target_ms, unit=False)}"


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
        return f"<{format_ms(high, unit=False)}"
    if high is None:
        return f">{format_ms(low, unit=False)}"
    ends = dict.fromkeys(format_ms(end, unit=False) for end in (low, high))  # once, where they look the same
    return EN_DASH.join(ends)


def interval_ends(result: EndpointResult) -> tuple[float | None, float | None]:
    """In milliseconds. That of a screened endpoint is open below: alone it may be faster. A change has both ends."""
    low, high = result.interval_ms
    return None if result.is_screened and result.promise is Reference.TARGET else low, high


def is_within_ideal(result: EndpointResult) -> bool:
    return result.value_ms is not None and result.ideal_ms is not None and result.value_ms <= result.ideal_ms


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
    state = _STATES.get(comparison.changed)
    if state is None and comparison.ratio is not None:
        return format_change(comparison.ratio, multiple=shown_as_multiple(*comparison.ratios))
    return state or str(comparison.changed)


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
