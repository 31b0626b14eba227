"""How endpoints stand at the end of the period: slow ones, recoveries, new ones, and those that are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from perfcheck.history.model import PastMeasurement
from perfcheck.model import Source, Verdict, worst
from perfcheck.periods.judge.series import Series, moment
from perfcheck.periods.judge.tally import Tally, place_of
from perfcheck.periods.model import GoneEndpoint, NewEndpoint, Period, Recovery, SlowEndpoint

_GONE_AFTER = 3  # runs that do not measure it: one alone may have been asked for some endpoints only
_CLEARLY_FASTER = 1.1
_LEAST_SLOW_RUNS = 2  # in a row, for their end to be a recovery
_SLOW = (Verdict.WARNING, Verdict.CRITICAL)


def slow_endpoint(series: Series) -> SlowEndpoint | None:
    newest = series.newest
    if newest.verdict not in _SLOW:
        return None
    row_of_slow: list[PastMeasurement] = []
    for row in reversed(series.rows):
        if row.verdict not in _SLOW:
            break
        row_of_slow.append(row)
    return SlowEndpoint(
        endpoint=newest.endpoint,
        machine=newest.machine,
        source=newest.source,
        verdict=newest.verdict,
        metric=newest.metric,
        value_ms=newest.value_ms,
        target_ms=newest.target_ms,
        ratio=newest.value_ms / newest.target_ms if newest.value_ms and newest.target_ms else None,
        error_rate=newest.error_rate,
        since=moment(row_of_slow[-1]),
        runs=len(row_of_slow),
        is_always=len(row_of_slow) == len(series.rows),
        critical_path=newest.critical_path,
    )


def recovery(series: Series, period: Period) -> Recovery | None:
    """The newest of those that ended in the period, when it is OK still."""
    if series.newest.verdict is not Verdict.OK:
        return None
    streaks = [(slow, list(rows)) for slow, rows in groupby(series.rows, key=lambda row: row.verdict in _SLOW)]
    for i in range(len(streaks) - 2, -1, -1):
        slow, rows = streaks[i]
        ended = streaks[i + 1][1][0]
        if ended.started_at < period.since:
            return None
        if slow and _is_forgiven(rows[-1], ended):
            return None
        if slow and len(rows) >= _LEAST_SLOW_RUNS:
            return Recovery(
                endpoint=rows[0].endpoint,
                machine=rows[0].machine,
                source=rows[0].source,
                worst=worst([row.verdict for row in rows]),
                began=moment(rows[0]),
                ended=moment(ended),
                runs=len(rows),
            )
    return None


def _is_forgiven(slow: PastMeasurement, ended: PastMeasurement) -> bool:
    """Whether it was the target that moved, and not the endpoint."""
    if not slow.target_ms or not ended.target_ms or ended.target_ms <= slow.target_ms:
        return False
    return slow.value_ms is not None and ended.value_ms is not None and ended.value_ms > slow.value_ms / _CLEARLY_FASTER


def gone(all_series: Sequence[Series], tally: Tally) -> GoneEndpoint | None:
    """An endpoint that the newest runs no longer measured, when it was there at the beginning of the period."""
    newest = max((one.newest for one in all_series), key=lambda row: row.started_at)
    times = tally.times.get(place_of(newest.machine, newest.source), ())
    later = [time for time in times if time > newest.started_at]
    before = sum(time < tally.period.since for time in later)
    if len(later) < _GONE_AFTER or before >= _GONE_AFTER:
        return None
    return GoneEndpoint(newest.endpoint, moment(newest), len(later))


def new(all_series: Sequence[Series], tally: Tally, end_ms: float | None) -> NewEndpoint | None:
    """An endpoint that no run before the period had, while there were such runs, or earlier ones in the period.

    Whether the monitor sees it is for the caller to say, who knows the other endpoints.
    """
    first = min((one.rows[0] for one in all_series), key=lambda row: row.started_at)
    if first.started_at < tally.period.since or not tally.first_of.get(first.source, "~") < first.started_at:
        return None
    measured = [one.newest for one in all_series if one.newest.source is Source.MEASURED]
    return NewEndpoint(
        endpoint=first.endpoint,
        first=moment(first),
        value_ms=end_ms,
        has_target=any(row.target_ms is not None for row in measured),
        is_monitored=None,
    )


def current(all_series: Sequence[Series]) -> list[Series]:
    """Without those that ended before another on the same machine began: another baseline or request replaced them."""
    return [one for one in all_series if not any(_replaces(other, one) for other in all_series)]


def _replaces(other: Series, one: Series) -> bool:
    alike = place_of(other.newest.machine, other.newest.source) == place_of(one.newest.machine, one.newest.source)
    return alike and other.rows[0].started_at > one.newest.started_at


def is_seen_by_monitor(monitored: Mapping[str, int | None], tally: Tally, endpoint: str) -> bool | None:
    """None where no monitor was read at all."""
    return endpoint in monitored if Source.MONITORED in tally.first_of else None
