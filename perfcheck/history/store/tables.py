"""The tables, as of the newest version of the schema. A change here needs a step in ``migrations``.

All names begin with ``perfcheck_``: a team's PostgreSQL may hold other things as well. Texts sort by their bytes in
every database, so that times in RFC 3339 sort by time.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()

_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # only an INTEGER key counts by itself in SQLite

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
    Column("ok", Integer, nullable=False),
    Column("warning", Integer, nullable=False),
    Column("critical", Integer, nullable=False),
    Column("not_measured", Integer, nullable=False),
    Column("source", _TEXT, nullable=False),
    Column("commit", _TEXT),
    Column("branch", _TEXT),
    Column("dirty", Boolean),
    Column("ci", _TEXT),
    Column("machine", _TEXT, nullable=False),
    Column("base_url", _TEXT, nullable=False),
    Column("baseline_file", _TEXT, nullable=False),
    Column("baseline_sha256", _TEXT, nullable=False),
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
    Column("series", _TEXT, nullable=False),
    Column("source", _TEXT, nullable=False),
    Column("verdict", _TEXT, nullable=False),
    Column("decided", Boolean, nullable=False),
    Column("metric", _TEXT, nullable=False),
    Column("value_ms", Double),
    Column("low_ms", Double),
    Column("high_ms", Double),
    Column("median_ms", Double),
    Column("p95_ms", Double),
    Column("spread", Double),
    Column("target_ms", Double),
    Column("ideal_ms", Double),
    Column("error_rate", Double),
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
