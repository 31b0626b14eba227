"""Which run is meant: by its id, by its label, or by the first digits of its id."""

from __future__ import annotations

from difflib import get_close_matches

from sqlalchemy import Connection, select

from perfcheck.errors import UsageError
from perfcheck.history.model import PastRun
from perfcheck.history.store.reading import past_run, runs_in_full
from perfcheck.history.store.tables import runs
from perfcheck.text import clean

SHORTEST_PREFIX = 4
_HIGHEST = "\U0010ffff"  # sorts behind whatever may follow a prefix
_MOST_NAMED = 3
_LOOKED_THROUGH = 500  # runs and labels, the newest first, for what a misspelt one may have meant
_ALIKE = 0.5  # difflib's ratio: v2 and v1


def find_run(connection: Connection, reference: str) -> PastRun:
    """The run that ``reference`` means: the newest, where several have that label.

    Raises UsageError with the nearest names when there is none, and with their ids when several begin so.
    """
    newest_first = (runs.c.started_at.desc(), runs.c.number.desc())
    for column in (runs.c.id, runs.c.label):
        row = connection.execute(runs_in_full().where(column == reference).order_by(*newest_first).limit(1)).first()
        if row is not None:
            return past_run(row)
    if len(reference) >= SHORTEST_PREFIX:
        begin = (runs.c.id >= reference, runs.c.id <= reference + _HIGHEST)  # an index can do that, unlike LIKE
        rows = connection.execute(runs_in_full().where(*begin).limit(_MOST_NAMED)).all()
        if len(rows) == 1:
            return past_run(rows[0])
        if rows:
            ids = ", ".join(row.id for row in rows)
            raise UsageError(f"several runs begin with '{clean(reference)}'", f"give more of the id: {ids}")
    raise UsageError(f"no run '{clean(reference)}' in the history", _nearest(connection, reference))


def _nearest(connection: Connection, reference: str) -> str:
    newest = select(runs.c.id, runs.c.label).order_by(runs.c.started_at.desc()).limit(_LOOKED_THROUGH)
    labelled = newest.where(runs.c.label.is_not(None))
    known = dict.fromkeys(row.label for row in connection.execute(labelled))
    known |= dict.fromkeys(row.id[: max(len(reference), 8)] for row in connection.execute(newest))
    near = get_close_matches(reference, known, n=_MOST_NAMED, cutoff=_ALIKE)
    return (
        f"did you mean {' or '.join(map(clean, near))}?" if near else "'perfcheck history list' shows those there are"
    )
