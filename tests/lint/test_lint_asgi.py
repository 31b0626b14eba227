"""Which handlers of FastAPI and Starlette the lint lists, and where."""

from __future__ import annotations

from pathlib import Path

from support.sources import handlers, listed


def test_routes_of_apps_and_routers(tmp_path: Path) -> None:
    source = """\
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        router = APIRouter(prefix="/api")


        @app.get("/")
        def index(): ...


        @router.post(path="/videos")
        @router.put("/videos/{id}")
        async def save(): ...


        @router.api_route("/any", methods=["GET", "HEAD"])
        def any_method(): ...


        def added(): ...


        app.add_api_route("/added", added, methods=["DELETE"])
        router.add_api_route("/added", endpoint=added)


        @app.websocket("/ws")
        async def socket(ws): ...


        @app.middleware("http")
        async def middle(request, call_next): ...
        """
    assert listed(tmp_path, source) == [
        "app.py:8:1 index (GET /)",
        "app.py:13:1 save (POST /videos; PUT /videos/{id})",
        "app.py:17:1 any_method (GET, HEAD /any)",
        "app.py:20:1 added (DELETE /added; GET /added)",
    ]


def test_a_parameter_with_a_type_is_known_by_it(tmp_path: Path) -> None:
    source = """\
        from __future__ import annotations
        from typing import Optional
        from fastapi import APIRouter, FastAPI

        def one(app: FastAPI):
            @app.get(PATH)
            def first(): ...

        def two(router: "Optional[APIRouter]", other: APIRouter | None, count: int):
            @router.get(PATH)
            def second(): ...
            @other.get(PATH)
            def third(): ...
            @count.get(PATH)
            def fourth(): ...
        """
    assert handlers(tmp_path, source) == ["first", "second", "third"]


def test_starlette_routes(tmp_path: Path) -> None:
    source = """\
        from starlette.applications import Starlette
        from starlette.endpoints import HTTPEndpoint
        from starlette.routing import Mount, Route, Router, WebSocketRoute


        async def index(request): ...
        async def inner(request): ...
        async def socket(ws): ...
        async def later(request): ...


        class Videos(HTTPEndpoint):
            async def get(self, request): ...
            async def post(self, request): ...


        class Answer:
            async def __call__(self, scope, receive, send): ...


        routes = [
            Route("/", index),
            Route("/videos", endpoint=Videos),
            Route("/answer", Answer(), methods=["PUT"]),
            Mount("/inner", routes=[Route("/", inner, methods=["POST"])]),
            WebSocketRoute("/ws", socket),
        ]
        app = Starlette(routes=routes)
        app.add_route("/later", later)


        @app.route("/old")
        def old(request): ...
        """
    assert listed(tmp_path, source) == [
        "app.py:6:1 index (GET /)",
        "app.py:7:1 inner (POST /)",
        "app.py:9:1 later (GET /later)",
        "app.py:12:1 Videos (GET, POST /videos)",
        "app.py:17:1 Answer (PUT /answer)",
        "app.py:33:1 old (GET /old)",
    ]


def test_other_classes_named_route_are_none(tmp_path: Path) -> None:
    source = """\
        from semantic_router import Route
        from enum import Enum

        Route("/x", handler)
        """
    assert handlers(tmp_path, source) == []


def test_methods_of_a_class_that_are_routes(tmp_path: Path) -> None:
    source = """\
        from fastapi import APIRouter

        class Api:
            def __init__(self):
                self.router = APIRouter()
                self.router.add_api_route("/x", self.read, methods=["GET"])

            async def read(self): ...
        """
    assert listed(tmp_path, source) == ["app.py:8:5 Api.read (GET /x)"]
