"""What one request spent its time on: queries, cache look-ups and spans of its own. Bounded, and never in the way."""

from __future__ import annotations

import math
import os
import re
from threading import RLock
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

from perfcheck.monitor import lifecycle
from perfcheck.monitor.queries import Repetition, Tally
from perfcheck.monitor.settings import settings

if TYPE_CHECKING:  # it takes longer to import than all of the monitor
    import asyncio

_MOST_SPANS = 20
_LONGEST_NAME = 40
_OTHERS = "other-spans"  # what came beyond the bound
_RESERVED = frozenset({"app", "db", "cache"})
_NOT_A_TOKEN = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2


class Trace:
    """Of one request. Its methods may be called from several threads, take microseconds and raise nothing."""

    __slots__ = ("_lock", "_spans", "_tally", "_task", "cache_hits", "cache_misses", "queries", "query_seconds")

    def __init__(self, task: asyncio.Task[Any] | None = None) -> None:
        """``task``: the one that serves the request, where queries run in other threads than the code that asks."""
        self._task = task
        self._lock = RLock()  # a finaliser may come in between, on the same thread
        self._spans: dict[str, tuple[float, int]] = {}
        self._tally: Tally | None = None
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
        with self._lock:
            self.queries += 1
            self.query_seconds += seconds if 0 <= seconds < math.inf else 0.0
            if self._tally is None:
                self._tally = Tally(settings().n_plus_one)
            self._tally.add(text, self._task, layer)

    def cache(self, hit: bool) -> None:  # noqa: FBT001 - the one thing that there is to say
        """One look-up in a cache."""
        with self._lock:
            if hit:
                self.cache_hits += 1
            else:
                self.cache_misses += 1

    @property
    def repetitions(self) -> tuple[Repetition, ...]:
        """Statement shapes sent at least ``n_plus_one`` times, the most frequent first."""
        return self._tally.repetitions() if self._tally is not None else ()

    def server_timing(self, total_s: float) -> str:
        """The value of a Server-Timing header (W3C Server Timing, section 3), in milliseconds.

        ``total_s`` is the time since the request began, which is all that ``app`` can cover: the header is sent
        before the body.
        """
        with self._lock:
            parts = [f"app;dur={1000 * total_s:.1f}"]
            if self.queries:
                parts.append(f'db;dur={1000 * self.query_seconds:.1f};desc="{self._told_of_queries()}"')
            if self.cache_hits or self.cache_misses:
                parts.append(f'cache;desc="{_counted(self.cache_hits, "hit")}, {_counted(self.cache_misses, "miss")}"')
            for name, (seconds, count) in self._spans.items():
                times = f';desc="{count} times"' if count > 1 else ""
                parts.append(f"{name};dur={1000 * seconds:.1f}{times}")
        return ", ".join(parts)

    def _told_of_queries(self) -> str:
        alike = max((one.count for one in self.repetitions), default=0)
        return _counted(self.queries, "query") + (f", {alike} alike" if alike else "")


def current() -> Trace | None:
    """The trace of the request that this code serves; None outside of a request, where there is nothing to trace."""
    request = lifecycle.current()
    if request is None:
        return None
    trace = request.trace
    if trace is None:
        with _beginning:
            trace = request.trace
            if trace is None:
                trace = request.trace = Trace()
    return trace


_beginning = RLock()


def _in_child() -> None:
    """Another thread may have held it at the fork."""
    global _beginning  # noqa: PLW0603
    _beginning = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


class span:  # noqa: N801 - used like a function
    """``with span("render"):`` or ``async with span("fetch"):`` measures a part of the request that is running.

    Shown in the Server-Timing header under this name, made a token. Outside of a request it does nothing. Spans may
    nest; each covers all of its own time.
    """

    __slots__ = ("_name", "_started", "_trace")

    def __init__(self, name: str) -> None:
        self._name = name
        self._trace: Trace | None = None
        self._started = 0.0

    def __enter__(self) -> None:
        self._trace = current()
        self._started = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._trace is not None:
            self._trace.add_span(self._name, perf_counter() - self._started)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def cached(*, hit: bool) -> None:
    """Count one look-up in the application's cache for the request that is running."""
    trace = current()
    if trace is not None:
        trace.cache(hit)


def _token(name: str) -> str:
    token = _NOT_A_TOKEN.sub("-", str(name)[: 4 * _LONGEST_NAME]).strip("-")[:_LONGEST_NAME] or "span"
    return f"{token}-span" if token in _RESERVED else token


def _counted(count: int, noun: str) -> str:
    plural = {"query": "queries", "miss": "misses"}.get(noun, f"{noun}s")
    return f"{count} {noun if count == 1 else plural}"
