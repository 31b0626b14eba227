"""The history: every run that was saved, in SQLite or in PostgreSQL, by one code path through SQLAlchemy Core.

Imported by the commands that need it and by no other: SQLAlchemy alone costs more than the rest of a small command.
"""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from perfcheck.errors import UsageError
from perfcheck.history import default_file, make_folder
from perfcheck.history.model import NoSuchRunError
from perfcheck.history.store.dialects import POSTGRESQL, SQLITE, HistoryLocation, engine_for
from perfcheck.history.store.store import History
from perfcheck.history.store.tables import migrate, schema_version
from perfcheck.text import Redactor

__all__ = ["History", "open_history"]

_TIMEOUT_S = 30.0
_EXAMPLES = "a file (history.sqlite), sqlite:///history.sqlite, or postgresql+psycopg://user:password@host/database"
_CREATE = "'perfcheck run --save' creates one"


def open_history(url: str | None, cwd: Path, *, create: bool = True, timeout_s: float = _TIMEOUT_S) -> History:
    """The history at ``url``: a file, or a URL of SQLite or PostgreSQL. None: .perfcheck/history.sqlite.

    That one is at the root of the repository around ``cwd``, or in ``cwd`` outside one, and git ignores it. Without
    ``create``, a missing history is an error. ``timeout_s`` is how long to wait for other writers, and for a server.
    Raises UsageError.
    """
    parsed = _parse(url, cwd) if url else URL.create(SQLITE, database=str(default_file(cwd)))
    location = _location(parsed, cwd)
    with location.translate_errors():
        if parsed.get_backend_name() == SQLITE:
            _prepare_folder(Path(parsed.database or ""), location, create=create, is_default=not url)
        engine = _engine(parsed, location, timeout_s)
        try:
            _prepare_tables(engine, location, create=create)
        except BaseException:
            engine.dispose()
            raise
    return History(engine, location)


def _engine(url: URL, location: HistoryLocation, timeout_s: float) -> Engine:
    try:
        return engine_for(url, timeout_s)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the history {location.shown} needs a driver that is not installed: {error.name}",
            "pip install 'perfcheck[postgres]'",
        ) from error


def _prepare_tables(engine: Engine, location: HistoryLocation, *, create: bool) -> None:
    if not create:
        with engine.connect() as connection:
            if schema_version(connection) == 0:
                raise NoSuchRunError(f"no history in {location.shown} yet", _CREATE)
    migrate(engine, location.shown)


# What libpq and other clients take, and is not a file: "host=db password=...", "postgresql:...". None of it is shown.
_FOREIGN = re.compile(r"\b(host|user|dbname|pass\w*)\s*=|^postgres(ql)?[:+]", re.IGNORECASE)


def _parse(url: str, cwd: Path) -> URL:
    """Raises UsageError, which does not show what was given: a password may be anywhere in it."""
    if "://" not in url and _FOREIGN.search(url):
        raise UsageError("the history is neither a file nor a supported URL", f"--history takes {_EXAMPLES}")
    if "://" not in url and "@" not in url:
        return URL.create(SQLITE, database=str(cwd / Path(url).expanduser()))
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise UsageError("the URL of the history is not valid", f"--history takes {_EXAMPLES}") from None
    if backend in {POSTGRESQL, "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if backend != SQLITE:
        raise UsageError(f"a history cannot be stored in '{backend}'", f"--history takes {_EXAMPLES}")
    if parsed.query:
        raise UsageError("the URL of an SQLite history takes no options", f"--history takes {_EXAMPLES}")
    if not parsed.database or parsed.database == ":memory:":
        raise UsageError("the URL of the history names no file", f"--history takes {_EXAMPLES}")
    return parsed.set(drivername=SQLITE, database=str(cwd / parsed.database))


def _location(url: URL, cwd: Path) -> HistoryLocation:
    if url.get_backend_name() == SQLITE:
        file = Path(url.database or "")
        inside = file.is_absolute() and file.is_relative_to(cwd.absolute())
        return HistoryLocation(str(file.relative_to(cwd.absolute()) if inside else file), is_file=True)
    secrets = {str(value) for name, value in url.query.items() if "pass" in name}
    secrets |= {str(url.password)} if url.password else set()
    shown = url.set(query={}).render_as_string(hide_password=True)
    return HistoryLocation(shown, is_file=False, redact=Redactor(secrets))


def _prepare_folder(file: Path, location: HistoryLocation, *, create: bool, is_default: bool) -> None:
    """The folder of the default location is made by us; that of another one may be a typing error."""
    if not create and not file.exists():
        raise NoSuchRunError(f"no history yet: {location.shown} does not exist", _CREATE)
    if is_default and create:
        make_folder(file)
    elif not file.parent.is_dir():
        raise UsageError(
            f"cannot use the history {location.shown}: the folder {file.parent} does not exist",
            f"mkdir -p {file.parent}",
        )
