"""The history: runs, what they measured, and notes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, Self, TypeVar, Unpack

from sqlalchemy import Column, ColumnElement, Connection, Engine, Select, func, insert, select

from perfcheck.errors import UsageError
from perfcheck.history.model import BranchRuns, NoSuchRunError, Note, PastMeasurement, PastRun
from perfcheck.history.store import reading, rows, writing
from perfcheck.history.store.dialects import HistoryLocation, write_transaction
from perfcheck.history.store.reading import Filter, MeasurementFilter, RunFilter
from perfcheck.history.store.tables import documents, measurements, notes, runs
from perfcheck.model import Run
from perfcheck.runfile import decode_run, encode_run
from perfcheck.times import rfc3339

_ROWS_AT_ONCE = 500  # that a long answer holds in memory
_RUNS_AT_ONCE = 500  # in one transaction of ``save_all``

T = TypeVar("T")


class History:
    """Runs, what they measured, and notes. A context manager; methods raise UsageError for errors of the database.

    Many processes may write at once; each run is written in one transaction, whole or not at all. Times are RFC 3339
    in UTC; ``since`` is inclusive, ``until`` is not. Iterators stream: however long the answer, memory is bounded.
    """

    def __init__(self, engine: Engine, location: HistoryLocation) -> None:
        self._engine = engine
        self._location = location

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    @property
    def shown(self) -> str:
        """Its location for messages, without a password."""
        return self._location.shown

    # --- Writing ---------------------------------------------------------------------------------------------------

    def save(self, run: Run) -> bool:
        """Save a run; False when one of this id exists already, which stays as it is."""
        return self._save(run, encode_run(run), "the run")

    def save_document(self, content: bytes, name: str = "the document") -> bool:
        """Save a run file exactly as it is; False when a run of its id exists. ``name`` is that of the file."""
        return self._save(decode_run(content, name), content, name)

    def save_all(self, runs_to_save: Iterable[Run]) -> int:
        """Save many runs quickly, hundreds in a transaction; returns how many were new."""
        new = 0
        iterator = iter(runs_to_save)
        while batch := list(islice(iterator, _RUNS_AT_ONCE)):
            with self._writing() as connection:
                new += sum(writing.insert_run(connection, run, encode_run(run)) for run in batch)
        return new

    def _save(self, run: Run, content: bytes, name: str) -> bool:
        if run.is_comparison:
            remedy = "import the two runs that it compared"
            raise UsageError(f"{name} is a comparison, and the history stores runs only", remedy)
        with self._writing() as connection:
            return writing.insert_run(connection, run, content)

    def set_label(self, run_id: str, label: str | None) -> None:
        """None removes the label. The document stays as it was saved."""
        with self._writing() as connection:
            reading.find_run(connection, run_id)
            writing.update_label(connection, run_id, label)

    def add_note(
        self,
        *,
        incident: str,
        run_id: str | None = None,
        commit: str | None = None,
        cause: str | None = None,
        fix: str | None = None,
    ) -> Note:
        """Record an incident of a run or of a commit."""
        texts = {"run_id": run_id, "commit": commit, "incident": incident, "cause": cause, "fix": fix}
        row: dict[str, Any] = {name: writing.storable(text) for name, text in texts.items()}
        row["created_at"] = rfc3339(datetime.now(UTC))
        with self._writing() as connection:
            key = connection.execute(insert(notes).values(row)).inserted_primary_key
            return Note(id=key[0] if key else 0, **row)

    def prune(self, *, older_than: str | None, keep: int | None, dry_run: bool = False) -> int:
        """Remove runs that began before ``older_than`` and are not among the newest ``keep``; returns how many.

        Those with a label or a note stay. None leaves a condition out; without either nothing is removed.
        """
        if older_than is None and keep is None:
            return 0
        with self._writing() as connection:
            numbers = writing.select_prunable(connection, older_than, keep)
            if not dry_run:
                writing.delete_runs(connection, numbers)
        return len(numbers)

    # --- Reading ---------------------------------------------------------------------------------------------------

    def document(self, run_id: str) -> bytes:
        """The run file of a run, byte for byte as it was saved. Raises UsageError when there is no such run."""
        content = rows.as_stored(documents.c.content)
        query = select(content).join(runs, runs.c.number == documents.c.run).where(runs.c.id == run_id)
        with self._reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NoSuchRunError(f"no run '{run_id}' in the history", reading.LIST_RUNS)
        try:
            return zlib.decompress(row[0])
        except (zlib.error, TypeError) as error:
            raise self._location.damaged(f"the document of the run {run_id} cannot be read") from error

    def run(self, reference: str, *, of_capacity: bool = False) -> Run:
        """A run by id, label (the newest that has it) or prefix of its id of at least four characters.

        With its current label. Of a label that several kinds of runs have, a check is meant, unless ``of_capacity``.
        Raises NoSuchRunError with the nearest names.
        """
        past = self.past_run(reference, of_capacity=of_capacity)
        content = self.document(past.id)
        try:
            return replace(decode_run(content, f"the run {past.id}"), label=past.label)
        except UsageError as error:
            raise self._location.damaged(error.message) from error

    def past_run(self, reference: str, *, of_capacity: bool = False) -> PastRun:
        """As ``run``, without its measurements."""
        with self._reading() as connection:
            return reading.find_run(connection, reference, of_capacity=of_capacity)

    def runs(
        self, *, limit: int | None = None, newest_first: bool = True, **filters: Unpack[RunFilter]
    ) -> Iterator[PastRun]:
        query = reading.select_runs(limit, newest_first=newest_first, **filters)
        return self._stream(query, rows.past_runs)

    def measurements(self, **filters: Unpack[MeasurementFilter]) -> Iterator[PastMeasurement]:
        """In the order of endpoint, series and time."""
        return self._stream(reading.select_measurements(**filters), rows.past_measurements)

    def latest(
        self, endpoint: str, *, most: int, **filters: Unpack[Filter]
    ) -> Iterator[tuple[list[PastMeasurement], int]]:
        """Of each series of the endpoint the last ``most`` measurements that have a value, in order of time.

        With the number of those before them. A series without any is left out.
        """
        table = measurements.c
        with self._reading() as connection:
            for series in self._names(connection, table.series, table.endpoint == endpoint):
                span: MeasurementFilter = {**filters, "endpoint": endpoint, "series": series}
                newest = connection.execute(reading.select_latest(most, **span)).all()
                newest_first = rows.past_measurements(newest)
                earlier = 0
                if len(newest_first) == most:
                    earlier = connection.execute(reading.select_count(**span)).scalar_one() - most
                if newest_first:
                    yield newest_first[::-1], earlier

    def last_times(self, since: str, branch: str) -> dict[str, str]:
        """When each endpoint was last measured with a latency that can be compared: those since a time, RFC 3339."""
        table = measurements.c
        query = reading.select_last_times(since=since, branch=branch)
        with self._reading() as connection:
            return {
                rows.text_in(table.endpoint, row.endpoint): rows.text_in(table.started_at, row.time)
                for row in connection.execute(query)
            }

    def branches(self, endpoint: str | None = None, **filters: Unpack[RunFilter]) -> tuple[BranchRuns, ...]:
        """Those with the most runs first; with an ``endpoint``, only of runs that have it."""
        with self._reading() as connection:
            answer = connection.execute(reading.select_branches(endpoint, **filters)).all()
            return tuple(BranchRuns(rows.text_in(runs.c.branch, row.branch) or None, row.runs) for row in answer)

    def endpoints(self) -> Iterator[str]:
        """Every name that was ever measured, in order."""
        with self._reading() as connection:
            yield from self._names(connection, measurements.c.endpoint)

    def _names(self, connection: Connection, column: Column[str], *conditions: ColumnElement[bool]) -> Iterator[str]:
        """In order: a step through an index for each, where DISTINCT would read all of it."""
        name = ""
        while name := connection.execute(select(func.min(column)).where(column > name, *conditions)).scalar() or "":
            yield rows.text_in(column, name)

    def notes(self, *, run_id: str | None = None, commit: str | None = None) -> tuple[Note, ...]:
        """All notes, the oldest first; or those of a run, of a commit, or of either."""
        return tuple(self._stream(reading.select_notes(run_id, commit), rows.past_notes))

    def _stream(self, query: Select[Any], make: Callable[[rows.Rows], list[T]]) -> Iterator[T]:
        with (
            self._reading() as connection,
            closing(connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query)) as answer,
        ):
            yield from chain.from_iterable(map(make, answer.partitions()))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._location.translate_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._location.translate_errors(), write_transaction(self._engine) as connection:
            yield connection
