"""The two charts of a capacity: latency over load, and the shares of requests over their limits and failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from perfcheck.model import CapacityResult, CapacityStep, LoadModel
from perfcheck.report.html.axes import Linear, Log, fitting, round_ticks
from perfcheck.report.html.svg import (
    CSS,
    Point,
    Svg,
    chart,
    dots,
    horizontal,
    label,
    layer,
    rect,
    vertical,
    with_labels,
)
from perfcheck.units import format_load, format_ms, format_percentage

_HEIGHT = 196
_TOP, _BOTTOM = 22.0, 170.0
_PLOT = _BOTTOM - _TOP
_SHARES = (0.001, 0.01, 0.1, 1.0)  # of requests: the lowest stands for less, too


def latency_over_load(result: CapacityResult) -> Svg | None:
    """The median and p95 of each step; None where no step was judged."""
    steps = _judged(result)
    if not steps:
        return None
    limits = sorted({*result.limits_ms.values()})
    only_limit = limits[0] if len(limits) == 1 else None  # several are no line
    y = fitting([*(step.median_ms for step in steps), *(step.p95_ms for step in steps), only_limit])
    lines = [(_BOTTOM - y(ms) * _PLOT, format_ms(ms) if ms else "0") for ms in round_ticks(y, 0.2)]
    limit = [horizontal(0, 1, _BOTTOM - y(only_limit) * _PLOT, "target")] if only_limit else []
    x = _loads(result, steps)
    points = {
        "before": [(x(step.load), 1 - y(step.median_ms)) for step in steps if step.median_ms],
        "now": [(x(step.load), 1 - y(step.p95_ms)) for step in steps if step.p95_ms],
    }
    words = f"latency at {len(steps)} loads; {_answer_in_words(result)}"
    return _curve(result, x, lines, limit, points, words)


def shares_over_load(result: CapacityResult) -> Svg | None:
    """The share over the limits, and that of failures; the line is what is allowed over the limits."""
    steps = _judged(result)
    if not steps:
        return None
    y = Log(_SHARES[0], 1.0)
    lines = [(_BOTTOM - y(share) * _PLOT, format_percentage(share)) for share in _SHARES]
    allowed = [horizontal(0, 1, _BOTTOM - y(result.allowed_over) * _PLOT, "target")]
    x = _loads(result, steps)
    points = {
        "before": [(x(step.load), 1 - y(step.failed)) for step in steps if step.failed is not None],
        "now": [(x(step.load), 1 - y(step.over)) for step in steps if step.over is not None],
    }
    words = f"share of requests over their limits at {len(steps)} loads; {_answer_in_words(result)}"
    return _curve(result, x, lines, allowed, points, words)


def _judged(result: CapacityResult) -> Sequence[CapacityStep]:
    return [step for step in result.steps if step.holds is not None and step.load > 0]


def _loads(result: CapacityResult, steps: Iterable[CapacityStep]) -> Linear | Log:
    return fitting([*(step.load for step in steps), result.value, *result.interval, result.at_least])


def _curve(
    result: CapacityResult,
    x: Linear | Log,
    lines: Sequence[tuple[float, str]],
    limit: Sequence[str],
    points: dict[str, list[Point]],
    words: str,
) -> Svg:
    parts = [rect(0, 1, _TOP, _PLOT, "zn"), *(horizontal(0, 1, at, "limit") for at, _ in lines), *limit]
    parts += [layer([dots(series, css) for css, series in points.items()], top=_TOP, height=_PLOT)]
    parts += [*_answer(result, x), horizontal(0, 1, _BOTTOM, "base")]
    parts += [label(x(load), _BOTTOM + 16, _load(result, load), "tick", edge=0.06) for load in round_ticks(x) if load]
    return with_labels(lines, chart(_HEIGHT, parts, title=words), _HEIGHT)


def _answer(result: CapacityResult, x: Linear | Log) -> Iterator[str]:
    css = CSS[result.verdict]
    low, high = result.interval
    if low is not None or high is not None:
        left, right = 0.0 if low is None else x(low), 1.0 if high is None else x(high)
        yield rect(left, max(right, left + 0.002), _BOTTOM - 2, 4, f"iv {css}")
    if result.at_least is not None:
        yield vertical(x(result.at_least), _TOP, _BOTTOM, "target")
    if result.value is not None:
        yield vertical(x(result.value), _TOP - 4, _BOTTOM, f"value {css}")
        yield label(x(result.value), 13, _load(result, result.value), f"big {css}", edge=0.16)


def _answer_in_words(result: CapacityResult) -> str:
    return "its capacity is not known" if result.value is None else f"they hold up to {_load(result, result.value)}"


def _load(result: CapacityResult, amount: float) -> str:
    return format_load(amount, is_rate=result.model is LoadModel.RATE)
