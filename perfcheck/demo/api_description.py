"""The OpenAPI documents of the sample service, and its routes as the monitor publishes them.

What needs a login, changes something or never ends has a document of its own, which the other one names: `perfcheck
init` takes the catalogue, and leaves nothing to edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from perfcheck import __version__
from perfcheck.demo.catalogue import STATUSES
from perfcheck.demo.handlers import SORT_ORDERS, SORTS
from perfcheck.demo.logins import CLIENT_ID, CLIENT_SECRET, PASSWORD, USER
from perfcheck.demo.members import FAVOURITES_PATH, MEMBER_ROUTES, MEMBERS_PATH
from perfcheck.demo.pages import PAGE_ROUTES
from perfcheck.demo.service import ROUTES, methods_of, route_of
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
        "externalDocs": {"url": MEMBERS_PATH, "description": "Logins, POST search, GraphQL and events, in OpenAPI"},
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


# --- What members have -----------------------------------------------------------------------------------------------

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_QUERY = "{ videos(limit: 5) { id title } }"
_BODIES: dict[str, tuple[str, dict[str, Any]]] = {  # type and example of what a route is sent
    "/api/login": (_JSON, {"user": USER, "password": PASSWORD}),
    "/oauth/token": (
        _FORM,
        {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    ),
    FAVOURITES_PATH: (_JSON, {"video": 7}),
    "/api/search": (_JSON, {"q": _EXAMPLES["q"], "limit": 10}),
    "/graphql": (_JSON, {"query": _QUERY}),
}
_STATUSES = {
    ("POST", FAVOURITES_PATH): "201",
    ("DELETE", f"{FAVOURITES_PATH}{{id}}"): "204",
    ("POST", "/api/logout"): "204",
}


@lru_cache(maxsize=1)
def members_document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    schemes = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "session"},
        "client": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {}}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Music-video catalogue, for members", "version": __version__},
        "paths": {
            route: {method.lower(): _member_operation(method, route) for method in methods}
            for route, methods in MEMBER_ROUTES.items()
        },
        "components": {"securitySchemes": schemes},
    }


def _member_operation(method: str, route: str) -> dict[str, Any]:
    status = _STATUSES.get((method, route), "200")
    kind = "text/event-stream" if route == "/api/events" else _JSON
    operation: dict[str, Any] = {
        "responses": {status: {"description": "OK"} | ({"content": {kind: {}}} if status != "204" else {})}
    }
    if method == "POST" and route in _BODIES:
        sent, example = _BODIES[route]
        operation["requestBody"] = {"required": True, "content": {sent: {"example": example}}}
    elif route == "/graphql":
        query = {"name": "query", "in": "query", "required": True, "schema": {"type": "string"}, "example": _QUERY}
        operation["parameters"] = [query]
    elif "{id}" in route:
        operation["parameters"] = [_parameter("id", "path")]
    if route.startswith(("/api/account", "/api/logout")):
        operation["security"] = [{"token": []}, {"session": []}, {"client": []}]
    return operation


DOCUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    DOCUMENT_PATH: openapi_document,
    MEMBERS_PATH: members_document,
}


# --- For the monitor's API -------------------------------------------------------------------------------------------


class DemoRouter:
    """The route table: the catalogue, and the pages for everyone.

    What members have is counted under its routes, and is not listed.
    """

    def routes(self) -> Iterator[PublishedRoute]:
        from perfcheck.monitor.routes import PublishedRoute  # noqa: PLC0415 - start-up need not wait for it

        handlers = {route: handler for route, (handler, _) in ROUTES.items()}
        pages = {route: methods["GET"] for route, methods in PAGE_ROUTES.items()}
        for route, handler in (*handlers.items(), *pages.items()):
            yield PublishedRoute("GET", route, qualified_name(handler), endpoint_name("GET", route), monitored=True)

    def resolve(self, method: str, path: str) -> str | None:
        route, _ = route_of(path)
        return endpoint_name(method, route) if method in methods_of(route) else None
