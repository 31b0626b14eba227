"""The summary of one series over the period: its figures at the beginning and at the end, and its chart."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter

from perfcheck.history.model import PastMeasurement
from perfcheck.model import Changed, Source, Unit, change_ratio, worst
from perfcheck.periods.judge.changes import SAME_LEVEL, begin_level, end_level
from perfcheck.periods.judge.series_changes import Series, SeriesChanges, run_reference
from perfcheck.periods.model import ChartPoint, EndpointSummary, LatencyLevel

_MAX_POINTS = 430  # points of one chart


def summarise(series: Series, changes: SeriesChanges, spread: SeriesChanges, *, is_current: bool) -> EndpointSummary:
    """``changes`` are of the metric, ``spread`` of the spread. The judge sets later what depends on other series."""
    p95 = series.follow(changes, attrgetter("p95_ms"))
    rows, newest = series.in_period, series.newest
    begin, end = begin_level(changes), end_level(changes) if changes.values else None
    target = newest.target_ms
    steps = sum(step.is_new for step in changes.steps)
    return EndpointSummary(
        name=newest.endpoint,
        group=newest.group,
        series=newest.series,
        machine=newest.machine,
        source=newest.source,
        metric=newest.metric,
        critical_path=newest.critical_path,
        runs=len(rows),
        first=run_reference(rows[0]),
        last=run_reference(newest),
        begin_ms=begin,
        end_ms=end,
        ratio=None if begin is None or end is None else change_ratio(end, begin),
        changed=_changed(changes, newest.unit, steps, begin, end),
        runs_needed=changes.trend.runs_needed if not steps else None,
        steps=steps,
        begin_p95_ms=begin_level(p95),
        end_p95_ms=end_level(p95) if p95.values else None,
        begin_spread=begin_level(spread),
        end_spread=end_level(spread) if spread.values else None,
        error_rate=_error_rate(rows),
        worst_error_rate=max((row.error_rate for row in rows if row.error_rate is not None), default=None),
        requests=_requests(series),
        traffic=_counted(series) if newest.source is Source.MONITORED else None,
        target_ms=target,
        ideal_ms=newest.ideal_ms,
        begin_headroom=_headroom(begin, target, newest.unit),
        end_headroom=_headroom(end, target, newest.unit),
        verdict=newest.verdict,
        verdicts={str(verdict): count for verdict, count in Counter(row.verdict for row in rows).items()},
        is_notable=False,
        is_current=is_current,
        points=combine_points(list(_points(changes.rows, changes.values)), _MAX_POINTS),
        levels=tuple(_levels(changes)),
        marks=tuple((changes.rows[step.index].started_at, step.ratio) for step in changes.steps),
        block_runs=series.block,
    )


def _headroom(value: float | None, target: float | None, unit: Unit) -> float | None:
    return 1 - unit.worsening(value / target) if value is not None and target else None


def _changed(changes: SeriesChanges, unit: Unit, steps: int, begin: float | None, end: float | None) -> Changed:
    if begin is None or end is None or not (steps or changes.trend.is_conclusive):
        return Changed.CANNOT_TELL
    if not steps and changes.trend.drift is None:
        return Changed.NO_CHANGE
    ratio = unit.worsening(change_ratio(end, begin))
    if ratio >= SAME_LEVEL:
        return Changed.SLOWER
    return Changed.FASTER if ratio <= 1 / SAME_LEVEL else Changed.NO_CHANGE


def _error_rate(rows: Sequence[PastMeasurement]) -> float | None:
    """The newest of the monitor, whose counts are cumulative; of checks over all their requests."""
    known = [(row.error_rate, row.requests) for row in rows if row.error_rate is not None and row.requests]
    if not known:
        return None
    if rows[-1].source is Source.MONITORED:
        return known[-1][0]
    return sum(rate * requests for rate, requests in known) / sum(requests for _, requests in known)


def _requests(series: Series) -> int:
    if series.newest.source is Source.MONITORED:
        return _counted(series) or series.newest.requests
    return sum(row.requests for row in series.in_period)


def _counted(series: Series) -> int | None:
    """What the monitor counted from its first reading to its last; after a restart it counts from 0 again."""
    counts = [row.requests for row in series.rows[max(series.start - 1, 0) :]]
    if len(counts) <= 1:
        return None
    return sum(after - before if after >= before else after for before, after in pairwise(counts))


# --- Chart -----------------------------------------------------------------------------------------------------------


def _points(rows: Sequence[PastMeasurement], values: Sequence[float]) -> Iterator[ChartPoint]:
    for row, value in zip(rows, values, strict=True):
        yield ChartPoint(row.started_at, value, value, value, row.verdict, row.target_ms, 1)


def combine_points(points: Sequence[ChartPoint], most: int) -> tuple[ChartPoint, ...]:
    """At most so many, each of several neighbours."""
    size = -(-len(points) // most) or 1
    blocks = [points[begin : begin + size] for begin in range(0, len(points), size)]
    return tuple(points) if size == 1 else tuple(map(_combined, blocks))


def _combined(block: Sequence[ChartPoint]) -> ChartPoint:
    return replace(
        block[len(block) // 2],
        value_ms=statistics.median(point.value_ms for point in block),
        low_ms=min(point.low_ms for point in block),
        high_ms=max(point.high_ms for point in block),
        verdict=worst([point.verdict for point in block]),
        runs=sum(point.runs for point in block),
    )


def _levels(changes: SeriesChanges) -> Iterator[LatencyLevel]:
    rows = changes.rows
    edges = [0, *(step.index for step in changes.steps), len(rows)]
    for begin, end in pairwise(edges):
        if begin >= end:
            continue
        drift = changes.trend.drift if end == len(rows) else None
        flat = max(begin, drift.index) if drift else end
        if flat > begin:
            level = statistics.median(changes.values[begin:flat])
            yield LatencyLevel(rows[begin].started_at, rows[flat - 1].started_at, level, level)
        if drift and flat < end:
            yield LatencyLevel(rows[flat].started_at, rows[end - 1].started_at, drift.before, drift.after)
