"""One endpoint over time: its runs, the levels between the changes, its target, and the period against earlier runs.

A small chart without axes for the table, a large one for the details.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from functools import partial
from itertools import count, groupby, pairwise, takewhile
from operator import itemgetter

from perfcheck.model import Unit, Verdict
from perfcheck.periods.model import ChartPoint, EndpointSummary, LatencyLevel, Period, RunReference
from perfcheck.report.html.axes import Linear, far_apart, round_ticks
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
    ribbon,
    spans,
    stretched,
    text_at,
    vertical,
    with_labels,
)
from perfcheck.text import clean
from perfcheck.times import parse_time
from perfcheck.units import format_change, format_figure, format_from_to
from perfcheck.words import day, plural

_HEIGHT, _HEIGHT_WITHOUT_RELEASES = 214, 190
_TOP, _BOTTOM = 26.0, 168.0
_PLOT = _BOTTOM - _TOP
_LABEL = 14.0  # pixels between two labels
_SPARK = 26
_NEAR = 2.0  # times the highest level: a target farther above is named only
_AIR, _AIR_FOR_A_NAME = 1.12, 1.4  # above the highest level
_OUTLIERS = 1.6  # times the highest level: a run beyond it stands at the edge
_GAP = 0.17  # fraction of the width between two labels
_MONTHS = 12
_LONGEST_LABEL = 12


def draw_over_time(summary: EndpointSummary, period: Period, labels: Sequence[RunReference]) -> Svg | None:
    """None without a run that has a value."""
    x = time_axis([*(point.started_at for point in summary.points), *(level.until for level in summary.levels)])
    if x is None:
        return None
    y = _latency_axis(summary)
    begin = x(period.since)
    parts = [rect(0, 1, _TOP, _PLOT, "earlier"), rect(begin, 1, _TOP, _PLOT, "zn")]
    parts += _targets(summary.points, x, y)
    parts.append(layer(_data(summary, period, x, y), top=_TOP, height=_PLOT))
    parts += [*_target_name(summary, y), *_marks(summary, x)]
    parts += [horizontal(0, 1, _BOTTOM, "base"), *_dates(x), *_releases(labels, x)]
    height = _HEIGHT if any(run.label for run in labels) else _HEIGHT_WITHOUT_RELEASES
    return with_labels(_names(y, summary.unit), chart(height, parts, title=_title(summary), css="chart time"), height)


def _latency_axis(summary: EndpointSummary) -> Linear:
    """From 0; a few outliers, or a target far above, do not flatten all others."""
    levels = [ms for level in summary.levels for ms in (level.begin_ms, level.end_ms)]
    runs = max((point.value_ms for point in summary.points), default=1.0)
    highest = max(levels, default=runs)
    targets = {point.target_ms for point in summary.points if point.target_ms} | {summary.target_ms or 0.0}
    near = [target for target in targets if target <= _NEAR * highest]
    air = _AIR if len(near) == len(targets) else _AIR_FOR_A_NAME
    return Linear(0.0, max([min(runs, highest * _OUTLIERS), highest, *near]) * air or 1.0)


def _data(summary: EndpointSummary, period: Period, x: TimeAxis, y: Linear) -> list[str]:
    def place(point: ChartPoint) -> Point:
        return x(point.started_at), 1 - y(point.value_ms)

    before = [point for point in summary.points if point.started_at < period.since]
    within = [point for point in summary.points if point.started_at >= period.since]
    ranges = [
        (x(point.started_at), 1 - y(point.high_ms), 1 - y(point.low_ms)) for point in summary.points if point.runs > 1
    ]
    parts = [spans(ranges, "range all"), dots(map(place, before), "past")]
    for verdict in (Verdict.OK, Verdict.WARNING, Verdict.CRITICAL):
        css = "all" if verdict is Verdict.OK else f"all {CSS[verdict]}"
        parts.append(dots((place(point) for point in within if point.verdict is verdict), css))
    return parts + [outline(_ends(level, x, y), "level") for level in summary.levels]


def _ends(level: LatencyLevel, x: TimeAxis, y: Linear) -> list[Point]:
    return [(x(level.since), 1 - y(level.begin_ms)), (x(level.until), 1 - y(level.end_ms))]


def _targets(points: Sequence[ChartPoint], x: TimeAxis, y: Linear) -> Iterator[str]:
    """A line for each target, from where it began to where it ended."""
    runs = [(target, next(group)) for target, group in groupby(points, key=lambda point: point.target_ms)]
    starts = [0.0, *(x(first.started_at) for _, first in runs[1:]), 1.0]
    for (target, _), left, right in zip(runs, starts, starts[1:], strict=False):
        if target and target <= y.high:
            yield horizontal(left, right, _BOTTOM - y(target) * _PLOT, "target")


def _target_name(summary: EndpointSummary, y: Linear) -> Iterator[str]:
    """Above its line, or below it where the runs are above; at the top where it is too far above to be drawn."""
    name = f"target {format_figure(summary.target_ms, summary.unit)}"
    if summary.target_ms and summary.target_ms > y.high:
        yield text_at(1, _TOP + 12, f"{name}, far above", "remark", "end")
    elif summary.target_ms:
        is_above = summary.end_ms is not None and summary.end_ms > summary.target_ms * 0.97
        at = _BOTTOM - y(summary.target_ms) * _PLOT + (14 if is_above else -5)
        yield text_at(1, at, name, "remark", "end")


def _marks(summary: EndpointSummary, x: TimeAxis) -> Iterator[str]:
    """A line at each change, with its size where there is room."""
    last = -1.0
    for started_at, ratio in summary.marks:
        at, css = x(started_at), _step_css(summary, ratio)
        yield vertical(at, _TOP - 8, _BOTTOM, f"moved-at {css}")
        if at - last >= _GAP:
            yield label(at, 13, format_change(ratio), f"big {css}", edge=0.05)
            last = at


def _step_css(summary: EndpointSummary, ratio: float) -> str:
    return "crit" if summary.unit.worsening(ratio) > 1 else "ok"


def _dates(x: TimeAxis) -> Iterator[str]:
    for at, text in x.ticks():
        yield vertical(at, _BOTTOM, _BOTTOM + 4, "base")
        yield label(at, _BOTTOM + 17, text, "tick", edge=0.03)


def _releases(labels: Sequence[RunReference], x: TimeAxis) -> Iterator[str]:
    """Their names under the dates, as far as there is room."""
    last = -1.0
    for run in labels:
        at = x(run.started_at)
        if run.label and 0 < at < 1 and at - last >= _GAP:
            yield vertical(at, _BOTTOM + 23, _BOTTOM + 28, "base")
            yield label(at, _BOTTOM + 40, clean(run.label, _LONGEST_LABEL), "tick release", edge=0.05)
            last = at


def _names(y: Linear, unit: Unit) -> list[tuple[float, str]]:
    lines = ((_BOTTOM - y(value) * _PLOT, format_figure(value, unit)) for value in round_ticks(y, 0.17))
    return far_apart([(_BOTTOM, "0"), *lines], itemgetter(0), _LABEL)


def _title(summary: EndpointSummary) -> str:
    """The chart in words, for a screen reader and as a tooltip."""
    runs = plural(sum(point.runs for point in summary.points), "run")
    words = [f"{summary.metric} of {runs}, {day(summary.points[0].started_at)} to {day(summary.last.started_at)}"]
    words += [_levels_in_words(summary)] if summary.levels else []
    words += [f"target {format_figure(summary.target_ms, unit=summary.unit)}"] if summary.target_ms else []
    return "; ".join(words)


def _levels_in_words(summary: EndpointSummary) -> str:
    words, figure = [], partial(format_figure, unit=summary.unit)
    for level in summary.levels:
        is_flat = math.isclose(level.begin_ms, level.end_ms)
        ends = level.begin_ms, level.end_ms
        level_text = figure(ends[0]) if is_flat else format_from_to(*ends, unit=summary.unit)
        words.append(f"level {level_text} from {day(level.since)}")
    return "; ".join(words)


def draw_spark(summary: EndpointSummary, period: Period) -> Svg | None:
    """Without axes: every run as a dot, the levels as lines, over the full height; noise alone stays flat."""
    x = time_axis([point.started_at for point in summary.points])
    if x is None:
        return None
    levels = [ms for level in summary.levels for ms in (level.begin_ms, level.end_ms)]
    air = max(0.26 * (max(levels) - min(levels)), 0.07 * max(levels))
    y = Linear(min(levels) - air, max(levels) + air)
    since = x(period.since)
    within = ribbon([(since, 0), (1, 0)], [(since, 1), (1, 1)], "zn")
    changes = [
        outline([(x(at), 0), (x(at), 1)], f"moved-at {_step_css(summary, ratio)}") for at, ratio in summary.marks
    ]
    points = dots(((x(point.started_at), 1 - y(point.value_ms)) for point in summary.points), "faint")
    lines = [outline(_ends(level, x, y), "level") for level in summary.levels]
    return stretched(_SPARK, [within, *changes, points, *lines], title=_levels_in_words(summary), css="spark")


# --- The axis of dates ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimeAxis:
    begin: datetime
    end: datetime

    def __call__(self, text: str) -> float:
        """The position of a time as a fraction of the width; 0 for an invalid one, an end for one that is outside."""
        time = parse_time(text)
        return 0.0 if time is None else self.position(time)

    def position(self, time: datetime) -> float:
        length = (self.end - self.begin).total_seconds() or 1.0
        return min(max((time - self.begin).total_seconds() / length, 0.0), 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """Round dates with their positions, as many as have room: ``09:00``, ``18 Jun``, ``Jun``, ``2026``."""
        for style, dates in self._round_dates():
            times = [time for time in takewhile(lambda time: time <= self.end, dates) if time >= self.begin]
            positions = [self.position(time) for time in times]
            gaps = [after - before for before, after in pairwise(positions)]
            if times and (not gaps or min(gaps) >= _GAP):
                return [(at, _tick(time, style)) for at, time in zip(positions, times, strict=True)]
        return []

    def _round_dates(self) -> Iterator[tuple[str, Iterator[datetime]]]:
        """From the densest to the sparsest, each from before the beginning."""
        length = self.end - self.begin
        midnight = self.begin.replace(hour=0, minute=0, second=0, microsecond=0)
        monday = midnight - timedelta(days=self.begin.weekday())
        if length < timedelta(days=2):
            yield from (("%H:%M", _every(midnight, timedelta(hours=hours))) for hours in (1, 3, 6, 12))
        if length < timedelta(days=120):
            yield from (("%-d %b", _every(monday, timedelta(days=days))) for days in (1, 2, 7, 14, 28))
        new_year = midnight.replace(month=1, day=1)
        yield from (("%b", _every_month(new_year, months)) for months in (1, 2, 3, 6, 12, 24, 60, 120))


def time_axis(times: list[str]) -> TimeAxis | None:
    """From the first to the last time, with a small margin; None without any."""
    known = [time for time in map(parse_time, times) if time is not None]
    if not known:
        return None
    margin = max((max(known) - min(known)) * 0.02, timedelta(minutes=1))
    return TimeAxis(min(known) - margin, max(known) + margin)


def _tick(time: datetime, style: str) -> str:
    """A new year is shown as its number."""
    if style == "%b" and time.month == 1:
        return str(time.year)
    return f"{time.day} {time:%b}" if style == "%-d %b" else f"{time:{style}}"


def _every(begin: datetime, step: timedelta) -> Iterator[datetime]:
    return (begin + number * step for number in count())


def _every_month(begin: datetime, step: int) -> Iterator[datetime]:
    months = range(0, (MAXYEAR - begin.year) * _MONTHS, step)
    return (begin.replace(year=begin.year + month // _MONTHS, month=month % _MONTHS + 1) for month in months)
