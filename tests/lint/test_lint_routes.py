"""The lint compared with the route tables of running applications, route by route, with their monitors and without."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import apps.django_app  # noqa: F401 - configures Django
import httpx
import pytest
from apps.serving import TESTS, uvicorn_server, werkzeug, wsgiref
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.test import override_settings

import perfcheck.demo
import perfcheck.monitor
from perfcheck.lint import LintResult, UnmonitoredHandler, lint

APPS = TESTS / "apps"
NOT_OF_THE_APP = {"RedirectView"}
ROUTES = "/api/performance/routes"
FLASK_SET_UP = "    monitor.init_app(app)  # around the shop, too\n"
FLASK_DISPATCHER = "    app.wsgi_app = DispatcherMiddleware"
FASTAPI_SET_UP = "    monitor.init_app(app)\n"
ARTISTS = """\
    app.add_url_rule("/api/artists/", view_func=Artists.as_view("artists"))
    app.add_url_rule("/api/artists/<int:artist_id>", view_func=Artist.as_view("artist"))
"""
ARTISTS_IN_A_LOOP = """\
    views = {"/api/artists/": Artists.as_view("artists"), "/api/artists/<int:artist_id>": Artist.as_view("artist")}
    for rule, artist_view in views.items():
        app.add_url_rule(rule, view_func=artist_view)
"""
BLUEPRINTS = """\
    app.register_blueprint(_videos(), url_prefix="/api/videos")
    app.register_blueprint(_files(), url_prefix="/files")
    app.register_blueprint(_admin(), url_prefix="/admin")
"""
BLUEPRINTS_IN_A_LOOP = """\
    for blueprint, prefix in [(_videos(), "/api/videos"), (_files(), "/files"), (_admin(), "/admin")]:
        app.register_blueprint(blueprint, url_prefix=prefix)
"""
BLUEPRINTS_BY_NAME = """\
    for name, prefix in (("_videos", "/api/videos"), ("_files", "/files"), ("_admin", "/admin")):
        app.register_blueprint(globals()[name](), url_prefix=prefix)
"""


@dataclass(frozen=True)
class Variant:
    """An application as it is, or with some of its source in another way."""

    app: str
    edits: tuple[tuple[str, str], ...] = ()
    table: str = ROUTES
    is_monitored: bool = True  # by Django's settings
    has_unknown: bool = False

    def source(self) -> str:
        text = (APPS / f"routed_{self.app}.py").read_text(encoding="utf-8")
        for old, new in self.edits:
            assert old in text
            text = text.replace(old, new)
        return text


SHOP_BY_FUNCTION = (
    """    shop = Flask("mounted", static_folder=None)

""",
    """    return with_routes(Flask("mounted", static_folder=None))


def with_routes(shop: Flask) -> Flask:
""",
)
MONITOR_THE_SHOP = ("    return shop\n", "    monitor.init_app(shop)\n    return shop\n")
VARIANTS = {
    "flask": Variant("flask"),
    "flask with loops": Variant("flask", ((ARTISTS, ARTISTS_IN_A_LOOP), (BLUEPRINTS, BLUEPRINTS_IN_A_LOOP))),
    "flask with blueprints by name": Variant("flask", ((BLUEPRINTS, BLUEPRINTS_BY_NAME),), has_unknown=True),
    "flask with the shop outside the monitor": Variant(
        "flask", ((FLASK_SET_UP, ""), (FLASK_DISPATCHER, FLASK_SET_UP + FLASK_DISPATCHER)), has_unknown=True
    ),
    "flask with a function for the shop outside the monitor": Variant(
        "flask",
        ((FLASK_SET_UP, ""), (FLASK_DISPATCHER, FLASK_SET_UP + FLASK_DISPATCHER), SHOP_BY_FUNCTION),
        has_unknown=True,
    ),
    "flask with videos inside and outside the monitor": Variant(
        "flask",
        (
            (FLASK_SET_UP, ""),
            (FLASK_DISPATCHER, FLASK_SET_UP + FLASK_DISPATCHER),
            ("    return shop\n", "    shop.register_blueprint(_videos(), url_prefix='/videos')\n    return shop\n"),
        ),
        has_unknown=True,
    ),
    "flask with a monitor of the shop": Variant("flask", ((FLASK_SET_UP, ""), MONITOR_THE_SHOP), f"/shop{ROUTES}"),
    "fastapi": Variant("fastapi"),
    "fastapi with a monitor of the shop": Variant(
        "fastapi", ((FASTAPI_SET_UP, ""), MONITOR_THE_SHOP), f"/shop/acme{ROUTES}"
    ),
    "django": Variant("django"),
    "django without middleware": Variant("django", is_monitored=False),
}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DIR", "TOKEN"):
        monkeypatch.delenv(f"PERFCHECK_MONITOR_{name}", raising=False)
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


@pytest.mark.parametrize("name", VARIANTS)
def test_each_route_is_monitored_as_the_lint_has_it_or_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    variant = VARIANTS[name]
    source = variant.source()
    rows = own_routes(variant, source, tmp_path, monkeypatch)
    result = lint_of(variant, source, tmp_path)
    assert [row for row in rows if not agrees(row, result)] == []
    assert bool(result.unknown) is variant.has_unknown
    without_monitor = lint_of(variant, source.replace("perfcheck.", "other.").replace("monitor_perf", ""), tmp_path)
    known = {handler.handler for handler in (*without_monitor.findings, *without_monitor.unknown)}
    assert [row for row in rows if not names_of(row) & known] == []
    served = set().union(*map(names_of, rows))
    assert variant.table != ROUTES or {handler for handler in known if handler not in served} <= NOT_OF_THE_APP


def own_routes(variant: Variant, source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The table of the running application, without what a framework adds."""
    with running(variant, loaded(variant, source, folder, monkeypatch)) as url:
        rows = httpx.get(url + variant.table, trust_env=False).json()["routes"]
    own = [row for row in rows if row["handler"].startswith(("variant_of_", "apps.routed_"))]
    assert len(own) >= (25 if variant.table == ROUTES else 3)
    return own


def loaded(variant: Variant, source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    if variant.app == "django":  # which accepts a converter only once
        return importlib.import_module("apps.routed_django")
    module = ModuleType(f"variant_of_{variant.app}")
    module.__file__ = str(folder / "app.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(source, module.__file__, "exec"), vars(module))
    return module


@contextmanager
def running(variant: Variant, module: ModuleType) -> Iterator[str]:
    with ExitStack() as stack:
        if variant.app == "flask":
            yield stack.enter_context(werkzeug(module.create_app()))
        elif variant.app == "fastapi":
            yield stack.enter_context(uvicorn_server(module.create_app()))
        else:
            middleware = settings.MIDDLEWARE if variant.is_monitored else []
            stack.enter_context(override_settings(ROOT_URLCONF=module.__name__, MIDDLEWARE=middleware))
            yield stack.enter_context(wsgiref(get_wsgi_application()))


def lint_of(variant: Variant, source: str, folder: Path) -> LintResult:
    (folder / "app.py").write_text(source, encoding="utf-8")
    files = [folder / "app.py"]
    if variant.app == "django":
        files.append(APPS / "routed_django_staff.py")
        if variant.is_monitored and "perfcheck" in source:
            files.append(APPS / "django_app.py")  # the settings
    return lint([str(file) for file in files])


def agrees(row: dict[str, Any], result: LintResult) -> bool:
    if any(is_of(row, handler) for handler in result.unknown):
        return True
    return row["monitored"] is not any(is_of(row, handler) for handler in result.findings)


def is_of(row: dict[str, Any], handler: UnmonitoredHandler) -> bool:
    """Whether a row is one of the routes that are listed of a handler; regular expressions are not compared."""
    routes = [route for route in handler.routes if not route.methods or row["method"] in {*route.methods, None}]
    paths = {route.path.lstrip("/") for route in routes if handler.handler in names_of(row)}
    return any(path.startswith("^") or row["template"].endswith(path) for path in paths)


def names_of(row: dict[str, Any]) -> set[str]:
    """Of a function, or of a method and its class."""
    parts = row["handler"].rpartition("<locals>.")[2].split(".")
    return {parts[-1], ".".join(parts[-2:]), *parts[-2:-1]}


def test_the_sample_service_has_a_router_that_the_lint_does_not_know() -> None:
    folder = Path(perfcheck.demo.__file__).parent
    assert lint([str(folder)]).handlers == 0
