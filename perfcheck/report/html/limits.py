"""The limits of an endpoint as the zones behind its values: within the target, over it, WARNING, CRITICAL."""

from __future__ import annotations

import math
from dataclasses import dataclass

from perfcheck.model import EndpointResult, Reference, Rule
from perfcheck.report.html.scale import Scale
from perfcheck.report.html.svg import rect


@dataclass(frozen=True, slots=True)
class Limits:
    """In milliseconds; None where there is none. ``critical`` is the ceiling where that is lower."""

    target: float | None
    warning: float | None
    critical: float | None
    ceiling: bool  # whether `critical` is the ceiling
    promise: Reference = Reference.TARGET  # what `target` is

    @property
    def named(self) -> list[tuple[float, str]]:
        """The most telling first."""
        word = "ceiling" if self.ceiling else "critical"
        all_of_them = [(self.target, str(self.promise)), (self.critical, word), (self.warning, "warning")]
        reached = [(ms, word) for ms, word in all_of_them if ms is not None]
        return [(ms, word) for ms, word in reached if word != "warning" or ms < (self.critical or math.inf)]


def limits_of(result: EndpointResult) -> Limits:
    """Without a target the limit is the one that the finding names, where it has been broken."""
    warning = result.warning_ms
    if result.target_ms is None:
        slow = [f.limit for f in result.findings if f.rule is Rule.NEW_SLOW_ENDPOINT]
        warning = slow[0] if slow else None
    ceiling, critical = result.ceiling_ms, result.critical_ms
    by_ceiling = ceiling is not None and (critical is None or ceiling <= critical)
    return Limits(result.target_ms, warning, ceiling if by_ceiling else critical, by_ceiling, result.promise)


def zones(limits: Limits, factor: float, scale: Scale) -> list[tuple[float, float, str]]:
    """From, to (fractions of the axis) and class, for values of ``factor`` times a millisecond; none without limits."""
    if not limits.named:
        return []
    last = math.inf if limits.critical is None else limits.critical
    warning = min(last if limits.warning is None else limits.warning, last)
    target = min(warning if limits.target is None else limits.target, warning)
    ends = [scale(end * factor) if math.isfinite(end) else 1.0 for end in (0.0, target, warning, last, math.inf)]
    bands = zip(ends, ends[1:], ("z0", "z1", "z2", "z3"), strict=False)
    return [(left, right, css) for left, right, css in bands if right > left]


def backdrop(limits: Limits, factor: float, scale: Scale, top: float, height: float) -> list[str]:
    return [rect(left, right, top, height, css) for left, right, css in zones(limits, factor, scale)]
