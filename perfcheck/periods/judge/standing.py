"""Endpoints at the end of the period: slow ones, recoveries, new and gone ones, and the ones to work on next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise, takewhile

from perfcheck.history.model import PastMeasurement
from perfcheck.model import Changed, Source, Unit, Verdict, change_ratio, worst
from perfcheck.periods.judge.series_changes import Series, run_reference
from perfcheck.periods.judge.tally import PeriodTally, machine_key
from perfcheck.periods.model import (
    EndpointSummary,
    Focus,
    GoneEndpoint,
    NewEndpoint,
    Period,
    RankedBy,
    Recovery,
    SlowEndpoint,
)

_GONE_AFTER = 3  # runs that do not measure it: one alone may have been limited to some endpoints
_CLEARLY_FASTER = 1.1
_MIN_SLOW_RUNS = 2  # in a row, for their end to be a recovery
_MAX_FOCUS = 10
_SLOW = (Verdict.WARNING, Verdict.CRITICAL)


def slow_endpoint(series: Series) -> SlowEndpoint | None:
    newest = series.newest
    if newest.verdict not in _SLOW:
        return None
    streak = list(takewhile(lambda row: row.verdict in _SLOW, reversed(series.rows)))
    return SlowEndpoint(
        endpoint=newest.endpoint,
        machine=newest.machine,
        source=newest.source,
        verdict=newest.verdict,
        metric=newest.metric,
        value_ms=newest.value_ms,
        target_ms=newest.target_ms,
        ratio=newest.value_ms / newest.target_ms if newest.value_ms is not None and newest.target_ms else None,
        error_rate=newest.error_rate,
        since=run_reference(streak[-1]),
        runs=len(streak),
        is_always=len(streak) == len(series.rows),
        critical_path=newest.critical_path,
    )


def recovery(series: Series, period: Period) -> Recovery | None:
    """The newest that ended in the period, if the endpoint is still OK."""
    if series.newest.verdict is not Verdict.OK:
        return None
    streaks = [(slow, list(rows)) for slow, rows in groupby(series.rows, key=lambda row: row.verdict in _SLOW)]
    for (slow, rows), (_, after) in reversed(list(pairwise(streaks))):
        ended = after[0]
        if ended.started_at < period.since:
            return None
        if slow and _target_was_raised(rows[-1], ended):
            return None
        if slow and len(rows) >= _MIN_SLOW_RUNS:
            return Recovery(
                endpoint=rows[0].endpoint,
                machine=rows[0].machine,
                source=rows[0].source,
                worst=worst([row.verdict for row in rows]),
                began=run_reference(rows[0]),
                ended=run_reference(ended),
                runs=len(rows),
            )
    return None


def _target_was_raised(slow: PastMeasurement, ended: PastMeasurement) -> bool:
    """Whether the target changed rather than the endpoint."""
    eased = ended.unit.worsening
    if not slow.target_ms or not ended.target_ms or eased(ended.target_ms / slow.target_ms) <= 1:
        return False
    if slow.value_ms is None or ended.value_ms is None:
        return False
    return eased(change_ratio(ended.value_ms, slow.value_ms)) > 1 / _CLEARLY_FASTER


def gone_endpoint(all_series: Sequence[Series], tally: PeriodTally) -> GoneEndpoint | None:
    """An endpoint that existed at the beginning of the period, and that the newest runs no longer measured."""
    newest = max((series.newest for series in all_series), key=lambda row: row.started_at)
    times = tally.times.get(machine_key(newest.machine, newest.source), ())
    later = [time for time in times if time > newest.started_at]
    before = sum(time < tally.period.since for time in later)
    if len(later) < _GONE_AFTER or before >= _GONE_AFTER:
        return None
    return GoneEndpoint(newest.endpoint, run_reference(newest), len(later))


def new_endpoint(all_series: Sequence[Series], tally: PeriodTally, newest: EndpointSummary) -> NewEndpoint | None:
    """An endpoint that no earlier run had, if there were earlier runs; ``newest`` has its value.

    The caller, who knows the other endpoints, fills in whether the monitor sees it.
    """
    first = min((series.rows[0] for series in all_series), key=lambda row: row.started_at)
    if first.started_at < tally.period.since or not tally.first_of.get(first.source, "~") < first.started_at:
        return None
    measured = [series.newest for series in all_series if series.newest.source is Source.MEASURED]
    return NewEndpoint(
        endpoint=first.endpoint,
        first=run_reference(first),
        metric=newest.metric,
        value_ms=newest.end_ms,
        has_target=any(row.target_ms is not None for row in measured),
        is_monitored=None,
    )


def is_current(series: Series, all_series: Sequence[Series]) -> bool:
    """False when another series on the same machine began after this one ended: another baseline or request."""
    newest = series.newest
    later = (other for other in all_series if other.rows[0].started_at > newest.started_at)
    key = machine_key(newest.machine, newest.source)
    return all(machine_key(other.newest.machine, other.newest.source) != key for other in later)


# --- What to work on next ------------------------------------------------------------------------------------------


def rank_focus(summaries: Iterable[EndpointSummary]) -> tuple[tuple[Focus, ...], RankedBy]:
    """The ten endpoints that lost most, and by what they are ranked.

    An endpoint lost what it is slower than at the beginning, where a change was found; or what it is over its target,
    when that is more. Where the monitor counted the requests of all of them, they are ranked by that times the
    requests; else by its share of the target.
    """
    candidates = [focus for focus in map(_focus, _one_per_endpoint(summaries)) if focus is not None]
    has_traffic = bool(candidates) and all(focus.lost_time_s is not None for focus in candidates)
    ranked_by = RankedBy.TIME if has_traffic else RankedBy.SHARE
    return tuple(sorted(candidates, key=lambda focus: _rank(focus, ranked_by))[:_MAX_FOCUS]), ranked_by


def _one_per_endpoint(summaries: Iterable[EndpointSummary]) -> Iterable[EndpointSummary]:
    """Measured series rather than the monitor's, then the newest."""
    best: dict[str, EndpointSummary] = {}
    for summary in summaries:
        known = best.get(summary.name)
        is_preferred = known is None or _preference(summary) > _preference(known)
        if summary.is_current and summary.end_ms is not None and is_preferred:
            best[summary.name] = summary
    return best.values()


def _preference(summary: EndpointSummary) -> tuple[bool, str]:
    return summary.source is Source.MEASURED, summary.last.started_at


def _focus(summary: EndpointSummary) -> Focus | None:
    begin_ms, end_ms, target_ms = summary.begin_ms, summary.end_ms, summary.target_ms
    if end_ms is None:
        return None
    sign = -1 if summary.unit.is_load else 1
    slower = sign * (end_ms - begin_ms) if summary.changed is Changed.SLOWER and begin_ms is not None else 0.0
    over = sign * (end_ms - target_ms) if target_ms else 0.0
    lost = max(slower, over, 0.0)
    if not lost and summary.verdict not in _SLOW:
        return None
    traffic = summary.traffic if summary.unit is Unit.TIME else None
    return Focus(
        endpoint=summary.name,
        machine=summary.machine,
        source=summary.source,
        metric=summary.metric,
        end_ms=end_ms,
        target_ms=target_ms,
        end_headroom=summary.end_headroom,
        lost_ms=lost,
        lost_share=lost / target_ms if target_ms else None,
        traffic=summary.traffic,
        lost_time_s=lost * traffic / 1000 if traffic is not None else None,
        verdict=summary.verdict,
        changed=summary.changed,
        critical_path=summary.critical_path,
    )


def _rank(focus: Focus, ranked_by: RankedBy) -> tuple[bool, float, float]:
    """An endpoint that lost no time and is slow all the same, because of its errors, comes before all others."""
    share = focus.lost_share or 0.0
    weight = (focus.lost_time_s or 0.0) if ranked_by is RankedBy.TIME else share
    return bool(focus.lost_ms), -weight, -share
