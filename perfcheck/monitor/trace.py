"""What application code adds to the trace of the request that it serves: spans, cache look-ups, queries."""

from __future__ import annotations

import logging
from time import perf_counter

from perfcheck.monitor import lifecycle
from perfcheck.monitor.log import log_safely
from perfcheck.monitor.request_trace import Trace


def current() -> Trace | None:
    """The trace of the request that this code serves; None outside of a request, where there is nothing to trace."""
    request = lifecycle.current()
    if request is None:
        return None
    trace: Trace = request.trace or vars(request).setdefault("trace", Trace())  # atomic: threads agree on one
    return trace


def record_query(statement: object, seconds: float) -> None:
    """For an instrumented database. Raises nothing: the application's statement must not fail for its monitor."""
    try:
        trace = current()
        if trace is not None:
            trace.add_query(statement, seconds)
    except Exception:  # noqa: BLE001
        log_safely(logging.ERROR, "a statement could not be recorded", exc_info=True)


class span:  # noqa: N801 - used like a function
    """``with span("render"):`` or ``async with span("fetch"):`` measures a part of the request that is running.

    Shown in the Server-Timing header under this name, made a token. Outside of a request it does nothing. Spans may
    nest; each covers all of its own time.
    """

    __slots__ = ("_name", "_started", "_trace")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._trace = current()
        self._started = perf_counter()

    def __exit__(self, *_: object) -> None:
        if self._trace is not None:
            self._trace.add_span(self._name, perf_counter() - self._started)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


def cached(*, hit: bool) -> None:
    """Count one look-up in the application's cache for the request that is running."""
    trace = current()
    if trace is not None:
        trace.cache(hit=hit)
