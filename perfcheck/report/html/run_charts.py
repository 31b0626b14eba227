"""The two charts of a run: every endpoint on one scale, and every request over the time of the run.

On the first a value is a multiple of its own target, so that 5 ms and 2 s fit on one axis; on the second, of the median
of its own endpoint. A service that is slow throughout does not show there; what hit all endpoints at once does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median_high

from perfcheck.model import EndpointChange, EndpointResult, Metric, Reference, Rule, Run, Unit, Verdict
from perfcheck.report.explain import qualified_verdict, reasons
from perfcheck.report.figures import (
    change_interval,
    change_text,
    compared_text,
    interval_ends,
    interval_in_words,
    measured,
    ratio_to_target,
)
from perfcheck.report.html.axes import (
    Knee,
    Linear,
    Log,
    Scale,
    change_axis,
    fitting,
    limits_of,
    ratio_axis,
    ratio_ticks,
    round_ticks,
    zones,
)
from perfcheck.report.html.endpoint_charts import clock_label
from perfcheck.report.html.svg import (
    CSS,
    Point,
    Svg,
    chart,
    decoration,
    dots,
    horizontal,
    label,
    layer,
    mark,
    outline,
    rect,
    ribbon,
    spans,
    text_at,
    vertical,
    with_labels,
)
from perfcheck.units import format_change, format_figure, format_from_to, format_multiple, format_percentage
from perfcheck.words import plural

_ROW = 30  # pixels
_AXIS = 22
_RUG = 26
_METER = 6
_ABOVE_ALL = 6.0  # times the target: how far up an interval may stretch the axis


def common_axis(results: Sequence[EndpointResult], reference: Reference) -> Knee:
    """One axis for all endpoints that have a target, or a latency before."""
    ratios, limits = [1.0], [1.0]
    for result in results:
        if not result.target_ms:
            continue
        ratios += [result.ratio] if result.ratio else []
        ratios += [min(ms / result.target_ms, _ABOVE_ALL) for ms in result.interval_ms[1:] if ms is not None]
        limits += [ms / result.target_ms for ms in (result.warning_ms, result.critical_ms) if ms is not None]
    return (change_axis if reference is Reference.BEFORE else ratio_axis)(ratios, limits)


def absolute_axis(results: Sequence[EndpointResult]) -> Linear | Log:
    """For the endpoints without a target, all of one unit."""
    return fitting(
        [ms for result in results for ms in (result.value_ms, *result.interval_ms, limits_of(result).warning)]
    )


def ratio_scale_marks(scale: Knee, reference: Reference) -> Svg:
    figure = format_change if reference is Reference.BEFORE else "{:,.10g}x".format
    names = {0.0: "-100%" if reference is Reference.BEFORE else "0", 1.0: str(reference)}
    ticks = [(scale(tick), names.get(tick) or figure(tick)) for tick in ratio_ticks(scale)]
    return decoration(_AXIS, [label(at, 13, name, "tick", edge=0.02) for at, name in ticks], "axis")


def absolute_scale_marks(scale: Linear | Log, unit: Unit) -> Svg:
    parts = [label(scale(tick), 13, format_figure(tick, unit), "tick", edge=0.04) for tick in round_ticks(scale)]
    return decoration(_AXIS, parts, "axis")


def row(result: EndpointResult, scale: Scale, change: EndpointChange | None) -> Svg:
    """One endpoint: zones, interval, value, and a ring where it was in the earlier run."""
    factor = 1 / result.target_ms if result.target_ms else 1.0
    middle = _ROW / 2
    bands = zones(limits_of(result), factor, scale) or [(0.0, 1.0, "zn")]
    parts = [rect(left, right, 0, _ROW, css) for left, right, css in bands]
    if result.ideal_ms and result.value_ms is not None:
        parts.append(vertical(scale(result.ideal_ms * factor), 9, _ROW - 9, "ideal"))
    if result.target_ms:
        parts.append(vertical(scale(1.0), 0, _ROW, "target"))
    if result.value_ms is None:
        parts.append(text_at(0.015, middle + 4, without_value(result), "remark"))
        return chart(_ROW, parts, title=_row_in_words(result, change), css="chart row")
    css = CSS[result.verdict]
    # A change is that of all pairs, not the quotient of two medians, which its interval need not enclose.
    at = scale(result.value_ms * factor if result.ratio is None else result.ratio)
    parts += _interval_bar(result, factor, scale, middle, css)
    if change is not None:
        before = scale(change.before_ms * factor)
        parts += [
            rect(min(before, at), max(before, at), middle - 0.5, 1, "moved"),
            mark("m-ring", before, middle, "was"),
        ]
    parts.append(mark(f"m-{css}", at, middle, f"v {css}"))
    if result.over_timeout:
        parts.append(mark("m-beyond", at, middle, css))
    return chart(_ROW, parts, title=_row_in_words(result, change), css="chart row")


def _interval_bar(result: EndpointResult, factor: float, scale: Scale, y: float, css: str) -> list[str]:
    low, high = interval_ends(result)
    if low is None and high is None:
        return []
    left = 0.0 if low is None else scale(low * factor)
    right = 1.0 if high is None else scale(high * factor)
    parts = [rect(left, right, y - 3, 6, f"iv {css}")]
    parts += [mark("m-less", 0.0, y, css)] if low is None or (low > 0 and left == 0.0) else []
    parts += [mark("m-more", 1.0, y, css)] if high is None or right == 1.0 else []
    return parts


def judged_failure_rate(result: EndpointResult) -> float | None:
    """Where it is the first reason for the verdict."""
    heaviest = next(iter(reasons(result)), None)
    return heaviest.value if heaviest and heaviest.rule is Rule.ERROR_RATE else None


def without_value(result: EndpointResult) -> str:
    """Why an endpoint has no value, in a few words."""
    if rate := judged_failure_rate(result) or result.error_rate:
        return f"{format_percentage(rate)} of requests failed"
    return f"{plural(result.requests.sent, 'request')}, too few" if result.requests.sent else "no request sent"


def _row_in_words(result: EndpointResult, change: EndpointChange | None) -> str:
    """The figures of a row, for a screen reader and as a tooltip."""
    words = [qualified_verdict(result)]
    if result.value_ms is None:
        words.append(without_value(result))
    elif result.promise is Reference.TARGET:
        words.append(f"{'median ' * (result.metric is Metric.MEDIAN)}{measured(result, unit=True)}")
    if result.target_ms:
        words.append(relation_to_reference(result))
    if result.comparison and result.promise is Reference.BEFORE:
        words.append(f"{compared_text(result)}, interval of the change {change_interval(result)}")
    elif interval_text := interval_in_words(result):
        words.append(interval_text)
    limits = limits_of(result)
    figure = partial(format_figure, unit=result.unit)
    words += [f"{word} limit {figure(value)}" for value, word in limits.named if word != result.promise]
    if change is not None:
        words.append(f"before {figure(change.before_ms)}: {change_text(change)}")
    return "; ".join(words)


def relation_to_reference(result: EndpointResult) -> str:
    """``1.72x its target of 300 ms``; ``ceiling of 2 s``; ``median 212 -> 268 ms``."""
    if result.target_ms is None and result.ceiling_ms is not None:
        return f"ceiling of {format_figure(result.ceiling_ms, result.unit)}"
    if result.target_ms is None:
        return "no target yet" if result.promise is Reference.TARGET else "nothing to compare with"
    target, value = format_figure(result.target_ms, result.unit), result.value_ms
    if result.promise is Reference.BEFORE:
        both = f"{target} before" if value is None else format_from_to(result.target_ms, value, result.unit)
        return f"{result.metric_name} {both}"
    return f"target of {target}" if result.ratio is None else f"{ratio_to_target(result)} its target of {target}"


def meter(result: EndpointResult) -> Svg | None:
    """How much of the target is used up, as a bar; full from the target on."""
    if result.ratio is None or result.promise is Reference.BEFORE:
        return None
    css = f"m {CSS[result.verdict]}"
    bar = [rect(0, 1, 2, 2, "rail"), rect(0, max(min(result.ratio, 1.0), 0.02), 0, _METER, css)]
    return decoration(_METER, bar, "meter")


def rug(results: Sequence[EndpointResult], scale: Knee) -> Svg:
    """The endpoints that have no row of their own, each as a line on the same scale, coloured by verdict."""
    parts = [vertical(scale(1.0), 0, _RUG, "target")]
    for verdict in (Verdict.OK, Verdict.WARNING, Verdict.CRITICAL):
        ratios = [result.ratio for result in results if result.verdict is verdict and result.ratio is not None]
        positions = sorted({round(scale(ratio), 3) for ratio in ratios})
        parts.append(layer([spans(((at, 0.15, 0.85) for at in positions), f"rug {CSS[verdict]}")], top=0, height=_RUG))
    shown = sorted(result.ratio for result in results if result.ratio is not None)
    words = "none with a ratio to its target"
    if shown:
        words = f"from {format_multiple(shown[0])} to {format_multiple(shown[-1])} their targets"
    return chart(_RUG, [rect(0, 1, 0, _RUG, "zn"), *parts], title=f"{plural(len(results), 'more endpoint')}, {words}")


# --- All requests over the time of the run ---------------------------------------------------------------------------

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
    length = max(run.duration_ms, *(result.timeline.at_ms[-1] for result in results if result.timeline.at_ms)) or 1.0
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
    picture = chart(_HEIGHT, parts, title=_timeline_in_words(count, max(extremes), len(failures)))
    labels = [(at, f"{multiple:g}x") for at, multiple in lines]
    return RunTimeline(with_labels(labels, picture, _HEIGHT), binned=count > _MOST_POINTS, failures=bool(failures))


def _typical(result: EndpointResult) -> float | None:
    """The median of the judged stage; where it has none, of all that gave a latency."""
    if result.latency_ms.median:
        return result.latency_ms.median
    known = [ms for ms in result.timeline.latency_ms if ms]
    return median_high(known) if known else None


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
                kinds["all" if stage else "warm"].append((at / length, 1 - y(ms / median)))
    return [dots(points, css) for css, points in kinds.items()]


def _bands(results: list[EndpointResult], medians: dict[int, float], length: float, count: int, y: Log) -> list[str]:
    """For each time slot the middle 80%, the median and the greatest, since nobody can see half a million dots."""
    every = count // _MOST_FOR_BANDS + 1
    factor = (_BINS - 1e-9) / length
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
    lines: dict[float, list[Point]] = {0.1: [], 0.5: [], 0.9: []}
    for i, ratios in enumerate(bins):
        ratios.sort()
        for quantile, line in lines.items():
            if ratios:
                line.append(((i + 0.5) / _BINS, 1 - y(ratios[round((len(ratios) - 1) * quantile)])))
    lower, middle, upper = lines.values()
    tops = [((i + 0.5) / _BINS, 1 - y(ratio)) for i, ratio in enumerate(highest) if ratio]
    return [ribbon(upper, lower, "band"), outline(middle, "middle"), dots(tops, "all")]


def _failures(run: Run, length: float) -> list[float]:
    """Their positions, no more than can be seen apart."""
    timelines = (result.timeline for result in run.endpoints if None in result.timeline.latency_ms)
    positions = {
        round(at / length * _FAILURE_BINS) / _FAILURE_BINS
        for line in timelines
        for at, ms, stage in zip(line.at_ms, line.latency_ms, line.stage, strict=True)
        if ms is None and stage
    }
    return sorted(positions)


def _timeline_in_words(count: int, highest: float, failures: int) -> str:
    failed = f", failures at {plural(failures, 'point')} in time" if failures else ", no failures"
    requests = f"{plural(count, 'request')} over the time of the run"
    return f"{requests}; the slowest took {highest:.1f} times its endpoint's median{failed}"
