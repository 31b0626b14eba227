"""Flask in one line: ``init_app(app)`` monitors every request and serves the API under ``/api/performance``."""

from __future__ import annotations

from typing import Any

from flask import Flask, request, request_started

from perfcheck.monitor import lifecycle
from perfcheck.monitor.frameworks import endpoint_name
from perfcheck.monitor.registry import default
from perfcheck.monitor.wsgi import Monitor

_EXTENSION = "perfcheck-monitor"


def init_app(app: Flask) -> None:
    """Monitor ``app``: call it once, when the app is made; a second call changes nothing.

    Endpoints are named by method and URL rule (``GET /videos/<int:id>``), blueprints and their prefixes included, or
    by the name that ``@monitor_performance`` gives a view. Requests for the API do not reach the app.
    """
    if _EXTENSION not in app.extensions:
        app.extensions[_EXTENSION] = app.wsgi_app
        monitor = Monitor(app.wsgi_app)
        monitor.outermost = app
        app.wsgi_app = monitor  # type: ignore[method-assign] # as Flask's documentation shows it
        request_started.connect(_name, app)


def _name(_app: Any, **_: Any) -> None:
    """The rule is known now, and no longer when the response is sent: Flask has dropped its request by then."""
    try:
        running = lifecycle.current()
        rule = request.url_rule
        if running is not None:
            running.name(endpoint_name(request.method, rule.rule if rule is not None else None))
    except Exception as error:  # noqa: BLE001 - the request is served all the same
        default.count_failure(error)
