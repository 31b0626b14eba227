"""The lint beside the frameworks: what it lists is what the app that is really made has in its routing table."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from textwrap import dedent
from typing import Any

import flask
from fastapi import FastAPI
from fastapi.routing import APIRoute
from support.command import environment
from support.sources import lint_sources

FLASK = """\
    import functools
    from flask import Blueprint, Flask
    from flask.views import MethodView, View


    def checked(view):
        @functools.wraps(view)
        def inner(*args, **kwargs):
            return view(*args, **kwargs)
        return inner


    outer, nested = Blueprint("outer", __name__), Blueprint("nested", __name__)


    @outer.route("/a")
    @checked
    def a(): return ""


    @nested.post("/b")
    def b(): return ""


    def c(): return ""
    def unused(): return ""


    class D(MethodView):
        def get(self): return ""


    class E(View):
        def dispatch_request(self): return ""


    def create():
        app = Flask(__name__, static_folder=None)

        @app.errorhandler(404)
        def missing(error): return "", 404

        @app.get("/f")
        def f(): return ""

        app.add_url_rule("/c", view_func=checked(c))
        app.add_url_rule("/d", view_func=D.as_view("d"))
        app.add_url_rule("/e", view_func=E.as_view("e"))
        app.route("/g")(g)
        outer.register_blueprint(nested)
        app.register_blueprint(outer)
        return app


    def g(): return ""
    """

FASTAPI = """\
    from fastapi import APIRouter, FastAPI, WebSocket

    router = APIRouter(prefix="/r")


    @router.get("/a")
    @router.head("/a")
    async def a(): ...


    @router.api_route("/b", methods=["PUT"])
    def b(): ...


    def c(): ...
    def unused(): ...


    @router.websocket("/ws")
    async def socket(ws: WebSocket): ...


    class Group:
        def __init__(self) -> None:
            self.router = APIRouter()
            self.router.add_api_route("/d", self.d)

        async def d(self): ...


    def create() -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.add_api_route("/c", c)
        for one in (router, Group().router):
            for route in one.routes:
                app.router.routes.append(route)
        return app
    """

DJANGO = """\
    from django.http import HttpResponse
    from django.urls import include, path, re_path
    from django.views import View
    from django.views.decorators.cache import never_cache


    def a(request): return HttpResponse()
    @never_cache
    def b(request, pk): return HttpResponse()
    def unused(request): return HttpResponse()


    class C(View):
        def get(self, request): return HttpResponse()


    class D(C):
        pass


    inner = [path("d/", D.as_view())]
    urlpatterns = [
        path("a/", a),
        re_path(r"^b/(?P<pk>[0-9]+)$", never_cache(b)),
        path("c/", C.as_view()),
        path("inner/", include(inner)),
    ]
    """
DJANGO_TRUTH = """\
    import inspect
    import django
    from django.conf import settings

    settings.configure(ROOT_URLCONF="app", SECRET_KEY="x")
    django.setup()
    from django.urls import get_resolver

    def walk(patterns):
        for one in patterns:
            if hasattr(one, "url_patterns"):
                yield from walk(one.url_patterns)
            else:
                yield getattr(one.callback, "view_class", inspect.unwrap(one.callback))

    print(*sorted({view.__qualname__ for view in walk(get_resolver().url_patterns)}))
    """


def made(source: str) -> Any:
    """What ``create()`` of a source gives."""
    names: dict[str, Any] = {"__name__": "made_for_a_test"}
    exec(compile(ast.parse(dedent(source)), "app.py", "exec"), names)
    return names["create"]()


def names_of(views: Iterable[Callable[..., Any]]) -> list[str]:
    found = {getattr(view, "view_class", inspect.unwrap(view)).__qualname__ for view in views}
    return sorted(name.rpartition("<locals>.")[2] for name in found)


def named_by_lint(folder: Path, source: str) -> list[str]:
    return sorted(finding.handler for finding in lint_sources(folder, source).findings)


def test_flask(tmp_path: Path) -> None:
    app = made(FLASK)
    assert isinstance(app, flask.Flask)
    truth = names_of(app.view_functions.values())
    assert truth == ["D", "E", "a", "b", "c", "f", "g"]
    assert named_by_lint(tmp_path, FLASK) == truth


def test_fastapi(tmp_path: Path) -> None:
    app = made(FASTAPI)
    assert isinstance(app, FastAPI)
    truth = names_of(route.endpoint for route in app.routes if isinstance(route, APIRoute))
    assert truth == ["Group.d", "a", "b", "c"]
    assert named_by_lint(tmp_path, FASTAPI) == truth


def test_django(tmp_path: Path) -> None:
    found = named_by_lint(tmp_path, DJANGO)
    done = subprocess.run(
        [sys.executable, "-c", dedent(DJANGO_TRUTH)],
        cwd=tmp_path,
        env=environment(PYTHONPATH=os.fspath(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["C", "D", "a", "b"]
    assert found == done.stdout.split()
