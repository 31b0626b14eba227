"""Which notes belong to which change: by its run, its commit, or what lies between it and its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from perfcheck.history.model import Note
from perfcheck.periods.judge.changes import Placed
from perfcheck.periods.judge.tally import Tally, is_same_commit
from perfcheck.periods.model import ConsistencyChange, LatencyChange, Moment


def with_notes(changes: Iterable[Placed], tally: Tally) -> list[LatencyChange]:
    return [replace(one.change, notes=tuple(n for n in tally.notes if _belongs(n, one, tally))) for one in changes]


def others(tally: Tally, changes: Iterable[LatencyChange], spreads: Iterable[ConsistencyChange]) -> tuple[Note, ...]:
    """The notes of runs and commits of the period that no change has."""
    told = {note.id for one in changes for note in one.notes}
    told |= {note.id for note in tally.notes if any(_is_of(note, one.at) for one in spreads)}
    since = tally.period.since
    return tuple(note for note in tally.notes if note.id not in told and tally.note_times.get(note.id, "") >= since)


def _belongs(note: Note, placed: Placed, tally: Tally) -> bool:
    """A note of the run or commit at which it began or ended, or of one near; or one between that names the endpoint.

    Near are also runs on other machines, between the last good one and the first bad one.
    """
    change, ended = placed.change, placed.change.resolved
    if _is_of(note, change.at) or (ended is not None and _is_of(note, ended)):
        return True
    time, end = tally.note_times.get(note.id, ""), ended.started_at if ended else tally.period.until
    if any(after < time <= until for after, until in placed.around):
        return True
    text = " ".join(part for part in (note.incident, note.cause, note.fix) if part)
    return change.at.started_at <= time < end and change.endpoint in text


def _is_of(note: Note, at: Moment) -> bool:
    return note.run_id == at.run_id or is_same_commit(note.commit, at.commit)
