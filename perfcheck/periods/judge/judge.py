"""The report of a period, from past runs and measurements as the history streams them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from perfcheck.history.model import PastMeasurement
from perfcheck.model import Source, Verdict, worst
from perfcheck.periods.judge import focus, standing
from perfcheck.periods.judge.changes import Placed, consistency_changes, key_of, latency_changes
from perfcheck.periods.judge.noted import others, with_notes
from perfcheck.periods.judge.series import Series, series_of_endpoints
from perfcheck.periods.judge.summary import summarise
from perfcheck.periods.judge.tally import Tally
from perfcheck.periods.model import (
    FORMAT,
    BaselineHistory,
    ChangeKind,
    ConsistencyChange,
    EndpointSummary,
    GoneEndpoint,
    LatencyChange,
    NewEndpoint,
    PeriodReport,
    Recovery,
    SlowEndpoint,
)

_ORDER = [Verdict.CRITICAL, Verdict.WARNING, Verdict.NOT_MEASURED, Verdict.OK]


@dataclass(slots=True)
class _Gathered:
    """What is found, endpoint by endpoint."""

    tally: Tally
    endpoints: list[EndpointSummary] = field(default_factory=list)
    changes: list[Placed] = field(default_factory=list)
    consistency: list[ConsistencyChange] = field(default_factory=list)
    slow: list[SlowEndpoint] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    new: list[NewEndpoint] = field(default_factory=list)
    gone: list[GoneEndpoint] = field(default_factory=list)

    def add_endpoint(self, all_series: Sequence[Series]) -> None:
        lost = standing.gone(all_series, self.tally)
        within = [one for one in all_series if one.in_period]
        newest = standing.current(all_series)
        self.gone += [lost] if lost else []
        for one in within:
            self._add_series(one, is_newest=any(one is other for other in newest), is_gone=lost is not None)
        if within and (found := standing.new(all_series, self.tally, self.endpoints[-1].end_ms)):
            self.new.append(found)

    def _add_series(self, series: Series, *, is_newest: bool, is_gone: bool) -> None:
        period = self.tally.period
        found = series.search(lambda row: row.value_ms)
        spread = series.search(lambda row: row.spread)
        self.changes += latency_changes(series, found, period)
        self.consistency += consistency_changes(spread)
        summary = summarise(series, found, spread)
        self.endpoints.append(replace(summary, is_current=is_newest))
        if is_newest and not is_gone:
            slow, recovered = standing.slow_endpoint(series), standing.recovery(series, period)
            self.slow += [slow] if slow else []
            self.recoveries += [recovered] if recovered else []


def judge_period(
    tally: Tally,
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
    for _, all_series in series_of_endpoints(measurements, tally.period, tally.block):
        gathered.add_endpoint(all_series)
    return _report(gathered, baseline, tool_version, generated_at)


def _report(gathered: _Gathered, baseline: BaselineHistory, tool_version: str, generated_at: str) -> PeriodReport:
    tally = gathered.tally
    changes = sorted(with_notes(gathered.changes, tally), key=key_of)
    summaries, traffic = _with_traffic(gathered.endpoints)
    ranked, by = focus.rank(summaries)
    told = _told(gathered, changes) | {one.endpoint for one in ranked}
    new = [replace(one, is_monitored=standing.is_seen_by_monitor(traffic, tally, one.endpoint)) for one in gathered.new]
    return PeriodReport(
        format=FORMAT,
        tool_version=tool_version,
        generated_at=generated_at,
        period=tally.period,
        verdict=_verdict(tally, gathered.slow, changes),
        services=tally.most_common_services,
        runs=tally.runs,
        monitor_runs=sum(count for (_, source), count in tally.places.items() if source is Source.MONITORED),
        incomplete_runs=tally.incomplete,
        verdicts={str(verdict): tally.verdicts[verdict] for verdict in _ORDER if tally.verdicts[verdict]},
        machines=tally.machines,
        branches=tally.most_common_branches,
        commits=len(tally.commits),
        labels=tuple(tally.labels.values()),
        first=tally.first,
        last=tally.last,
        earlier_runs=tally.earlier,
        endpoints=tuple(replace(one, is_notable=one.name in told) for one in sorted(summaries, key=_weight)),
        regressions=tuple(one for one in changes if one.kind is ChangeKind.REGRESSION),
        improvements=tuple(one for one in changes if one.kind is ChangeKind.IMPROVEMENT),
        drifts=tuple(one for one in changes if one.kind in {ChangeKind.GETTING_SLOWER, ChangeKind.GETTING_FASTER}),
        consistency=tuple(sorted(gathered.consistency, key=lambda one: -one.ratio)),
        slow=tuple(sorted(gathered.slow, key=lambda one: (_ORDER.index(one.verdict), -(one.ratio or 0.0)))),
        recoveries=tuple(sorted(gathered.recoveries, key=lambda one: (_ORDER.index(one.worst), -one.runs))),
        new=tuple(new),
        gone=tuple(gathered.gone),
        other_notes=others(tally, changes, gathered.consistency),
        baseline=baseline,
        focus=ranked,
        ranked_by=by,
    )


def _with_traffic(summaries: Sequence[EndpointSummary]) -> tuple[list[EndpointSummary], dict[str, int | None]]:
    """What the monitor counted also where the check measured; and the same by name."""
    traffic = {one.name: one.traffic for one in summaries if one.source is Source.MONITORED}
    filled = [one if one.traffic is not None else replace(one, traffic=traffic.get(one.name)) for one in summaries]
    return filled, traffic


def _told(gathered: _Gathered, changes: Iterable[LatencyChange]) -> set[str]:
    """The endpoints of which something is told beside their figures."""
    told = {one.endpoint for one in changes} | {one.endpoint for one in gathered.consistency}
    told |= {one.endpoint for one in gathered.slow} | {one.endpoint for one in gathered.recoveries}
    return told | {one.endpoint for one in gathered.new} | {one.endpoint for one in gathered.gone}


def _verdict(tally: Tally, slow: Iterable[SlowEndpoint], changes: Iterable[LatencyChange]) -> Verdict:
    if not tally.runs:
        return Verdict.NOT_MEASURED
    stands = any(one.stands for one in changes)
    return worst([Verdict.WARNING if stands else Verdict.OK, *(one.verdict for one in slow)])


def _weight(one: EndpointSummary) -> tuple[bool, int, float, str]:
    """What is in force first, the worst verdict first, and then what has the least headroom."""
    headroom = one.end_headroom if one.end_headroom is not None else 1.0
    return not one.is_current, _ORDER.index(one.verdict), headroom, one.name
