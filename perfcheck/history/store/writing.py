"""What is written to a history, within a transaction that somebody else begins and ends."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, bindparam, delete, exists, insert, or_, select, update

from perfcheck.history.store.dialects import insert_if_new
from perfcheck.history.store.rows import row_of, rows_of_endpoints, stored
from perfcheck.history.store.tables import documents, measurements, notes, runs
from perfcheck.model import Run

# Made once: putting a statement together takes longer than running it.
_NUMBER_OF = select(runs.c.number).where(runs.c.id == bindparam("run_id"))
_DOCUMENT, _MEASUREMENTS = insert(documents), insert(measurements)
_AT_ONCE = 500  # parameters of one statement: every database takes so many


def insert_run(connection: Connection, run: Run, content: bytes) -> bool:
    """The run with its endpoints, and its file as it is; False when a run of this id is there already."""
    row = row_of(run)
    if not insert_if_new(connection, runs, row):
        return False
    number = connection.execute(_NUMBER_OF, {"run_id": row["id"]}).scalar_one()
    connection.execute(_DOCUMENT, {"run": number, "content": zlib.compress(content)})
    if endpoints := rows_of_endpoints(run, number):
        connection.execute(_MEASUREMENTS, endpoints)
    return True


def update_label(connection: Connection, run_id: str, label: str | None) -> None:
    connection.execute(update(runs).where(runs.c.id == run_id).values(label=stored(label)))


def to_prune(connection: Connection, older_than: str | None, keep: int | None) -> Sequence[int]:
    """The numbers of the runs that may go: neither labelled, nor noted, nor among the newest ``keep``."""
    noted = exists().where(or_(notes.c.run_id == runs.c.id, runs.c.commit.startswith(notes.c.commit)))
    query = select(runs.c.number).where(runs.c.label.is_(None), ~noted)
    if older_than is not None:
        query = query.where(runs.c.started_at < older_than)
    if keep is not None:
        newest = select(runs.c.number).order_by(runs.c.started_at.desc(), runs.c.number.desc()).limit(keep)
        query = query.where(runs.c.number.not_in(newest))
    return connection.execute(query).scalars().all()


def delete_runs(connection: Connection, numbers: Sequence[int]) -> None:
    for some in _in_parts(numbers):
        for table, column in ((documents, documents.c.run), (measurements, measurements.c.run), (runs, runs.c.number)):
            connection.execute(delete(table).where(column.in_(some)))


def _in_parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _AT_ONCE):
        yield numbers[start : start + _AT_ONCE]
