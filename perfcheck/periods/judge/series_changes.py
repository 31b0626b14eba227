"""One endpoint at a time: its measurements as series, each with some runs before the period, and their changes."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from operator import attrgetter

from perfcheck.history.model import PastMeasurement
from perfcheck.periods.judge.tally import context_runs
from perfcheck.periods.model import Period, RunReference
from perfcheck.stats.change_points import find_trend
from perfcheck.stats.split_score import RUN_NOISE
from perfcheck.stats.trend import Step, Trend

_SAME_STEP = 8  # runs: two steps that are nearer are the same one, located better
_FAR = 10.0  # logarithms
_SHORTLY = 30  # runs: what happened earlier than that before a period could be found by then


@dataclass(frozen=True, slots=True)
class LocatedStep(Step):
    """A step, with ``index`` the first measurement of the new level, even where blocks were compared."""

    is_new: bool  # it is in the period, or only runs of the period show it


@dataclass(frozen=True, slots=True)
class SeriesChanges:
    """The values of a series and their changes; indices are those of its measurements that have a value."""

    rows: Sequence[PastMeasurement]  # those with a value
    values: Sequence[float]
    steps: tuple[LocatedStep, ...]
    trend: Trend
    begin: int  # of the period; or the first new step, where that is earlier


@dataclass(frozen=True, slots=True)
class Series:
    """The measurements that may be compared with one another. ``start`` is the first of the period."""

    rows: Sequence[PastMeasurement]
    start: int
    since: str
    block: int

    @property
    def newest(self) -> PastMeasurement:
        return self.rows[-1]

    @property
    def in_period(self) -> Sequence[PastMeasurement]:
        return self.rows[self.start :]

    def search(
        self, value_of: Callable[[PastMeasurement], float | None], noise: float = RUN_NOISE, floor: float = 0.0
    ) -> SeriesChanges:
        """Steps and drift of the values; measurements without one are left out. ``floor`` as of ``find_trend``."""
        values_of = ((row, value_of(row)) for row in self.rows)
        known = [(row, value) for row, value in values_of if value is not None and math.isfinite(value)]
        values, rows = [value for _, value in known], [row for row, _ in known]
        start = _first_since(self.since, rows)
        trend = _search(values, self.block, noise, floor)
        # What could be known when the period began; of a series without steps, nobody needs to know it.
        earlier = _search(values[:start], self.block, noise, floor).steps if trend.steps else ()
        steps = tuple(
            LocatedStep(
                step.index,
                step.score,
                step.before,
                step.after,
                step.error_probability,
                is_new=_is_new(step, earlier, start, self.block),
            )
            for step in trend.steps
        )
        return SeriesChanges(rows, values, steps, trend, min([start, *(step.index for step in steps if step.is_new)]))

    def follow(self, changes: SeriesChanges, value_of: Callable[[PastMeasurement], float | None]) -> SeriesChanges:
        """Another value of the same requests, taken to change where the first one does."""
        known = [(row, value) for row in changes.rows if (value := value_of(row)) is not None]
        steps = changes.steps if len(known) == len(changes.rows) else ()
        begin = min(changes.begin, len(known)) if steps or not changes.steps else self.start
        return SeriesChanges(
            [row for row, _ in known], [value for _, value in known], steps, Trend(), min(begin, len(known))
        )


def rows_of_endpoints(measurements: Iterable[PastMeasurement]) -> Iterator[list[list[PastMeasurement]]]:
    """Endpoint by endpoint, its rows by series; ``measurements`` in this order, and in that of time."""
    for _, rows in groupby(measurements, key=attrgetter("endpoint")):
        yield [list(group) for _, group in groupby(rows, key=attrgetter("series"))]


def series_within(
    all_rows: Iterable[Sequence[PastMeasurement]], period: Period, since: str, block: int
) -> Iterator[Series]:
    """The series that the period has, or the runs from ``since`` up to it; of a capacity all earlier ones."""
    for rows in all_rows:
        earliest, start, end = (_first_since(time, rows) for time in (since, period.since, period.until))
        first = max(start - context_runs(block), 0 if rows[0].unit.is_load else earliest)
        if first < end:
            yield Series(rows[first:end], start - first, period.since, block)


def _first_since(time: str, rows: Sequence[PastMeasurement]) -> int:
    return bisect_left(rows, time, key=attrgetter("started_at"))


def _is_new(step: Step, earlier: Sequence[Step], start: int, block: int) -> bool:
    """In the period; or shortly before it, and not found by the runs before the period alone."""
    if step.index < start - _SHORTLY * block:
        return False
    return step.index >= start or all(abs(step.index - other.index) > _SAME_STEP * block for other in earlier)


def run_reference(row: PastMeasurement) -> RunReference:
    return RunReference(row.run_id, row.started_at, row.label, row.commit)


def _search(values: list[float], block: int, noise: float, floor: float) -> Trend:
    """By ``find_trend``; of very many values by the medians of blocks, each step then located at its first run."""
    if block == 1 or not values:
        return find_trend(values, noise=noise, floor=floor)
    odd = len(values) % block  # so that the newest block is a whole one
    edges = sorted({0, *range(odd or block, len(values), block), len(values)})
    trend = find_trend([statistics.median(values[a:b]) for a, b in pairwise(edges)], noise=noise, floor=floor)
    steps = []
    for step in trend.steps:
        low, high = edges[max(step.index - 1, 0)], edges[min(step.index + 1, len(edges) - 1)]
        steps.append(replace(step, index=_split(values, low, high, step.before, step.after)))
    drift, forming = trend.drift, trend.forming
    return replace(
        trend,
        steps=tuple(steps),
        drift=drift and replace(drift, index=edges[drift.index]),
        forming=forming and replace(forming, index=edges[forming.index], runs_needed=block * forming.runs_needed),
        runs_needed=trend.runs_needed and block * trend.runs_needed,
    )


def _distance(value: float, level: float) -> float:
    """In logarithms; from 0, of which there is none, far."""
    return abs(math.log(value / level)) if value and level else _FAR * (value != level)


def _split(values: Sequence[float], low: int, high: int, before: float, after: float) -> int:
    """Where between ``low`` and ``high`` the level changed: the split with the least absolute deviation of the logs."""
    differences = [_distance(value, before) - _distance(value, after) for value in values[low:high]]
    best, split, cost = 0.0, 0, 0.0
    for count, difference in enumerate(differences, 1):
        cost += difference  # of assigning the first values to the old level instead of the new one
        if cost < best:
            best, split = cost, count
    return min(low + split, high - 1)
