"""What became of the levels of one series: regressions and how they ended, improvements, drifts, consistency."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from perfcheck.periods.judge.series import Found, FoundStep, Series, moment
from perfcheck.periods.model import ChangeKind, ConsistencyChange, LatencyChange, Period
from perfcheck.stats.drift import Drift

_NEAR = 2  # runs
EDGE_RUNS = 5  # whose median is the value at the beginning, or at the end
ALIKE = 1.05  # two levels within this of one another are the same again


@dataclass(frozen=True, slots=True)
class Placed:
    """A change, and the times around its beginning and its end: after the first, up to the second of each pair."""

    change: LatencyChange
    around: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Open:
    """A regression, as long as nothing is known to have ended it."""

    step: FoundStep
    resolved: FoundStep | None = None


def latency_changes(series: Series, found: Found, period: Period) -> Iterator[Placed]:
    """Those that are news in the period, and the regressions from before that were resolved in it; without notes.

    A step is news where it happened; one shortly before the period, which only the runs of the period show, is so too,
    since no earlier report can have told it.
    """
    make = _Maker(series, found, period)
    regressions: list[_Open] = []
    for step in found.steps:
        if step.after > step.before:
            regressions.append(_Open(step))
            continue
        still = [one for one in regressions if one.resolved is None]
        level = min((one.step.before for one in still), default=step.before)
        for one in still:
            if step.after <= one.step.before * ALIKE:
                one.resolved = step
        # What only takes a regression back is no achievement; what goes below the level before it is.
        if step.is_news and (not still or step.after * ALIKE < level):
            yield make.change(ChangeKind.IMPROVEMENT, step, level)
    for one in regressions:
        resolved = one.resolved
        if one.step.is_news or (resolved is not None and resolved.is_news):
            back = None if resolved is None else resolved.index
            yield make.change(ChangeKind.REGRESSION, one.step, one.step.before, back)
    if found.drift is not None and make.is_within(len(found.rows) - 1):
        yield make.drift(found.drift)


@dataclass(frozen=True, slots=True)
class _Maker:
    series: Series
    found: Found
    period: Period

    def is_within(self, index: int) -> bool:
        return self.found.rows[index].started_at >= self.period.since

    def change(self, kind: ChangeKind, step: FoundStep, before_ms: float, resolved: int | None = None) -> Placed:
        return self._made(
            kind, step.index, before_ms, step.after, score=step.score, chance=step.error_probability, resolved=resolved
        )

    def drift(self, drift: Drift) -> Placed:
        kind = ChangeKind.GETTING_SLOWER if drift.after > drift.before else ChangeKind.GETTING_FASTER
        return self._made(kind, drift.index, drift.before, drift.after)

    def _made(
        self,
        kind: ChangeKind,
        index: int,
        before_ms: float,
        after_ms: float,
        *,
        score: float | None = None,
        chance: float | None = None,
        resolved: int | None = None,
    ) -> Placed:
        rows = self.found.rows
        row, now_ms = rows[index], end_level(self.found)
        change = LatencyChange(
            kind=kind,
            endpoint=row.endpoint,
            machine=row.machine,
            source=row.source,
            metric=row.metric,
            critical_path=rows[-1].critical_path,
            at=moment(row),
            previous=moment(rows[index - 1]) if index else None,
            before_ms=before_ms,
            after_ms=after_ms,
            ratio=after_ms / before_ms,
            score=score,
            error_probability=chance,
            target_ms=row.target_ms,
            now_ms=now_ms,
            resolved=None if resolved is None else moment(rows[resolved]),
            stands=kind is ChangeKind.REGRESSION and resolved is None and now_ms > before_ms * ALIKE,
            began_before=not self.is_within(index),
        )
        return Placed(change, tuple(self._around(at) for at in (index, resolved) if at is not None))

    def _around(self, index: int) -> tuple[str, str]:
        """A split may be a run off, and who writes a note may take the run in which it was noticed."""
        rows = self.found.rows
        before, after = index - 1 - _NEAR, min(index + _NEAR, len(rows) - 1)
        return rows[before].started_at if before >= 0 else "", rows[after].started_at


def consistency_changes(found: Found) -> Iterator[ConsistencyChange]:
    for step in found.steps:
        row = found.rows[step.index]
        if step.is_news:
            yield ConsistencyChange(
                endpoint=row.endpoint,
                machine=row.machine,
                source=row.source,
                at=moment(row),
                previous=moment(found.rows[step.index - 1]) if step.index else None,
                before_spread=step.before,
                after_spread=step.after,
                ratio=step.ratio,
                score=step.score,
                error_probability=step.error_probability,
            )


def begin_level(found: Found) -> float | None:
    """The median of the last runs before the period, since the last change; else of its first, up to the first."""
    start = found.begin
    if start:
        last = max((step.index for step in found.steps if step.index < start), default=0)
        return _median(found.values[max(last, start - EDGE_RUNS) : start])
    end = min((step.index for step in found.steps if step.index), default=len(found.rows))
    return _median(found.values[: min(end, EDGE_RUNS)])


def end_level(found: Found) -> float:
    """The median of the last runs, since the last change."""
    last = max((step.index for step in found.steps), default=0)
    return statistics.median(found.values[max(last, len(found.values) - EDGE_RUNS) :])


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def key_of(change: LatencyChange) -> tuple[bool, bool, float, str]:
    """The weightiest first: critical paths, then what still stands, then the largest."""
    size = max(change.ratio, 1 / change.ratio)
    return (not change.critical_path, not change.stands, -size, change.at.started_at)
