"""One request on its way through the Django middleware, to the closing of its response. Nothing here raises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

from perfcheck.monitor import lifecycle
from perfcheck.monitor.django.names import route_of
from perfcheck.monitor.registry import default
from perfcheck.monitor.routes import named
from perfcheck.monitor.settings import settings
from perfcheck.monitor.trace import Trace

_BEGUN = "_perfcheck_monitor"
_SEEN = "perfcheck.monitor"  # which wsgi.Monitor and asgi.Monitor leave in the environ and in the scope


class Passage:
    """Begins when it is made; ends by ``failed``, or when the response that it was given is closed or forgotten."""

    def __init__(self, request: Any, task: asyncio.Task[Any] | None = None) -> None:
        self._request = request
        outer = lifecycle.current() if _has_begun(request) else None
        self._owned = outer is None
        self._running = outer or lifecycle.begin(route=partial(_name, request))
        setattr(request, _BEGUN, True)  # not the running one, which would close a circle
        if task is not None and self._running.trace is None:
            # An asynchronous view waits while its query runs in another thread: the task knows the waiting line.
            self._running.trace = Trace(task)

    def failed(self, error: BaseException) -> None:
        """No response: an exception that Django was told to let through, or a cancellation."""
        if self._owned:
            left = isinstance(error, asyncio.CancelledError)
            self._running.finish(error=not left, disconnected=left)

    def answered(self, response: Any) -> None:
        """Go on until ``response`` is closed."""
        try:
            if not self._owned:
                self._running.name(_name(self._request))
            elif self._is_of_the_monitor():
                self._running.cancel()
            else:
                self._follow(response)
        except Exception as error:  # noqa: BLE001 - a response of a kind that nobody knows is sent all the same
            default.defect(error)
            self._running.finish(status=getattr(response, "status_code", None))

    def _is_of_the_monitor(self) -> bool:
        match = getattr(self._request, "resolver_match", None)
        return match is not None and hasattr(match.func, "perfcheck_monitor_api")

    def _follow(self, response: Any) -> None:
        self._running.responding()
        if settings().server_timing:
            told = (self._running.trace or Trace()).server_timing(self._running.elapsed_s)
            own = response.headers.get("Server-Timing")
            response.headers["Server-Timing"] = f"{own}, {told}" if own else told
        end = _End(self._running, response.status_code)
        if not response.streaming:
            end.completed, end.size = True, len(response.content)
        elif getattr(response, "file_to_stream", None) is not None:  # the server may send it without iterating
            end.completed, end.size = True, _length(response)
        elif response.is_async:
            response.streaming_content = end.follow_async(response.streaming_content)
        else:
            response.streaming_content = end.follow(response.streaming_content)
        response._resource_closers.append(end)  # noqa: SLF001 - the only place that Django itself closes


def _name(request: Any) -> str:
    return named(request.method, route_of(request))


def _has_begun(request: Any) -> bool:
    """Whether a middleware around this one counts it. The context alone does not tell: a thread's may still hold an
    earlier request, whose response somebody keeps without closing it.
    """
    return hasattr(request, _BEGUN) or _SEEN in request.META or _SEEN in getattr(request, "scope", ())


def _length(response: Any) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


class _End:
    """Waits for the end of a response. One that is dropped unclosed ends when it is forgotten."""

    __slots__ = ("_running", "_status", "broken", "completed", "size")

    def __init__(self, running: lifecycle.Request, status: int) -> None:
        self._running = running
        self._status = status
        self.completed = False
        self.broken = False
        self.size: int | None = 0

    def follow(self, content: Iterator[bytes]) -> Iterator[bytes]:
        try:
            for piece in content:
                self._add(piece)
                yield piece
        except Exception:
            self.broken = True
            raise
        self.completed = True

    async def follow_async(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for piece in content:
                self._add(piece)
                yield piece
        except Exception:
            self.broken = True
            raise
        self.completed = True

    def _add(self, piece: bytes) -> None:
        self.size = (self.size or 0) + len(piece)

    def __call__(self) -> None:
        """The response is closed."""
        left = not (self.completed or self.broken)
        self._running.finish(status=self._status, error=self.broken, disconnected=left, response_bytes=self.size)

    def __del__(self) -> None:
        self()

    def __reduce__(self) -> tuple[Any, ...]:
        """A response may be pickled, into a cache: what comes out of it closes nothing, and needs no perfcheck."""
        return partial, (bool,)
