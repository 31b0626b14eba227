"""``app = Monitor(app)`` for any ASGI application: every HTTP request is counted, and timed to the end of its body.

WebSockets and the lifespan pass through untouched, and so does every message of a response; a Server-Timing header is
added where that is switched on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from perfcheck.monitor.asgi_names import asgi_endpoint_name
from perfcheck.monitor.asgi_routes import router_of
from perfcheck.monitor.frameworks import endpoint_name, is_cancellation
from perfcheck.monitor.lifecycle import Request, begin
from perfcheck.monitor.registry import default
from perfcheck.monitor.routes import Router
from perfcheck.monitor.settings import settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_BODY = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})
_SEEN = "perfcheck.monitor"  # in the scope: another Monitor counts this request already


class Monitor:
    """``route_of`` returns the template of a request's route, where no framework leaves it: ``/videos/{id}``, or None.

    It must come from a limited set, never from the path itself. ``api`` mounts the statistics API.
    """

    def __init__(
        self, app: Application, *, route_of: Callable[[Scope], str | None] | None = None, api: bool = True
    ) -> None:
        self.app = app
        self._route_of = route_of
        self._api = api
        default.is_served = True
        self.outermost: Any = None  # the application of which this is a part, where it is known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope.get(_SEEN) is not None:
            await self.app(scope, receive, send)
            return
        if self._api and (path := _path(scope)).startswith(settings().prefix):
            router = partial(router_of, self.outermost or self.app, scope)
            if await _api_sent(scope, path, send, router):
                return
        query = (scope.get("query_string") or b"").decode("latin-1")
        request = begin(route=partial(self._name, scope, scope.get("root_path") or ""), query=query)
        scope[_SEEN] = True  # not the request, which would be a reference cycle
        exchange = _Exchange(request, receive, send)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.failed(error)
            raise
        exchange.returned()

    def _name(self, scope: Scope, root_path: str) -> str:
        template = self._route_of(scope) if self._route_of is not None else None
        if template is None:
            return asgi_endpoint_name(scope, root_path)
        return endpoint_name(scope.get("method"), template)


class _Exchange:
    __slots__ = ("_gone", "_receive", "_request", "_send", "_sent", "_status")

    def __init__(self, request: Request, receive: Receive, send: Send) -> None:
        self._request = request
        self._receive = receive
        self._send = send
        self._status: int | None = None
        self._sent = 0
        self._gone = False  # the client, as far as this side knows

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        last = False
        try:
            message, last = self._observed(message)
        except Exception as error:  # noqa: BLE001 - the server will report it
            default.count_failure(error)
        try:
            await self._send(message)
        except OSError:  # as the specification has it (2.4) for a client that left
            self._gone = True
            raise
        if last:  # background tasks of the application come after the response and are not in its time
            self._finish()

    def _observed(self, message: Message) -> tuple[Message, bool]:
        """The message to send, and whether the response is complete with it."""
        kind = message["type"]
        if kind == "http.response.start":
            status = message["status"]
            self._status = status if isinstance(status, int) else None
            self._request.responding()
            if settings().server_timing:
                timing = self._request.server_timing().encode("latin-1")
                message = {**message, "headers": [*message.get("headers", ()), (b"server-timing", timing)]}
        elif kind in _BODY:
            self._sent += len(message.get("body", b""))
            return message, not message.get("more_body", False)
        return message, False

    def failed(self, error: BaseException) -> None:
        """A bug of the application is an error, whether the client waited for it or not."""
        left = isinstance(error, OSError) or type(error).__name__ == "ClientDisconnect" or is_cancellation(error)
        self._finish(error=True, disconnected=is_cancellation(error) or (self._gone and left))

    def returned(self) -> None:
        """Where the response is not complete by now, the client has left, or the application did not finish it."""
        self._finish(error=not self._gone, disconnected=self._gone)

    def _finish(self, *, error: bool = False, disconnected: bool = False) -> None:
        self._request.finish(status=self._status, error=error, disconnected=disconnected, response_bytes=self._sent)


def _path(scope: Scope) -> str:
    """Below where the application is mounted: the path begins with the root path."""
    path, root = str(scope["path"]), str(scope.get("root_path") or "").rstrip("/")
    return path[len(root) :] if root and path.startswith(root + "/") else path


async def _api_sent(scope: Scope, path: str, send: Send, router: Callable[[], Router | None]) -> bool:
    """Whether the request was for the statistics API, and its response is sent."""
    from perfcheck.monitor import api  # noqa: PLC0415 - not needed before the first request for it

    headers: dict[str, str] = {}
    for raw_name, raw_value in scope.get("headers", ()):
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    client = scope.get("client")
    peer = client[0] if client else None
    query = scope.get("query_string", b"").decode("latin-1")
    respond = partial(api.answer, str(scope["method"]), path, query, headers, peer, router=router)
    try:
        answer = await asyncio.to_thread(respond)  # it may read files: the loop goes on meanwhile
    except RuntimeError:  # trio
        answer = respond()
    if answer is None:
        return False
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    await send({"type": "http.response.body", "body": answer.body})
    return True
