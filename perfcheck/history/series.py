"""The series of an endpoint as a history has them: all, with their changes; or the newest of one baseline."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING, Unpack

from perfcheck.history.model import Note, PastMeasurement
from perfcheck.model import Source
from perfcheck.stats.change_points import find_trend
from perfcheck.stats.split_score import SPREAD_NOISE
from perfcheck.stats.trend import Trend

if TYPE_CHECKING:
    from perfcheck.history.store import History
    from perfcheck.history.store.reading import Filter

_RECENT_RUNS = 500  # that are searched first
_MIN_KEPT = 200  # measurements of a series, for the trend; more when more good runs are wanted


# --- All series, with their changes --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SeriesHistory:
    """Measurements that may be compared, in order of time, and their changes."""

    points: tuple[PastMeasurement, ...]  # those that have a value; at least one
    trend: Trend  # of the values
    spread_trend: Trend  # of the spread; its indexes are those of ``points``
    notes: tuple[tuple[int, Note], ...] = ()  # with the index of the first point that each belongs to
    earlier: int = 0  # older measurements that were left out


def read_series(store: History, endpoint: str, *, most: int, **filters: Unpack[Filter]) -> list[SeriesHistory]:
    """Every series of the endpoint, the one with the newest run first; of each the last ``most`` measurements."""
    notes = store.notes()
    latest = store.latest(endpoint, most=most, **filters)
    histories = [_history(tuple(points), notes, earlier) for points, earlier in latest]
    return sorted(histories, key=lambda series: series.points[-1].started_at, reverse=True)


def _history(points: tuple[PastMeasurement, ...], notes: Sequence[Note], earlier: int) -> SeriesHistory:
    trend = find_trend([point.value_ms or 0.0 for point in points], floor=points[-1].metric_of.floor)
    return SeriesHistory(
        points=points,
        trend=replace(trend, more_is_better=points[-1].unit.is_load),
        spread_trend=_spread_trend(points),
        notes=tuple((index, note) for note in notes if (index := _first_point(note, points)) is not None),
        earlier=earlier,
    )


def _spread_trend(points: Sequence[PastMeasurement]) -> Trend:
    """Of the runs that have a spread; its indexes are those of all runs."""
    known = [(index, point.spread) for index, point in enumerate(points) if point.spread]
    trend = find_trend([spread for _, spread in known], noise=SPREAD_NOISE)
    steps = tuple(replace(step, index=known[step.index][0]) for step in trend.steps)
    drift = replace(trend.drift, index=known[trend.drift.index][0]) if trend.drift else None
    return replace(trend, steps=steps, drift=drift, forming=None)


def _first_point(note: Note, points: Sequence[PastMeasurement]) -> int | None:
    """The index of the first run that a note belongs to."""
    for index, point in enumerate(points):
        is_of_commit = bool(note.commit and point.commit and point.commit.startswith(note.commit))
        if is_of_commit or (note.run_id is not None and note.run_id == point.run_id):
            return index
    return None


# --- The newest series of a baseline -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LatestSeries:
    """One series in order of time. ``since`` is the index of the first run after the last step; 0 without one."""

    points: tuple[PastMeasurement, ...] = ()
    since: int = 0
    runs_needed: int | None = None  # where the newest runs may be another change, until that is known
    in_other_series: int = 0  # measurements that cannot be compared: another machine, request or metric


class LatestSeriesReader:
    """Reads the newest series of endpoints of one baseline file, as far as its runs are of the ``branch``.

    ``runs`` is how many good runs are wanted of each; the newest ``recent`` runs are searched before all others.
    """

    def __init__(
        self, store: History, file: str, runs: int, *, branch: str | None = None, recent: int = _RECENT_RUNS
    ) -> None:
        self._store = store
        self._branch = branch
        self._file = file
        self._runs = runs
        newest = list(store.runs(source=Source.MEASURED, branch=branch, limit=recent))
        self._since = newest[-1].started_at if len(newest) == recent else None
        self._matches: dict[str, int] = {}  # series -> how surely it is of this file

    def read(self, endpoint: str) -> LatestSeries:
        """The series with the newest measurement. Those of other baseline files do not count."""
        series = self._read(endpoint, self._since)
        return series if self._since is None or len(series.points) >= self._runs else self._read(endpoint, None)

    def _read(self, endpoint: str, since: str | None) -> LatestSeries:
        tails = list(self._tails(endpoint, since))
        best = max((self._match(points[-1]) for points, _ in tails), default=0)
        if not best:
            return LatestSeries()
        matching = [(points, count) for points, count in tails if self._match(points[-1]) == best]
        newest, count = max(matching, key=lambda tail: tail[0][-1].started_at)
        last_change, runs_needed = _last_change(newest)
        return LatestSeries(newest, last_change, runs_needed, sum(count for _, count in matching) - count)

    def _tails(self, endpoint: str, since: str | None) -> Iterator[tuple[tuple[PastMeasurement, ...], int]]:
        """The last points of each series, and how many it has."""
        measured = self._store.measurements(endpoint=endpoint, source=Source.MEASURED, branch=self._branch, since=since)
        for _, series in groupby(measured, key=lambda row: row.series):
            count, kept = 0, deque[PastMeasurement](maxlen=max(_MIN_KEPT, 2 * self._runs))
            for row in series:
                count += 1
                kept.append(row)
            yield tuple(kept), count

    def _match(self, last: PastMeasurement) -> int:
        """All of a series is of one file."""
        if last.series not in self._matches:
            self._matches[last.series] = match_file_names(self._store.past_run(last.run_id).baseline_file, self._file)
        return self._matches[last.series]


def match_file_names(name: str, other: str) -> int:
    """Whether two names, as seen from two folders, may mean the same file: 2 equal, 1 maybe, 0 no."""
    if name == other:
        return 2
    short, long = sorted((_parts(name), _parts(other)), key=len)
    return int(bool(short) and long[len(long) - len(short) :] == short)


def _parts(name: str) -> list[str]:
    return [part for part in PurePath(name).parts if part != ".."]


def _last_change(points: tuple[PastMeasurement, ...]) -> tuple[int, int | None]:
    """The index after the last step; and how many more runs will show whether the newest are another one."""
    known = [(index, point.value_ms) for index, point in enumerate(points) if point.value_ms is not None]
    trend = find_trend([value for _, value in known], floor=points[-1].metric_of.floor)
    since = known[trend.steps[-1].index][0] if trend.steps else 0
    return since, trend.forming.runs_needed if trend.forming else None
