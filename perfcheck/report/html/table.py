"""One endpoint as a row of a table: those that are fine, and those for which a large run has no card left."""

from __future__ import annotations

from dataclasses import dataclass

from perfcheck.model import EndpointResult, Reference
from perfcheck.report.changes import Change
from perfcheck.report.comparison_words import change_interval, change_of
from perfcheck.report.html.distribution import sparkline
from perfcheck.report.html.svg import Svg, decoration, rect
from perfcheck.report.html.words import CSS, shown_name
from perfcheck.report.wording import ideal_met, interval, measured, ratio_to_target
from perfcheck.units import format_ms

_METER = 6  # pixels


@dataclass(frozen=True, slots=True)
class TableRow:
    anchor: str
    name: str
    css: str
    verdict: str
    value: str
    ideal: bool
    interval: str
    target: str
    ratio: str
    meter: Svg | None
    change: str
    requests: int
    spread: Svg | None
    notes: list[str]


def table_row(result: EndpointResult, anchor: str, change: Change | None) -> TableRow:
    compared = result.promise is Reference.BEFORE
    return TableRow(
        anchor=anchor,
        name=shown_name(result),
        css=CSS[result.verdict],
        verdict=str(result.verdict),
        value=measured(result),
        ideal=ideal_met(result),
        interval=change_interval(result) if compared else interval(result),
        target=format_ms(result.target_ms, unit=False),
        ratio=change_of(result) if compared else ratio_to_target(result),
        meter=None if compared else _meter(result),
        change=change.text if change else "",
        requests=result.requests.sent,
        spread=sparkline(result),
        notes=[finding.message for finding in result.findings],
    )


def _meter(result: EndpointResult) -> Svg | None:
    """How much of the promise is used up, as a bar; full from the target on."""
    if result.ratio is None:
        return None
    used = min(result.ratio, 1.0)
    css = CSS[result.verdict]
    return decoration(_METER, [rect(0, 1, 2, 2, "rail"), rect(0, max(used, 0.02), 0, _METER, f"m {css}")], "meter")
