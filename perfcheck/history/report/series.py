"""An endpoint over time, for a terminal: each series as a chart, with its changes told. Prints; never judges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcheck.history.model import Note, PastMeasurement
from perfcheck.history.report.chart import AXIS, Columns, draw_bars, draw_chart, draw_marks
from perfcheck.history.report.run_list import when
from perfcheck.model import Source
from perfcheck.report.glyphs import Glyphs
from perfcheck.stats.change_points import Step, Trend
from perfcheck.stats.drift import Drift
from perfcheck.text import clean
from perfcheck.units import format_ms, format_percentage

_DIGITS = 8  # of an id or a commit
_LONGEST_NOTE = 2000
_MARK_OF_A_NOTE = "!"
_LEAST_TOLD = 0.001  # an error probability below it is told as being so


@dataclass(frozen=True, slots=True)
class SeriesHistory:
    """Measurements that may be compared, in order of time, and what became of them."""

    points: tuple[PastMeasurement, ...]  # those that have a value; at least one
    trend: Trend  # of the values
    spread_trend: Trend  # of the spread; its indexes are those of ``points``
    notes: tuple[tuple[int, Note], ...] = ()  # with the index of the first point that each belongs to
    earlier: int = 0  # measurements from before, which were left out


def render_series(endpoint: str, series: Sequence[SeriesHistory], glyphs: Glyphs, width: int) -> RenderableType:
    """All series of an endpoint, for a terminal of ``width`` cells, in the order given."""
    parts: list[RenderableType] = [Text(clean(endpoint), style="bold")]
    if len(series) > 1:
        told = f"{len(series)} series that cannot be compared: another machine, baseline file, request or metric"
        parts.append(Text(told, style="dim"))
    for one in series:
        parts += [Text(), *_one(one, glyphs, width)]
    return Group(*parts)


def _one(series: SeriesHistory, glyphs: Glyphs, width: int) -> Iterator[RenderableType]:
    points, last = series.points, series.points[-1]
    yield Text(_title(series, glyphs), style="dim")
    columns = Columns.fit(len(points), max(10, width - AXIS - 2))
    values = [point.value_ms or 0.0 for point in points]
    steps = [step.index for step in series.trend.steps]
    for row in draw_chart(values, columns, glyphs, line=last.target_ms, changes=steps):
        yield Text(row, no_wrap=True, overflow="crop")
    marks = {index: _MARK_OF_A_NOTE for index, _ in series.notes}
    marks |= {index: str(number) for number, index in enumerate(steps, start=1)}
    if marks:
        yield Text(draw_marks(marks, columns), no_wrap=True, overflow="crop")
    yield Text(_dates(points, columns), style="dim")
    spreads = [point.spread for point in points]
    if bars := draw_bars(spreads, columns, glyphs.bars):
        known = [spread for spread in spreads if spread is not None]
        yield Text(f"{'spread':>{AXIS}} {glyphs.rule}{bars}", no_wrap=True, overflow="crop")
        told = f"{format_percentage(min(known))} to {format_percentage(max(known))} of the median"
        yield Text(" " * (AXIS + 2) + told, style="dim")
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for mark, text in _told(series, glyphs):
        table.add_row(Text(mark, style="bold"), text)
    yield Padding(table, (0, 0, 0, 1))


def _title(series: SeriesHistory, glyphs: Glyphs) -> str:
    last, count = series.points[-1], len(series.points)
    parts = [
        f"{last.metric} in ms",
        f"target {format_ms(last.target_ms)}" if last.target_ms else "",
        f"{count} run{'s' * (count != 1)}" + (f", {series.earlier} earlier left out" if series.earlier else ""),
        clean(last.machine),
        "by the monitor" if last.source is Source.MONITORED else "",
    ]
    return f" {glyphs.dot} ".join(part for part in parts if part)


def _dates(points: Sequence[PastMeasurement], columns: Columns) -> str:
    first, last = (points[i].started_at[:10] for i in (0, -1))
    if first == last:
        return " " * (AXIS + 2) + first
    gap = columns.width - len(first) - len(last)
    return " " * (AXIS + 2) + (f"{first}{' ' * gap}{last}" if gap > 0 else f"{first} to {last}")


# --- What is told below the chart ----------------------------------------------------------------------------------


def _told(series: SeriesHistory, glyphs: Glyphs) -> Iterator[tuple[str, Text]]:
    points, trend = series.points, series.trend
    for number, step in enumerate(trend.steps, start=1):
        yield str(number), Text(f"{where(points[step.index])}: {of_step(step, glyphs)}")
    if trend.drift is not None:
        since = points[trend.drift.index].started_at[:10]
        yield "~", Text(f"drifting since {since}, with no step in it: {of_drift(trend.drift, glyphs)}")
    if not trend.steps and trend.drift is None:
        yield "", Text("no change of level", style="dim")
    for step in series.spread_trend.steps:
        before, after = format_percentage(step.before), format_percentage(step.after)
        certainty = _certainty(step)
        yield "", Text(f"spread, {where(points[step.index])}: {before} {glyphs.arrow} {after}, {certainty}")
    for index, note in series.notes:
        yield _MARK_OF_A_NOTE, Text(f"{where(points[index])}: {of_note(note)}")


def where(point: PastMeasurement) -> str:
    """``2026-10-03  v1.4  commit 0123abcd  run 5e0cbd2e``."""
    label = clean(point.label) if point.label else ""
    commit = f"commit {clean(point.commit)[:_DIGITS]}" if point.commit else ""
    return "  ".join(part for part in (when(point.started_at)[:10], label, commit, f"run {point.run_id[:8]}") if part)


def of_step(step: Step, glyphs: Glyphs) -> str:
    """``212 -> 268 ms, +26%, |z| 6.1, chance below 0.1%``."""
    return f"{_from_to(step.before, step.after, glyphs)}, {_certainty(step)}"


def of_drift(drift: Drift, glyphs: Glyphs) -> str:
    """``212 -> 268 ms, +26%``."""
    return _from_to(drift.before, drift.after, glyphs)


def of_note(note: Note) -> str:
    parts = [clean(note.incident, _LONGEST_NOTE)]
    for name, text in (("cause", note.cause), ("fix", note.fix)):
        parts += [f"{name}: {clean(text, _LONGEST_NOTE)}"] if text else []
    return "; ".join(parts)


def _from_to(before: float, after: float, glyphs: Glyphs) -> str:
    shown = format_ms(before, beside=after, unit=False)
    change = f", {(after / before - 1) * 100:+.0f}%" if before > 0 else ""
    return f"{shown} {glyphs.arrow} {format_ms(after, beside=before, unit=False)} ms{change}"


def _certainty(step: Step) -> str:
    chance = step.error_probability
    below = chance < _LEAST_TOLD
    shown = f"below {format_percentage(_LEAST_TOLD)}" if below else f"at most {100 * chance:.2g}%"
    return f"|z| {step.score:.1f}, chance {shown}"
