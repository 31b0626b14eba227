"""Where values and limits are on an axis, as fractions of its length. Pure arithmetic: nothing is drawn here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from perfcheck.model import EndpointResult, Reference, Rule

Item = TypeVar("Item")
_WIDE = 12.0  # a greater quotient of the highest to the lowest value calls for a logarithmic axis
_SMALLEST = 1e-6
_LINEAR_SHARE = 0.62  # of a `Knee` axis, at least


# An axis gives the position of a value: 0 at the lower end, 1 at the upper; what lies beyond is put at the end.


@dataclass(frozen=True, slots=True)
class Linear:
    low: float
    high: float

    def __call__(self, value: float) -> float:
        return _clip((value - self.low) / ((self.high - self.low) or 1.0))


@dataclass(frozen=True, slots=True)
class Log:
    low: float  # above 0
    high: float

    def __call__(self, value: float) -> float:
        if value <= self.low:
            return 0.0
        return _clip(math.log(value / self.low) / (math.log(self.high / self.low) or 1.0))


@dataclass(frozen=True, slots=True)
class Knee:
    """Linear from ``low`` to ``knee``, logarithmic from there to ``high``.

    Up to the limits distances can be compared by eye; a value thirty times too high is still on the axis, and does not
    press all others into a corner.
    """

    knee: float
    high: float
    low: float = 0.0

    def __call__(self, value: float) -> float:
        linear = (value - self.low) / (self.knee - self.low)
        if self.high <= self.knee:
            return _clip(linear)
        decades = math.log(self.high / self.knee)
        share = max(_LINEAR_SHARE, 1 / (1 + decades))  # with the latter the axis has no bend at the knee
        if value <= self.knee:
            return _clip(linear * share)
        return _clip(share + (1 - share) * math.log(value / self.knee) / decades)


Scale = Linear | Log | Knee


def _clip(fraction: float) -> float:
    return min(max(fraction, 0.0), 1.0)


def fitting(values: Iterable[float | None]) -> Linear | Log:
    """An axis in milliseconds that holds all values: linear from 0, or logarithmic where they span too much."""
    known = [value for value in values if value is not None and value > 0 and math.isfinite(value)]
    low, high = min(known, default=1.0), max(known, default=1.0)
    if high / low > _WIDE:
        return Log(max(low / 1.4, _SMALLEST), high * 1.25)
    return Linear(0.0, high * 1.08)


def ratio_axis(ratios: Iterable[float], limits: Iterable[float]) -> Knee:
    """The common axis of all endpoints: the measured value as a multiple of its own target."""
    knee = min(max([2.0, *limits]), 4.0)
    return Knee(knee, max([knee * 1.3, *(ratio * 1.1 for ratio in ratios)]))


def change_axis(ratios: Iterable[float], limits: Iterable[float]) -> Knee:
    """The same for changes, most of which are small: half as long as before stands at the left, if nothing is less."""
    knee, known = min(max([1.5, *limits]), 4.0), [1.0, *ratios]
    return Knee(knee, max(knee * 1.1, max(known) * 1.1), low=0.5 if min(known) > 0.5 else 0.0)  # noqa: PLR2004


def ratio_ticks(scale: Knee) -> list[float]:
    """Round multiples, none so near to another that their labels touch; 1 has room in any case."""
    multiples = [multiple for multiple in _one_two_five(scale.high, 3.0) if multiple > 3.0]  # noqa: PLR2004
    quarters = (0.75, 1.25) if scale.low else ()
    ticks = (1.0, 0.0, 0.5, *quarters, 1.5, 2.0, 3.0, *multiples)
    return sorted(far_apart((tick for tick in ticks if scale.low <= tick <= scale.high), scale, 0.1))


def far_apart(items: Iterable[Item], position: Callable[[Item], float], apart: float) -> list[Item]:
    """From the first on, those that have room: none is nearer than ``apart`` to one before it."""
    kept: list[Item] = []
    for item in items:
        if all(abs(position(item) - position(other)) >= apart for other in kept):
            kept.append(item)
    return kept


def round_ticks(scale: Linear | Log, apart: float = 0.14) -> list[float]:
    """Round values between the ends of an axis, with room for their labels: 0, 200, 400 or 1, 10, 100."""
    if isinstance(scale, Linear):
        step = next(step for step in _one_two_five(scale.high) if scale(step) >= apart)
        return [i * step for i in range(math.floor(scale.high / step) + 1)]
    ticks = (tick for tick in _one_two_five(scale.high, scale.low) if scale.low <= tick <= scale.high)
    return far_apart(ticks, scale, apart)


def _one_two_five(high: float, low: float | None = None) -> list[float]:
    """1, 2, 5, 10, ... from below ``low``, or from a thousandth of ``high``, to above ``high``."""
    first = math.floor(math.log10(low if low is not None else high / 1000))
    last = math.ceil(math.log10(high)) + 1
    return [digit * 10.0**power for power in range(first, last) for digit in (1, 2, 5)]


def histogram(values: Sequence[float], scale: Scale, bins: int) -> list[int]:
    """How many values fall into each of ``bins`` equal parts of the axis."""
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int(scale(value) * bins))] += 1
    return counts


def shape(values: Sequence[float], bins: int) -> list[int]:
    """The same from the least to the greatest value; quick, for the many small pictures of a large run."""
    low, high = min(values), max(values)
    counts = [0] * bins
    if low == high:
        counts[bins // 2] = len(values)
        return counts
    factor = (bins - 1e-9) / (high - low)
    for value in values:
        counts[int((value - low) * factor)] += 1
    return counts


# --- Limits -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AxisLimits:
    """In milliseconds. ``critical`` is the ceiling where that is lower."""

    target: float | None
    warning: float | None
    critical: float | None
    ceiling: bool  # whether `critical` is the ceiling
    reference: Reference = Reference.TARGET  # what `target` is

    @property
    def is_of_change(self) -> bool:
        """Up to the warning limit nothing is judged: not slower than before."""
        return self.reference is Reference.BEFORE

    @property
    def named(self) -> list[tuple[float, str]]:
        """The most telling first."""
        word = "ceiling" if self.ceiling else "critical"
        named = [(self.target, str(self.reference)), (self.critical, word), (self.warning, "warning")]
        known = [(ms, word) for ms, word in named if ms is not None]
        return [(ms, word) for ms, word in known if word != "warning" or ms < (self.critical or math.inf)]


def limits_of(result: EndpointResult) -> AxisLimits:
    """Without a target the limit is the one that the finding names, where it has been broken."""
    warning = result.warning_ms
    if result.target_ms is None:
        slow = [f.limit for f in result.findings if f.rule is Rule.NEW_SLOW_ENDPOINT]
        warning = slow[0] if slow else None
    ceiling, critical = result.ceiling_ms, result.critical_ms
    by_ceiling = ceiling is not None and (critical is None or ceiling <= critical)
    return AxisLimits(result.target_ms, warning, ceiling if by_ceiling else critical, by_ceiling, result.promise)


def zones(limits: AxisLimits, factor: float, scale: Scale) -> list[tuple[float, float, str]]:
    """From, to (fractions of the axis) and class, for values of ``factor`` times a millisecond; none without limits."""
    if not limits.named:
        return []
    last = math.inf if limits.critical is None else limits.critical
    warning = min(last if limits.warning is None else limits.warning, last)
    target = min(warning if limits.target is None or limits.is_of_change else limits.target, warning)
    ends = [scale(end * factor) if math.isfinite(end) else 1.0 for end in (0.0, target, warning, last, math.inf)]
    bands = zip(ends, ends[1:], ("z0", "z1", "z2", "z3"), strict=False)
    return [(left, right, css) for left, right, css in bands if right > left]
