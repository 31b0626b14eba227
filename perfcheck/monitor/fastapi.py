"""FastAPI and Starlette in one line: ``init_app(app)`` monitors every request and serves the API."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.types import ASGIApp

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
    app.build_middleware_stack = lambda: _monitored(app, build())  # type: ignore[method-assign]
    if app.middleware_stack is not None:  # it has served already
        app.middleware_stack = _monitored(app, app.middleware_stack)


def _monitored(app: Starlette, stack: ASGIApp) -> Monitor:
    monitor = Monitor(stack)
    monitor.outermost = app
    return monitor
