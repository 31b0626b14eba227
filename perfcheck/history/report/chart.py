"""A series of values drawn with characters: a compact chart with a labelled axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from perfcheck.report.glyphs import Glyphs
from perfcheck.units import format_ms

AXIS_WIDTH = 7  # cells of a label; a space and the rule follow
_HEIGHT = 9
_WIDEST_STEP = 3  # cells from one point to the next, where there are few
_FAR_OFF = 2.0  # times what nearly all points are below: one such point would flatten all others
_NEARLY_ALL = 0.95
_NEAR = 1.5  # times the values: a line farther from them is left out


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
    values: Sequence[float], columns: Columns, glyphs: Glyphs, *, line: float | None = None, changes: Sequence[int] = ()
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
    shown = {row: format_ms(value, unit=False) for row, value in labels.items()}
    return [f"{shown.get(i, ''):>{AXIS_WIDTH}} {glyphs.rule}{''.join(row)}" for i, row in enumerate(grid)]


def draw_marks(marks: Mapping[int, str], columns: Columns) -> str:
    """A line with each mark below its point, or to the right of another mark that is in its way."""
    cells = [" "] * columns.width
    for index, mark in sorted(marks.items()):
        column = columns.of(index)
        while "".join(cells[column : column + len(mark)]).strip():
            column += 1
        cells[column : column + len(mark)] = mark
    return " " * (AXIS_WIDTH + 2) + "".join(cells).rstrip()


def draw_bars(values: Sequence[float | None], columns: Columns, bars: str) -> str:
    """A row of bars, scaled from zero to the greatest value; a space where there is none."""
    gathered = columns.gather(values)
    highest = max(gathered.values(), default=0.0)
    if not highest:
        return ""
    drawn = {column: bars[max(0, math.ceil(value / highest * len(bars)) - 1)] for column, value in gathered.items()}
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
