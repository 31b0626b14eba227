"""The middleware for Django, under WSGI and ASGI: put it first in ``MIDDLEWARE``, so that it covers the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.db import connections
from django.db.backends.signals import connection_created

from perfcheck.monitor import lifecycle
from perfcheck.monitor.django.routes import name_of
from perfcheck.monitor.log import log_safely
from perfcheck.monitor.registry import default
from perfcheck.monitor.request_trace import Trace
from perfcheck.monitor.settings import settings
from perfcheck.monitor.trace import record_query

_BEGUN = "_perfcheck_monitor"
_SEEN = "perfcheck.monitor"  # which wsgi.Monitor and asgi.Monitor leave in the environ and in the scope


class MonitorMiddleware:
    """Times each request until its response has been sent and closed, counts its queries, and names it by its route.

    Behind ``wsgi.Monitor`` or ``asgi.Monitor`` it gives their request its name, and counts nothing twice.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        default.is_served = True
        _safely(watch_databases)

    def __call__(self, request: Any) -> Any:
        return self._respond_async(request) if self._is_async else self._respond(request)

    def _respond(self, request: Any) -> Any:
        _safely(watch_open_connections)
        passage = _Passage(request)
        try:
            response = self._get_response(request)
        except BaseException as error:
            passage.failed(error)
            raise
        passage.responded(response)
        return response

    async def _respond_async(self, request: Any) -> Any:
        passage = _Passage(request, asyncio.current_task())
        try:
            response = await self._get_response(request)
        except BaseException as error:
            passage.failed(error)
            raise
        passage.responded(response)
        return response


class _Passage:
    """One request: to ``failed``, or until its response is closed or deleted. Raises nothing."""

    def __init__(self, request: Any, task: asyncio.Task[Any] | None = None) -> None:
        self._request = request
        outer = lifecycle.current() if _has_begun(request) else None
        self._owned = outer is None
        self._running = outer or lifecycle.begin(
            route=partial(name_of, request), query=request.META.get("QUERY_STRING", "")
        )
        setattr(request, _BEGUN, True)  # not the running request, which would be a reference cycle
        if task is not None and self._running.trace is None:
            # An asynchronous view waits while its query runs in another thread: its line is found through the task.
            self._running.trace = Trace(task)

    def failed(self, error: BaseException) -> None:
        """No response: an exception that Django is set to let through, or a cancellation."""
        if self._owned:
            cancelled = isinstance(error, asyncio.CancelledError)
            self._running.finish(error=not cancelled, disconnected=cancelled)

    def responded(self, response: Any) -> None:
        """The request goes on until ``response`` is closed."""
        try:
            match = getattr(self._request, "resolver_match", None)
            if not self._owned:
                self._running.name(name_of(self._request))
            elif match is not None and hasattr(match.func, "perfcheck_monitor_api"):
                self._running.cancel()
            else:
                self._follow(response)
        except Exception as error:  # noqa: BLE001 - a response of an unknown kind is sent all the same
            default.count_failure(error)
            self._running.finish(status=getattr(response, "status_code", None))

    def _follow(self, response: Any) -> None:
        self._running.responding()
        if settings().server_timing:
            timing = self._running.server_timing()
            own = response.headers.get("Server-Timing")
            response.headers["Server-Timing"] = f"{own}, {timing}" if own else timing
        end = _End(self._running, response.status_code)
        if not response.streaming:
            end.completed, end.size = True, len(response.content)
        elif getattr(response, "file_to_stream", None) is not None:  # the server may send it without iterating
            end.completed, end.size = True, _length(response)
        elif response.is_async:
            response.streaming_content = end.follow_async(response.streaming_content)
        else:
            response.streaming_content = end.follow(response.streaming_content)
        response._resource_closers.append(end)  # noqa: SLF001 - the only hook that Django itself calls at the end


def _has_begun(request: Any) -> bool:
    """Whether a middleware around this one counts it. The context alone does not show it: a thread's may still hold an
    earlier request, whose response is kept without being closed.
    """
    return hasattr(request, _BEGUN) or _SEEN in request.META or _SEEN in getattr(request, "scope", ())


def _length(response: Any) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


class _End:
    """Waits for the end of a response. A response that is never closed ends when it is deleted."""

    __slots__ = ("_running", "_status", "broken", "completed", "size")

    def __init__(self, running: lifecycle.Request, status: int) -> None:
        self._running = running
        self._status = status
        self.completed = False
        self.broken = False
        self.size: int | None = 0

    @contextmanager
    def _until_complete(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            self.broken = True
            raise
        self.completed = True

    def follow(self, content: Iterator[bytes]) -> Iterator[bytes]:
        with self._until_complete():
            for piece in content:
                self.size = (self.size or 0) + len(piece)
                yield piece

    async def follow_async(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        with self._until_complete():
            async for piece in content:
                self.size = (self.size or 0) + len(piece)
                yield piece

    def __call__(self) -> None:
        left = not (self.completed or self.broken)
        self._running.finish(status=self._status, error=self.broken, disconnected=left, response_bytes=self.size)

    def __del__(self) -> None:
        self()

    def __reduce__(self) -> tuple[Any, ...]:
        """A response may be pickled, into a cache: what comes out of it closes nothing, and needs no perfcheck."""
        return partial, (bool,)


# --- Databases -------------------------------------------------------------------------------------------------------
# A connection belongs to one thread, and Django opens it there when it is first used, in an asynchronous request also
# in a thread other than the middleware's. So each connection is wrapped when it is opened, and stays wrapped.


def watch_databases() -> None:
    """Count every statement of every connection from now on. Watching twice changes nothing."""
    connection_created.connect(_opened, dispatch_uid="perfcheck.monitor")
    watch_open_connections()


def watch_open_connections() -> None:
    """Those of this thread that were opened before."""
    for connection in connections.all(initialized_only=True):
        _opened(connection)


def _opened(connection: Any, **_: Any) -> None:
    """The first of all wrappers: ``connection.execute_wrapper`` removes the last one at its end, which is its own."""
    if _count not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _count)


def _count(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
    started = perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        record_query(sql, perf_counter() - started)


def _safely(watch: Callable[[], None]) -> None:
    try:
        watch()
    except Exception:  # noqa: BLE001 - a monitor that sees no queries is better than no service
        log_safely(logging.ERROR, "the databases cannot be watched", exc_info=True)
