"""All requests of all endpoints over the time of the run, each as a multiple of its own endpoint's median.

A service that is slow throughout does not show here; what hit all endpoints at one moment does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from perfcheck.model import EndpointResult, Run
from perfcheck.report.html.scale import Log
from perfcheck.report.html.svg import Point, Svg, beside, chart, dots, horizontal, layer, mark, outline, rect, ribbon
from perfcheck.report.html.timeline import clock_label, ends_of

_HEIGHT = 196
_TOP, _BOTTOM = 18.0, 170.0
_PLOT = _BOTTOM - _TOP
_MOST_POINTS = 2500
_BINS = 120
_MOST_FOR_BANDS = 60_000  # samples: more change a quantile by less than its line is wide
_FAILURE_BINS = 100
_MULTIPLES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

Moment = tuple[float, float]  # fraction of the run's time, multiple of the median


@dataclass(frozen=True, slots=True)
class Strip:
    picture: Svg
    binned: bool  # quantiles of each short while, in place of a dot for each request
    failures: bool


def whole_run(run: Run) -> Strip | None:
    """None when there is nothing to show: no request gave a latency."""
    medians = {id(one): median for one in run.endpoints if (median := _typical(one))}
    results = [one for one in run.endpoints if id(one) in medians]
    count = sum(len(one.timeline.at_ms) for one in results)
    if not count:
        return None
    _, length = ends_of(run)
    extremes = [ms / medians[id(one)] for one in results for ms in _ends(one)]
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
    picture = chart(_HEIGHT, parts, title=_in_words(count, max(extremes), len(failures)))
    labels = [(at, f"{multiple:g}x") for at, multiple in lines]
    return Strip(beside(labels, picture, _HEIGHT), binned=count > _MOST_POINTS, failures=bool(failures))


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
    kinds: dict[str, list[Moment]] = {"warm": [], "all": []}
    for one in results:
        line, median = one.timeline, medians[id(one)]
        for at, ms, stage in zip(line.at_ms, line.latency_ms, line.stage, strict=True):
            if ms:
                kinds["all" if stage else "warm"].append((at / (length or 1), 1 - y(ms / median)))
    return [dots(points, css) for css, points in kinds.items()]


def _bands(results: list[EndpointResult], medians: dict[int, float], length: float, count: int, y: Log) -> list[str]:
    """For each short while the middle 80%, the median and the greatest, since nobody can see half a million dots."""
    every = count // _MOST_FOR_BANDS + 1
    factor = (_BINS - 1e-9) / (length or 1)
    bins: list[list[float]] = [[] for _ in range(_BINS)]
    highest = [0.0] * _BINS
    seen = 0
    for one in results:
        line, median = one.timeline, medians[id(one)]
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
            for places, quantile in ((lower, 0.1), (middle, 0.5), (upper, 0.9)):
                places.append((x, 1 - y(ratios[round(last * quantile)])))
    tops = [((i + 0.5) / _BINS, 1 - y(ratio)) for i, ratio in enumerate(highest) if ratio]
    return [ribbon(upper, lower, "band"), outline(middle, "middle"), dots(tops, "all")]


def _failures(run: Run, length: float) -> list[float]:
    places = set()
    for one in run.endpoints:
        line = one.timeline
        if None not in line.latency_ms:
            continue
        for at, ms, stage in zip(line.at_ms, line.latency_ms, line.stage, strict=True):
            if ms is None and stage:
                places.add(round(at / (length or 1) * _FAILURE_BINS) / _FAILURE_BINS)
    return sorted(places)


def _in_words(count: int, highest: float, failures: int) -> str:
    failed = f", failures at {failures} moments" if failures else ", no failures"
    return (
        f"{count} requests over the time of the run; the slowest took {highest:.1f} times its endpoint's median{failed}"
    )
