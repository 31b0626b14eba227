"""What SQLite and PostgreSQL do differently: connections, locks, and their errors in sentences."""

from __future__ import annotations

import importlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import URL, Connection, Engine, Executable, Table, create_engine, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from perfcheck.errors import UsageError
from perfcheck.text import Redactor, clean

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_WRITES = "perfcheck_writes"
_SCHEMA_LOCK = 0x70657266  # any number will do that others are unlikely to use: "perf"
_PAUSE_S = 0.02
_PRIMARY_CODE = 0xFF  # the lowest byte of an SQLite result code; the others say more about it

_ELSEWHERE = "choose another location: --history FILE|URL"
_SQLITE_ERRORS = {
    sqlite3.SQLITE_NOTADB: (
        "the file is not an SQLite database",
        f"move it away to start a new history, or {_ELSEWHERE}",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the file cannot be opened or created",
        f"check that its folder exists and is writable, or {_ELSEWHERE}",
    ),
    sqlite3.SQLITE_READONLY: ("the database is read-only", f"make it writable, or {_ELSEWHERE}"),
    sqlite3.SQLITE_BUSY: ("another process has locked it", "try again once that process has finished"),
    sqlite3.SQLITE_FULL: ("the disk is full", f"free some space, or {_ELSEWHERE}"),
    sqlite3.SQLITE_IOERR: (
        "reading or writing the file failed",
        f"is the disk full? Free some space, or {_ELSEWHERE}",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "the file is damaged",
        "restore it from a backup, or move it away to start a new history",
    ),
}
_CHECK_SERVER = "check that the server is running, and that the URL has the right host, database, user and password"


def engine_for(url: URL, timeout_s: float) -> Engine:
    """An engine whose transactions wait up to ``timeout_s`` for those of other processes, or for the server.

    Raises ModuleNotFoundError where the driver is not installed.
    """
    if url.get_backend_name() == SQLITE:
        engine = create_engine(url, connect_args={"timeout": timeout_s})
        event.listen(engine, "connect", lambda connection, _: _prepare_sqlite(connection, timeout_s))
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    timeout = {} if "connect_timeout" in url.query else {"connect_timeout": max(2, round(timeout_s))}
    return create_engine(url, connect_args=timeout)


def _prepare_sqlite(connection: sqlite3.Connection, timeout_s: float) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver thinks best
    cursor = connection.cursor()
    # WAL: readers of a long list do not block writers. Switching it on does not wait for others by itself.
    end = time.monotonic() + timeout_s
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if _sqlite_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_PAUSE_S)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: a reader that turns writer later cannot wait for another writer, and fails."""
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def write_transaction(engine: Engine) -> AbstractContextManager[Connection]:
    """Committed at the end, rolled back by an exception."""
    return engine.execution_options(**{_WRITES: True}).begin()


def lock_schema(connection: Connection) -> None:
    """Until the transaction ends, no other process changes the tables. SQLite has a single writer anyway."""
    if connection.dialect.name == POSTGRESQL:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})


@cache
def _insert_if_new(dialect: str, table: Table) -> Executable:
    insert = importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert  # that of the other one costs 0.1 s
    statement: Executable = insert(table).on_conflict_do_nothing()
    return statement


def insert_if_new(connection: Connection, table: Table, values: dict[str, Any]) -> bool:
    """False when a row with the same unique key exists, which stays as it is."""
    statement = _insert_if_new(connection.dialect.name, table)
    return connection.execute(statement, values, execution_options={"preserve_rowcount": True}).rowcount == 1


class DamagedRowError(ValueError):
    """A row that perfcheck cannot have written. The message says which, and its value."""


@dataclass(frozen=True, slots=True)
class HistoryLocation:
    """The file or URL of a history, as messages may show it: never with a password."""

    shown: str
    is_file: bool
    redact: Redactor = field(default_factory=Redactor)

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Raise errors of the database and the system, and rows that another program wrote, as UsageError."""
        try:
            yield
        except DamagedRowError as error:
            raise self.damaged(str(error)) from error
        except DBAPIError as error:
            raise self._usage_error(error.orig or error) from error
        except SQLAlchemyError as error:
            raise self._usage_error(error) from error
        except OSError as error:
            raise UsageError(f"cannot use the history {self.shown}: {error.strerror}", _ELSEWHERE) from error
        except (OverflowError, UnicodeEncodeError) as error:
            message = f"the history {self.shown} cannot hold a number this large, or a text that is not Unicode"
            raise UsageError(f"{message}: {clean(str(error))}", "correct the name, or the run file") from error

    def damaged(self, error: str) -> UsageError:
        remedy = "restore it from a backup; readable runs can still be exported: perfcheck history export RUN"
        return UsageError(f"the history {self.shown} is damaged: {error}", remedy)

    def _usage_error(self, error: BaseException) -> UsageError:
        if (code := _sqlite_code(error)) in _SQLITE_ERRORS:
            reason, remedy = _SQLITE_ERRORS[code]
        else:
            reason = self.redact.clean(str(error).strip().partition("\n")[0])
            remedy = _ELSEWHERE if self.is_file else _CHECK_SERVER
        return UsageError(f"cannot use the history {self.shown}: {reason}", remedy)


def _sqlite_code(error: BaseException) -> int:
    """The primary result code of an error that SQLite raised; 0 for any other error."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY_CODE
