"""An endpoint over time, for a terminal: each series as a chart, with a line on each of its changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcheck.history.branches import of_branch, with_options
from perfcheck.history.model import BranchRuns, Note, PastMeasurement
from perfcheck.history.series import SeriesHistory
from perfcheck.model import Source, Unit
from perfcheck.report.glyphs import Glyphs, bar
from perfcheck.stats.drift import Drift
from perfcheck.stats.trend import FormingStep, Step, TrendState
from perfcheck.text import clean
from perfcheck.units import format_change, format_figure, format_from_to, format_percentage
from perfcheck.words import cannot_tell, plural, short_commit, short_run

_LONGEST_NOTE = 2000
_NOTE_MARK = "!"
_LEAST_CHANCE = 0.001  # an error probability below it is reported as such
_AXIS_WIDTH = 7  # cells of a label; a space and the rule follow
_HEIGHT = 9
_WIDEST_STEP = 3  # cells from one point to the next, where there are few
_FAR_OFF = 2.0  # times what nearly all points are below: one such point would flatten all others
_NEARLY_ALL = 0.95
_TITLES = {Unit.TIME: " in ms", Unit.PER_SECOND: " in requests/s"}
_NEAR = 1.5  # times the values: a line farther from them is left out


def render_series(
    endpoint: str,
    histories: Sequence[SeriesHistory],
    glyphs: Glyphs,
    width: int,
    *,
    branch: str = "",
    others: Sequence[BranchRuns] = (),
) -> RenderableType:
    """All series of an endpoint, for a terminal of ``width`` cells, in the order given; ``others`` are not shown."""
    heading = Text(clean(endpoint), style="bold")
    if branch or others:
        heading.append(f" {glyphs.dot} runs {of_branch(branch)}", style="not bold dim")
    parts: list[RenderableType] = [heading]
    if len(histories) > 1:
        count = f"{len(histories)} series that cannot be compared: another machine, baseline file, request or metric"
        parts.append(Text(count, style="dim"))
    for series in histories:
        parts += [Text(), *_series(series, glyphs, width)]
    if others:
        parts += [Text(), Text(f"not shown: {with_options(others)}", style="dim")]
    return Group(*parts)


def _series(series: SeriesHistory, glyphs: Glyphs, width: int) -> Iterator[RenderableType]:
    points, last = series.points, series.points[-1]
    yield Text(_title(series, glyphs), style="dim")
    columns = Columns.fit(len(points), max(10, width - _AXIS_WIDTH - 2))
    values = [point.value_ms or 0.0 for point in points]
    steps = [step.index for step in series.trend.steps]
    unit = Unit.NUMBER if last.unit.is_load else last.unit  # the title has it
    for row in draw_chart(values, columns, glyphs, line=last.target_ms, changes=steps, unit=unit):
        yield Text(row, no_wrap=True, overflow="crop")
    marks = {index: _NOTE_MARK for index, _ in series.notes}
    marks |= {index: str(number) for number, index in enumerate(steps, start=1)}
    if marks:
        yield Text(draw_marks(marks, columns), no_wrap=True, overflow="crop")
    yield Text(_dates(points, columns), style="dim")
    spreads = [point.spread for point in points]
    if bars := draw_bars(spreads, columns, glyphs.bars):
        known = [spread for spread in spreads if spread is not None]
        yield Text(f"{'spread':>{_AXIS_WIDTH}} {glyphs.rule}{bars}", no_wrap=True, overflow="crop")
        ends = " to ".join(dict.fromkeys(format_percentage(end) for end in (min(known), max(known))))
        yield Text(f"{' ' * (_AXIS_WIDTH + 2)}{ends} of the median", style="dim")
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for mark, text in _events(series, glyphs):
        table.add_row(Text(mark, style="bold"), text)
    yield Padding(table, (0, 0, 0, 1))


def _title(series: SeriesHistory, glyphs: Glyphs) -> str:
    last = series.points[-1]
    unit = last.unit
    parts = [
        f"{last.metric}{_TITLES.get(unit, '')}",
        f"target {format_figure(last.target_ms, unit)}" if last.target_ms else "",
        plural(len(series.points), "run") + (f", {series.earlier} earlier not shown" if series.earlier else ""),
        clean(last.machine),
        "by the monitor" if last.source is Source.MONITORED else "",
    ]
    return f" {glyphs.dot} ".join(part for part in parts if part)


def _dates(points: Sequence[PastMeasurement], columns: Columns) -> str:
    first, last = (points[i].started_at[:10] for i in (0, -1))
    if first == last:
        return " " * (_AXIS_WIDTH + 2) + first
    gap = columns.width - len(first) - len(last)
    return " " * (_AXIS_WIDTH + 2) + (f"{first}{' ' * gap}{last}" if gap > 0 else f"{first} to {last}")


# --- Below the chart -----------------------------------------------------------------------------------------------


def _events(series: SeriesHistory, glyphs: Glyphs) -> Iterator[tuple[str, Text]]:
    points, trend, unit = series.points, series.trend, series.points[-1].unit
    for number, step in enumerate(trend.steps, start=1):
        change = _change(step, unit, glyphs)
        yield str(number), Text(f"{_run(points[step.index])}: {change}, {_certainty(step)}")
    if drift := trend.drift:
        since = points[drift.index].started_at[:10]
        change = _change(drift, unit, glyphs)
        yield "~", Text(f"drifting since {since}, without a step: {change}")
    yield from _end_state(series, glyphs)
    for step in series.spread_trend.steps:
        change = f"{format_percentage(step.before)} {glyphs.arrow} {format_percentage(step.after)}"
        yield "", Text(f"spread, {_run(points[step.index])}: {change}, {_certainty(step)}")
    for index, note in series.notes:
        yield _NOTE_MARK, Text(f"{_run(points[index])}: {note_text(note)}")


def _end_state(series: SeriesHistory, glyphs: Glyphs) -> Iterator[tuple[str, Text]]:
    """What the newest runs may become; of a series without a change, whether it could have shown one."""
    trend = series.trend
    if forming := trend.forming:
        newest = f"newest {plural(len(series.points) - forming.index, 'run')}"
        change = _change(forming, series.points[-1].unit, glyphs)
        yield "?", Text(f"{newest}: {change}; {cannot_tell(trend.runs_needed)} at this level")
    elif not trend.is_conclusive and not trend.steps:
        yield "", Text(f"{cannot_tell(trend.runs_needed)}", style="dim")
    elif trend.state is TrendState.NONE:
        sensitivity = format_percentage(trend.smallest_ratio - 1)
        yield "", Text(f"no change found; one of {sensitivity} would have been", style="dim")
    elif trend.state in {TrendState.INCIDENT, TrendState.RESOLVED}:
        yield "", Text(f"{trend.state}: back at the level before", style="dim")


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


def _change(change: Step | FormingStep | Drift, unit: Unit, glyphs: Glyphs) -> str:
    """``212 -> 268 ms, +26%``."""
    ratio = f", {format_change(change.ratio)}" if change.before > 0 else ""
    return format_from_to(change.before, change.after, unit).replace("->", glyphs.arrow) + ratio


def _certainty(step: Step) -> str:
    chance = step.error_probability
    bound = f"below {_LEAST_CHANCE:.1%}" if chance < _LEAST_CHANCE else f"at most {100 * chance:.2g}%"
    return f"|z| {step.score:.1f}, chance {bound}"


# --- The chart -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Columns:
    """Which points are drawn in which column: several in one, where there are more points than room."""

    points: int
    width: int

    @classmethod
    def fit(cls, points: int, room: int) -> Columns:
        step = max(1, min(_WIDEST_STEP, room // max(1, points)))
        return cls(points, min(room, (points - 1) * step + 1))

    def of(self, index: int) -> int:
        return index * (self.width - 1) // max(1, self.points - 1)

    def gather(self, values: Sequence[float | None]) -> dict[int, float]:
        """The median of the values in each column that has any."""
        columns: dict[int, list[float]] = {}
        for index, value in enumerate(values):
            if value is not None:
                columns.setdefault(self.of(index), []).append(value)
        return {column: median(gathered) for column, gathered in columns.items()}


def draw_chart(
    values: Sequence[float],
    columns: Columns,
    glyphs: Glyphs,
    *,
    line: float | None = None,
    changes: Sequence[int] = (),
    unit: Unit = Unit.TIME,
) -> list[str]:
    """Rows from the top, each with its axis.

    ``line``, a target, is drawn across where it is near the values. ``changes`` are indexes marked by a vertical rule.
    """
    points = columns.gather(values)
    drawn = list(points.values())
    near = line is not None and min(drawn) / _NEAR <= line <= max(drawn) * _NEAR
    low, high = _range([*drawn, *([line] if near and line is not None else [])])
    grid = [[" "] * columns.width for _ in range(_HEIGHT)]
    if near and line is not None:
        grid[_row(line, low, high)] = [glyphs.empty] * columns.width
    for index in changes:
        for row in grid:
            row[columns.of(index)] = glyphs.rule
    for column, value in points.items():
        grid[_row(value, low, high)][column] = glyphs.above if value > high else glyphs.point
    labels = {0: high, _HEIGHT // 2: (low + high) / 2, _HEIGHT - 1: low}
    shown = {row: format_figure(value, unit, in_ms=True) for row, value in labels.items()}
    return [f"{shown.get(i, ''):>{_AXIS_WIDTH}} {glyphs.rule}{''.join(row)}" for i, row in enumerate(grid)]


def draw_marks(marks: Mapping[int, str], columns: Columns) -> str:
    """A line with each mark below its point, or to the right of another mark that is in its way."""
    cells = [" "] * columns.width
    for index, mark in sorted(marks.items()):
        column = columns.of(index)
        while "".join(cells[column : column + len(mark)]).strip():
            column += 1
        cells[column : column + len(mark)] = mark
    return " " * (_AXIS_WIDTH + 2) + "".join(cells).rstrip()


def draw_bars(values: Sequence[float | None], columns: Columns, bars: str) -> str:
    """A row of bars, scaled from the least to the greatest value; a space where there is none."""
    gathered = columns.gather(values)
    low, high = min(gathered.values(), default=0.0), max(gathered.values(), default=0.0)
    if not high:
        return ""
    drawn = {column: bar(value, low, high, bars) for column, value in gathered.items()}
    return "".join(drawn.get(column, " ") for column in range(columns.width))


def _range(values: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(values)
    nearly_highest = ordered[math.ceil(_NEARLY_ALL * len(ordered)) - 1]
    low, high = ordered[0], ordered[-1]
    if high > _FAR_OFF * nearly_highest:
        high = 1.2 * nearly_highest
    return (low, high) if high > low else (0.9 * low, 1.1 * high or 1.0)


def _row(value: float, low: float, high: float) -> int:
    share = (min(value, high) - low) / (high - low)
    return round((1 - share) * (_HEIGHT - 1))
