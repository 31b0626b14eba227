"""How the latencies of one endpoint are spread, against its limits: a dot for each, or a histogram of many."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from perfcheck.model import EndpointResult, Metric
from perfcheck.report.html.axes import AxisLimits, Linear, Log, fitting, histogram, limits_of, round_ticks, shape, zones
from perfcheck.report.html.svg import (
    CSS,
    Svg,
    chart,
    columns,
    dots,
    horizontal,
    label,
    layer,
    mark,
    rect,
    spans,
    text_at,
    vertical,
)
from perfcheck.units import format_ms
from perfcheck.words import plural

MOST_DOTS = 60
_HEIGHT = 132
_TOP, _BOTTOM = 22.0, 100.0  # of the plot
_BINS = 64
_LIFT = 8.0  # pixels from the axis to the first dot: the interval lies between
_DOT = 9.0  # pixels from one dot to the next above it
_MOST_STROKES = 20
_SPARK_BINS = 24
_APART = 0.15  # fraction of the width that two labels need


def distribution(result: EndpointResult) -> Svg | None:
    """None where no request gave a latency."""
    values = [ms for ms in result.samples_ms if ms is not None]
    timeouts = len(result.samples_ms) - len(values)
    if not values and not timeouts:
        return None
    limits = limits_of(result)
    earlier = [ms for ms in result.comparison.before_samples_ms if ms is not None] if result.comparison else []
    scale = fitting([*values, *earlier, *(ms for ms, _ in limits.named), result.value_ms])
    css = CSS[result.verdict]
    plot = _BOTTOM - _TOP
    bands = zones(limits, 1.0, scale) or [(0.0, 1.0, "zn")]
    parts = [rect(left, right, _TOP, plot, zone) for left, right, zone in bands]
    for ms, word in limits.named:
        parts.append(vertical(scale(ms), _TOP, _BOTTOM, "target" if word == limits.reference else "limit"))
    parts += [_stack(earlier, scale, plot, "before"), _stack(values, scale, plot, "now")]
    parts += _value(result, scale, css)
    parts.append(horizontal(0, 1, _BOTTOM, "base"))
    parts += _axis_labels(limits, scale)
    if timeouts:
        edge = scale(result.value_ms) if result.over_timeout and result.value_ms else 1.0
        parts.append(text_at(edge - 0.02, _TOP + 18, f"{timeouts} over the timeout", "remark", "end"))
        parts.append(mark("m-beyond", edge, _TOP + 14, css))
    return chart(_HEIGHT, parts, title=_description(result))


def _stack(values: Sequence[float], scale: Linear | Log, height: float, css: str) -> str:
    """Each dot is at its own value, above the dots that it would cover."""
    counts = histogram(values, scale, _BINS)
    if len(values) > MOST_DOTS:
        return layer([columns(counts, f"bars {css}")], top=_TOP + 6, height=height - 6)
    step = min(_DOT, (height - _LIFT - 4) / max([*counts, 1]))
    points, levels = [], [0] * _BINS
    for at in map(scale, sorted(values)):
        column = min(_BINS - 1, int(at * _BINS))
        points.append((at, 1 - (_LIFT + levels[column] * step) / height))
        levels[column] += 1
    return layer([dots(points, css)], top=_TOP, height=height)


def _value(result: EndpointResult, scale: Linear | Log, css: str) -> list[str]:
    if result.value_ms is None:
        return []
    at = scale(result.value_ms)
    low, high = result.interval_ms
    left, right = 0.0 if low is None else scale(low), 1.0 if high is None else scale(high)
    bar = [] if low is None and high is None else [rect(left, right, _BOTTOM - 2, 4, f"iv {css}")]
    more = "> " if result.over_timeout else ""
    words = f"{result.metric} {more}{format_ms(result.value_ms)}"
    return [*bar, vertical(at, _TOP - 4, _BOTTOM, f"value {css}"), label(at, 13, words, f"big {css}", edge=0.16)]


def _axis_labels(limits: AxisLimits, scale: Linear | Log) -> list[str]:
    """The limits by name; then round values, where there is room."""
    named = [(scale(ms), format_ms(ms), word) for ms, word in limits.named]
    named += [(scale(tick), format_ms(tick) if tick else "0", "") for tick in round_ticks(scale)]
    placed: list[float] = []
    parts: list[str] = []
    for at, figure, word in named:
        if all(abs(at - other) >= _APART for other in placed):
            placed.append(at)
            parts += [label(at, _BOTTOM + 15, figure, "tick", edge=0.06)]
            parts += [label(at, _BOTTOM + 28, word, "tick", edge=0.06)] if word else []
    return parts


def _description(result: EndpointResult) -> str:
    """``Distribution: 67 latencies from 160 to 190 ms, median 171 ms, target 100 ms``."""
    values = [ms for ms in result.samples_ms if ms is not None]
    timeouts = len(result.samples_ms) - len(values)
    words = [plural(len(values), "latency")] if values else []
    if values:
        words[0] += f" from {format_ms(min(values))} to {format_ms(max(values))}"
        words.append(f"median {format_ms(statistics.median(values))}")
    if result.value_ms is not None and result.metric is not Metric.MEDIAN:
        words.append(f"{result.metric} {format_ms(result.value_ms)}")
    words += [f"{timeouts} over the timeout"] if timeouts else []
    if result.comparison:
        words.append(f"{plural(result.comparison.before_samples, 'latency')} before")
    words += [f"{word} {format_ms(ms)}" for ms, word in limits_of(result).named]
    return "Distribution: " + ", ".join(words)


def sparkline(result: EndpointResult) -> Svg | None:
    """The shape alone, from the least to the greatest latency."""
    values = [ms for ms in result.samples_ms if ms is not None]
    if not values:
        return None
    low, high = min(values), max(values)
    words = f"{plural(len(values), 'latency')} from {format_ms(low)} to {format_ms(high)}"
    if len(values) <= _MOST_STROKES:
        scale = Linear(low, high) if high > low else Linear(low - 1, high + 1)
        picture = spans(((scale(ms), 0.15, 0.85) for ms in values), "stroke")
    else:
        picture = columns(shape(values, _SPARK_BINS), "bars")
    return chart(18, [layer([picture], top=0, height=18)], title=words, css="spark")
