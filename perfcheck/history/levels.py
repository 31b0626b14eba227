"""Past measurements of an endpoint, and where in them the level of today begins."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING

from perfcheck.history.model import PastMeasurement
from perfcheck.model import Source
from perfcheck.stats.change_points import find_trend

if TYPE_CHECKING:
    from perfcheck.history.store import History

_RECENT = 500  # runs that are looked through at first
_FEWEST_KEPT = 200  # measurements of a series, for the trend; more when more good runs are wanted


@dataclass(frozen=True, slots=True)
class Level:
    """One series in the order of time. ``since`` is the index of the first run after the last step; 0 without one."""

    points: tuple[PastMeasurement, ...] = ()
    since: int = 0
    of_other_series: int = 0  # measurements that cannot be compared: another machine, request or metric


@dataclass(frozen=True, slots=True)
class _Series:
    points: tuple[PastMeasurement, ...]  # the end of it
    count: int


class Past:
    """What the history has of the endpoints of one baseline file.

    ``runs`` is how many good runs are wanted of each; ``recent`` how many runs are looked through before all are.
    """

    def __init__(self, store: History, file: str, runs: int, recent: int = _RECENT) -> None:
        self._store = store
        self._file = file
        self._runs = runs
        newest = list(store.runs(source=Source.MEASURED, limit=recent))
        self._since = newest[-1].started_at if len(newest) == recent else None
        self._nearness: dict[str, int] = {}  # of a series: how surely it is of this file

    def level(self, endpoint: str) -> Level:
        """The series with the newest measurement. What was measured by another baseline file does not count."""
        level = self._level(endpoint, self._since)
        return level if self._since is None or len(level.points) >= self._runs else self._level(endpoint, None)

    def _level(self, endpoint: str, since: str | None) -> Level:
        found = [(self._near(one), one.points[-1].started_at, one) for one in self._series(endpoint, since)]
        nearest = max((near for near, _, _ in found), default=0)
        if not nearest:
            return Level()
        ours = [(started_at, one) for near, started_at, one in found if near == nearest]
        _, newest = max(ours, key=lambda pair: pair[0])
        return Level(newest.points, _last_step(newest.points), sum(one.count for _, one in ours) - newest.count)

    def _series(self, endpoint: str, since: str | None) -> list[_Series]:
        measured = self._store.measurements(endpoint=endpoint, source=Source.MEASURED, since=since)
        found = []
        for _, some in groupby(measured, key=lambda one: one.series):
            count, kept = 0, deque[PastMeasurement](maxlen=max(_FEWEST_KEPT, 2 * self._runs))
            for one in some:
                count += 1
                kept.append(one)
            found.append(_Series(tuple(kept), count))
        return found

    def _near(self, series: _Series) -> int:
        """All of a series is of one file."""
        last = series.points[-1]
        if last.series not in self._nearness:
            self._nearness[last.series] = nearness(self._store.past_run(last.run_id).baseline_file, self._file)
        return self._nearness[last.series]


def nearness(one: str, other: str) -> int:
    """Of two names of files, as two people in two folders may have called them: 2 equal, 1 maybe the same, 0 not."""
    if one == other:
        return 2
    short, long = sorted((_parts(one), _parts(other)), key=len)
    return int(long[len(long) - len(short) :] == short)


def _parts(name: str) -> list[str]:
    return [part for part in PurePath(name).parts if part != ".."]


def _last_step(points: tuple[PastMeasurement, ...]) -> int:
    known = [(index, one.value_ms) for index, one in enumerate(points) if one.value_ms]
    steps = find_trend([value for _, value in known]).steps
    return known[steps[-1].index][0] if steps else 0
