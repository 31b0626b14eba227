"""The routes of Starlette and FastAPI, and the one that a request reaches, mounts included.

By what routes have, not by their types: nothing is imported for a service that does not use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from perfcheck.monitor.routes import PublishedRoute, Router, counted_as, explicit_methods, published

DEEPEST = 20  # mounts within mounts, middleware around middleware
_BELOW = "/*"  # what is mounted has no routes of its own, or none that fits

Scope = Mapping[str, Any]


def router_of(app: Any, scope: Scope) -> Router | None:
    """None where no framework is found."""
    if type(app).__module__.startswith("django.core.handlers"):
        from perfcheck.monitor.django.routes import DjangoRouter  # noqa: PLC0415 - Django is there

        return DjangoRouter(monitored=True)
    routes = _routes_of(app)
    frontends = getattr(getattr(app, "router", None), "_iter_low_priority_routes", tuple)
    return None if routes is None else _StarletteRouter([*in_order(routes), *frontends()], scope)


class _StarletteRouter:
    def __init__(self, routes: list[Any], scope: Scope) -> None:
        self._routes = routes
        self._scope = scope

    def routes(self) -> Iterator[PublishedRoute]:
        return _published(self._routes, "", 0)

    def resolve(self, method: str, path: str) -> str | None:
        """A redirect to the same path with or without a slash is followed, as a client does."""
        other = path.rstrip("/") if path.endswith("/") else f"{path}/"
        template, route = self._matched(method, path)
        if route is None and other:
            redirected, beyond = self._matched(method, other)
            template, route = (redirected, beyond) if beyond is not None else (template, None)
        return counted_as(getattr(route, "endpoint", None), method, template) if template is not None else None

    def _matched(self, method: str, path: str) -> tuple[str | None, Any]:
        scope = {"type": "http", "method": method, "path": path, "root_path": ""}
        return matched(self._routes, {**scope, "headers": self._scope.get("headers", [])})


def _routes_of(app: Any) -> list[Any] | None:
    """Of an application, behind its middleware."""
    for _ in range(DEEPEST):
        routes = getattr(app, "routes", None)
        if isinstance(routes, list) and routes and all(hasattr(route, "matches") for route in routes):
            return routes
        app = getattr(app, "app", None)
    return None


def inner_routes(mount: Any) -> list[Any]:
    return _routes_of(mount) or []


def is_mount(route: Any) -> bool:
    """Starlette's Mount: the only route with a pattern and routes of its own."""
    return hasattr(route, "path_regex") and hasattr(route, "routes") and hasattr(route, "path")


def in_order(routes: Iterable[Any]) -> Iterator[Any]:
    """As the router tries them, those of FastAPI's included routers in their place, with the prefix."""
    for route in routes:
        included = getattr(route, "effective_route_contexts", None)
        if included is None:
            yield route
        else:
            yield from (getattr(each, "starlette_route", None) or each for each in included())


def matched(routes: Iterable[Any], scope: dict[str, Any], depth: int = 0) -> tuple[str | None, Any]:
    """The whole template and the route that this request reaches: its path's first, else one for other methods.

    No route but a template: something mounted that has no routes, or none that fits.
    """
    partial: tuple[str | None, Any] = None, None
    for route in in_order(routes) if depth < DEEPEST else ():
        match, inside = route.matches(scope)
        if not inside:  # no match
            continue
        if match.name == "FULL" and (rest := frontend_path(inside)) is not None:
            return frontend_template(scope, rest), None
        if match.name == "FULL" and (is_mount(route) or hasattr(route, "host_regex")):
            template, inner = matched(inner_routes(route), {**scope, **inside}, depth + 1)
            return getattr(route, "path", "") + (template or _BELOW), inner
        if match.name == "FULL":
            return getattr(route, "path", None), route
        if match.name == "PARTIAL" and partial[1] is None:
            partial = getattr(route, "path", None), route
    return partial


def _published(routes: Iterable[Any], prefix: str, depth: int) -> Iterator[PublishedRoute]:
    for route in in_order(routes) if depth < DEEPEST else ():
        path = prefix + getattr(route, "path", "")
        if is_mount(route) or hasattr(route, "host_regex"):
            inner = inner_routes(route)
            yield from _published(inner, path, depth + 1)
            if not inner:
                yield from published(path + _BELOW, route.app, None, monitored=True)
        elif hasattr(group := getattr(route, "original_route", route), "add_frontend_route"):
            for frontend in group.routes:
                below = getattr(route, "frontend_prefix", "") + frontend.path
                yield from published(below.rstrip("/") + _BELOW, frontend.app, ["GET"], monitored=True)
        elif hasattr(route, "methods"):  # a WebSocket has none
            yield from published(path, route.endpoint, _methods(route), monitored=True)


def _methods(route: Any) -> list[str] | None:
    """HEAD comes with GET in Starlette's own routes, and not in FastAPI's."""
    if not route.methods:
        return None
    is_implied = "GET" in route.methods and type(route).__module__ == "starlette.routing"
    return explicit_methods(route.methods, route.endpoint, {"HEAD"} if is_implied else ())


def frontend_path(scope: Scope) -> str | None:
    """What FastAPI's ``frontend`` serves of the path, where it does."""
    fastapi = scope.get("fastapi")
    rest = fastapi.get("frontend_path") if isinstance(fastapi, Mapping) else None
    return rest if isinstance(rest, str) else None


def frontend_template(scope: Scope, rest: str) -> str:
    path = str(scope["path"]).removeprefix(str(scope.get("root_path") or ""))
    return path[: len(path) - len(rest)].rstrip("/") + _BELOW
