"""The two charts of one endpoint: how its latencies are spread, and its requests over the time of the run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from operator import itemgetter

from perfcheck.model import PROOF, WARM_UP, EndpointResult, Metric, Reference, Timeline, Unit
from perfcheck.report.glyphs import FEW
from perfcheck.report.html.axes import Linear, Log, far_apart, fitting, histogram, limits_of, round_ticks, shape, zones
from perfcheck.report.html.svg import (
    CSS,
    Point,
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
    with_labels,
)
from perfcheck.units import format_figure
from perfcheck.words import plural

_HEIGHT = 132
_TOP = 22.0  # of both plots

# --- Distribution: a dot for each latency, or a histogram of many, against the limits --------------------------------

_FOOT = 100.0  # of the plot
_MOST_DOTS = 60
_DOT_COLUMNS = 64
_LIFT = 8.0  # pixels from the axis to the first dot: the interval lies between
_DOT = 9.0  # pixels from one dot to the next above it
_SPARK_BINS = 24
_APART = 0.15  # fraction of the width that two labels need


def distribution(result: EndpointResult) -> Svg | None:
    """None where no request gave a latency."""
    if not result.samples_ms:
        return None
    values = [ms for ms in result.samples_ms if ms is not None]
    limits = limits_of(result)
    earlier = [ms for ms in result.comparison.before_samples_ms if ms is not None] if result.comparison else []
    scale = fitting([*values, *earlier, *(ms for ms, _ in limits.named), result.value_ms])
    css = CSS[result.verdict]
    plot = _FOOT - _TOP
    bands = zones(limits, 1.0, scale) or [(0.0, 1.0, "zn")]
    parts = [rect(left, right, _TOP, plot, zone) for left, right, zone in bands]
    parts += [
        vertical(scale(ms), _TOP, _FOOT, "target" if word == limits.reference else "limit") for ms, word in limits.named
    ]
    parts += [_stack(earlier, scale, plot, "before"), _stack(values, scale, plot, "now")]
    parts += _value(result, scale, css)
    parts.append(horizontal(0, 1, _FOOT, "base"))
    parts += _axis_labels(limits.named, scale, result.unit)
    if timeouts := len(result.samples_ms) - len(values):
        edge = scale(result.value_ms) if result.over_timeout and result.value_ms else 1.0
        parts.append(text_at(edge - 0.02, _TOP + 18, f"{timeouts} over the timeout", "remark", "end"))
        parts.append(mark("m-beyond", edge, _TOP + 14, css))
    return chart(_HEIGHT, parts, title=_distribution_in_words(result, values, timeouts))


def _stack(values: Sequence[float], scale: Linear | Log, height: float, css: str) -> str:
    """Each dot is at its own value, above the dots that it would cover."""
    counts = histogram(values, scale, _DOT_COLUMNS)
    if len(values) > _MOST_DOTS:
        return layer([columns(counts, f"bars {css}")], top=_TOP + 6, height=height - 6)
    step = min(_DOT, (height - _LIFT - 4) / max([*counts, 1]))
    points, levels = [], [0] * _DOT_COLUMNS
    for at in map(scale, sorted(values)):
        column = min(_DOT_COLUMNS - 1, int(at * _DOT_COLUMNS))
        points.append((at, 1 - (_LIFT + levels[column] * step) / height))
        levels[column] += 1
    return layer([dots(points, css)], top=_TOP, height=height)


def _value(result: EndpointResult, scale: Linear | Log, css: str) -> list[str]:
    if result.value_ms is None:
        return []
    at = scale(result.value_ms)
    low, high = result.interval_ms if result.promise is Reference.TARGET else (None, None)  # the other is of the change
    left, right = 0.0 if low is None else scale(low), 1.0 if high is None else scale(high)
    bar = [] if low is None and high is None else [rect(left, right, _FOOT - 2, 4, f"iv {css}")]
    more = "> " if result.over_timeout else ""
    words = f"{result.metric_name} {more}{format_figure(result.value_ms, result.unit)}"
    return [*bar, vertical(at, _TOP - 4, _FOOT, f"value {css}"), label(at, 13, words, f"big {css}", edge=0.16)]


def _axis_labels(limits: Sequence[tuple[float, str]], scale: Linear | Log, unit: Unit) -> list[str]:
    """The limits by name; then round values, where there is room."""
    named = [(scale(value), format_figure(value, unit), word) for value, word in limits]
    named += [(scale(tick), format_figure(tick, unit) if tick else "0", "") for tick in round_ticks(scale)]
    parts: list[str] = []
    for at, figure, word in far_apart(named, itemgetter(0), _APART):
        parts += [label(at, _FOOT + 15, figure, "tick", edge=0.06)]
        parts += [label(at, _FOOT + 28, word, "tick", edge=0.06)] if word else []
    return parts


def _distribution_in_words(result: EndpointResult, values: Sequence[float], timeouts: int) -> str:
    """``Distribution: 67 latencies from 160 to 190 ms, median 171 ms, target 100 ms``."""
    figure = partial(format_figure, unit=result.unit)
    words = [_range(result, values), f"median {figure(statistics.median(values))}"] if values else []
    if result.value_ms is not None and result.metric is not Metric.MEDIAN:
        words.append(f"{result.metric_name} {figure(result.value_ms)}")
    words += [f"{timeouts} over the timeout"] if timeouts else []
    if result.comparison:
        words.append(f"{plural(result.comparison.before_samples, _noun(result))} before")
    words += [f"{word} {figure(ms)}" for ms, word in limits_of(result).named]
    return "Distribution: " + ", ".join(words)


def _range(result: EndpointResult, values: Sequence[float]) -> str:
    low, high = (format_figure(end, result.unit) for end in (min(values), max(values)))
    return f"{plural(len(values), _noun(result))} from {low} to {high}"


def _noun(result: EndpointResult) -> str:
    return "latency" if result.unit is Unit.TIME else "value"


def sparkline(result: EndpointResult) -> Svg | None:
    """The shape alone, from the least to the greatest latency."""
    values = [ms for ms in result.samples_ms if ms is not None]
    if not values:
        return None
    if len(values) <= FEW:
        low, high = min(values), max(values)
        scale = Linear(low, high) if high > low else Linear(low - 1, high + 1)
        picture = dots(((scale(ms), 0.5) for ms in values), "few")
    else:
        picture = columns(shape(values, _SPARK_BINS), "bars")
    return chart(18, [layer([picture], top=0, height=18)], title=_range(result, values), css="spark")


# --- Over time, the stages apart -------------------------------------------------------------------------------------

_BOTTOM = 108.0  # of the plot
_MOST_DOTS_OF_A_STAGE = 150  # over time they lie side by side, not on one another
_SLOTS = 60
_STAGES = {WARM_UP: "warm-up", 1: "first", 2: "confirmation", 3: "second confirmation", PROOF: "failures alone"}
_INSET = 0.02  # so that the first and last dots are not on the frame
_LABEL = 14.0  # pixels between two labels
_LETTER = 0.02  # of the width, that a letter takes on a phone


@dataclass(frozen=True, slots=True)
class _Request:
    at: float  # fraction of the width
    ms: float | None
    stage: int


def over_time(result: EndpointResult) -> Svg | None:
    """Of one endpoint, from its first request to its last. None when it had none."""
    times = result.timeline.at_ms
    if not times:
        return None
    x = _time_axis(times[0], times[-1])
    line = result.timeline
    requests = [_Request(x(at), ms, stage) for at, ms, stage in zip(times, line.latency_ms, line.stage, strict=True)]
    limits = limits_of(result)
    limits_ms = [ms for ms, _ in limits.named]
    y = _upright([*(request.ms for request in requests), *limits_ms])
    plot = _BOTTOM - _TOP
    bands = zones(limits, 1.0, y) or [(0.0, 1.0, "zn")]
    parts = [rect(0, 1, _BOTTOM - high * plot, (high - low) * plot, css) for low, high, css in bands]
    parts += _stage_names(requests)
    parts.append(_points(requests, y, plot))
    # No more failures than can be seen apart.
    failures = sorted({round(request.at * _SLOTS) / _SLOTS for request in requests if request.ms is None})
    parts += [mark("m-failed", at, _TOP + 8, "failed") for at in failures]
    parts += [horizontal(0, 1, _BOTTOM - y(ms) * plot, "limit") for ms in limits_ms]
    labelled = [0.0, *limits_ms, *round_ticks(y)]  # from the most telling on, none over another
    names = far_apart(
        ((_BOTTOM - y(ms) * plot, format_figure(ms, result.unit)) for ms in labelled), itemgetter(0), _LABEL
    )[1:]
    parts += [horizontal(0, 1, _BOTTOM, "base"), *_ends(times[0], times[-1])]
    return with_labels(names, chart(_HEIGHT, parts, title=_timeline_in_words(line)), _HEIGHT)


def _upright(values: Iterable[float | None]) -> Linear | Log:
    """With air above the highest: dots on the frame look cut."""
    scale = fitting(values)
    return replace(scale, high=scale.high * (1.08 if isinstance(scale, Linear) else 1.6))


def _time_axis(first: float, last: float) -> Linear:
    margin = (last - first) * _INSET or 1.0
    return Linear(first - margin, last + margin)


def _ends(first: float, last: float) -> list[str]:
    start = text_at(0, _BOTTOM + 15, _clock(first), "tick")
    return [start] if last == first else [start, text_at(1, _BOTTOM + 15, _clock(last), "tick", "end")]


def _clock(ms: float) -> str:
    return f"{ms / 1000:.1f} s"


def _stage_names(requests: Sequence[_Request]) -> list[str]:
    """A line half way between the stages, and above each its name."""
    counted = [request for request in requests if request.stage != WARM_UP]
    changes = [(a, b) for a, b in pairwise(counted) if a.stage != b.stage]
    middles = [(before.at + after.at) / 2 for before, after in changes]
    parts = [vertical(at, _TOP - 12, _BOTTOM, "stage") for at in middles]
    if not middles:
        return parts
    names = [_STAGES[min(request.stage, 3)] for request in (counted[0], *(after for _, after in changes))]
    starts = zip([0.0, *middles], [*middles, 1.0], names, strict=True)
    fitting_names = ((left, name) for left, right, name in starts if right - left > _LETTER * len(name))
    return parts + [text_at(left + 0.01, 14, name, "tick") for left, name in fitting_names]


def _points(requests: Sequence[_Request], y: Linear | Log, plot: float) -> str:
    judged = max(request.stage for request in requests)
    parts = []
    apart = (((WARM_UP,), "warm"), ((PROOF, *range(1, judged)), "before"), (range(max(judged, 1), judged + 1), "now"))
    for stages, css in apart:
        points = [
            (request.at, 1 - y(request.ms))
            for request in requests
            if request.stage in stages and request.ms is not None
        ]
        parts.append(dots(points, css) if len(points) <= _MOST_DOTS_OF_A_STAGE else _binned(points, css))
    return layer(parts, top=_TOP, height=plot)


def _binned(points: Iterable[Point], css: str) -> str:
    """Too many for a dot each: in each time slot a stroke from the least to the greatest, and a dot for the median."""
    slots: dict[int, list[float]] = {}
    for at, height in points:
        slots.setdefault(int(at * _SLOTS), []).append(height)
    middle = [((i + 0.5) / _SLOTS, statistics.median_high(heights)) for i, heights in slots.items()]
    strokes = [((i + 0.5) / _SLOTS, min(heights), max(heights)) for i, heights in slots.items()]
    return spans(strokes, f"range {css}") + dots(middle, css)


def _timeline_in_words(line: Timeline) -> str:
    stages = [(name, line.stage.count(number)) for number, name in _STAGES.items()]
    counted = ", ".join(f"{count} {name}" for name, count in stages if count)
    failed = sum(outcome != "ok" for outcome in line.outcome)
    failures = f"; {failed} failed" if failed else ""
    return f"Over time: {counted}, from {_clock(line.at_ms[0])} to {_clock(line.at_ms[-1])} of the run{failures}"


def clock_label(at: float, y: float, ms: float) -> str:
    return label(at, y, _clock(ms), "tick", edge=0.05)
