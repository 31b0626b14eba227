"""The client of an application in this process: WSGI or ASGI, through httpx's transports, without network or server."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import httpx

from perfcheck import __version__
from perfcheck.client.app_reply import AppReply
from perfcheck.client.connection import Connection
from perfcheck.client.exchange import Exchange, RequestFailedError
from perfcheck.client.http_client import HttpClient
from perfcheck.client.loop import Steps
from perfcheck.client.prepared_request import Origin, WireRequest
from perfcheck.client.response import Response
from perfcheck.client.wsgi import WsgiApplication
from perfcheck.errors import UsageError
from perfcheck.model import Failure, Finding, Rule, Service
from perfcheck.text import Redactor, clean

_ASGI_ARGUMENTS, _WSGI_ARGUMENTS = 3, 2  # scope, receive, send; environ, start_response


def in_process_url(base_url: str) -> str:
    """With the host that the test clients of Django and Starlette use, so that applications accept it in tests."""
    return str(httpx.URL(base_url).copy_with(host="testserver", port=None))


class Application(Protocol):
    interface: str  # WSGI or ASGI

    def start(self, timeout_s: float) -> None:
        """Raises CouldNotMeasureError."""

    def stop(self) -> None: ...

    def respond(self, request: httpx.Request, reply: AppReply, timeout_s: float) -> None:
        """Have the application fill ``reply``; what it raises is in there."""


class InProcessClient(HttpClient["ApplicationConnection"]):
    """One request at a time: nothing is in flight once ``start`` returns."""

    def __init__(
        self,
        service: Service,
        *,
        redact: Redactor,
        application: object,
        lifespan: bool = True,
        raised: Callable[[BaseException], None] = lambda _: None,
        seed: int = 0,
    ) -> None:
        """``raised`` is called with what the application raises. Raises UsageError for what is no application."""
        self._application = _open(application, lifespan=lifespan)
        connections = ApplicationConnections(self._application, httpx.URL(service.base_url).host, raised)
        super().__init__(service, connections, redact=redact, seed=seed)

    @property
    def description(self) -> str:
        return f"perfcheck {__version__}, in process ({self._application.interface})"

    @property
    def findings(self) -> Iterator[Finding]:
        message = "in process: latencies are the time that the application takes, without network, server or other load"
        yield Finding.note(Rule.CONNECTION, message)

    def wait_until_ready(self, *_: object, **__: object) -> None:
        """The startup of the application, where it has one."""
        self._application.start(self._service.ready_timeout_s)


class ApplicationConnections:
    has_excess = False

    def __init__(self, application: Application, host: str, raised: Callable[[BaseException], None]) -> None:
        self._application = application
        self._host = host
        self._raised = raised

    def idle(self, origin: Origin) -> ApplicationConnection | None:
        """None: each request has a connection of its own, which costs nothing."""

    def connect(self, origin: Origin, exchange: Exchange) -> Steps[ApplicationConnection]:  # noqa: ARG002
        if origin.host != self._host:
            raise RequestFailedError(Failure.REDIRECTS, f"{origin.host} is not in this process")
        yield from ()
        return ApplicationConnection(origin, self._application, self._raised)

    def keep(self, connection: ApplicationConnection) -> None: ...

    def close_idle(self, *, but: int = 0) -> None: ...

    def close(self) -> None:
        self._application.stop()


class ApplicationConnection(Connection):
    def __init__(self, origin: Origin, application: Application, raised: Callable[[BaseException], None]) -> None:
        super().__init__(origin)
        self._application = application
        self._raised = raised
        self._error: RequestFailedError | None = None

    def head(self, request: WireRequest, exchange: Exchange) -> Steps[Response]:
        """The whole response: an error after its head is raised by ``body``."""
        head = request.head
        url = httpx.URL(scheme=self.origin.scheme, host=self.origin.host, port=self.origin.port, raw_path=head.target)
        reply = AppReply(exchange, has_body=head.method != b"HEAD")
        self._application.respond(
            httpx.Request(head.method.decode(), url, headers=list(head.headers), content=request.content),
            reply,
            exchange.remaining_ns() / 1e9,
        )
        if reply.raised is not None:
            self._raised(reply.raised)
        response, self._error = reply.result()
        yield from ()
        return response

    def body(self, exchange: Exchange, response: Response) -> Steps[None]:  # noqa: ARG002
        if self._error is not None:
            raise self._error
        yield from ()

    def close(self) -> None: ...


def _open(application: Any, *, lifespan: bool) -> Application:
    """Raises UsageError."""
    if _is_asgi(application):
        from perfcheck.client.asgi import AsgiApplication  # noqa: PLC0415 - asyncio

        return AsgiApplication(application, lifespan=lifespan)
    if _takes(application, _WSGI_ARGUMENTS):
        return WsgiApplication(application)
    what = "what it returns" if _takes(application, 0) else "the application itself"
    raise UsageError(f"not a WSGI or ASGI application: {clean(repr(application))}", f"pass {what}, as a server does")


def _is_asgi(application: Any) -> bool:
    is_async = any(map(inspect.iscoroutinefunction, (application, getattr(application, "__call__", None))))  # noqa: B004
    return _takes(application, _ASGI_ARGUMENTS) and (is_async or not _takes(application, _WSGI_ARGUMENTS))


def _takes(application: Any, count: int) -> bool:
    try:
        inspect.signature(application).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True
