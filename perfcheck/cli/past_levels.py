"""Past measurements of an endpoint, and where in them the level of today begins."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from perfcheck.history import PastMeasurement
from perfcheck.judge.trends import find_trend
from perfcheck.model import Source

if TYPE_CHECKING:
    from perfcheck.record.history import History

_RECENT = 2000  # runs that are looked through at first
_FEWEST_READ = 200  # measurements, for the trend; more when more good runs are wanted


@dataclass(frozen=True, slots=True)
class Level:
    """One series in the order of time. ``since`` is the index of the first run after the last step; 0 without one."""

    points: tuple[PastMeasurement, ...]
    since: int
    of_other_series: int  # measurements that cannot be compared: another machine, request or metric


def recent(store: History, most: int = _RECENT) -> str | None:
    """When the oldest of the newest ``most`` runs began; None where there are not so many."""
    runs = list(store.runs(source=Source.MEASURED, limit=most))
    return runs[-1].started_at if len(runs) == most else None


def read_level(store: History, endpoint: str, runs: int, since: str | None = None) -> Level:
    """The series that the newest measurement of the endpoint belongs to, its end at least.

    ``since`` spares the way through a long history, where enough was measured since then.
    """
    level = _read(store, endpoint, runs, since)
    return level if since is None or len(level.points) >= runs else _read(store, endpoint, runs, None)


def _read(store: History, endpoint: str, runs: int, since: str | None) -> Level:
    newest: deque[PastMeasurement] = deque()
    count = of_newest = 0
    measured = store.measurements(endpoint=endpoint, source=Source.MEASURED, since=since)
    for _, some in groupby(measured, key=lambda one: one.series):
        kept: deque[PastMeasurement] = deque(maxlen=max(_FEWEST_READ, 2 * runs))
        before = count
        for one in some:
            kept.append(one)
            count += 1
        if not newest or kept[-1].started_at > newest[-1].started_at:
            newest, of_newest = kept, count - before
    points = tuple(newest)
    return Level(points, _last_step(points), count - of_newest)


def _last_step(points: tuple[PastMeasurement, ...]) -> int:
    known = [(index, one.value_ms) for index, one in enumerate(points) if one.value_ms]
    steps = find_trend([value for _, value in known]).steps
    return known[steps[-1].index][0] if steps else 0
