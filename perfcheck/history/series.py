"""An endpoint's past, read from the history and looked through for changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from perfcheck.history.model import Note, PastMeasurement
from perfcheck.history.report.series import SeriesHistory
from perfcheck.model import Source
from perfcheck.stats.change_points import Trend, find_trend

if TYPE_CHECKING:
    from perfcheck.history.store import History


def read_series(
    store: History,
    endpoint: str,
    *,
    since: str | None = None,
    until: str | None = None,
    source: Source | None = None,
    most: int,
) -> list[SeriesHistory]:
    """Every series of the endpoint, the one with the newest run first; of each the last ``most`` measurements."""
    notes = store.notes()
    found = [
        _series(tuple(points), notes, earlier)
        for points, earlier in store.latest(endpoint, since=since, until=until, most=most)
        if source is None or points[-1].source is source
    ]
    return sorted(found, key=lambda series: series.points[-1].started_at, reverse=True)


def _series(points: tuple[PastMeasurement, ...], notes: Sequence[Note], earlier: int) -> SeriesHistory:
    return SeriesHistory(
        points=points,
        trend=find_trend([point.value_ms or 0.0 for point in points]),
        spread_trend=_spread_trend(points),
        notes=tuple((index, note) for note in notes if (index := _place(note, points)) is not None),
        earlier=earlier,
    )


def _spread_trend(points: Sequence[PastMeasurement]) -> Trend:
    """Of the runs that have a spread; the indexes are brought back to those of all runs."""
    known = [(index, point.spread) for index, point in enumerate(points) if point.spread]
    trend = find_trend([spread for _, spread in known])
    steps = tuple(replace(step, index=known[step.index][0]) for step in trend.steps)
    drift = replace(trend.drift, index=known[trend.drift.index][0]) if trend.drift else None
    return Trend(steps, drift)


def _place(note: Note, points: Sequence[PastMeasurement]) -> int | None:
    """The first run that a note belongs to."""
    for index, point in enumerate(points):
        of_commit = bool(note.commit and point.commit and point.commit.startswith(note.commit))
        if of_commit or (note.run_id is not None and note.run_id == point.run_id):
            return index
    return None
