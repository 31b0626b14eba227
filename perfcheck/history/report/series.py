"""An endpoint over time, for a terminal: each series as a chart, with a line on each of its changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcheck.history.model import Note, PastMeasurement
from perfcheck.history.report.chart import AXIS_WIDTH, Columns, draw_bars, draw_chart, draw_marks
from perfcheck.history.series import SeriesHistory
from perfcheck.model import Source
from perfcheck.report.glyphs import Glyphs
from perfcheck.stats.change_points import Step
from perfcheck.text import clean
from perfcheck.units import format_change, format_from_to, format_ms, format_percentage
from perfcheck.words import plural, short_commit, short_run

_LONGEST_NOTE = 2000
_NOTE_MARK = "!"
_LEAST_CHANCE = 0.001  # an error probability below it is reported as such


def render_series(endpoint: str, histories: Sequence[SeriesHistory], glyphs: Glyphs, width: int) -> RenderableType:
    """All series of an endpoint, for a terminal of ``width`` cells, in the order given."""
    parts: list[RenderableType] = [Text(clean(endpoint), style="bold")]
    if len(histories) > 1:
        count = f"{len(histories)} series that cannot be compared: another machine, baseline file, request or metric"
        parts.append(Text(count, style="dim"))
    for series in histories:
        parts += [Text(), *_series(series, glyphs, width)]
    return Group(*parts)


def _series(series: SeriesHistory, glyphs: Glyphs, width: int) -> Iterator[RenderableType]:
    points, last = series.points, series.points[-1]
    yield Text(_title(series, glyphs), style="dim")
    columns = Columns.fit(len(points), max(10, width - AXIS_WIDTH - 2))
    values = [point.value_ms or 0.0 for point in points]
    steps = [step.index for step in series.trend.steps]
    for row in draw_chart(values, columns, glyphs, line=last.target_ms, changes=steps):
        yield Text(row, no_wrap=True, overflow="crop")
    marks = {index: _NOTE_MARK for index, _ in series.notes}
    marks |= {index: str(number) for number, index in enumerate(steps, start=1)}
    if marks:
        yield Text(draw_marks(marks, columns), no_wrap=True, overflow="crop")
    yield Text(_dates(points, columns), style="dim")
    spreads = [point.spread for point in points]
    if bars := draw_bars(spreads, columns, glyphs.bars):
        known = [spread for spread in spreads if spread is not None]
        yield Text(f"{'spread':>{AXIS_WIDTH}} {glyphs.rule}{bars}", no_wrap=True, overflow="crop")
        ends = f"{format_percentage(min(known))} to {format_percentage(max(known))} of the median"
        yield Text(" " * (AXIS_WIDTH + 2) + ends, style="dim")
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for mark, text in _events(series, glyphs):
        table.add_row(Text(mark, style="bold"), text)
    yield Padding(table, (0, 0, 0, 1))


def _title(series: SeriesHistory, glyphs: Glyphs) -> str:
    last = series.points[-1]
    parts = [
        f"{last.metric} in ms",
        f"target {format_ms(last.target_ms)}" if last.target_ms else "",
        plural(len(series.points), "run") + (f", {series.earlier} earlier not shown" if series.earlier else ""),
        clean(last.machine),
        "by the monitor" if last.source is Source.MONITORED else "",
    ]
    return f" {glyphs.dot} ".join(part for part in parts if part)


def _dates(points: Sequence[PastMeasurement], columns: Columns) -> str:
    first, last = (points[i].started_at[:10] for i in (0, -1))
    if first == last:
        return " " * (AXIS_WIDTH + 2) + first
    gap = columns.width - len(first) - len(last)
    return " " * (AXIS_WIDTH + 2) + (f"{first}{' ' * gap}{last}" if gap > 0 else f"{first} to {last}")


# --- Below the chart -----------------------------------------------------------------------------------------------


def _events(series: SeriesHistory, glyphs: Glyphs) -> Iterator[tuple[str, Text]]:
    points, trend = series.points, series.trend
    for number, step in enumerate(trend.steps, start=1):
        change = _change(step.before, step.after, glyphs)
        yield str(number), Text(f"{_run(points[step.index])}: {change}, {_certainty(step)}")
    if drift := trend.drift:
        since = points[drift.index].started_at[:10]
        change = _change(drift.before, drift.after, glyphs)
        yield "~", Text(f"drifting since {since}, without a step: {change}")
    if not trend.steps and not trend.drift:
        yield "", Text("no change found", style="dim")
    for step in series.spread_trend.steps:
        change = f"{format_percentage(step.before)} {glyphs.arrow} {format_percentage(step.after)}"
        yield "", Text(f"spread, {_run(points[step.index])}: {change}, {_certainty(step)}")
    for index, note in series.notes:
        yield _NOTE_MARK, Text(f"{_run(points[index])}: {note_text(note)}")


def _run(point: PastMeasurement) -> str:
    """``2026-10-03  v1.4  commit 0123abcdef  run 5e0cbd2e``."""
    label = clean(point.label) if point.label else ""
    commit = f"commit {short_commit(point.commit)}" if point.commit else ""
    parts = (clean(point.started_at[:10]), label, commit, f"run {short_run(point.run_id)}")
    return "  ".join(part for part in parts if part)


def note_text(note: Note) -> str:
    parts = [clean(note.incident, _LONGEST_NOTE)]
    for name, text in (("cause", note.cause), ("fix", note.fix)):
        parts += [f"{name}: {clean(text, _LONGEST_NOTE)}"] if text else []
    return "; ".join(parts)


def _change(before: float, after: float, glyphs: Glyphs) -> str:
    """``212 -> 268 ms, +26%``."""
    change = f", {format_change(after / before)}" if before > 0 else ""
    return format_from_to(before, after).replace("->", glyphs.arrow) + change


def _certainty(step: Step) -> str:
    chance = step.error_probability
    bound = f"below {_LEAST_CHANCE:.1%}" if chance < _LEAST_CHANCE else f"at most {100 * chance:.2g}%"
    return f"|z| {step.score:.1f}, chance {bound}"
