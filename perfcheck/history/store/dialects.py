"""What SQLite and PostgreSQL need different words for. Nothing else asks which of them it is."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import URL, Connection, Engine, Executable, Table, create_engine, event, text

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_WRITES = "perfcheck_writes"
_LOCK_OF_THE_SCHEMA = 0x70657266  # any number will do that others are unlikely to use: "perf"
_PAUSE_S = 0.02


def engine_for(url: URL, patience_s: float) -> Engine:
    """An engine whose transactions wait up to ``patience_s`` for those of other processes, or for the server.

    Raises ModuleNotFoundError where the driver is not installed.
    """
    if url.get_backend_name() == SQLITE:
        engine = create_engine(url, connect_args={"timeout": patience_s})
        event.listen(engine, "connect", lambda connection, _: _prepare_sqlite(connection, patience_s))
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    waits = {} if "connect_timeout" in url.query else {"connect_timeout": max(2, round(patience_s))}
    return create_engine(url, connect_args=waits)


def _prepare_sqlite(connection: sqlite3.Connection, patience_s: float) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver thinks best
    cursor = connection.cursor()
    # WAL: whoever reads a long list holds up no one who saves. Switching it on does not wait for others by itself.
    end = time.monotonic() + patience_s
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(_PAUSE_S)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Who will write says so at once: a reader that turns writer in the middle cannot wait for another, and fails."""
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: committed at the end, undone by an exception."""
    with engine.execution_options(**{_WRITES: True}).begin() as connection:
        yield connection


def lock_schema(connection: Connection) -> None:
    """Until the transaction ends, no other process changes the tables. In SQLite no other one writes anyway."""
    if connection.dialect.name == POSTGRESQL:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_OF_THE_SCHEMA})


@cache
def _insert_if_new(dialect: str, table: Table) -> Executable:
    insert = importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert  # that of the other one costs 0.1 s
    statement: Executable = insert(table).on_conflict_do_nothing()
    return statement


def insert_if_new(connection: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Whether the row went in: False when one with the same unique key is there."""
    statement = _insert_if_new(connection.dialect.name, table)
    return connection.execute(statement, values, execution_options={"preserve_rowcount": True}).rowcount == 1
