"""FastAPI and Starlette in one line: ``init_app(app)`` monitors every request and serves the API."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perfcheck.monitor import lifecycle
from perfcheck.monitor.asgi import Monitor

_STATE = "perfcheck_monitor"


def init_app(app: Starlette) -> None:
    """Monitor ``app``: call it once, when the app is made; a second call changes nothing.

    The monitor wraps every other middleware, whenever they are added, and the one that turns an exception into a
    response of 500, so that it sees what the client gets. Endpoints are named by method and route
    (``GET /videos/{id}``), prefixes of routers and mounts included. WebSockets and the lifespan pass untouched.
    """
    if getattr(app.state, _STATE, False):
        return
    setattr(app.state, _STATE, True)
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: _monitored(app, _built(app, build))  # type: ignore[method-assign]
    if app.middleware_stack is not None:  # it has served already
        app.middleware_stack = _monitored(app, app.middleware_stack)


def _monitored(app: Starlette, stack: ASGIApp) -> Monitor:
    monitor = Monitor(stack)
    monitor.outermost = app
    return monitor


def _built(app: Starlette, build: Callable[[], ASGIApp]) -> ASGIApp:
    """With the observer innermost, where a middleware needs it; the application's own list stays as it is."""
    own = app.user_middleware
    kinds = [each.cls for each in own]
    if any(isinstance(kind, type) and issubclass(kind, BaseHTTPMiddleware) for kind in kinds):
        app.user_middleware = [*own, Middleware(_BodyObserver)]
    try:
        return build()
    finally:
        app.user_middleware = own


class _BodyObserver:
    """Sees a body break off: BaseHTTPMiddleware completes the response all the same, as if nothing was missing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        incomplete = False

        async def observed(message: Message) -> None:
            nonlocal incomplete
            incomplete = message["type"] == "http.response.start" or bool(message.get("more_body"))
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception:
            request = lifecycle.current()
            if incomplete and request is not None:
                request.broken = True
            raise
