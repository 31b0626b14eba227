"""The OpenAPI document of the sample service, and its routes as the monitor publishes them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from perfcheck import __version__
from perfcheck.demo.catalogue import STATUSES
from perfcheck.demo.handlers import SORT_ORDERS, SORTS
from perfcheck.demo.service import ROUTES, route_of
from perfcheck.monitor.decorator import qualified_name
from perfcheck.monitor.frameworks import endpoint_name

if TYPE_CHECKING:
    from perfcheck.monitor.routes import PublishedRoute

DOCUMENT_PATH = "/openapi.json"
_TAGS = {  # of a route that is no collection; else "videos" of /api/videos/{id}
    "/api/videos/search": "search",
    "/api/videos/universal-search": "search",
    "/api/settings/": "core",
    "/api/health": "core",
}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "sort": {"type": "string", "enum": list(SORTS), "default": "title"},
    "order": {"type": "string", "enum": list(SORT_ORDERS), "default": "asc"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 50},
    "offset": {"type": "integer", "minimum": 0, "default": 0},
    "status": {"type": "string", "enum": list(STATUSES)},
    "q": {"type": "string", "maxLength": 100},
    "id": {"type": "integer", "minimum": 1},
}
_EXAMPLES = {"q": "love"}
_REQUIRED = {"q", "id"}


@lru_cache(maxsize=1)
def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Music-video catalogue", "version": __version__},
        "paths": {route: {"get": _operation(route)} for route in ROUTES},
    }


def _operation(route: str) -> dict[str, Any]:
    handler, names = ROUTES[route]
    parameters = [_parameter("id", "path")] if "{id}" in route else []
    return {
        "operationId": handler.__name__,
        "tags": [_TAGS.get(route) or route.split("/")[2]],
        "parameters": parameters + [_parameter(name, "query") for name in names],
        "responses": {"200": {"description": "OK", "content": {"application/json": {}}}},
    }


def _parameter(name: str, location: str) -> dict[str, Any]:
    parameter = {"name": name, "in": location, "required": name in _REQUIRED, "schema": _SCHEMAS[name]}
    return parameter | ({"example": _EXAMPLES[name]} if name in _EXAMPLES else {})


class DemoRouter:
    """The route table, for the monitor's API."""

    def routes(self) -> Iterator[PublishedRoute]:
        from perfcheck.monitor.routes import PublishedRoute  # noqa: PLC0415 - start-up need not wait for it

        for route, (handler, _) in ROUTES.items():
            yield PublishedRoute("GET", route, qualified_name(handler), endpoint_name("GET", route), monitored=True)

    def resolve(self, method: str, path: str) -> str | None:
        route, _ = route_of(path)
        return None if route is None or method not in {"GET", "HEAD"} else endpoint_name(method, route)
