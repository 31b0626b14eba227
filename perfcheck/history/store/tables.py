"""The tables, and the way to them from any older version of the schema.

History of the schema (a store of each version is kept in tests/history/versions/, and must open for ever):

- 1 (0.1.0): the first.

All names begin with ``perfcheck_``: a team's PostgreSQL may hold other things as well. Texts sort by their bytes in
every database, so that times in RFC 3339 sort by time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    insert,
    inspect,
    select,
    update,
)

from perfcheck.errors import UsageError
from perfcheck.history.store.dialects import DamagedRowError, lock_schema, write_transaction

metadata = MetaData()

_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # only an INTEGER key counts by itself in SQLite


def _required(kind: type[Integer] | Text, *names: str) -> list[Column[Any]]:
    return [Column(name, kind, nullable=False) for name in names]


schema = Table("perfcheck_schema", metadata, Column("version", Integer, nullable=False))

runs = Table(
    "perfcheck_runs",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),  # what measurements refer to: short
    Column("id", _TEXT, nullable=False, unique=True),  # a run is there once, whoever saves it
    Column("label", _TEXT),  # may change after the run; the document keeps the one that the run had
    Column("started_at", _TEXT, nullable=False),
    Column("duration_ms", Double, nullable=False),
    Column("verdict", _TEXT, nullable=False),
    Column("exit_code", Integer, nullable=False),
    Column("complete", Boolean, nullable=False),
    *_required(Integer, "ok", "warning", "critical", "not_measured"),
    Column("source", _TEXT, nullable=False),
    Column("commit", _TEXT),
    Column("branch", _TEXT),
    Column("dirty", Boolean),
    Column("ci", _TEXT),
    *_required(_TEXT, "machine", "base_url", "baseline_file", "baseline_sha256"),
    Index("perfcheck_runs_by_time", "started_at", "number"),
    Index("perfcheck_runs_by_label", "label", "started_at"),
    Index("perfcheck_runs_by_commit", "commit"),
)

# Apart from the runs, so that a list of these reads none of it.
documents = Table(
    "perfcheck_documents",
    metadata,
    Column("run", _NUMBER, ForeignKey(runs.c.number), primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),  # the run file, byte for byte, compressed by zlib
)

measurements = Table(
    "perfcheck_measurements",
    metadata,
    Column("run", _NUMBER, ForeignKey(runs.c.number), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),  # in the run: a name may be there twice
    Column("started_at", _TEXT, nullable=False),  # of the run; here too, since a series is read in this order
    Column("endpoint", _TEXT, nullable=False),
    Column("group", _TEXT),
    *_required(_TEXT, "series", "source", "verdict"),
    Column("decided", Boolean, nullable=False),
    Column("metric", _TEXT, nullable=False),
    *(Column(name, Double) for name in ("value_ms", "low_ms", "high_ms", "median_ms", "p95_ms", "spread")),
    *(Column(name, Double) for name in ("target_ms", "ideal_ms", "error_rate")),
    Column("requests", BigInteger, nullable=False),
    Column("critical_path", Boolean, nullable=False),
    Index("perfcheck_measurements_by_series", "endpoint", "series", "started_at", "run"),
    Index("perfcheck_measurements_by_time", "started_at"),
)

notes = Table(
    "perfcheck_notes",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("created_at", _TEXT, nullable=False),
    Column("run_id", _TEXT),
    Column("commit", _TEXT),
    Column("incident", _TEXT, nullable=False),
    Column("cause", _TEXT),
    Column("fix", _TEXT),
)

MigrationStep = Callable[[Connection], None]
# The first brings version 1 to 2, and so on. A change to a table above needs one. Each is written in terms of the
# tables as they were then, never of those above, which go on changing.
STEPS: tuple[MigrationStep, ...] = ()


def migrate(engine: Engine, shown: str, steps: Sequence[MigrationStep] = STEPS) -> None:
    """Create the tables, or upgrade them to the newest version: all of it or nothing, and one process at a time.

    Raises UsageError, with ``shown`` as the name of the store, when a newer perfcheck wrote it.
    """
    newest = 1 + len(steps)
    with engine.connect() as connection:  # without a lock: nearly always there is nothing to do
        version = schema_version(connection)
    if version == newest:
        return
    with write_transaction(engine) as connection:
        lock_schema(connection)
        version = schema_version(connection)  # again: another process may have been quicker
        if version > newest:
            raise UsageError(
                f"the history {shown} has schema version {version}, and this perfcheck supports up to {newest}",
                "a newer perfcheck wrote it: upgrade this one",
            )
        if version == 0:
            metadata.create_all(connection)
            connection.execute(insert(schema).values(version=newest))
            return
        for step in steps[version - 1 :]:
            step(connection)
        connection.execute(update(schema).values(version=newest))


def schema_version(connection: Connection) -> int:
    """0 for a database without a history."""
    if not inspect(connection).has_table(schema.name):
        return 0
    version = connection.execute(select(schema.c.version)).scalar() or 0
    if not isinstance(version, int):
        raise DamagedRowError(f"version in {schema.name} is {version!r}")
    return version
