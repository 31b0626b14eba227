"""Where the history is, and what it takes to open it."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from perfcheck.errors import UsageError
from perfcheck.history.locations import default_file, make_folder
from perfcheck.history.store.dialects import POSTGRESQL, SQLITE, engine_for
from perfcheck.history.store.errors import Place
from perfcheck.history.store.migrations import migrate, version_of
from perfcheck.history.store.store import History
from perfcheck.text import Redactor

_PATIENCE_S = 30.0
_EXAMPLES = "a file (history.sqlite), sqlite:///history.sqlite, or postgresql+psycopg://user:password@host/database"
_BEGIN = "'perfcheck run --save' begins one"


def open_history(url: str | None, cwd: Path, *, create: bool = True, patience_s: float = _PATIENCE_S) -> History:
    """The history at ``url``: a file, or a URL of SQLite or PostgreSQL. None: .perfcheck/history.sqlite.

    That one lies at the root of the repository around ``cwd``, or in ``cwd`` outside one, and git is told to ignore
    it. Without ``create``, a history that is not there yet is an error. ``patience_s`` is how long to wait for others
    that write, and for a server. Raises UsageError for whatever keeps it from being opened.
    """
    parsed = _parse(url, cwd) if url else URL.create(SQLITE, database=str(default_file(cwd)))
    place = _place(parsed, cwd)
    with place.troubles_told():
        if parsed.get_backend_name() == SQLITE:
            _find_file(Path(parsed.database or ""), place, create=create, ours=not url)
        engine = _engine(parsed, place, patience_s)
        try:
            with place.damage_told():
                _prepare(engine, place, create=create)
        except BaseException:
            engine.dispose()
            raise
    return History(engine, place)


def _engine(url: URL, place: Place, patience_s: float) -> Engine:
    try:
        return engine_for(url, patience_s)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the history {place.shown} needs a driver that is not installed: {error.name}",
            "pip install 'perfcheck[postgres]'",
        ) from error


def _prepare(engine: Engine, place: Place, *, create: bool) -> None:
    if not create:
        with engine.connect() as connection:
            if version_of(connection) == 0:
                raise UsageError(f"there is no history in {place.shown} yet", _BEGIN)
    migrate(engine, place.shown)


# What libpq and other clients take, and is no file: "host=db password=...", "postgresql:...". None of it is shown.
_FOREIGN = re.compile(r"\b(host|user|dbname|pass\w*)\s*=|^postgres(ql)?[:+]", re.IGNORECASE)


def _parse(url: str, cwd: Path) -> URL:
    """Raises UsageError, which does not show what was given: a password may be anywhere in it."""
    if "://" not in url and _FOREIGN.search(url):
        raise UsageError("the history is named in a form of another program", f"--history takes {_EXAMPLES}")
    if "://" not in url and "@" not in url:
        return URL.create(SQLITE, database=str(cwd / Path(url).expanduser()))
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise UsageError("the URL of the history cannot be read", f"--history takes {_EXAMPLES}") from None
    if backend in {POSTGRESQL, "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if backend != SQLITE:
        raise UsageError(f"a history cannot be kept in '{backend}'", f"--history takes {_EXAMPLES}")
    if parsed.query:
        raise UsageError("the URL of a history in a file takes no options", f"--history takes {_EXAMPLES}")
    if not parsed.database or parsed.database == ":memory:":
        raise UsageError("the URL of the history names no file", f"--history takes {_EXAMPLES}")
    return parsed.set(drivername=SQLITE, database=str(cwd / parsed.database))


def _place(url: URL, cwd: Path) -> Place:
    if url.get_backend_name() == SQLITE:
        file = Path(url.database or "")
        inside = file.is_absolute() and file.is_relative_to(cwd.absolute())
        return Place(str(file.relative_to(cwd.absolute()) if inside else file), is_file=True)
    secrets = {str(value) for name, value in url.query.items() if "pass" in name}
    shown = url.set(query={}).render_as_string(hide_password=True)
    return Place(shown, is_file=False, redact=Redactor({*secrets, *([str(url.password)] if url.password else [])}))


def _find_file(file: Path, place: Place, *, create: bool, ours: bool) -> None:
    """The folder of the default place is made by us; that of another one may be a typing error."""
    if not create and not file.exists():
        raise UsageError(f"there is no history yet: {place.shown} does not exist", _BEGIN)
    if ours and create:
        make_folder(file)
    elif not file.parent.is_dir():
        raise UsageError(
            f"cannot use the history {place.shown}: the folder {file.parent} does not exist", f"mkdir -p {file.parent}"
        )
