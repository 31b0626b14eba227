"""The routes that source registers, compared with what the frameworks themselves serve."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from support.sources import write

from perfcheck.lint.route_list import source_routes

FLASK = """
    from flask import Blueprint, Flask

    things = Blueprint("things", __name__, url_prefix="/things")
    parts = Blueprint("parts", __name__, url_prefix="/unused")
    inner = Blueprint("inner", __name__)

    @things.get("/")
    def list_things(): ...

    @things.route("/<int:number>", methods=["GET", "PUT"])
    def thing(number): ...

    @parts.get("/<name>")
    def part(name): ...

    @inner.get("/deep")
    def deep(): ...

    def create_app():
        app = Flask(__name__, static_folder=None)
        app.add_url_rule("/", view_func=lambda: "")
        parts.register_blueprint(inner, url_prefix="/inner")
        app.register_blueprint(things)
        app.register_blueprint(parts, url_prefix="/parts")
        return app
"""
FASTAPI = """
    from fastapi import APIRouter, FastAPI

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    router = APIRouter(prefix="/things")
    nested = APIRouter()

    @router.get("/{thing_id}")
    def thing(thing_id: int): ...

    @nested.post("/find")
    def find(): ...

    @app.get("/health")
    def health(): ...

    router.include_router(nested, prefix="/nested")
    app.include_router(router, prefix="/v1")
"""


def loaded(folder: Path, text: str) -> Any:
    file = write(folder, {"served.py": text}) / "served.py"
    spec = importlib.util.spec_from_file_location("served_for_the_test", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules.pop("served_for_the_test", None)
    return module


def listed(folder: Path, files: Mapping[str, str]) -> set[tuple[str, str]]:
    routes = source_routes([str(write(folder, files))])
    return {(method, route.template) for route in routes for method in route.methods or ("any",)}


def test_flask_serves_the_same(tmp_path: Path) -> None:
    app = loaded(tmp_path, FLASK).create_app()
    served = {(method, rule.rule) for rule in app.url_map.iter_rules() for method in rule.methods - {"HEAD", "OPTIONS"}}
    assert listed(tmp_path, {"served.py": FLASK}) == served


def test_fastapi_serves_the_same(tmp_path: Path) -> None:
    paths = loaded(tmp_path, FASTAPI).app.openapi()["paths"]
    served = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert listed(tmp_path, {"served.py": FASTAPI}) == served


DJANGO = {
    "site_of/urls.py": """
        from django.urls import include, path, re_path
        from shop.views import health

        urlpatterns = [
            path("health/", health),
            path("shop/", include("shop.urls")),
            re_path(r"^old/(?P<pk>[0-9]+)/$", health),
        ]
    """,
    "shop/urls.py": """
        from django.urls import include, path
        from rest_framework.routers import DefaultRouter
        from shop.views import ThingViewSet, detail

        router = DefaultRouter()
        router.register("things", ThingViewSet)
        urlpatterns = [path("<int:pk>/", detail), path("api/", include(router.urls))]
    """,
    "shop/views.py": """
        from rest_framework.viewsets import ModelViewSet

        def health(request): ...
        def detail(request, pk): ...
        class ThingViewSet(ModelViewSet): ...
    """,
}


def test_django_includes_and_view_sets(tmp_path: Path) -> None:
    assert {path for _, path in listed(tmp_path, DJANGO)} == {
        "/health/",
        "/^old/(?P<pk>[0-9]+)/$",
        "/shop/<int:pk>/",
        "/shop/api/things/",
        "/shop/api/things/<pk>/",
    }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('app.mount("/sub", sub)', "/sub/x"),
        ("app.include_router(sub, prefix=PREFIX)", "/x"),  # not literal: the survey finds out that it is not there
        ("", "/x"),
    ],
)
def test_where_a_router_is_attached(tmp_path: Path, source: str, expected: str) -> None:
    text = f"""
        from fastapi import APIRouter, FastAPI

        PREFIX = "/".join(["", "v1"])
        app, sub = FastAPI(), FastAPI()

        @sub.get("/x")
        def x(): ...

        {source}
    """
    assert {path for _, path in listed(tmp_path, {"app.py": dedent(text)})} == {expected}


def test_routers_that_include_each_other_end(tmp_path: Path) -> None:
    """Also where they do so many times, which is 12 to the power of 8 ways to the route."""
    text = """
        from fastapi import APIRouter

        a, b = APIRouter(prefix="/a"), APIRouter(prefix="/b")

        @a.get("/x")
        def x(): ...
    """
    circle = "".join(f"a.include_router(b, prefix='/{i}')\nb.include_router(a, prefix='/{i}')\n" for i in range(12))
    assert listed(tmp_path, {"app.py": dedent(text) + circle})
