"""The name of an ASGI request: its method, and the template of the route that Starlette, FastAPI or Litestar found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from perfcheck.monitor.asgi_routes import (
    DEEPEST,
    Scope,
    frontend_path,
    frontend_template,
    in_order,
    inner_routes,
    is_mount,
    matched,
)
from perfcheck.monitor.frameworks import endpoint_name


def asgi_endpoint_name(scope: Scope, root_path: str) -> str:
    """``GET /videos/{id}``. ``root_path`` is what the scope had at first: mounts add to it, and precede the route."""
    route = scope.get("route")
    template: object = scope.get("path_template")  # Litestar
    if route is not None and not is_mount(route):
        template = _mounts(scope, root_path) + _path_of(scope, route)
    elif (rest := frontend_path(scope)) is not None:
        template = _mounts(scope, root_path) + frontend_template(scope, rest)
    elif "endpoint" in scope:  # FastAPI leaves neither plain routes nor mounts there, but what these call
        template, _ = matched(getattr(scope.get("router"), "routes", ()), {**scope, "root_path": root_path})
    return endpoint_name(scope.get("method"), template if isinstance(template, str) else None)


def _path_of(scope: Scope, route: Any) -> str:
    # FastAPI keeps the router's prefix apart from the route, since the same router may be included more than once.
    fastapi = scope.get("fastapi")
    included = fastapi.get("effective_route_context") if isinstance(fastapi, Mapping) else None
    of_this_request = included is not None and getattr(included, "original_route", None) is route
    path = getattr(included if of_this_request else route, "path", "")
    return path if isinstance(path, str) else ""


def _mounts(scope: Scope, root_path: str) -> str:
    """The templates of the mounts that were passed: ``root_path`` has their part of the path as the client sent it."""
    inside = str(scope.get("root_path") or "")
    if inside == root_path or not inside.startswith(root_path):
        return ""
    return _mounted(getattr(scope.get("router"), "routes", ()), inside[len(root_path) :], 0) or "/(mounted)"


def _mounted(routes: Iterable[Any], rest: str, depth: int) -> str | None:
    for route in in_order(routes):
        match = route.path_regex.match(f"{rest}/") if is_mount(route) and depth < DEEPEST else None
        if match is None:
            continue
        beyond = match.group("path").rstrip("/")
        if not beyond:
            return str(route.path)
        inner = _mounted(inner_routes(route), f"/{beyond}", depth + 1)
        if inner is not None:
            return f"{route.path}{inner}"
    return None
