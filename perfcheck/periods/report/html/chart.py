"""One endpoint over time: its runs, the levels between the changes, its target, and the period against what was before.

A small one without axes stands in the table; a large one with_labels what it explains.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from perfcheck.model import Verdict
from perfcheck.periods.model import ChartPoint, EndpointSummary, Level, Moment, Period
from perfcheck.periods.report.dates import day
from perfcheck.periods.report.figures import metric_name, percent_change
from perfcheck.periods.report.html.axis import TimeAxis, time_axis
from perfcheck.report.html.axes import Linear, round_ticks
from perfcheck.report.html.svg import (
    CSS,
    Point,
    Svg,
    chart,
    dots,
    horizontal,
    label,
    layer,
    outline,
    rect,
    spans,
    text_at,
    vertical,
    with_labels,
)
from perfcheck.text import clean
from perfcheck.units import format_ms

_HEIGHT = 214
_TOP, _BOTTOM = 26.0, 168.0
_PLOT = _BOTTOM - _TOP
_LABEL = 14.0  # pixels between two labels
_SPARK = 26
_AIR = 1.12  # above the highest level
_OUTLIERS = 1.6  # times the highest level: a run beyond it stands at the edge
_APART = 0.17
_LONGEST_LABEL = 12


def over_time(one: EndpointSummary, period: Period, labels: Sequence[Moment]) -> Svg | None:
    """None where it has no run with a value."""
    x = time_axis([*(point.started_at for point in one.points), *(level.until for level in one.levels)])
    if x is None:
        return None
    y = _upright(one)
    begin = x(period.since)
    parts = [rect(0, 1, _TOP, _PLOT, "earlier"), rect(begin, 1, _TOP, _PLOT, "zn")]
    parts += _targets(one.points, x, y)
    parts.append(layer(_data(one, period, x, y), top=_TOP, height=_PLOT))
    parts += [*_target_name(one, y), *_marks(one, x)]
    parts += [horizontal(0, 1, _BOTTOM, "base"), *_dates(x), *_releases(labels, x)]
    names = _names(y)
    return with_labels(names, chart(_HEIGHT, parts, title=in_words(one), css="chart time"), _HEIGHT)


def _upright(one: EndpointSummary) -> Linear:
    """From 0; a few wild runs do not press all others to the ground."""
    levels = [ms for level in one.levels for ms in (level.begin_ms, level.end_ms)]
    targets = [point.target_ms for point in one.points if point.target_ms]
    highest = max([*levels, *targets], default=1.0)
    runs = max((point.value_ms for point in one.points), default=highest)
    return Linear(0.0, max(min(runs, max(levels, default=highest) * _OUTLIERS), highest) * _AIR)


def _data(one: EndpointSummary, period: Period, x: TimeAxis, y: Linear) -> list[str]:
    def place(point: ChartPoint) -> Point:
        return x(point.started_at), 1 - y(point.value_ms)

    before = [point for point in one.points if point.started_at < period.since]
    within = [point for point in one.points if point.started_at >= period.since]
    ranges = [
        (x(point.started_at), 1 - y(point.high_ms), 1 - y(point.low_ms)) for point in one.points if point.runs > 1
    ]
    parts = [spans(ranges, "range all"), dots(map(place, before), "past")]
    for verdict in (Verdict.OK, Verdict.WARNING, Verdict.CRITICAL):
        css = "all" if verdict is Verdict.OK else f"all {CSS[verdict]}"
        parts.append(dots((place(point) for point in within if point.verdict is verdict), css))
    return parts + [outline(_ends(level, x, y), "level") for level in one.levels]


def _ends(level: Level, x: TimeAxis, y: Linear) -> list[Point]:
    return [(x(level.since), 1 - y(level.begin_ms)), (x(level.until), 1 - y(level.end_ms))]


def _targets(points: Sequence[ChartPoint], x: TimeAxis, y: Linear) -> Iterator[str]:
    """A line for each while in which it was the same, over the whole width where it never changed."""
    runs = [(target, list(some)) for target, some in groupby(points, key=lambda point: point.target_ms)]
    starts = [0.0, *(x(some[0].started_at) for _, some in runs[1:]), 1.0]
    for (target, _), left, right in zip(runs, starts, starts[1:], strict=False):
        if target:
            yield horizontal(left, right, _BOTTOM - y(target) * _PLOT, "target")


def _target_name(one: EndpointSummary, y: Linear) -> Iterator[str]:
    """Above its line, or below it where the runs are above."""
    if one.target_ms:
        is_above = one.end_ms is not None and one.end_ms > one.target_ms * 0.97
        at = _BOTTOM - y(one.target_ms) * _PLOT + (14 if is_above else -5)
        yield text_at(1, at, f"target {format_ms(one.target_ms)}", "said", "end")


def _marks(one: EndpointSummary, x: TimeAxis) -> Iterator[str]:
    """A line at each change, and how much it was where there is room to say it."""
    last = -1.0
    for started_at, ratio in one.marks:
        at, css = x(started_at), "crit" if ratio > 1 else "ok"
        yield vertical(at, _TOP - 8, _BOTTOM, f"moved-at {css}")
        if at - last >= _APART:
            yield label(at, 13, percent_change(ratio), f"big {css}", edge=0.05)
            last = at


def _dates(x: TimeAxis) -> Iterator[str]:
    for at, words in x.ticks():
        yield vertical(at, _BOTTOM, _BOTTOM + 4, "base")
        yield label(at, _BOTTOM + 17, words, "tick", edge=0.03)


def _releases(labels: Sequence[Moment], x: TimeAxis) -> Iterator[str]:
    """Their names under the dates, as far as there is room."""
    last = -1.0
    for moment in labels:
        at = x(moment.started_at)
        if moment.label and 0 < at < 1 and at - last >= _APART:
            yield vertical(at, _BOTTOM + 23, _BOTTOM + 28, "base")
            yield label(at, _BOTTOM + 40, clean(moment.label, _LONGEST_LABEL), "tick release", edge=0.05)
            last = at


def _names(y: Linear) -> list[tuple[float, str]]:
    placed = [(_BOTTOM, "0")]
    for value in round_ticks(y, 0.17):
        at = _BOTTOM - y(value) * _PLOT
        if all(abs(at - other) >= _LABEL for other, _ in placed):
            placed.append((at, format_ms(value)))
    return placed


def in_words(one: EndpointSummary) -> str:
    """For a screen reader, and for who points at it."""
    runs = sum(point.runs for point in one.points)
    words = [f"{metric_name(one.metric)} of {runs} runs, {day(one.points[0].started_at)} to {day(one.last.started_at)}"]
    words += [f"level {format_ms(level.begin_ms)}{_to(level)} from {day(level.since)}" for level in one.levels]
    words += [f"target {format_ms(one.target_ms)}"] if one.target_ms else []
    return "; ".join(words)


def _to(level: Level) -> str:
    moved = not math.isclose(level.begin_ms, level.end_ms)
    return f" moving to {format_ms(level.end_ms)}" if moved else ""


def spark(one: EndpointSummary, period: Period) -> Svg | None:
    """Without axes: every run as a dot, the levels as lines; the lowest value stands near the ground, not at it."""
    x = time_axis([point.started_at for point in one.points])
    if x is None:
        return None
    levels = [ms for level in one.levels for ms in (level.begin_ms, level.end_ms)]
    low, high = min(levels) * 0.9, max(max(levels) * 1.1, min(levels) * 1.35)
    y = Linear(low, high)
    points = dots(((x(point.started_at), 1 - y(point.value_ms)) for point in one.points), "faint")
    lines = [outline(_ends(level, x, y), "level") for level in one.levels]
    changes = [vertical(x(at), 0, _SPARK, f"moved-at {'crit' if ratio > 1 else 'ok'}") for at, ratio in one.marks]
    picture = layer([points, *lines], top=2, height=_SPARK - 4)
    within = rect(x(period.since), 1, 0, _SPARK, "zn")
    return chart(_SPARK, [within, *changes, picture], title=in_words(one), css="spark")
