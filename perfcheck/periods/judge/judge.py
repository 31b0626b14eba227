"""The report of a period, from past runs and measurements as the history streams them."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from operator import attrgetter

from perfcheck.history.model import PastMeasurement
from perfcheck.model import Changed, Source, Verdict, worst
from perfcheck.periods.judge import standing
from perfcheck.periods.judge.changes import (
    SAME_LEVEL,
    WindowedChange,
    begin_level,
    consistency_changes,
    end_level,
    forming_change,
    importance,
    latency_changes,
    other_notes,
    with_notes,
)
from perfcheck.periods.judge.series_changes import Series, SeriesChanges, run_reference, series_of_endpoints
from perfcheck.periods.judge.tally import PeriodTally
from perfcheck.periods.model import (
    FORMAT,
    BaselineHistory,
    ChangeKind,
    ChartPoint,
    ConsistencyChange,
    EndpointSummary,
    FormingChange,
    GoneEndpoint,
    LatencyChange,
    LatencyLevel,
    NewEndpoint,
    PeriodReport,
    Recovery,
    SlowEndpoint,
)
from perfcheck.stats.split_score import SPREAD_NOISE

_MAX_POINTS = 430  # points of one chart


def _summarise(series: Series, changes: SeriesChanges, spread: SeriesChanges, *, is_current: bool) -> EndpointSummary:
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
        ratio=end / begin if begin and end else None,
        changed=_changed(changes, steps, begin, end),
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
        begin_headroom=1 - begin / target if begin and target else None,
        end_headroom=1 - end / target if end and target else None,
        verdict=newest.verdict,
        verdicts={str(verdict): count for verdict, count in Counter(row.verdict for row in rows).items()},
        is_notable=False,
        is_current=is_current,
        points=combine_points(list(_points(changes.rows, changes.values)), _MAX_POINTS),
        levels=tuple(_levels(changes)),
        marks=tuple((changes.rows[step.index].started_at, step.ratio) for step in changes.steps),
        block_runs=series.block,
    )


def _changed(changes: SeriesChanges, steps: int, begin: float | None, end: float | None) -> Changed:
    if begin is None or end is None or not (steps or changes.trend.is_conclusive):
        return Changed.CANNOT_TELL
    if not steps and changes.trend.drift is None:
        return Changed.NO_CHANGE
    ratio = end / begin
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


_ORDER = [Verdict.CRITICAL, Verdict.WARNING, Verdict.NOT_MEASURED, Verdict.OK]


@dataclass(slots=True)
class _Gathered:
    """What is found, endpoint by endpoint."""

    tally: PeriodTally
    endpoints: list[EndpointSummary] = field(default_factory=list)
    changes: list[WindowedChange] = field(default_factory=list)
    forming: list[FormingChange] = field(default_factory=list)
    consistency: list[ConsistencyChange] = field(default_factory=list)
    slow: list[SlowEndpoint] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    new: list[NewEndpoint] = field(default_factory=list)
    gone: list[GoneEndpoint] = field(default_factory=list)

    def add_endpoint(self, all_series: Sequence[Series]) -> None:
        gone = standing.gone_endpoint(all_series, self.tally)
        self.gone += [gone] if gone else []
        within = [series for series in all_series if series.in_period]
        for series in within:
            self._add_series(series, is_current=standing.is_current(series, all_series), is_gone=gone is not None)
        if within and (new := standing.new_endpoint(all_series, self.tally, self.endpoints[-1].end_ms)):
            self.new.append(new)

    def _add_series(self, series: Series, *, is_current: bool, is_gone: bool) -> None:
        period = self.tally.period
        changes = series.search(attrgetter("value_ms"))
        spread = series.search(attrgetter("spread"), SPREAD_NOISE)
        self.changes += latency_changes(series, changes, period)
        if is_current and (forming := forming_change(series, changes, period)):
            self.forming.append(forming)
        self.consistency += consistency_changes(spread)
        self.endpoints.append(_summarise(series, changes, spread, is_current=is_current))
        if is_current and not is_gone:
            slow, recovered = standing.slow_endpoint(series), standing.recovery(series, period)
            self.slow += [slow] if slow else []
            self.recoveries += [recovered] if recovered else []


def judge_period(
    tally: PeriodTally,
    measurements: Iterable[PastMeasurement],
    baseline: BaselineHistory,
    *,
    tool_version: str,
    generated_at: str,
) -> PeriodReport:
    """Everything about the period of ``tally``, which has counted its runs and those before it.

    ``measurements`` are of the same runs, ordered by endpoint, series and time; they are read once, and those of one
    endpoint are held at a time.
    """
    gathered = _Gathered(tally)
    for all_series in series_of_endpoints(measurements, tally.period, tally.block):
        gathered.add_endpoint(all_series)
    changes = sorted(with_notes(gathered.changes, tally), key=importance)
    summaries, traffic = _with_traffic(gathered.endpoints)
    focus, ranked_by = standing.rank_focus(summaries)
    notable = _mentioned(gathered, changes) | {item.endpoint for item in focus}
    monitor_was_read = Source.MONITORED in tally.first_of
    new = [replace(item, is_monitored=item.endpoint in traffic if monitor_was_read else None) for item in gathered.new]
    drifts = {ChangeKind.GETTING_SLOWER, ChangeKind.GETTING_FASTER}
    return PeriodReport(
        format=FORMAT,
        tool_version=tool_version,
        generated_at=generated_at,
        period=tally.period,
        verdict=_verdict(tally, gathered.slow, changes),
        services=tally.services,
        runs=tally.runs,
        monitor_runs=sum(count for (_, source), count in tally.machine_runs.items() if source is Source.MONITORED),
        incomplete_runs=tally.incomplete,
        verdicts={str(verdict): tally.verdicts[verdict] for verdict in _ORDER if tally.verdicts[verdict]},
        machines=tally.machines,
        branch=tally.branch,
        other_branches=tally.other_branches,
        commits=len(tally.commits),
        labels=tuple(tally.labels.values()),
        first=tally.first,
        last=tally.last,
        earlier_runs=tally.earlier,
        endpoints=tuple(
            replace(summary, is_notable=summary.name in notable) for summary in sorted(summaries, key=_urgency)
        ),
        regressions=tuple(change for change in changes if change.kind is ChangeKind.REGRESSION),
        improvements=tuple(change for change in changes if change.kind is ChangeKind.IMPROVEMENT),
        drifts=tuple(change for change in changes if change.kind in drifts),
        forming=tuple(sorted(gathered.forming, key=lambda forming: -max(forming.ratio, 1 / forming.ratio))),
        consistency=tuple(sorted(gathered.consistency, key=lambda change: -change.ratio)),
        slow=tuple(sorted(gathered.slow, key=lambda slow: (_ORDER.index(slow.verdict), -(slow.ratio or 0.0)))),
        recoveries=tuple(sorted(gathered.recoveries, key=lambda item: (_ORDER.index(item.worst), -item.runs))),
        new=tuple(new),
        gone=tuple(gathered.gone),
        other_notes=other_notes(tally, changes, gathered.consistency),
        baseline=baseline,
        focus=focus,
        ranked_by=ranked_by,
    )


def _with_traffic(summaries: Sequence[EndpointSummary]) -> tuple[list[EndpointSummary], dict[str, int | None]]:
    """Summaries with what the monitor counted, also where a check measured; and the counts by name."""
    traffic = {summary.name: summary.traffic for summary in summaries if summary.source is Source.MONITORED}
    filled = [
        summary if summary.traffic is not None else replace(summary, traffic=traffic.get(summary.name))
        for summary in summaries
    ]
    return filled, traffic


def _mentioned(gathered: _Gathered, changes: Iterable[LatencyChange]) -> set[str]:
    """The endpoints that appear in other lists than that of all endpoints."""
    lists = (
        changes,
        gathered.forming,
        gathered.consistency,
        gathered.slow,
        gathered.recoveries,
        gathered.new,
        gathered.gone,
    )
    return {item.endpoint for items in lists for item in items}


def _verdict(tally: PeriodTally, slow: Iterable[SlowEndpoint], changes: Iterable[LatencyChange]) -> Verdict:
    if not tally.runs:
        return Verdict.NOT_MEASURED
    stands = any(change.stands for change in changes)
    return worst([Verdict.WARNING if stands else Verdict.OK, *(item.verdict for item in slow)])


def _urgency(summary: EndpointSummary) -> tuple[bool, int, float, str]:
    """A key that sorts current series first, then the worst verdict, then the least headroom."""
    headroom = summary.end_headroom if summary.end_headroom is not None else 1.0
    return not summary.is_current, _ORDER.index(summary.verdict), headroom, summary.name
