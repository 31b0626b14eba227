"""One endpoint at a time: its measurements as series, each with some history before the period."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from perfcheck.history.model import PastMeasurement
from perfcheck.periods.judge.tally import context_of
from perfcheck.periods.model import Moment, Period
from perfcheck.stats.change_points import Step, find_trend
from perfcheck.stats.drift import Drift

_SAME_STEP = 8  # runs: nearer than that, two steps are the same one, whose place became sharper
_SHORTLY = 30  # runs: what happened earlier than that before a period could be told by then


@dataclass(frozen=True, slots=True)
class FoundStep:
    """A step, with ``index`` the first measurement of the new level, even where blocks were compared."""

    index: int
    score: float
    before: float
    after: float
    error_probability: float
    is_news: bool  # it lies in the period, or only runs of the period show it

    @property
    def ratio(self) -> float:
        return self.after / self.before


@dataclass(frozen=True, slots=True)
class Found:
    """What became of the values of a series; indices are those of its measurements that have one."""

    rows: Sequence[PastMeasurement]  # that have a value
    values: Sequence[float]
    steps: tuple[FoundStep, ...]
    drift: Drift | None
    begin: int  # of the period; or the first step that is news, where that is earlier


@dataclass(frozen=True, slots=True)
class Series:
    """The measurements that may be compared with one another. ``start`` is the first of the period."""

    rows: list[PastMeasurement]
    start: int
    since: str
    block: int

    @property
    def newest(self) -> PastMeasurement:
        return self.rows[-1]

    @property
    def in_period(self) -> list[PastMeasurement]:
        return self.rows[self.start :]

    def search(self, value_of: Callable[[PastMeasurement], float | None]) -> Found:
        """Steps and drift of what ``value_of`` gives; measurements for which that is nothing are left out."""
        known = [(row, value) for row in self.rows if (value := value_of(row)) and math.isfinite(value)]
        values, rows = [value for _, value in known], [row for row, _ in known]
        start = sum(row.started_at < self.since for row in rows)
        told, _ = _search(values[:start], self.block)  # what could be known when the period began
        steps, drift = _search(values, self.block)
        steps = tuple(replace(one, is_news=_is_news(one, told, start, self.block)) for one in steps)
        return Found(rows, values, steps, drift, min([start, *(one.index for one in steps if one.is_news)]))

    def follow(self, found: Found, value_of: Callable[[PastMeasurement], float | None]) -> Found:
        """Another value of the same requests, which changes where ``found`` does, as far as one is interested."""
        known = [(row, value) for row in found.rows if (value := value_of(row))]
        steps = found.steps if len(known) == len(found.rows) else ()
        begin = min(found.begin, len(known)) if steps or not found.steps else self.start
        return Found([row for row, _ in known], [value for _, value in known], steps, None, min(begin, len(known)))


def series_of_endpoints(
    measurements: Iterable[PastMeasurement], period: Period, block: int
) -> Iterator[tuple[str, list[Series]]]:
    """Endpoint by endpoint, its series; ``measurements`` by endpoint, series and time. Holds one endpoint at a time."""
    for endpoint, rows in groupby(measurements, key=lambda row: row.endpoint):
        yield endpoint, [_series(some, period, block) for _, some in groupby(rows, key=lambda row: row.series)]


def _series(rows: Iterable[PastMeasurement], period: Period, block: int) -> Series:
    before: deque[PastMeasurement] = deque(maxlen=context_of(block))
    within: list[PastMeasurement] = []
    for row in rows:
        (before if row.started_at < period.since else within).append(row)
    return Series([*before, *within], len(before), period.since, block)


def _is_news(step: FoundStep, told: Sequence[FoundStep], start: int, block: int) -> bool:
    """In the period; or shortly before it, and not found there by the runs before the period alone."""
    if step.index < start - _SHORTLY * block:
        return False
    return step.index >= start or all(abs(step.index - one.index) > _SAME_STEP * block for one in told)


def moment(row: PastMeasurement) -> Moment:
    return Moment(row.run_id, row.started_at, row.label, row.commit)


def _search(values: list[float], block: int) -> tuple[tuple[FoundStep, ...], Drift | None]:
    """As ``find_trend`` has it; of very many values by the medians of blocks, a step then placed at its first run."""
    if block == 1:
        trend = find_trend(values)
        return tuple(_step(one, one.index) for one in trend.steps), trend.drift
    odd = len(values) % block  # so that the newest block is a whole one
    if not values:
        return (), None
    edges = sorted({0, *range(odd or block, len(values), block), len(values)})
    trend = find_trend([statistics.median(values[a:b]) for a, b in pairwise(edges)])
    steps = []
    for step in trend.steps:
        low, high = edges[max(step.index - 1, 0)], edges[min(step.index + 1, len(edges) - 1)]
        index = _split(values, low, high, step.before, step.after)
        steps.append(_step(step, index))
    drift = trend.drift
    return tuple(steps), drift and Drift(edges[drift.index], drift.before, drift.after)


def _step(step: Step, index: int) -> FoundStep:
    return FoundStep(index, step.score, step.before, step.after, step.error_probability, is_news=True)


def _split(values: Sequence[float], low: int, high: int, before: float, after: float) -> int:
    """Where between ``low`` and ``high`` the level changed: the split with the least absolute deviation of the logs."""
    away = [abs(math.log(value / before)) - abs(math.log(value / after)) for value in values[low:high]]
    best, place, cost = 0.0, 0, 0.0
    for i, one in enumerate(away, 1):
        cost += one  # of counting the first i as old, beside counting them as new
        if cost < best:
            best, place = cost, i
    return min(low + place, high - 1)
