"""What one request spent its time on: queries, cache look-ups and spans of its own. Bounded, and never in the way.

Of each statement its shape is kept: the statement without what changes from one call to the next, that is literals,
parameter markers, the length of an IN list, comments. The same shape again and again in one request is N+1. No literal
stays in a shape, so that no value of a user reaches a log or a report through it. The slowest shapes are named with
the line that sends them, which is looked for once a shape takes a millisecond: a fiftieth of that.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable
from functools import lru_cache
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any
from zlib import crc32

from perfcheck.monitor.call_site import call_site
from perfcheck.monitor.log import log_safely
from perfcheck.monitor.settings import settings
from perfcheck.monitor.statistics import RepeatedStatement, StatementTime
from perfcheck.words import plural

if TYPE_CHECKING:  # it takes longer to import than all of the monitor
    import asyncio

_MOST_SPANS = 20
_LONGEST_NAME = 40
_OTHERS = "other-spans"  # what came beyond the bound
_RESERVED = frozenset({"app", "db", "cache"})
_NOT_A_TOKEN = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2

_READ = 4000  # characters of a statement that are looked at
_SHOWN_HEAD, _SHOWN_TAIL = 190, 100  # of a shape: what is selected, and the condition at its end
_SHAPES_KEPT = 512
_LONGEST_KEPT = 2000  # a longer statement carries its values, and will not come again
_SHAPES_PER_REQUEST = 200  # more shapes than this in one request are not N+1; the others are still counted as queries
_REPORTED_KEPT = 1000
_SLOW_S = 0.001  # all statements of one shape in a request, from which on they are named
_MOST_SLOW = 3
_SHOWN_IN_HEADER = 250  # characters
_NOT_IN_HEADER = re.compile(r"[^ -~]")


class _Statements:
    """Those of one shape, in one request."""

    __slots__ = ("caller", "count", "located", "seconds", "shape")

    def __init__(self, shape: str) -> None:
        self.shape = shape
        self.count = 0
        self.seconds = 0.0
        self.located = False
        self.caller: str | None = None

    def __str__(self) -> str:
        """``SELECT name FROM labels WHERE id = ?, 50 times, from shop/views.py:42``"""
        times = f", {self.count} times" if self.count > 1 else ""
        return f"{self.shape}{times}" + (f", from {self.caller}" if self.caller else "")


class Trace:
    """Of one request. Its methods may be called from several threads, take microseconds and raise nothing."""

    def __init__(self, task: asyncio.Task[Any] | None = None) -> None:
        """``task``: the one that serves the request, where its queries run in other threads than its own code."""
        self._task = task
        self._lock = RLock()  # a finaliser may come in between, on the same thread
        self._spans: dict[str, tuple[float, int]] = {}
        self._statements: dict[str, _Statements] = {}  # by shape
        self.queries = 0
        self.query_seconds = 0.0
        self.cache_hits = 0
        self.cache_misses = 0

    def add_span(self, name: str, seconds: float) -> None:
        """Spans of the same name add up; beyond 20 names the rest is one span."""
        token = _token(name)
        with self._lock:
            spans = self._spans
            if token not in spans and len(spans) >= _MOST_SPANS:
                token = _OTHERS
            total, count = spans.get(token, (0.0, 0))
            spans[token] = (total + seconds, count + 1)

    def add_query(self, statement: object, seconds: float, *, layer: str | None = None) -> None:
        """One statement sent to the database, and how long it took. Call it where the statement was sent from.

        A module through which an application sends all its statements gives its ``__file__`` as ``layer``: the line
        that an N+1 is reported with is then that of its caller.
        """
        text = statement if isinstance(statement, str) else f"({type(statement).__name__})"  # drivers have own kinds
        seconds = seconds if 0 <= seconds < math.inf else 0.0
        with self._lock:
            self.queries += 1
            self.query_seconds += seconds
            shape = shape_of(text)
            same = self._statements.get(shape)
            if same is None:
                same = _Statements(shape)
                if len(self._statements) < _SHAPES_PER_REQUEST:
                    self._statements[shape] = same
            same.count += 1
            same.seconds += seconds
            if not same.located and (same.seconds >= _SLOW_S or same.count >= settings().n_plus_one):
                same.located, same.caller = True, call_site(self._task, layer)

    def cache(self, *, hit: bool) -> None:
        with self._lock:
            if hit:
                self.cache_hits += 1
            else:
                self.cache_misses += 1

    @property
    def repetitions(self) -> tuple[RepeatedStatement, ...]:
        """Statement shapes sent at least ``n_plus_one`` times, the most frequent first."""
        known, least = list(self._statements.values()), settings().n_plus_one  # another thread may add one
        repeated = [RepeatedStatement(same.shape, same.count, same.caller) for same in known if same.count >= least]
        return tuple(sorted(repeated, key=lambda repetition: -repetition.most))

    @property
    def slow_statements(self) -> list[_Statements]:
        """The slowest shapes, all statements of each together."""
        slow = [same for same in list(self._statements.values()) if same.seconds >= _SLOW_S]
        return sorted(slow, key=attrgetter("seconds"), reverse=True)[:_MOST_SLOW]

    @property
    def statement_times(self) -> tuple[StatementTime, ...]:
        return tuple(StatementTime(same.shape, same.seconds, same.caller) for same in self.slow_statements)

    @property
    def in_words(self) -> str:
        """``7 queries, 480 ms in SELECT name FROM labels, from shop/views.py:42``"""
        slowest = "".join(f", {1000 * same.seconds:.0f} ms in {same}" for same in self.slow_statements[:1])
        return plural(self.queries, "query") + slowest

    def server_timing(self, total_s: float) -> str:
        """The value of a Server-Timing header (W3C Server Timing, section 3), in milliseconds.

        ``total_s`` is the time since the request began, which is all that ``app`` can cover: the header is sent
        before the body.
        """
        with self._lock:
            parts = [f"app;dur={1000 * total_s:.1f}"]
            if self.queries:
                repeated = max((repetition.most for repetition in self.repetitions), default=0)
                queries = plural(self.queries, "query") + (f", {repeated} identical" if repeated else "")
                parts.append(f'db;dur={1000 * self.query_seconds:.1f};desc="{queries}"')
            if self.cache_hits or self.cache_misses:
                parts.append(f'cache;desc="{plural(self.cache_hits, "hit")}, {plural(self.cache_misses, "miss")}"')
            for name, (seconds, count) in self._spans.items():
                times = f';desc="{count} times"' if count > 1 else ""
                parts.append(f"{name};dur={1000 * seconds:.1f}{times}")
            for same in self.slow_statements:  # by a name that is the same from release to release
                name = f"statement.{crc32(same.shape.encode('utf-8', 'replace')):08x}"
                parts.append(f"{name};dur={1000 * same.seconds:.1f};desc={_quoted(same)}")
        return ", ".join(parts)


def _token(name: str) -> str:
    token = _NOT_A_TOKEN.sub("-", str(name)[: 4 * _LONGEST_NAME]).strip("-")[:_LONGEST_NAME] or "span"
    return f"{token}-span" if token in _RESERVED else token


def _quoted(statements: _Statements) -> str:
    """A quoted string of RFC 9110, shortened in the middle."""
    text, half = _NOT_IN_HEADER.sub("?", str(statements)), _SHOWN_IN_HEADER // 2
    if len(text) > _SHOWN_IN_HEADER:
        text = f"{text[:half]} ... {text[-half:]}"
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


# --- N+1 -----------------------------------------------------------------------------------------------------------


_reported: set[tuple[str, str]] = set()


def log_n_plus_one(endpoint: str, repetitions: Iterable[RepeatedStatement]) -> None:
    """Log each shape once for each endpoint, with the line it comes from. Remembers a bounded number of them."""
    for repetition in repetitions:
        key = (endpoint, repetition.shape)
        if key in _reported or len(_reported) >= _REPORTED_KEPT:
            continue
        _reported.add(key)
        log_safely(
            logging.WARNING,
            "N+1: %s sent the same statement %d times in one request, from %s: %s",
            endpoint,
            repetition.most,
            repetition.caller or "an unknown line",
            repetition.shape,
        )


# --- The shape of a statement --------------------------------------------------------------------------------------

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
_COLUMNS = re.compile(r"\A(SELECT .{50}).*? FROM ")  # what is joined says more than the ends of a long list of columns
_LIST = re.compile(r"\( ?\?(?: ?, ?\?)* ?\)(?: ?, ?\( ?\?(?: ?, ?\?)* ?\))*")


def shape_of(statement: str) -> str:
    """``SELECT * FROM t WHERE id IN (1, 2)`` -> ``SELECT * FROM t WHERE id IN (?)``: one line, at most 300 characters.

    Statements with parameters come again as the same text and are looked up; the table of them is bounded.
    """
    return _known_shape(statement) if len(statement) <= _LONGEST_KEPT else _fold(statement)


def _fold(statement: str) -> str:
    text = " ".join(_FOLDED.sub(_folded, statement[:_READ]).split())
    text = _LIST.sub("(?)", text)
    if len(text) > _SHOWN_HEAD + _SHOWN_TAIL:
        text = _COLUMNS.sub(r"\1 ... FROM ", text, count=1)
    if len(text) > _SHOWN_HEAD + _SHOWN_TAIL:
        text = f"{text[:_SHOWN_HEAD]} ... {text[-_SHOWN_TAIL:]}"
    return text


_known_shape = lru_cache(maxsize=_SHAPES_KEPT)(_fold)


def _folded(match: re.Match[str]) -> str:
    text = match.group()
    if match["name"]:
        return text
    if text.startswith(("/*", "--")):
        return " "
    return " ?" if text[0].isspace() else "?"


def forget_statements() -> None:
    """Start again: for tests."""
    _known_shape.cache_clear()
    _reported.clear()
