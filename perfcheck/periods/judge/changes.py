"""The changes of one series: regressions and how they ended, improvements, drifts, consistency, and notes on them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from perfcheck.history.model import Note
from perfcheck.model import change_ratio
from perfcheck.periods.judge.series_changes import LocatedStep, Series, SeriesChanges, run_reference
from perfcheck.periods.judge.tally import PeriodTally, is_same_commit
from perfcheck.periods.model import (
    ChangeKind,
    ConsistencyChange,
    FormingChange,
    LatencyChange,
    Period,
    RunReference,
)
from perfcheck.stats.drift import Drift

_NEAR = 2  # runs
EDGE_RUNS = 5  # whose median is the value at the beginning, or at the end
SAME_LEVEL = 1.05  # two levels within this ratio are the same


@dataclass(frozen=True, slots=True)
class WindowedChange:
    """A change, and the times around its beginning and its end: after the first, up to the second of each pair."""

    change: LatencyChange
    windows: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Regression:
    step: LocatedStep
    resolved: LocatedStep | None = None


def latency_changes(series: Series, changes: SeriesChanges, period: Period) -> Iterator[WindowedChange]:
    """Those that are new in the period, and earlier regressions that were resolved in it; without notes.

    A step is new where it happened. One shortly before the period that only the runs of the period show is new as
    well, since no earlier report can have had it.
    """
    builder, unit = _ChangeBuilder(series, changes, period), series.newest.unit
    best = max if unit.is_load else min
    regressions: list[_Regression] = []
    for step in changes.steps:
        if unit.worsening(step.ratio) > 1:
            regressions.append(_Regression(step))
            continue
        unresolved = [regression for regression in regressions if regression.resolved is None]
        level = best((regression.step.before for regression in unresolved), default=step.before)
        for regression in unresolved:
            if unit.worsening(change_ratio(step.after, regression.step.before)) <= SAME_LEVEL:
                regression.resolved = step
        # What only undoes a regression is not an improvement; what goes beyond the level before it is.
        if step.is_new and (not unresolved or unit.worsening(change_ratio(step.after, level)) < 1 / SAME_LEVEL):
            yield builder.change(ChangeKind.IMPROVEMENT, step, level)
    for regression in regressions:
        resolved = regression.resolved
        if regression.step.is_new or (resolved is not None and resolved.is_new):
            index = None if resolved is None else resolved.index
            yield builder.change(ChangeKind.REGRESSION, regression.step, regression.step.before, index)
    drift = changes.trend.drift
    if drift is not None and builder.is_within(len(changes.rows) - 1):
        kind = ChangeKind.GETTING_SLOWER if unit.worsening(drift.ratio) > 1 else ChangeKind.GETTING_FASTER
        yield builder.change(kind, drift, drift.before)


@dataclass(frozen=True, slots=True)
class _ChangeBuilder:
    series: Series
    changes: SeriesChanges
    period: Period

    def is_within(self, index: int) -> bool:
        return self.changes.rows[index].started_at >= self.period.since

    def change(
        self, kind: ChangeKind, point: LocatedStep | Drift, before_ms: float, resolved: int | None = None
    ) -> WindowedChange:
        step = point if isinstance(point, LocatedStep) else None
        rows = self.changes.rows
        row, now_ms = rows[point.index], end_level(self.changes)
        change = LatencyChange(
            kind=kind,
            endpoint=row.endpoint,
            machine=row.machine,
            source=row.source,
            metric=row.metric,
            critical_path=rows[-1].critical_path,
            at=run_reference(row),
            previous=run_reference(rows[point.index - 1]) if point.index else None,
            before_ms=before_ms,
            after_ms=point.after,
            ratio=change_ratio(point.after, before_ms),
            score=step.score if step else None,
            error_probability=step.error_probability if step else None,
            target_ms=row.target_ms,
            now_ms=now_ms,
            resolved=None if resolved is None else run_reference(rows[resolved]),
            lasted_runs=None if resolved is None else resolved - point.index,
            stands=kind is ChangeKind.REGRESSION
            and resolved is None
            and row.unit.worsening(change_ratio(now_ms, before_ms)) > SAME_LEVEL,
            began_before=not self.is_within(point.index),
        )
        ends = (point.index,) if resolved is None else (point.index, resolved)
        return WindowedChange(change, tuple(map(self._window, ends)))

    def _window(self, index: int) -> tuple[str, str]:
        """A step may be located a run off, and a note may be of the run in which the change was noticed."""
        rows = self.changes.rows
        before, after = index - 1 - _NEAR, min(index + _NEAR, len(rows) - 1)
        return rows[before].started_at if before >= 0 else "", rows[after].started_at


def forming_change(series: Series, changes: SeriesChanges, period: Period) -> FormingChange | None:
    """What the newest runs of the period may turn out to be."""
    forming = changes.trend.forming
    if forming is None or not _ChangeBuilder(series, changes, period).is_within(len(changes.rows) - 1):
        return None
    row = changes.rows[forming.index]
    return FormingChange(
        endpoint=row.endpoint,
        machine=row.machine,
        source=row.source,
        metric=row.metric,
        at=run_reference(row),
        before_ms=forming.before,
        after_ms=forming.after,
        ratio=forming.ratio,
        runs=len(changes.rows) - forming.index,
        runs_needed=forming.runs_needed,
    )


def consistency_changes(spread: SeriesChanges) -> Iterator[ConsistencyChange]:
    for step in spread.steps:
        row = spread.rows[step.index]
        if step.is_new:
            yield ConsistencyChange(
                endpoint=row.endpoint,
                machine=row.machine,
                source=row.source,
                at=run_reference(row),
                previous=run_reference(spread.rows[step.index - 1]) if step.index else None,
                before_spread=step.before,
                after_spread=step.after,
                ratio=step.ratio,
                score=step.score,
                error_probability=step.error_probability,
            )


def begin_level(changes: SeriesChanges) -> float | None:
    """The median of the last runs before the period, since the last change; else of its first, up to the first."""
    if start := changes.begin:
        last = max((step.index for step in changes.steps if step.index < start), default=0)
        values = changes.values[max(last, start - EDGE_RUNS) : start]
    else:
        end = min((step.index for step in changes.steps if step.index), default=len(changes.rows))
        values = changes.values[: min(end, EDGE_RUNS)]
    return statistics.median(values) if values else None


def end_level(changes: SeriesChanges) -> float:
    """The median of the last runs, since the last change."""
    last = max((step.index for step in changes.steps), default=0)
    return statistics.median(changes.values[max(last, len(changes.values) - EDGE_RUNS) :])


def change_size(ratio: float) -> float:
    """2 for twice and for half as much."""
    return max(ratio, change_ratio(1.0, ratio))


def importance(change: LatencyChange) -> tuple[bool, bool, float, str]:
    """A key that sorts critical paths first, then what still stands, then the largest change."""
    size = change_size(change.ratio)
    return (not change.critical_path, not change.stands, -size, change.at.started_at)


# --- Notes ---------------------------------------------------------------------------------------------------------


def with_notes(changes: Iterable[WindowedChange], tally: PeriodTally) -> list[LatencyChange]:
    return [
        replace(windowed.change, notes=tuple(note for note in tally.notes if _belongs(note, windowed, tally)))
        for windowed in changes
    ]


def other_notes(
    tally: PeriodTally, changes: Iterable[LatencyChange], spreads: Iterable[ConsistencyChange]
) -> tuple[Note, ...]:
    """The notes on runs and commits of the period that belong to no change."""
    shown = {note.id for change in changes for note in change.notes}
    shown |= {note.id for note in tally.notes if any(_is_of(note, spread.at) for spread in spreads)}
    since = tally.period.since
    return tuple(note for note in tally.notes if note.id not in shown and tally.note_times.get(note.id, "") >= since)


def _belongs(note: Note, windowed: WindowedChange, tally: PeriodTally) -> bool:
    """Whether a note is on a run or commit at or near the beginning or end, or names the endpoint in between.

    Near are also runs on other machines, between the last good one and the first bad one.
    """
    change, resolved = windowed.change, windowed.change.resolved
    if _is_of(note, change.at) or (resolved is not None and _is_of(note, resolved)):
        return True
    time, end = tally.note_times.get(note.id, ""), resolved.started_at if resolved else tally.period.until
    if any(after < time <= until for after, until in windowed.windows):
        return True
    text = " ".join(part for part in (note.incident, note.cause, note.fix) if part)
    return change.at.started_at <= time < end and change.endpoint in text


def _is_of(note: Note, run: RunReference) -> bool:
    return note.run_id == run.run_id or is_same_commit(note.commit, run.commit)
