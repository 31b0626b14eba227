"""The figures of one endpoint over a period, as all reports write them."""

from __future__ import annotations

from perfcheck.model import Changed, Metric, Source
from perfcheck.periods.model import EndpointSummary, PeriodReport
from perfcheck.periods.report.wording import LONGEST_NAME
from perfcheck.text import clean
from perfcheck.units import format_ms, format_multiple, format_percentage

MANIFOLD = 3.0  # from here on a multiple says more than a percentage


def metric_name(metric: Metric) -> str:
    return "mean" if metric is Metric.MEAN else str(metric)


def percent_change(ratio: float) -> str:
    """``+31%``, ``-20%``, ``3.4x``."""
    return format_multiple(ratio) if ratio >= MANIFOLD else f"{(ratio - 1) * 100:+.0f}%"


def slower_by(ratio: float) -> str:
    """``31% slower``, ``20% faster``, ``3.4x slower``."""
    if ratio >= MANIFOLD:
        return f"{format_multiple(ratio)} as slow"
    return f"{abs(ratio - 1) * 100:.0f}% {'slower' if ratio >= 1 else 'faster'}"


def changed(one: EndpointSummary) -> str:
    """For a table: as far as a change was found."""
    if one.changed is Changed.CANNOT_TELL:
        return "too few runs"
    if one.changed is Changed.NO_CHANGE or one.ratio is None:
        return "back" if one.steps > 1 else "none"
    return percent_change(one.ratio)


def from_to(before: float | None, after: float | None) -> str:
    """``212 to 281`` in milliseconds; once, where they look the same."""
    ends = dict.fromkeys(format_ms(value, unit=False) for value in (before, after) if value is not None)
    return " to ".join(ends) or "-"


def spreads(one: EndpointSummary) -> str:
    values = [value for value in (one.begin_spread, one.end_spread) if value is not None]
    return " to ".join(dict.fromkeys(f"{value * 100:.0f}" for value in values)) + "%" if values else "-"


def errors(one: EndpointSummary) -> str:
    return "-" if one.error_rate is None else "0" if not one.error_rate else format_percentage(one.error_rate)


def headroom(fraction: float | None) -> str:
    """``42%`` of the target are left; below 0 it is over it."""
    return "-" if fraction is None else f"{fraction * 100:.0f}%"


def requests(one: EndpointSummary) -> str:
    return (
        f"{one.requests}"
        if one.traffic is None or one.source is Source.MONITORED
        else f"{one.requests}, {one.traffic} by others"
    )


def which_series(report: PeriodReport, one: EndpointSummary) -> str:
    """What tells it from others of the same name: by the monitor, on a machine, or one of several there."""
    others = [other for other in report.endpoints if other.name == one.name and other is not one]
    told = ["by the monitor"] if one.source is Source.MONITORED else []
    alike = [other for other in others if other.source is one.source]
    if any(other.machine != one.machine for other in alike):
        told.append(f"on {clean(one.machine, LONGEST_NAME)}")
    if any(other.machine == one.machine for other in alike):
        told.append(f"series {clean(one.series, 8)}")
    return ", ".join(told)


def of_machine(report: PeriodReport, machine: str) -> str:
    """`` on Linux x86_64, 2 CPUs`` where there are several."""
    return f" on {clean(machine, LONGEST_NAME)}" if len(report.machines) > 1 else ""
