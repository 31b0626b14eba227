"""The errors of a baseline file: collected, so that all are shown at once, each with its line and a caret."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from perfcheck.errors import UsageError
from perfcheck.text import clean
from perfcheck.words import plural

MOST_ERRORS = 100  # reading stops here: the file as a whole is wrong
_MOST_SHOWN = 20
_WIDTH = 100  # of a source line that is shown; a longer one is cut around the caret
_LONGEST_SENTENCE = 400
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as YAML defines it


@dataclass(frozen=True, slots=True)
class Location:
    """Where in the file; line and column count from 1."""

    line: int
    column: int
    length: int = 1


@dataclass(frozen=True, slots=True)
class FileError:
    """One error of the file. ``location`` is None when it concerns the file as a whole."""

    location: Location | None
    message: str
    remedy: str
    source: str = ""  # the line as written in the file


class BaselineError(UsageError):
    """A baseline that cannot be used, with all its errors."""

    def __init__(self, file: str, errors: tuple[FileError, ...]) -> None:
        self.file = file
        self.errors = errors
        count = f"at least {MOST_ERRORS} errors" if len(errors) >= MOST_ERRORS else plural(len(errors), "error")
        super().__init__(f"{clean(file)} has {count}\n\n{_formatted(clean(file), errors)}")


class StopReading(Exception):  # noqa: N818 - control flow: the errors have been collected
    """Reading on makes no sense."""


class ErrorCollector:
    """The errors of one text, each of them once, however many aliases lead to it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: list[str] | None = None
        self._errors: dict[tuple[int, int, str], FileError] = {}

    def __len__(self) -> int:
        return len(self._errors)

    def add(self, location: Location | None, message: str, remedy: str) -> None:
        """Raises StopReading when there are so many errors that no more should be looked for."""
        message, remedy = clean(message, _LONGEST_SENTENCE), clean(remedy, _LONGEST_SENTENCE)  # they quote the file
        source = ""
        if location is not None:
            source = self.source(location.line)
            room = max(1, len(source.rstrip()) - location.column + 1)
            location = Location(location.line, location.column, max(1, min(location.length, room)))
        key = (location.line, location.column, message) if location else (0, 0, message)
        self._errors.setdefault(key, FileError(location, message, remedy, source))
        if len(self._errors) >= MOST_ERRORS:
            raise StopReading

    def fatal(self, location: Location | None, message: str, remedy: str) -> StopReading:
        """To be raised: nothing after this can be understood."""
        self.add(location, message, remedy)
        return StopReading()

    def source(self, line: int) -> str:
        if self._lines is None:
            self._lines = _LINE_BREAK.split(self._text)
        return self._lines[line - 1] if line <= len(self._lines) else ""

    def location_at(self, index: int, length: int) -> Location:
        """Of a character of the text, counted from 0."""
        lines = _LINE_BREAK.split(self._text[:index])
        return Location(len(lines), len(lines[-1]) + 1, length)

    def within(self, location: Location, part: str) -> Location:
        """The location of ``part`` in a scalar, when it is on the line where the scalar begins."""
        at = self.source(location.line).find(part, location.column - 1)
        return Location(location.line, at + 1, len(part)) if at >= 0 else location

    def in_order(self) -> tuple[FileError, ...]:
        return tuple(error for _, error in sorted(self._errors.items(), key=lambda item: item[0][:2]))


def _formatted(file: str, errors: tuple[FileError, ...]) -> str:
    shown = "\n\n".join(_with_source(file, error) for error in errors[:_MOST_SHOWN])
    more = len(errors) - _MOST_SHOWN
    if more <= 0:
        return shown
    at_least = "at least " if len(errors) >= MOST_ERRORS else ""
    return f"{shown}\n\nand {at_least}{more} more"


def _with_source(file: str, error: FileError) -> str:
    if error.location is None:
        return f"{file}: error: {error.message}\n  help: {error.remedy}"
    line, column = error.location.line, error.location.column
    source, before = _cut(error.source, column - 1)
    margin = len(str(line)) + 2
    caret = " " * _columns(source[:before]) + "^" * max(1, _columns(source[before : before + error.location.length]))
    return (
        f"{file}:{line}:{column}: error: {error.message}\n"
        f"{f'  {line} | {source}'.rstrip()}\n"
        f"{' ' * margin} | {caret}\n"
        f"  help: {error.remedy}"
    )


def _cut(source: str, at: int) -> tuple[str, int]:
    """The part of a long line around ``at``, made safe for a terminal, and the new offset of ``at``."""
    start = max(0, min(at - _WIDTH // 2, len(source) - _WIDTH))
    window = source[start : start + _WIDTH]
    safe = "".join(char if char.isprintable() else " " if char == "\t" else "?" for char in window)
    front = "..." if start else ""
    back = "..." if len(source) - start > _WIDTH else ""
    safe = safe if back else safe.rstrip()
    return front + safe + back, at - start + len(front)


def _columns(text: str) -> int:
    """How many columns of a terminal: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
