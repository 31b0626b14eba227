"""The vocabulary of the lint: its result, and the names by which the frameworks register handlers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class Framework(StrEnum):
    FLASK = "flask"
    FASTAPI = "fastapi"
    STARLETTE = "starlette"
    DJANGO = "django"


@dataclass(frozen=True, slots=True, order=True)
class SourceLocation:
    """Line and column count from 1, columns in characters."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class RegisteredRoute:
    """One registration of a handler."""

    methods: tuple[str, ...]  # empty: any, or the view decides
    path: str  # as it is written, without what blueprints and routers put before it
    location: SourceLocation

    def __str__(self) -> str:
        path = self.path or "''"
        return f"{', '.join(self.methods)} {path}" if self.methods else path


@dataclass(frozen=True, slots=True)
class UnmonitoredHandler:
    """A handler that nothing monitors."""

    location: SourceLocation
    handler: str
    framework: Framework
    routes: tuple[RegisteredRoute, ...]  # those that are not monitored
    reason: str | None = None  # why a monitor that is there does not cover it
    is_certain: bool = True  # False: it cannot be determined whether it is monitored

    @property
    def message(self) -> str:
        routes = "; ".join(str(route) for route in self.routes)
        state = "is not monitored" if self.is_certain else "is not known to be monitored"
        return f"{self.handler} ({routes}) {state}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Remark:
    """On an app without a monitor, a wrong or needless ignore, or a file that could not be read."""

    location: SourceLocation
    message: str


@dataclass(frozen=True, slots=True)
class LintResult:
    """All of it in order of file, line and column."""

    findings: tuple[UnmonitoredHandler, ...]
    wrong_ignores: tuple[Remark, ...]  # these fail, as findings do
    notes: tuple[Remark, ...]
    problems: tuple[Remark, ...]  # files that could not be read or parsed
    files: int
    handlers: int
    monitored: int
    ignored: int
    unknown: tuple[UnmonitoredHandler, ...] = ()  # these fail, too
    apps: tuple[Remark, ...] = ()  # those without a monitor that findings belong to, by name


# --- The names of the frameworks ------------------------------------------------------------------------------------

VERBS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
DECORATORS = VERBS | {"route", "api_route", "expose"}
REGISTER = {"add_url_rule", "add_api_route", "add_route", "add_resource", "register"}
URLS = {"path", "re_path", "url"}
ROUTES = {"Route", "APIRoute"}
ATTACH = {
    "Mount",
    "Host",
    "register_blueprint",
    "include_router",
    "mount",
    "add_namespace",
    "add_router",
    "register_api",
    "init_app",
}
CALLS = REGISTER | URLS | ROUTES | ATTACH | {"Monitor", "add_middleware", "Middleware", "DispatcherMiddleware"}
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
_STARLETTE_ROUTER = ObjectKind(Role.ROUTER, Framework.STARLETTE)
_VIEWSETS = ObjectKind(Role.VIEWSETS, Framework.DJANGO)
_FOREIGN = ObjectKind(Role.FOREIGN, Framework.FLASK)

# By the package that a name comes from and the name: classes are imported from many modules of a package.
_NAMES = {
    _FLASK_APP: ("flask.Flask", "apiflask.APIFlask", "flask_openapi3.OpenAPI"),
    _FLASK_ROUTER: (
        *("flask.current_app", "flask.Blueprint", "flask_restful.Api", "flask_restx.Api", "flask_restx.Namespace"),
        *("flask_restplus.Api", "flask_restplus.Namespace", "flask_smorest.Api", "flask_smorest.Blueprint"),
        *("apiflask.APIBlueprint", "flask_openapi3.APIBlueprint"),
    ),
    _FASTAPI_APP: ("fastapi.FastAPI",),
    _FASTAPI_ROUTER: ("fastapi.APIRouter",),
    ObjectKind(Role.APP, Framework.STARLETTE): ("starlette.Starlette",),
    _STARLETTE_ROUTER: ("starlette.Router", "fastapi.Router"),
    ObjectKind(Role.ROUTER, Framework.DJANGO): ("ninja.NinjaAPI", "ninja.Router"),
    _VIEWSETS: ("rest_framework.SimpleRouter", "rest_framework.DefaultRouter"),
}
_KINDS = {name: kind for kind, names in _NAMES.items() for name in names}
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
KNOWN_PACKAGES = {name.partition(".")[0] for name in _KINDS} | _FOREIGN_PACKAGES | {"django", "perfcheck"}


def kind_of(name: str) -> ObjectKind | None:
    """What ``flask.Flask`` or ``fastapi.routing.APIRouter`` is: a class of the frameworks, by its full name."""
    package, last = name.partition(".")[0], name.rpartition(".")[2]
    if package in _FOREIGN_PACKAGES:
        return _FOREIGN
    by_ending = (kind for ending, kind in _ENDINGS.items() if last.endswith(ending))
    return _KINDS.get(f"{package}.{last}") or next(by_ending, None)
