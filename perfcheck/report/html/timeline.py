"""Requests over the time of the run: of one endpoint, its stages apart, and of all together, where a burst shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from perfcheck.model import EndpointResult, Run, Timeline
from perfcheck.report.html.limits import limits_of, zones
from perfcheck.report.html.scale import Linear, Log, fitting, round_ticks
from perfcheck.report.html.svg import (
    Point,
    Svg,
    beside,
    chart,
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

_HEIGHT = 132
_TOP, _BOTTOM = 22.0, 108.0
_MOST_DOTS = 150  # of one stage: over time they lie side by side, not on one another
_BINS = 60
_STAGES = ("warm-up", "first", "again", "third time")
_INSET = 0.02  # so that the first and last dots do not stand on the frame
_LABEL = 14.0  # pixels between two labels


@dataclass(frozen=True, slots=True)
class _Request:
    at: float  # fraction of the width
    ms: float | None
    stage: int


def over_time(result: EndpointResult) -> Svg | None:
    """Of one endpoint, from its first request to its last. None when it was never asked."""
    times = result.timeline.at_ms
    if not times:
        return None
    x = _time_axis(times[0], times[-1])
    line = result.timeline
    asked = [_Request(x(at), ms, stage) for at, ms, stage in zip(times, line.latency_ms, line.stage, strict=True)]
    limits = limits_of(result)
    y = _upright([*(one.ms for one in asked), *(ms for ms, _ in limits.named)])
    plot = _BOTTOM - _TOP
    bands = zones(limits, 1.0, y)
    parts = [rect(0, 1, _BOTTOM - high * plot, (high - low) * plot, css) for low, high, css in bands]
    parts = parts or [rect(0, 1, _TOP, plot, "zn")]
    parts += _stage_names(asked)
    parts.append(_points(asked, y, plot))
    parts += [mark("m-failed", at, _TOP + 8, "failed") for at in _places(one.at for one in asked if one.ms is None)]
    parts += [horizontal(0, 1, _BOTTOM - y(ms) * plot, "limit") for ms, _ in limits.named]
    names = _names(
        [(_BOTTOM - y(ms) * plot, format_ms(ms)) for ms in (*(ms for ms, _ in limits.named), *round_ticks(y))]
    )
    parts += [horizontal(0, 1, _BOTTOM, "base"), *_ends(times[0], times[-1])]
    return beside(names, chart(_HEIGHT, parts, title=_in_words(line)), _HEIGHT)


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


def _stage_names(asked: Sequence[_Request]) -> list[str]:
    """A line half way between the stages, and over each its name."""
    changes = [(a, b) for a, b in pairwise(asked) if a.stage != b.stage and a.stage]
    middles = [(before.at + after.at) / 2 for before, after in changes]
    parts = [vertical(at, _TOP - 12, _BOTTOM, "stage") for at in middles]
    if not middles:
        return parts
    names = [_STAGES[min(after.stage, 3)] for _, after in changes]
    starts = zip([0.0, *middles], [*middles, 1.0], ["first", *names], strict=True)
    return parts + [text_at(left + 0.01, 14, name, "tick") for left, right, name in starts if right - left > 0.1]  # noqa: PLR2004


def _points(asked: Sequence[_Request], y: Linear | Log, plot: float) -> str:
    judged = max(one.stage for one in asked)
    parts = []
    for stages, css in ((range(1), "warm"), (range(1, judged), "before"), (range(max(judged, 1), judged + 1), "now")):
        points = [(one.at, 1 - y(one.ms)) for one in asked if one.stage in stages and one.ms is not None]
        parts.append(dots(points, css) if len(points) <= _MOST_DOTS else _binned(points, css))
    return layer(parts, top=_TOP, height=plot)


def _binned(points: Iterable[Point], css: str) -> str:
    """Too many for a dot each: in each short while a stroke from the least to the greatest, and a dot between."""
    columns: dict[int, list[float]] = {}
    for at, place in points:
        columns.setdefault(int(at * _BINS), []).append(place)
    middle = [((i + 0.5) / _BINS, sorted(places)[len(places) // 2]) for i, places in columns.items()]
    strokes = [((i + 0.5) / _BINS, min(places), max(places)) for i, places in columns.items()]
    return spans(strokes, f"range {css}") + dots(middle, css)


def _places(at: Iterable[float]) -> list[float]:
    """Of the failures: no more marks than can be seen apart."""
    return sorted({round(place * _BINS) / _BINS for place in at})


def _names(lines: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """From the most telling one on, without those that have no room for their label."""
    placed = [(_BOTTOM, "0")]
    for y, words in lines:
        if all(abs(y - other) >= _LABEL for other, _ in placed):
            placed.append((y, words))
    return placed[1:]


def _in_words(line: Timeline) -> str:
    stages = [(name, line.stage.count(i)) for i, name in enumerate(_STAGES)]
    counted = ", ".join(f"{count} {name}" for name, count in stages if count)
    failed = sum(outcome != "ok" for outcome in line.outcome)
    failures = f"; {failed} failed" if failed else ""
    return f"Over time: {counted}, from {_clock(line.at_ms[0])} to {_clock(line.at_ms[-1])} of the run{failures}"


def ends_of(run: Run) -> tuple[float, float]:
    """When the last request was sent, and the length of the run, in milliseconds."""
    last = max((one.timeline.at_ms[-1] for one in run.endpoints if one.timeline.at_ms), default=0.0)
    return last, max(run.duration_ms, last)


def clock_label(at: float, y: float, ms: float) -> str:
    return label(at, y, _clock(ms), "tick", edge=0.05)
