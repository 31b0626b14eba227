"""The shape of a statement, and the same shape again and again in one request: N+1.

A shape is the statement without what changes from one call to the next: literals, parameter markers, the length of an
IN list, comments. No literal stays in a shape, so that no value of a user reaches a log or a report through it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcheck.monitor.callers import caller
from perfcheck.monitor.log import tell

if TYPE_CHECKING:  # it takes longer to import than all of the monitor
    import asyncio

_READ = 4000  # characters of a statement that are looked at
_SHOWN_HEAD, _SHOWN_TAIL = 190, 100  # of a shape: what is selected, and the condition at its end
_SHAPES_KEPT = 512
_LONGEST_KEPT = 2000  # a longer statement carries its values, and will not come again
_SHAPES_PER_REQUEST = 200  # more shapes than this in one request are not N+1; the others are still counted as queries
_REPORTED_KEPT = 1000


# What is the same thing to the database, or nothing at all. A quoted text that holds a backslash ends elsewhere in one
# dialect than in another, so that everything behind it is folded: rather too much than half of a value.
_FOLDED = re.compile(
    r"""
    \bq'(?:\[.*?\]|\(.*?\)|\{.*?\}|<.*?>)'                # q'[text]' of Oracle
  | '[^'\\]*(?:''[^'\\]*)*(?:'|\\.*\Z|\Z)                # 'text', also where it was cut
  | /\*.*?(?:\*/|\Z) | --[^\n]*                          # comments
  | (?<=[=<>])\s*"[^"\\]*(?:"(?!\s*\.)|\\.*\Z|\Z)        # = "text", as MySQL allows; not = "table"."column"
  | (?<=LIKE)\s*"[^"\\]*(?:"(?!\s*\.)|\\.*\Z|\Z)
  | (?<=BETWEEN)\s*"[^"\\]*(?:"(?!\s*\.)|\\.*\Z|\Z)
  | (?P<name>"\w+"(?:\s*\.\s*"\w+")*)                    # "table"."column": stays
  | "(?=[^"]*[^\w"])[^"\\]*(?:"(?!\s*\.)|\\.*\Z|\Z)      # "text" that is hardly a name
  | \$(?P<tag>[A-Za-z_]\w*|)\$.*?(?:\$(?P=tag)\$|\Z)     # $$text$$
  | (?<![\w.$"`])[-+]?\.?\d[\w.]*                        # numbers
  | %\(\w+\)s | %s | (?<![:\w]):\w+ | \$\d+ | @p\d+      # markers of parameters
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_LIST = re.compile(r"\( ?\?(?: ?, ?\?)* ?\)(?: ?, ?\( ?\?(?: ?, ?\?)* ?\))*")

_kept: dict[str, str] = {}
_reported: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class Repetition:
    """One statement shape that came again and again in one request."""

    shape: str
    count: int
    caller: str | None  # "shop/views.py:42"; None where no line of the application is in sight


class Tally:
    """How often each shape came in one request, and from where, once it came ``threshold`` times."""

    __slots__ = ("_callers", "_counts", "_threshold")

    def __init__(self, threshold: int) -> None:
        self._threshold = max(2, threshold)
        self._counts: dict[str, int] = {}
        self._callers: dict[str, str | None] = {}

    def add(self, statement: str, task: asyncio.Task[Any] | None = None, layer: str | None = None) -> None:
        """To be called from within the call that sends the statement: the stack tells who asks, else ``task`` does.

        ``layer`` is a file that only sends what others ask for.
        """
        shape = shape_of(statement)
        counts = self._counts
        count = counts.get(shape, 0) + 1
        if count == 1 and len(counts) >= _SHAPES_PER_REQUEST:
            return
        counts[shape] = count
        if count == self._threshold:
            self._callers[shape] = caller(task, layer)

    def repetitions(self) -> tuple[Repetition, ...]:
        """The shapes that reached the threshold, the most frequent first."""
        found = [Repetition(shape, self._counts[shape], where) for shape, where in list(self._callers.items())]
        return tuple(sorted(found, key=lambda one: -one.count))


def warn_of(endpoint: str, repetitions: Iterable[Repetition]) -> None:
    """Log each shape once for each endpoint, with the line it comes from. Remembers a bounded number of them."""
    for one in repetitions:
        key = (endpoint, one.shape)
        if key in _reported or len(_reported) >= _REPORTED_KEPT:
            continue
        _reported.add(key)
        tell(
            logging.WARNING,
            "N+1: %s sent the same statement %d times in one request, from %s: %s",
            endpoint,
            one.count,
            one.caller or "an unknown line",
            one.shape,
        )


def forget() -> None:
    """Start again: for tests."""
    _kept.clear()
    _reported.clear()


def shape_of(statement: str) -> str:
    """``SELECT * FROM t WHERE id IN (1, 2)`` -> ``SELECT * FROM t WHERE id IN (?)``: one line, at most 300 characters.

    Statements with parameters come again as the same text and are looked up; the table of them is bounded.
    """
    shape = _kept.get(statement)
    if shape is None:
        shape = _fold(statement)
        if len(statement) <= _LONGEST_KEPT:
            if len(_kept) >= _SHAPES_KEPT:
                _kept.clear()
            _kept[statement] = shape
    return shape


def _fold(statement: str) -> str:
    text = " ".join(_FOLDED.sub(_folded, statement[:_READ]).split())
    text = _LIST.sub("(?)", text)
    if len(text) > _SHOWN_HEAD + _SHOWN_TAIL:
        text = f"{text[:_SHOWN_HEAD]} ... {text[-_SHOWN_TAIL:]}"
    return text


def _folded(match: re.Match[str]) -> str:
    text = match.group()
    if match["name"]:
        return text
    if text.startswith(("/*", "--")):
        return " "
    return " ?" if text[0].isspace() else "?"
