"""The report of a period, from past runs and measurements as the history streams them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from perfcheck.history.model import PastMeasurement
from perfcheck.model import Source, Verdict, worst
from perfcheck.periods.judge import standing
from perfcheck.periods.judge.changes import (
    WindowedChange,
    change_size,
    consistency_changes,
    forming_change,
    importance,
    latency_changes,
    other_notes,
    with_notes,
)
from perfcheck.periods.judge.series_changes import Series, rows_of_endpoints, series_within
from perfcheck.periods.judge.summary import summarise
from perfcheck.periods.judge.tally import PeriodTally
from perfcheck.periods.model import (
    FORMAT,
    BaselineHistory,
    ChangeKind,
    ConsistencyChange,
    EndpointSummary,
    FormingChange,
    GoneEndpoint,
    LatencyChange,
    NewEndpoint,
    PeriodReport,
    Recovery,
    SlowEndpoint,
)
from perfcheck.stats.split_score import SPREAD_NOISE

_ORDER = [Verdict.CRITICAL, Verdict.WARNING, Verdict.NOT_MEASURED, Verdict.OK]


@dataclass(slots=True)
class PeriodJudge:
    """What is found, endpoint by endpoint, in the period of ``tally``, which has counted its runs and those before."""

    tally: PeriodTally
    _endpoints: list[EndpointSummary] = field(default_factory=list)
    _changes: list[WindowedChange] = field(default_factory=list)
    _forming: list[FormingChange] = field(default_factory=list)
    _consistency: list[ConsistencyChange] = field(default_factory=list)
    _slow: list[SlowEndpoint] = field(default_factory=list)
    _recoveries: list[Recovery] = field(default_factory=list)
    _new: list[NewEndpoint] = field(default_factory=list)
    _gone: list[GoneEndpoint] = field(default_factory=list)

    def add_endpoint(self, rows: Iterable[Sequence[PastMeasurement]]) -> None:
        """All measurements of one endpoint by series, in order of time; also those of other periods."""
        tally = self.tally
        all_series = list(series_within(rows, tally.period, tally.since, tally.block))
        if not all_series:
            return
        gone = standing.gone_endpoint(all_series, tally)
        self._gone += [gone] if gone else []
        within = [series for series in all_series if series.in_period]
        for series in within:
            self._add_series(series, is_current=standing.is_current(series, all_series), is_gone=gone is not None)
        if within and (new := standing.new_endpoint(all_series, tally, self._endpoints[-1])):
            self._new.append(new)

    def _add_series(self, series: Series, *, is_current: bool, is_gone: bool) -> None:
        period = self.tally.period
        changes = series.search(attrgetter("value_ms"), floor=series.newest.metric_of.floor)
        spread = series.search(lambda row: row.spread or None, SPREAD_NOISE)
        self._changes += latency_changes(series, changes, period)
        if is_current and (forming := forming_change(series, changes, period)):
            self._forming.append(forming)
        self._consistency += consistency_changes(spread)
        self._endpoints.append(summarise(series, changes, spread, is_current=is_current))
        if is_current and not is_gone:
            slow, recovered = standing.slow_endpoint(series), standing.recovery(series, period)
            self._slow += [slow] if slow else []
            self._recoveries += [recovered] if recovered else []

    def report(self, baseline: BaselineHistory, *, tool_version: str, generated_at: str) -> PeriodReport:
        """After all endpoints, in the order of their names."""
        tally = self.tally
        changes = sorted(with_notes(self._changes, tally), key=importance)
        summaries, traffic = _with_traffic(self._endpoints)
        focus, ranked_by = standing.rank_focus(summaries)
        notable = self._mentioned() | {item.endpoint for item in focus}
        monitor_was_read = Source.MONITORED in tally.first_of
        new = [replace(item, is_monitored=item.endpoint in traffic if monitor_was_read else None) for item in self._new]
        drifts = {ChangeKind.GETTING_SLOWER, ChangeKind.GETTING_FASTER}
        return PeriodReport(
            format=FORMAT,
            tool_version=tool_version,
            generated_at=generated_at,
            period=tally.period,
            verdict=_verdict(tally, self._slow, changes),
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
            forming=tuple(sorted(self._forming, key=lambda forming: -change_size(forming.ratio))),
            consistency=tuple(sorted(self._consistency, key=lambda change: -change.ratio)),
            slow=tuple(sorted(self._slow, key=lambda slow: (_ORDER.index(slow.verdict), -_excess(slow)))),
            recoveries=tuple(sorted(self._recoveries, key=lambda item: (_ORDER.index(item.worst), -item.runs))),
            new=tuple(new),
            gone=tuple(self._gone),
            other_notes=other_notes(tally, changes, self._consistency),
            baseline=baseline,
            focus=focus,
            ranked_by=ranked_by,
        )

    def _mentioned(self) -> set[str]:
        """The endpoints that appear in other lists than that of all endpoints."""
        lists = (self._forming, self._consistency, self._slow, self._recoveries, self._new, self._gone)
        changed = {windowed.change.endpoint for windowed in self._changes}
        return changed | {item.endpoint for items in lists for item in items}


def judge_periods(tallies: Iterable[PeriodTally], measurements: Iterable[PastMeasurement]) -> list[PeriodJudge]:
    """A judge of each period, in the order of ``tallies``.

    ``measurements`` are of all their runs, ordered by endpoint, series and time. They are read once, and those of one
    endpoint are held at a time, so that periods that share runs share the search for changes in them.
    """
    judges = [PeriodJudge(tally) for tally in tallies]
    for rows in rows_of_endpoints(measurements):
        for judge in judges:
            judge.add_endpoint(rows)
    return judges


def _with_traffic(summaries: Sequence[EndpointSummary]) -> tuple[list[EndpointSummary], dict[str, int | None]]:
    """Summaries with what the monitor counted, also where a check measured; and the counts by name."""
    traffic = {summary.name: summary.traffic for summary in summaries if summary.source is Source.MONITORED}
    filled = [
        summary if summary.traffic is not None else replace(summary, traffic=traffic.get(summary.name))
        for summary in summaries
    ]
    return filled, traffic


def _excess(slow: SlowEndpoint) -> float:
    return slow.unit.worsening(slow.ratio) if slow.ratio else 0.0


def _verdict(tally: PeriodTally, slow: Iterable[SlowEndpoint], changes: Iterable[LatencyChange]) -> Verdict:
    if not tally.runs:
        return Verdict.NOT_MEASURED
    stands = any(change.stands for change in changes)
    return worst([Verdict.WARNING if stands else Verdict.OK, *(item.verdict for item in slow)])


def _urgency(summary: EndpointSummary) -> tuple[bool, int, float, str]:
    """A key that sorts current series first, then the worst verdict, then the least headroom."""
    headroom = summary.end_headroom if summary.end_headroom is not None else 1.0
    return not summary.is_current, _ORDER.index(summary.verdict), headroom, summary.name
