"""One series over the period in figures: where it began and ended, how that compares with its target, what to draw."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from perfcheck.history.model import PastMeasurement
from perfcheck.model import Changed, Source, worst
from perfcheck.periods.judge.changes import ALIKE, begin_level, end_level
from perfcheck.periods.judge.series import Found, Series, moment
from perfcheck.periods.model import ChartPoint, EndpointSummary, Level

MOST_DRAWN = 430  # points of one chart
_LEAST_FOR_TREND = 15  # values: with fewer no change can be found


def summarise(series: Series, found: Found, spread: Found) -> EndpointSummary:
    """``found`` is of the metric, ``spread`` of the spread. What needs other series, or is told, comes later."""
    p95 = series.follow(found, lambda row: row.p95_ms)
    rows, newest = series.in_period, series.newest
    begin, end = begin_level(found), end_level(found) if found.values else None
    target = newest.target_ms
    steps = [step for step in found.steps if step.is_news]
    return EndpointSummary(
        name=newest.endpoint,
        group=newest.group,
        series=newest.series,
        machine=newest.machine,
        source=newest.source,
        metric=newest.metric,
        critical_path=newest.critical_path,
        runs=len(rows),
        first=moment(rows[0]),
        last=moment(newest),
        begin_ms=begin,
        end_ms=end,
        ratio=end / begin if begin and end else None,
        changed=_changed(found, len(steps), begin, end),
        steps=len(steps),
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
        begin_headroom=1 - begin / target if begin and target else None,
        end_headroom=1 - end / target if end and target else None,
        verdict=newest.verdict,
        verdicts={str(verdict): count for verdict, count in Counter(row.verdict for row in rows).items()},
        is_notable=False,
        is_current=True,
        points=tuple(_points(found.rows, found.values)),
        levels=tuple(_levels(found)),
        marks=tuple((found.rows[step.index].started_at, step.ratio) for step in found.steps),
        block_runs=series.block,
    )


def _changed(found: Found, steps: int, begin: float | None, end: float | None) -> Changed:
    if begin is None or end is None or (not steps and len(found.values) < _LEAST_FOR_TREND):
        return Changed.CANNOT_TELL
    if not steps and found.drift is None:
        return Changed.NO_CHANGE
    ratio = end / begin
    if ratio >= ALIKE:
        return Changed.SLOWER
    return Changed.FASTER if ratio <= 1 / ALIKE else Changed.NO_CHANGE


def _error_rate(rows: Sequence[PastMeasurement]) -> float | None:
    """Of the monitor, whose counts contain those before, the newest; of a check over all its requests."""
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
    """What the monitor counted from its first reading to its last; a count that fell began again at 0."""
    counts = [row.requests for row in series.rows[max(series.start - 1, 0) :]]
    if len(counts) <= 1:
        return None
    return sum(after - before if after >= before else after for before, after in pairwise(counts))


# --- To draw -------------------------------------------------------------------------------------------------------


def _points(rows: Sequence[PastMeasurement], values: Sequence[float]) -> Iterator[ChartPoint]:
    size = -(-len(rows) // MOST_DRAWN) or 1
    for begin in range(0, len(rows), size):
        some, at = values[begin : begin + size], rows[begin : begin + size]
        middle = at[len(at) // 2]
        yield ChartPoint(
            started_at=middle.started_at,
            value_ms=statistics.median(some),
            low_ms=min(some),
            high_ms=max(some),
            verdict=worst([row.verdict for row in at]),
            target_ms=middle.target_ms,
            runs=len(some),
        )


def _levels(found: Found) -> Iterator[Level]:
    edges = [0, *(step.index for step in found.steps), len(found.rows)]
    for begin, end in pairwise(edges):
        if begin >= end:
            continue
        drift = found.drift if end == len(found.rows) else None
        flat = max(begin, drift.index) if drift else end
        if flat > begin:
            level = statistics.median(found.values[begin:flat])
            yield Level(found.rows[begin].started_at, found.rows[flat - 1].started_at, level, level)
        if drift and flat < end:
            since, until = found.rows[flat].started_at, found.rows[end - 1].started_at
            yield Level(since, until, drift.before, drift.after)
