"""An ASGI application, in an event loop and a thread of its own, so that a test may have a loop as well."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

import httpx

from perfcheck.client.app_reply import AppReply, describe
from perfcheck.errors import CouldNotMeasureError
from perfcheck.units import format_ms

T = TypeVar("T")
_Message = MutableMapping[str, Any]
_Application = Callable[..., Awaitable[None]]
_STOP_S = 10.0


class AsgiApplication:
    interface = "ASGI"

    def __init__(self, application: _Application, *, lifespan: bool) -> None:
        self._application = application
        self._loop = _LoopThread()
        self._lifespan = _Lifespan(application) if lifespan else None
        self._is_started = False

    def start(self, timeout_s: float) -> None:
        """Run the application's startup. Raises CouldNotMeasureError."""
        if self._lifespan is not None:
            self._is_started = True
            self._loop.run(self._lifespan.start(timeout_s))

    def stop(self) -> None:
        try:
            if self._is_started and self._lifespan is not None:
                self._loop.run(self._lifespan.stop())
        finally:
            self._loop.close()

    def respond(self, request: httpx.Request, reply: AppReply, timeout_s: float) -> None:
        self._loop.run(self._respond(request, reply, timeout_s))

    async def _respond(self, request: httpx.Request, reply: AppReply, timeout_s: float) -> None:
        """Also waits for what the application does after its response, which is part of no latency."""

        async def application(scope: _Message, receive: Any, send: Callable[[_Message], Awaitable[None]]) -> None:
            async def stamped(message: _Message) -> None:
                if message["type"] == "http.response.start":
                    reply.begin(message["status"], "", message.get("headers", ()))
                    reply.add(b"")  # a server sends the head at once
                elif message["type"] == "http.response.body":
                    reply.add(message.get("body", b""))
                    if not message.get("more_body", False):
                        reply.end()
                    elif reply.has_enough:
                        responding.cancel()
                await send(message)

            reply.call()
            try:
                await self._application({**scope, **self._state()}, receive, stamped)
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - the last two would end the loop
                reply.fail(error)

        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        responding = asyncio.ensure_future(transport.handle_async_request(request))
        try:
            await asyncio.wait_for(responding, timeout_s)
        except TimeoutError:
            reply.expire()
        except asyncio.CancelledError:
            if not reply.has_enough:
                raise
        except AssertionError:
            pass  # by the transport: the response is not complete, which the reply knows

    def _state(self) -> _Message:
        return {} if self._lifespan is None else {"state": dict(self._lifespan.state)}


class _Lifespan:
    """The startup and the shutdown of an application, as a server runs them; one that has none is left alone."""

    def __init__(self, application: _Application) -> None:
        self.state: _Message = {}
        self._application = application

    async def start(self, timeout_s: float) -> None:
        """Raises CouldNotMeasureError."""
        self._events: asyncio.Queue[_Message] = asyncio.Queue()
        self._task = asyncio.ensure_future(self._run())
        message = await self._reply_to("lifespan.startup", timeout_s)
        if message is None:
            raise CouldNotMeasureError(f"the application did not start within {format_ms(1000 * timeout_s)}")
        if message.get("type") == "lifespan.startup.failed":
            await asyncio.wait([self._task], timeout=_STOP_S)
            cause = self._task.exception() if self._task.done() else None
            reason = describe(cause) if cause else message.get("message") or "its startup failed"
            raise CouldNotMeasureError(f"the application did not start: {reason}") from cause

    async def stop(self) -> None:
        if not self._task.done():
            await self._reply_to("lifespan.shutdown", _STOP_S)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._application(scope, self._events.get, self._take)
        except (SystemExit, KeyboardInterrupt) as error:  # which would end the loop
            await self._take({"type": "lifespan.startup.failed", "message": describe(error)})

    async def _take(self, message: _Message) -> None:
        if not message["type"].startswith("lifespan."):
            raise RuntimeError(f"{message['type']} is no reply to a lifespan event")  # it takes this for a request
        if not self._reply.done():
            self._reply.set_result(message)

    async def _reply_to(self, event: str, timeout_s: float) -> _Message | None:
        """None when it takes too long; empty where the application ends without one, since it has no lifespan."""
        self._reply: asyncio.Future[_Message] = asyncio.get_running_loop().create_future()
        await self._events.put({"type": event})
        pending: list[asyncio.Future[Any]] = [self._reply, self._task]
        done, _ = await asyncio.wait(pending, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if self._reply in done:
            return self._reply.result()
        if not done:
            return None
        with suppress(asyncio.CancelledError):
            self._task.exception()
        return {}


class _LoopThread:
    def __init__(self) -> None:
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._serve, daemon=True, name="perfcheck-asgi")
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop.result())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Ends also what still runs in the loop."""
        self._loop.result().call_soon_threadsafe(self._is_over.set)
        self._thread.join()

    def _serve(self) -> None:
        with asyncio.Runner() as runner:
            self._is_over = asyncio.Event()
            self._loop.set_result(runner.get_loop())
            runner.run(self._is_over.wait())
