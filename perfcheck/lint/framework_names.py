"""The names by which the frameworks register handlers, and what each of them is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class Framework(StrEnum):
    FLASK = "flask"
    FASTAPI = "fastapi"
    STARLETTE = "starlette"
    DJANGO = "django"


VERBS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
DECORATORS = VERBS | {"route", "api_route", "expose"}
REGISTER = {"add_url_rule", "add_api_route", "add_route", "add_resource", "register"}
URLS = {"path", "re_path", "url"}
ROUTES = {"Route", "APIRoute"}
ATTACH = {"register_blueprint", "include_router", "mount", "add_namespace", "add_router", "register_api", "init_app"}
COVER = {"init_app", "Monitor", "add_middleware", "Middleware"}
CALLS = REGISTER | URLS | ROUTES | ATTACH | COVER
MONITOR = "monitor_performance"


class Role(Enum):
    APP = auto()
    ROUTER = auto()  # blueprints, routers, namespaces: they have routes and belong to an app
    VIEWSETS = auto()  # routers of Django REST framework, which register classes
    FOREIGN = auto()  # something else that happens to have such methods


@dataclass(frozen=True, slots=True)
class ObjectKind:
    role: Role
    framework: Framework


_FLASK_APP, _FLASK_ROUTER = ObjectKind(Role.APP, Framework.FLASK), ObjectKind(Role.ROUTER, Framework.FLASK)
_FASTAPI_APP, _FASTAPI_ROUTER = ObjectKind(Role.APP, Framework.FASTAPI), ObjectKind(Role.ROUTER, Framework.FASTAPI)
_STARLETTE_APP, _STARLETTE_ROUTER = (
    ObjectKind(Role.APP, Framework.STARLETTE),
    ObjectKind(Role.ROUTER, Framework.STARLETTE),
)
_NINJA = ObjectKind(Role.ROUTER, Framework.DJANGO)
_VIEWSETS = ObjectKind(Role.VIEWSETS, Framework.DJANGO)
_FOREIGN = ObjectKind(Role.FOREIGN, Framework.FLASK)

# By the package that a name comes from and the name: classes are imported from many modules of a package.
_KINDS = {
    ("flask", "Flask"): _FLASK_APP,
    ("flask", "current_app"): _FLASK_ROUTER,
    ("flask", "Blueprint"): _FLASK_ROUTER,
    ("flask_restful", "Api"): _FLASK_ROUTER,
    ("flask_restx", "Api"): _FLASK_ROUTER,
    ("flask_restx", "Namespace"): _FLASK_ROUTER,
    ("flask_restplus", "Api"): _FLASK_ROUTER,
    ("flask_restplus", "Namespace"): _FLASK_ROUTER,
    ("flask_smorest", "Api"): _FLASK_ROUTER,
    ("flask_smorest", "Blueprint"): _FLASK_ROUTER,
    ("apiflask", "APIFlask"): _FLASK_APP,
    ("apiflask", "APIBlueprint"): _FLASK_ROUTER,
    ("flask_openapi3", "OpenAPI"): _FLASK_APP,
    ("flask_openapi3", "APIBlueprint"): _FLASK_ROUTER,
    ("fastapi", "FastAPI"): _FASTAPI_APP,
    ("fastapi", "APIRouter"): _FASTAPI_ROUTER,
    ("starlette", "Starlette"): _STARLETTE_APP,
    ("starlette", "Router"): _STARLETTE_ROUTER,
    ("ninja", "NinjaAPI"): _NINJA,
    ("ninja", "Router"): _NINJA,
    ("rest_framework", "SimpleRouter"): _VIEWSETS,
    ("rest_framework", "DefaultRouter"): _VIEWSETS,
}
# Subclasses in packages that are not read: the name still shows it.
_ENDINGS = {
    "Flask": _FLASK_APP,
    "Blueprint": _FLASK_ROUTER,
    "FastAPI": _FASTAPI_APP,
    "APIRouter": _FASTAPI_ROUTER,
    "NestedSimpleRouter": _VIEWSETS,
    "NestedDefaultRouter": _VIEWSETS,
    "DefaultRouter": _VIEWSETS,
}
_FOREIGN_PACKAGES = {
    *("aiohttp", "aiohttp_jinja2", "bottle", "chalice", "cherrypy", "click", "discord", "falcon", "hug", "httpx"),
    *("litestar", "microdot", "mock", "moto", "nextcord", "playwright", "pyramid", "pytest", "pytest_httpserver"),
    *("quart", "requests", "requests_mock", "respx", "responses", "robyn", "sanic", "slack_bolt", "tornado", "typer"),
    *("unittest", "webob", "webtest", "werkzeug"),
}
# Packages whose names are known here, whatever files of the same name are read.
KNOWN_PACKAGES = {package for package, _ in _KINDS} | _FOREIGN_PACKAGES | {"django", "perfcheck"}


def kind_of(name: str) -> ObjectKind | None:
    """What ``flask.Flask`` or ``fastapi.routing.APIRouter`` is: a class of the frameworks, by its full name."""
    package, _, _ = name.partition(".")
    last = name.rpartition(".")[2]
    if package in _FOREIGN_PACKAGES:
        return _FOREIGN
    if kind := _KINDS.get((package, last)):
        return kind
    if package == "fastapi" and last == "Router":
        return _STARLETTE_ROUTER
    return next((kind for ending, kind in _ENDINGS.items() if last.endswith(ending)), None)
