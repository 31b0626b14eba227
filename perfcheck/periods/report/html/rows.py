"""One endpoint in the summary of a period: its figures beside a small chart, and a large one where no card has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from perfcheck.model import Changed
from perfcheck.periods.model import EndpointSummary, LatencyChange, PeriodReport
from perfcheck.periods.report import figures, wording
from perfcheck.periods.report.html.chart import over_time, spark
from perfcheck.report.html.svg import CSS, Svg, decoration, rect
from perfcheck.units import format_ms

METER = 6  # pixels
_MOST_CHARTS = 40  # beside those on cards


@dataclass(frozen=True, slots=True)
class Row:
    """One endpoint in the summary."""

    name: str
    machine: str
    css: str
    verdict: str
    spark: Svg | None
    value: str
    metric: str
    change: str
    change_css: str
    p95: str
    spread: str
    errors: str
    target: str
    headroom: str
    meter: Svg | None
    requests: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An endpoint that has no card, over time."""

    name: str
    css: str
    verdict: str
    chart: Svg


def summary_row(report: PeriodReport, one: EndpointSummary) -> Row:
    return Row(
        name=wording.short_name(one.name),
        machine=figures.which_series(report, one),
        css=CSS[one.verdict],
        verdict=str(one.verdict),
        spark=spark(one, report.period),
        value=figures.from_to(one.begin_ms, one.end_ms),
        metric="" if one.metric == "median" else figures.metric_name(one.metric),
        change=figures.changed(one),
        change_css={Changed.SLOWER: "crit", Changed.FASTER: "ok"}.get(one.changed, "rest"),
        p95=figures.from_to(one.begin_p95_ms, one.end_p95_ms),
        spread=figures.spreads(one),
        errors=figures.errors(one),
        target=format_ms(one.target_ms, unit=False),
        headroom=figures.headroom(one.end_headroom),
        meter=_meter(one),
        requests=figures.requests(one),
    )


def other_charts(report: PeriodReport, with_card: Sequence[LatencyChange]) -> Iterator[Picture]:
    """What is notable first, and then as the summary has them."""
    shown = {(one.endpoint, one.machine, one.source) for one in with_card}
    rest = [one for one in report.endpoints if (one.name, one.machine, one.source) not in shown]
    for one in sorted(rest, key=lambda one: not one.is_notable)[:_MOST_CHARTS]:
        if picture := over_time(one, report.period, report.labels):
            which = figures.which_series(report, one)
            name = f"{wording.short_name(one.name)}, {which}" if which else wording.short_name(one.name)
            yield Picture(name, CSS[one.verdict], str(one.verdict), picture)


def _meter(one: EndpointSummary) -> Svg | None:
    """How much of the target is used."""
    if one.end_headroom is None:
        return None
    used = min(max(1 - one.end_headroom, 0.0), 1.0)
    return decoration(METER, [rect(0, 1, 0, METER, "rail"), rect(0, used, 0, METER, f"m {CSS[one.verdict]}")], "meter")
