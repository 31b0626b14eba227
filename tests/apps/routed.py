"""The applications whose routes are easily mistaken for one another, on real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apps import django_app, routed_django, routed_fastapi, routed_flask
from apps.serving import uvicorn_server, werkzeug, wsgiref
from django.test import override_settings

# Request -> the name under which it is counted; None: it reaches no route.
APPS: dict[str, dict[str, str | None]] = {
    "flask": routed_flask.REQUESTS,
    "fastapi": routed_fastapi.REQUESTS,
    "django": routed_django.REQUESTS,
}


@contextmanager
def routed(name: str) -> Iterator[str]:
    """Yields the base URL."""
    if name == "flask":
        with werkzeug(routed_flask.create_app()) as url:
            yield url
    elif name == "fastapi":
        with uvicorn_server(routed_fastapi.create_app()) as url:
            yield url
    else:
        with override_settings(ROOT_URLCONF="apps.routed_django"), wsgiref(django_app.application) as url:
            yield url
