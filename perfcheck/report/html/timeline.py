"""Requests over the time of the run: of one endpoint, its stages apart, and of all together, where a burst shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from perfcheck.model import EndpointResult, Timeline
from perfcheck.report.html.axes import Linear, Log, fitting, limits_of, round_ticks, zones
from perfcheck.report.html.svg import (
    Point,
    Svg,
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
    with_labels,
)
from perfcheck.units import format_ms

_HEIGHT = 132
_TOP, _BOTTOM = 22.0, 108.0
_MOST_DOTS = 150  # of one stage: over time they lie side by side, not on one another
_BINS = 60
_STAGES = ("warm-up", "first", "confirmation", "second confirmation")
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
    y = _upright([*(request.ms for request in requests), *(ms for ms, _ in limits.named)])
    plot = _BOTTOM - _TOP
    bands = zones(limits, 1.0, y)
    parts = [rect(0, 1, _BOTTOM - high * plot, (high - low) * plot, css) for low, high, css in bands]
    parts = parts or [rect(0, 1, _TOP, plot, "zn")]
    parts += _stage_names(requests)
    parts.append(_points(requests, y, plot))
    failures = _failure_marks(request.at for request in requests if request.ms is None)
    parts += [mark("m-failed", at, _TOP + 8, "failed") for at in failures]
    parts += [horizontal(0, 1, _BOTTOM - y(ms) * plot, "limit") for ms, _ in limits.named]
    names = _names(
        [(_BOTTOM - y(ms) * plot, format_ms(ms)) for ms in (*(ms for ms, _ in limits.named), *round_ticks(y))]
    )
    parts += [horizontal(0, 1, _BOTTOM, "base"), *_ends(times[0], times[-1])]
    return with_labels(names, chart(_HEIGHT, parts, title=_description(line)), _HEIGHT)


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
    changes = [(a, b) for a, b in pairwise(requests) if a.stage != b.stage and a.stage]
    middles = [(before.at + after.at) / 2 for before, after in changes]
    parts = [vertical(at, _TOP - 12, _BOTTOM, "stage") for at in middles]
    if not middles:
        return parts
    names = [_STAGES[min(after.stage, 3)] for _, after in changes]
    starts = zip([0.0, *middles], [*middles, 1.0], ["first", *names], strict=True)
    fitting_names = ((left, name) for left, right, name in starts if right - left > _LETTER * len(name))
    return parts + [text_at(left + 0.01, 14, name, "tick") for left, name in fitting_names]


def _points(requests: Sequence[_Request], y: Linear | Log, plot: float) -> str:
    judged = max(request.stage for request in requests)
    parts = []
    for stages, css in ((range(1), "warm"), (range(1, judged), "before"), (range(max(judged, 1), judged + 1), "now")):
        points = [
            (request.at, 1 - y(request.ms))
            for request in requests
            if request.stage in stages and request.ms is not None
        ]
        parts.append(dots(points, css) if len(points) <= _MOST_DOTS else _binned(points, css))
    return layer(parts, top=_TOP, height=plot)


def _binned(points: Iterable[Point], css: str) -> str:
    """Too many for a dot each: in each time slot a stroke from the least to the greatest, and a dot for the median."""
    slots: dict[int, list[float]] = {}
    for at, height in points:
        slots.setdefault(int(at * _BINS), []).append(height)
    middle = [((i + 0.5) / _BINS, sorted(heights)[len(heights) // 2]) for i, heights in slots.items()]
    strokes = [((i + 0.5) / _BINS, min(heights), max(heights)) for i, heights in slots.items()]
    return spans(strokes, f"range {css}") + dots(middle, css)


def _failure_marks(positions: Iterable[float]) -> list[float]:
    """No more than can be seen apart."""
    return sorted({round(at * _BINS) / _BINS for at in positions})


def _names(lines: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """From the most telling one on, without those that have no room for their label."""
    placed = [(_BOTTOM, "0")]
    for y, text in lines:
        if all(abs(y - other) >= _LABEL for other, _ in placed):
            placed.append((y, text))
    return placed[1:]


def _description(line: Timeline) -> str:
    stages = [(name, line.stage.count(i)) for i, name in enumerate(_STAGES)]
    counted = ", ".join(f"{count} {name}" for name, count in stages if count)
    failed = sum(outcome != "ok" for outcome in line.outcome)
    failures = f"; {failed} failed" if failed else ""
    return f"Over time: {counted}, from {_clock(line.at_ms[0])} to {_clock(line.at_ms[-1])} of the run{failures}"


def clock_label(at: float, y: float, ms: float) -> str:
    return label(at, y, _clock(ms), "tick", edge=0.05)
