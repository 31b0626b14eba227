"""All requests of all endpoints over the time of the run, each as a multiple of its own endpoint's median.

A service that is slow throughout does not show here; what hit all endpoints at once does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from perfcheck.model import EndpointResult, Run
from perfcheck.report.html.axes import Log
from perfcheck.report.html.endpoint_charts import clock_label
from perfcheck.report.html.svg import (
    Point,
    Svg,
    chart,
    dots,
    horizontal,
    layer,
    mark,
    outline,
    rect,
    ribbon,
    with_labels,
)

_HEIGHT = 196
_TOP, _BOTTOM = 18.0, 170.0
_PLOT = _BOTTOM - _TOP
_MOST_POINTS = 2500
_BINS = 120
_MOST_FOR_BANDS = 60_000  # samples: more change a quantile by less than its line is wide
_FAILURE_BINS = 100
_MULTIPLES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class RunTimeline:
    picture: Svg
    binned: bool  # quantiles of each time slot, in place of a dot for each request
    failures: bool


def run_timeline(run: Run) -> RunTimeline | None:
    """None when there is nothing to show: no request gave a latency."""
    medians = {id(result): median for result in run.endpoints if (median := _typical(result))}
    results = [result for result in run.endpoints if id(result) in medians]
    count = sum(len(result.timeline.at_ms) for result in results)
    if not count:
        return None
    length = max(run.duration_ms, *(result.timeline.at_ms[-1] for result in results if result.timeline.at_ms))
    extremes = [ms / medians[id(result)] for result in results for ms in _ends(result)]
    y = Log(min(0.4, max(min(extremes) * 0.9, 0.05)), max(3.0, max(extremes) * 1.2))
    lines = [(_BOTTOM - y(multiple) * _PLOT, multiple) for multiple in _MULTIPLES if y.low < multiple < y.high]
    parts = [rect(0, 1, _TOP, _PLOT, "zn")]
    parts += [horizontal(0, 1, at, "target" if multiple == 1 else "limit") for at, multiple in lines]
    content = _bands(results, medians, length, count, y) if count > _MOST_POINTS else _dots(results, medians, length, y)
    parts.append(layer(content, top=_TOP, height=_PLOT))
    failures = _failures(run, length)
    parts += [mark("m-failed", at, _TOP + 8, "failed") for at in failures]
    parts += [horizontal(0, 1, _BOTTOM, "base")]
    parts += [clock_label(i / 4, _BOTTOM + 16, length * i / 4) for i in range(5)]
    picture = chart(_HEIGHT, parts, title=_description(count, max(extremes), len(failures)))
    labels = [(at, f"{multiple:g}x") for at, multiple in lines]
    return RunTimeline(with_labels(labels, picture, _HEIGHT), binned=count > _MOST_POINTS, failures=bool(failures))


def _typical(result: EndpointResult) -> float | None:
    """The median of the judged stage; where it has none, of all that gave a latency."""
    if result.latency_ms.median:
        return result.latency_ms.median
    known = sorted(ms for ms in result.timeline.latency_ms if ms)
    return known[len(known) // 2] if known else None


def _ends(result: EndpointResult) -> Iterator[float]:
    known = [ms for ms in result.timeline.latency_ms if ms]
    if known:
        yield min(known)
        yield max(known)


def _dots(results: list[EndpointResult], medians: dict[int, float], length: float, y: Log) -> list[str]:
    kinds: dict[str, list[Point]] = {"warm": [], "all": []}
    for result in results:
        line, median = result.timeline, medians[id(result)]
        for at, ms, stage in zip(line.at_ms, line.latency_ms, line.stage, strict=True):
            if ms:
                kinds["all" if stage else "warm"].append((at / (length or 1), 1 - y(ms / median)))
    return [dots(points, css) for css, points in kinds.items()]


def _bands(results: list[EndpointResult], medians: dict[int, float], length: float, count: int, y: Log) -> list[str]:
    """For each time slot the middle 80%, the median and the greatest, since nobody can see half a million dots."""
    every = count // _MOST_FOR_BANDS + 1
    factor = (_BINS - 1e-9) / (length or 1)
    bins: list[list[float]] = [[] for _ in range(_BINS)]
    highest = [0.0] * _BINS
    seen = 0
    for result in results:
        line, median = result.timeline, medians[id(result)]
        for at, ms in zip(line.at_ms, line.latency_ms, strict=True):
            if not ms:
                continue
            i, ratio = int(at * factor), ms / median
            highest[i] = max(highest[i], ratio)
            seen += 1
            if seen % every == 0:
                bins[i].append(ratio)
    return _drawn(bins, highest, y)


def _drawn(bins: list[list[float]], highest: list[float], y: Log) -> list[str]:
    upper: list[Point] = []
    middle: list[Point] = []
    lower: list[Point] = []
    for i, ratios in enumerate(bins):
        if ratios:
            ratios.sort()
            x, last = (i + 0.5) / _BINS, len(ratios) - 1
            for line, quantile in ((lower, 0.1), (middle, 0.5), (upper, 0.9)):
                line.append((x, 1 - y(ratios[round(last * quantile)])))
    tops = [((i + 0.5) / _BINS, 1 - y(ratio)) for i, ratio in enumerate(highest) if ratio]
    return [ribbon(upper, lower, "band"), outline(middle, "middle"), dots(tops, "all")]


def _failures(run: Run, length: float) -> list[float]:
    positions = set()
    for result in run.endpoints:
        line = result.timeline
        if None not in line.latency_ms:
            continue
        for at, ms, stage in zip(line.at_ms, line.latency_ms, line.stage, strict=True):
            if ms is None and stage:
                positions.add(round(at / (length or 1) * _FAILURE_BINS) / _FAILURE_BINS)
    return sorted(positions)


def _description(count: int, highest: float, failures: int) -> str:
    failed = f", failures at {failures} points in time" if failures else ", no failures"
    return (
        f"{count} requests over the time of the run; the slowest took {highest:.1f} times its endpoint's median{failed}"
    )
