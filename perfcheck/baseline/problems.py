"""What is wrong with a baseline: collected, so that all of it is told at once, and shown with the line and a caret."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Protocol

from perfcheck.errors import UsageError
from perfcheck.text import clean

MOST_PROBLEMS = 100  # more are not looked for: something is wrong as a whole
_MOST_SHOWN = 20
_WIDTH = 100  # of a source line that is shown; a longer one is cut around the caret
_LONGEST_COMPARED = 60  # 'did you mean' costs time in the square of it
_MOST_COMPARED = 500
_LONGEST_SENTENCE = 400
_BREAKS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what YAML takes for the end of a line


@dataclass(frozen=True, slots=True)
class Problem:
    """One error of the file. Line and column count from 1; None: it is about the file as a whole."""

    line: int | None
    column: int | None
    message: str
    remedy: str
    length: int = 1  # of the caret
    source: str = ""  # the line, as it stands in the file


class BaselineError(UsageError):
    """A baseline that cannot be used, with all that is wrong with it."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        self.file = file
        self.problems = problems
        count = "an error" if len(problems) == 1 else f"{_counted(len(problems))} errors"
        super().__init__(f"{clean(file)} has {count}\n\n{format_problems(self)}")


class StopReading(Exception):  # noqa: N818 - control flow: nothing more is to be found out
    """Going on makes no sense; what is wrong has been collected."""


class Place(Protocol):
    """Where something stands in the file; counted from 1."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...
    @property
    def length(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Point:
    line: int
    column: int
    length: int = 1


class Problems:
    """Collects the problems of one text, each of them once, however many aliases lead to it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: list[str] | None = None
        self._found: dict[tuple[int | None, int | None, str], Problem] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place | None, message: str, remedy: str) -> None:
        """Raises StopReading when there are so many that no more should be looked for."""
        message, remedy = clean(message, _LONGEST_SENTENCE), clean(remedy, _LONGEST_SENTENCE)  # they quote the file
        if place is None:
            problem = Problem(None, None, message, remedy)
        else:
            source = self.source(place.line)
            room = max(1, len(source.rstrip()) - place.column + 1)
            problem = Problem(place.line, place.column, message, remedy, max(1, min(place.length, room)), source)
        self._found.setdefault((problem.line, problem.column, message), problem)
        if len(self._found) >= MOST_PROBLEMS:
            raise StopReading

    def fatal(self, place: Place | None, message: str, remedy: str) -> StopReading:
        """To be raised: nothing after this can be understood."""
        self.add(place, message, remedy)
        return StopReading()

    def source(self, line: int) -> str:
        if self._lines is None:
            self._lines = _BREAKS.split(self._text)
        return self._lines[line - 1] if line <= len(self._lines) else ""

    def within(self, place: Place, part: str) -> Place:
        """Where ``part`` of a scalar stands, when it is on the line where the scalar begins."""
        at = self.source(place.line).find(part, place.column - 1)
        return Point(place.line, at + 1, len(part)) if at >= 0 else place

    def in_order(self) -> tuple[Problem, ...]:
        return tuple(sorted(self._found.values(), key=lambda problem: (problem.line or 0, problem.column or 0)))


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """``did you mean 'target'?``, or None when nothing is near."""
    known = list(islice(known, _MOST_COMPARED))
    near = get_close_matches(word[:_LONGEST_COMPARED].lower(), {name.lower(): name for name in known}, n=1)
    if not near:
        return None
    return f"did you mean '{next(name for name in known if name.lower() == near[0])}'?"


def format_problems(error: BaselineError) -> str:
    """Plain text: ``file:line:column: error: ...``, the line, a caret and the remedy of each problem."""
    file, problems = clean(error.file), error.problems
    shown = "\n\n".join(_formatted(file, problem) for problem in problems[:_MOST_SHOWN])
    more = len(problems) - _MOST_SHOWN
    if more <= 0:
        return shown
    at_least = "at least " if len(problems) >= MOST_PROBLEMS else ""
    return f"{shown}\n\nand {at_least}{more} more"


def _counted(number: int) -> str:
    return f"at least {number}" if number >= MOST_PROBLEMS else str(number)


def _formatted(file: str, problem: Problem) -> str:
    if problem.line is None or problem.column is None:
        return f"{file}: error: {problem.message}\n  help: {problem.remedy}"
    source, before = _cut(problem.source, problem.column - 1)
    margin = len(str(problem.line)) + 2
    caret = " " * _columns(source[:before]) + "^" * max(1, _columns(source[before : before + problem.length]))
    return (
        f"{file}:{problem.line}:{problem.column}: error: {problem.message}\n"
        f"{f'  {problem.line} | {source}'.rstrip()}\n"
        f"{' ' * margin} | {caret}\n"
        f"  help: {problem.remedy}"
    )


def _cut(source: str, at: int) -> tuple[str, int]:
    """The part of a long line around ``at``, made harmless to a terminal, and where ``at`` is in it."""
    safe = "".join(char if char.isprintable() else " " if char == "\t" else "?" for char in _window(source, at))
    start = max(0, min(at - _WIDTH // 2, len(source) - _WIDTH))
    front = "..." if start else ""
    back = "..." if len(source) - start > _WIDTH else ""
    safe = safe.rstrip() if not back else safe
    return front + safe + back, at - start + len(front)


def _window(source: str, at: int) -> str:
    start = max(0, min(at - _WIDTH // 2, len(source) - _WIDTH))
    return source[start : start + _WIDTH]


def _columns(text: str) -> int:
    """How many columns of a terminal: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
