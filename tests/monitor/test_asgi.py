"""The ASGI middleware on uvicorn: what it counts, and that a client cannot tell that it is there."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from apps import bare_apps as apps
from apps.serving import uvicorn_server
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from support.waiting import eventually

import perfcheck.monitor
from perfcheck.monitor import asgi, configure, lifecycle, monitor_performance
from perfcheck.monitor.asgi import Monitor
from perfcheck.monitor.lifecycle import begin
from perfcheck.monitor.registry import default
from perfcheck.monitor.statistics import EndpointStatistics

PATHS = ["ok", "ok/12", "named", "pieces", "raises", "broken", "cancelled", "nothing/here"]


@pytest.fixture(autouse=True)
def fresh(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.CRITICAL, "uvicorn.error")
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The monitored application, on one server for all that start no other."""
    with uvicorn_server(apps.asgi) as url:
        yield url


@pytest.fixture(scope="module")
def bare_url() -> Iterator[str]:
    with uvicorn_server(apps.bare_asgi) as url:
        yield url


@pytest.fixture(scope="module")
def starlette_url() -> Iterator[str]:
    with uvicorn_server(asgi.Monitor(starlette_app())) as url:
        yield url


def ended(name: str) -> EndpointStatistics:
    one = eventually(lambda: (one := default.snapshot().endpoint(name)) and one.total and not one.in_flight and one)
    assert isinstance(one, EndpointStatistics)
    return one


def counts(name: str) -> tuple[int, int, int]:
    one = ended(name)
    return one.total, one.errors, one.disconnects


def raw(url: str, path: str, method: str = "GET") -> bytes:
    at = urlsplit(url)
    with socket.create_connection((at.hostname, at.port), timeout=20) as connection:
        connection.sendall(f"{method} /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while part := connection.recv(65536):
            received += part
    return b"\r\n".join(line for line in received.split(b"\r\n") if not line.startswith(b"date:"))


@pytest.mark.parametrize("path", PATHS)
def test_the_response_is_the_same_byte_for_byte(path: str, url: str, bare_url: str) -> None:
    assert raw(url, path) == raw(bare_url, path)
    expected = "api.named" if path == "named" else f"GET /{path.split('/', maxsplit=1)[0]}"
    eventually(lambda: default.snapshot().total)
    assert [one.name for one in default.snapshot().endpoints] == [
        "GET (unmatched)" if path == "nothing/here" else expected
    ]


def test_statuses_sizes_errors_and_time(url: str) -> None:
    for path in ("ok", "ok", "nothing", "raises", "broken", "pieces", "background", "cancelled"):
        raw(url, path)
    assert (counts("GET /ok"), ended("GET /ok").statuses, ended("GET /ok").sizes.total) == ((2, 0, 0), {200: 2}, 10)
    assert (counts("GET (unmatched)"), ended("GET (unmatched)").statuses) == ((1, 0, 0), {404: 1})
    assert counts("GET /raises") == (1, 1, 0)
    assert counts("GET /broken") == (1, 1, 0)
    assert (counts("GET /cancelled"), counts("GET /pieces")) == ((1, 0, 1), (1, 0, 0))
    pieces, background = ended("GET /pieces").latest_s, ended("GET /background").latest_s
    assert pieces is not None
    assert background is not None
    assert pieces >= 0.049
    assert background < 0.3


@pytest.mark.parametrize("path", ["endless", "waits"])
def test_a_client_that_leaves_is_a_disconnect(path: str) -> None:
    def app(scope: Any, receive: Any, send: Any) -> Any:
        scope["asgi"] = {**scope["asgi"], "spec_version": "2.4"}
        return apps.bare_asgi(scope, receive, send)

    streaming = Starlette(routes=[Route("/endless", _endless)])
    served = streaming if path == "endless" else app
    with uvicorn_server(asgi.Monitor(served, route_of=apps.asgi_route)) as url:
        at = urlsplit(url)
        with socket.create_connection((at.hostname, at.port), timeout=20) as connection:
            connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            eventually(lambda: (one := default.snapshot().endpoint(f"GET /{path}")) and one.in_flight == 1)
            if path == "endless":
                assert connection.recv(100)
        assert counts(f"GET /{path}") == (1, 0, 1)


async def _endless(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0.005)

    return StreamingResponse(body())


def test_a_decorator_inside_gives_the_name_and_nothing_counts_twice() -> None:
    with uvicorn_server(asgi.Monitor(asgi.Monitor(apps.asgi))) as url:
        raw(url, "named")
        eventually(lambda: default.snapshot().total)
    assert [(one.name, one.total) for one in default.snapshot().endpoints] == [("api.named", 1)]


def test_hostile_clients_add_no_names(url: str) -> None:
    for number in range(60):
        raw(url, f"{'x' * 1000}{number}", f"METHOD{number}")
        raw(url, f"{number}?{number}")
    eventually(lambda: default.snapshot().total == 120)
    assert [one.name for one in default.snapshot().endpoints] == ["GET (unmatched)", "OTHER (unmatched)"]


def test_the_api_and_server_timing() -> None:
    with uvicorn_server(apps.asgi) as url:
        assert "server-timing" not in httpx.get(f"{url}/named").headers
        configure(server_timing=True)
        assert httpx.get(f"{url}/named").headers["server-timing"].startswith("app;dur=")
        assert httpx.get(f"{url}/api/performance/stats").json()["summary"]["total_requests_processed"] == 2
        assert httpx.get(f"{url}/api/performances").status_code == 404


def requests_in_memory() -> int:
    return sum(issubclass(type(one), lifecycle.Request | asgi._Exchange) for one in gc.get_objects())


def test_nothing_of_a_request_waits_for_the_garbage_collector() -> None:
    app = asgi.Monitor(apps.bare_asgi, route_of=apps.asgi_route)

    async def one(path: str) -> None:
        async def send(_: Any) -> None:
            pass

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        await app({"type": "http", "method": "GET", "path": path}, receive, send)

    async def several() -> int:
        gc.collect()
        gc.disable()
        before = requests_in_memory()
        try:
            for path in ("/ok", "/named", "/pieces") * 5:
                await one(path)
            return requests_in_memory() - before
        finally:
            gc.enable()

    assert asyncio.run(several()) == 0
    assert default.snapshot().total == 15


def text(body: str) -> Any:
    async def handler(_: Request) -> Response:
        return PlainTextResponse(body)

    return handler


def starlette_app() -> Starlette:
    inner = Starlette(routes=[Route("/videos/{id}", text("video"))])
    return Starlette(
        routes=[
            Route("/users/{name}", text("user")),
            Mount("/files", app=apps.bare_asgi),
            Mount("/shops/{shop:int}", routes=[Mount("/inner", app=inner), Route("/{item}", text("item"))]),
        ]
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("users/anna", "GET /users/{name}"),
        ("shops/12/chair", "GET /shops/{shop:int}/{item}"),
        ("shops/0012/inner/videos/7", "GET /shops/{shop:int}/inner/videos/{id}"),
        ("files/a/b/c", "GET /files/*"),
        ("shops/12/inner/none", "GET /shops/{shop:int}/inner/*"),
        ("nowhere/12", "GET (unmatched)"),
    ],
)
def test_starlettes_routes_are_names_mounts_included(path: str, name: str, starlette_url: str) -> None:
    raw(starlette_url, path)
    eventually(lambda: default.snapshot().total)
    assert [one.name for one in default.snapshot().endpoints] == [name]


def fastapi_app() -> FastAPI:
    app, router, sub = FastAPI(), APIRouter(prefix="/shops/{shop}"), FastAPI()

    @app.get("/videos/{number}")
    def video(number: int) -> int:
        return number

    @router.get("/items/{item}")
    @monitor_performance("api.item")
    async def item(shop: str, item: int) -> str:
        return f"{shop} {item}"

    @router.get("/prices/{item}")
    async def price(shop: str, item: int) -> str:
        return f"{shop} {item}"

    @sub.get("/reports/{day}")
    def report(day: str) -> str:
        return day

    app.include_router(router, prefix="/api")
    app.mount("/sub/{tenant}", sub)
    return app


def test_fastapis_routes_are_names_prefixes_and_mounts_included() -> None:
    class Passing(BaseHTTPMiddleware):  # runs the application in a task of its own
        async def dispatch(self, request: Request, call_next: Any) -> Response:
            response: Response = await call_next(request)
            return response

    app = fastapi_app()
    app.user_middleware.append(Middleware(Passing))
    with uvicorn_server(asgi.Monitor(app)) as url:
        assert httpx.get(f"{url}/api/shops/s/items/5").json() == "s 5"
        for path in ("videos/1", "videos/2", "api/shops/x/prices/1", "sub/t1/reports/today", "api/shops/x/items/no"):
            raw(url, path)
        eventually(lambda: default.snapshot().total == 6)
    assert {one.name: one.total for one in default.snapshot().endpoints} == {
        "GET /videos/{number}": 2,
        "api.item": 1,
        "GET /api/shops/{shop}/items/{item}": 1,
        "GET /api/shops/{shop}/prices/{item}": 1,
        "GET /sub/{tenant}/reports/{day}": 1,
    }


def test_a_broken_registry_changes_no_response(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    with caplog.at_level(logging.ERROR, "perfcheck.monitor"), uvicorn_server(apps.asgi) as url:
        monkeypatch.setattr(default, "record", broken)
        monkeypatch.setattr("perfcheck.monitor.asgi._Exchange._observed", broken)
        assert [httpx.get(f"{url}/{path}").text for path in ("ok", "named")] == ["hello", "named"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    monkeypatch.undo()
    default.running.clear()


async def _asked(app: Any, path: str, root_path: str = "") -> list[Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "root_path": root_path, "query_string": b""}
    scope |= {"headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1)}
    await Monitor(app)(scope, receive, send)
    return sent


async def _odd(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": "200", "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_the_api_is_found_below_a_root_path() -> None:
    sent = asyncio.run(_asked(_odd, "/svc/api/performance/health", "/svc"))
    assert sent[0]["status"] == 200
    assert b"no_data" in sent[1]["body"]


def test_a_status_that_is_no_number_costs_no_other_request_its_place() -> None:
    sent = asyncio.run(_asked(_odd, "/odd"))
    assert sent[0]["status"] == "200"  # as the application had it
    begin("api.other").finish(status=200)
    assert {one.name for one in default.snapshot().endpoints} >= {"api.other"}
