"""What goes wrong with a database, in sentences. No message ever holds a password."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from perfcheck.errors import UsageError
from perfcheck.text import Redactor

_ELSEWHERE = "or name another place: --history FILE|URL"
# What SQLite says -> what is the matter, and what to do about it.
_OF_SQLITE = {
    "file is not a database": (
        "the file is no SQLite database",
        "move it away, and a new history is begun; " + _ELSEWHERE,
    ),
    "unable to open database file": (
        "the file cannot be opened or made",
        "make its folder, with the right to write to it; " + _ELSEWHERE,
    ),
    "readonly database": ("it may not be written to", "give yourself the right to write to it; " + _ELSEWHERE),
    "database is locked": ("another process has kept it locked all the time", "try again when that one has ended"),
    "disk is full": ("there is no room left on the disk", "make room, " + _ELSEWHERE),
    "disk I/O error": ("writing or reading its file failed", "is the disk full? Make room, " + _ELSEWHERE),
    "malformed": ("the file is damaged", "bring it back from a copy, or move it away: a new history is begun"),
}
_OF_A_SERVER = "does the server run, and does the URL name the right host, database, user and password?"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a history is, as messages may show it."""

    shown: str
    is_file: bool
    redact: Redactor = field(default_factory=Redactor)

    @contextlib.contextmanager
    def troubles_told(self) -> Iterator[None]:
        """Whatever the database or the system raises leaves as a UsageError."""
        try:
            yield
        except DBAPIError as error:
            raise self._sentence(str(error.orig)) from error
        except SQLAlchemyError as error:
            raise self._sentence(str(error)) from error
        except OSError as error:
            raise UsageError(f"cannot use the history {self.shown}: {error.strerror}", _ELSEWHERE[3:]) from error

    @contextlib.contextmanager
    def damage_told(self) -> Iterator[None]:
        """What cannot be made out of a row leaves as a UsageError: somebody else has written it."""
        try:
            yield
        except (zlib.error, LookupError, TypeError, ValueError) as error:
            remedy = "bring it back from a copy; runs in other rows can be exported: perfcheck history export RUN"
            raise UsageError(f"the history {self.shown} is damaged: a row of it cannot be read", remedy) from error

    def _sentence(self, said: str) -> UsageError:
        if self.is_file:
            for sign, (matter, remedy) in _OF_SQLITE.items():
                if sign in said:
                    return UsageError(f"cannot use the history {self.shown}: {matter}", remedy)
        told = self.redact.clean(said.strip().partition("\n")[0])
        return UsageError(
            f"cannot use the history {self.shown}: {told}", _ELSEWHERE[3:] if self.is_file else _OF_A_SERVER
        )
