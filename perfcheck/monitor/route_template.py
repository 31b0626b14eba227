"""The template of the route that served a request, from what frameworks leave in the environ or scope.

Never the raw path: a client chooses it, and a name for each would never end. Methods that HTTP does not name are OTHER
for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from perfcheck.monitor.lifecycle import UNNAMED

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
_DEEPEST = 20  # mounts within mounts


def wsgi_template(environ: Mapping[str, Any]) -> str | None:
    """``/videos/<int:id>``: Werkzeug leaves its request in the environ, and Flask, until it has answered, the rule."""
    return _text(getattr(getattr(environ.get("werkzeug.request"), "url_rule", None), "rule", None))


def asgi_endpoint_name(scope: Mapping[str, Any], root_path: str) -> str:
    """``GET /videos/{id}``. ``root_path`` is what the scope had at first: mounts add to it, and precede the route."""
    template = _asgi_template(scope)
    if template is not None:
        template = _mounts(scope, root_path) + template
    return endpoint_name(scope.get("method"), template)


def endpoint_name(method: object, template: str | None) -> str:
    """``GET /videos/{id}``; ``GET (unmatched)`` without a template; ``OTHER ...`` for a method unknown to HTTP."""
    return f"{method if isinstance(method, str) and method in _METHODS else 'OTHER'} {template or UNNAMED}"


def _asgi_template(scope: Mapping[str, Any]) -> str | None:
    route = scope.get("route")
    if route is None:
        return _text(scope.get("path_template"))  # Litestar
    # FastAPI keeps the router's prefix apart from the route, since the same router may be included more than once.
    fastapi = scope.get("fastapi")
    included = fastapi.get("effective_route_context") if isinstance(fastapi, Mapping) else None
    if included is not None and getattr(included, "original_route", None) is route:
        return _text(getattr(included, "path", None))
    path = _text(getattr(route, "path", None))
    if path is not None and _is_mount(route):
        return "/*"  # what is mounted has no routes of its own, or none that fits: its mount comes before
    return path


def _mounts(scope: Mapping[str, Any], root_path: str) -> str:
    """The templates of the mounts that were passed: ``root_path`` has their part of the path as the client sent it."""
    inside = str(scope.get("root_path") or "")
    if inside == root_path or not inside.startswith(root_path):
        return ""
    return _mounted(getattr(scope.get("router"), "routes", ()), inside[len(root_path) :], 0) or "/(mounted)"


def _mounted(routes: Iterable[Any], rest: str, depth: int) -> str | None:
    for route in routes:
        match = route.path_regex.match(f"{rest}/") if _is_mount(route) and depth < _DEEPEST else None
        if match is None:
            continue
        beyond = match.group("path").rstrip("/")
        if not beyond:
            return str(route.path)
        inner = _mounted(route.routes or (), f"/{beyond}", depth + 1)
        if inner is not None:
            return f"{route.path}{inner}"
    return None


def _is_mount(route: Any) -> bool:
    """Starlette's Mount: the only route with a pattern and routes of its own."""
    return hasattr(route, "path_regex") and hasattr(route, "routes") and hasattr(route, "path")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
