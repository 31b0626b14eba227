"""The route table of real applications over real sockets: requests are counted under the names that they resolve to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from apps.routed import APPS, routed
from apps.serving import uvicorn_server, werkzeug, wsgiref
from django.conf.urls.i18n import i18n_patterns
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from fastapi import APIRouter, FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from support.waiting import eventually
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import perfcheck.monitor
from perfcheck.monitor import configure, monitor_performance, statistics
from perfcheck.monitor import fastapi as monitor_fastapi
from perfcheck.monitor import flask as monitor_flask
from perfcheck.monitor.asgi import Monitor as AsgiMonitor
from perfcheck.monitor.django.routes import DjangoRouter
from perfcheck.monitor.wsgi import Monitor as WsgiMonitor

ROUTES = "/api/performance/routes"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DIR", "TOKEN"):
        monkeypatch.delenv(f"PERFCHECK_MONITOR_{name}", raising=False)
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


@pytest.fixture(scope="module")
def client() -> Iterator[Callable[[str], httpx.Client]]:
    """Of an application, which is started when it is needed."""
    with ExitStack() as stack:
        clients: dict[str, httpx.Client] = {}

        def client_of(name: str) -> httpx.Client:
            if name not in clients:
                url = stack.enter_context(routed(name))
                clients[name] = stack.enter_context(httpx.Client(base_url=url, trust_env=False, follow_redirects=True))
            return clients[name]

        yield client_of


@pytest.mark.parametrize(("app", "request_line"), [(app, line) for app, lines in APPS.items() for line in lines])
def test_a_request_is_counted_under_the_name_that_it_resolves_to(
    client: Callable[[str], httpx.Client], app: str, request_line: str
) -> None:
    expected = APPS[app][request_line]
    method, _, target = request_line.partition(" ")
    response = client(app).request(method, target)
    requests = len(response.history) + 1
    counted = eventually(lambda: (found := statistics()).total >= requests and found)
    names = {endpoint.name for endpoint in counted.endpoints}
    assert {f"{method} (unmatched)"} == names if expected is None else expected in names
    table = client(app).get(ROUTES, params={"request": request_line}).json()
    assert table["resolved"] == {request_line: expected}
    refused = expected is None or response.status_code == httpx.codes.METHOD_NOT_ALLOWED
    assert refused or expected in {name_in_statistics(row, method) for row in table["routes"]}


def name_in_statistics(row: dict[str, Any], method: str) -> str:
    name = str(row["name"])
    if row["method"] is None:
        return f"{method} {name}" if name.startswith("/") else name
    return name.replace("GET", method) if method == "HEAD" else name  # where it comes with GET


@pytest.mark.parametrize("app", APPS)
def test_the_table_is_that_of_the_router(client: Callable[[str], httpx.Client], app: str) -> None:
    rows = client(app).get(ROUTES).json()["routes"]
    assert len(rows) >= 30
    assert all(set(row) == {"method", "template", "handler", "name", "monitored"} for row in rows)
    assert all(row["monitored"] for row in rows)
    implied = [row for row in rows if row["method"] in {"HEAD", "OPTIONS"}]
    assert {row["name"] for row in implied} <= {"HEAD /files/probe", "OPTIONS /cors", "HEAD /api/videos/{video_id:int}"}
    handlers = {row["name"]: row["handler"] for row in rows}
    assert handlers.get("artists.top.get", "apps.routed_django.TopArtists.get").endswith("TopArtists.get")
    assert any(handler == f"apps.routed_{app}.{HANDLERS[app]}" for handler in handlers.values())
    assert not any("performance" in row["template"] for row in rows)


HANDLERS = {"flask": "_videos.latest", "fastapi": "_videos.latest", "django": "latest"}


@pytest.mark.parametrize("app", APPS)
def test_a_table_that_is_requested_leaves_no_trace_in_the_statistics(
    client: Callable[[str], httpx.Client], app: str
) -> None:
    client(app).get(ROUTES)
    client(app).get("/" if app != "django" else "/files/index.html")
    eventually(lambda: statistics().total)
    assert statistics().total == 1


@pytest.mark.parametrize("app", APPS)
def test_the_table_is_for_those_who_may_read_the_statistics(client: Callable[[str], httpx.Client], app: str) -> None:
    assert client(app).get(ROUTES, headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403
    assert client(app).get(ROUTES, headers={"Host": "rebound.example"}).status_code == 403
    assert client(app).post(ROUTES).status_code == 405
    configure(token="s3cret")
    assert client(app).get(ROUTES).status_code == 401
    assert client(app).get(ROUTES, headers={"Authorization": "Bearer s3cret"}).status_code == 200


@pytest.mark.parametrize("request_line", ["", "GET", "GET missing", "/a", "GET /a%zz\x00", "é /é", "GET /" + "a" * 900])
@pytest.mark.parametrize("app", APPS)
def test_what_is_no_request_resolves_to_nothing(
    client: Callable[[str], httpx.Client], app: str, request_line: str
) -> None:
    assert client(app).get(ROUTES, params={"request": request_line}).json()["resolved"] == {request_line: None}


def test_what_is_outside_the_monitor_is_not_monitored() -> None:
    """An application that is mounted later, around the monitor."""
    app, shop = Flask("main", static_folder=None), Flask("shop", static_folder=None)
    app.add_url_rule("/", view_func=lambda: "main", endpoint="start")
    shop.add_url_rule("/", view_func=lambda: "shop", endpoint="start")
    monitor_flask.init_app(app)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/shop": shop})  # type: ignore[method-assign]
    with werkzeug(app) as url:
        rows = httpx.get(url + ROUTES, trust_env=False).json()["routes"]
    assert [(row["template"], row["name"], row["monitored"]) for row in rows] == [
        ("/shop/", "GET /shop/", False),
        ("/", "GET /", True),
    ]


def test_middleware_that_hides_the_application_leaves_it_its_own_table() -> None:
    app = Flask("main", static_folder=None)
    app.add_url_rule("/", view_func=lambda: "main", endpoint="start")
    behind = app.wsgi_app
    app.wsgi_app = lambda environ, start: behind(environ, start)  # type: ignore[method-assign, assignment] # noqa: PLW0108
    monitor_flask.init_app(app)
    with werkzeug(app) as url:
        rows = httpx.get(url + ROUTES, trust_env=False).json()["routes"]
    assert [(row["template"], row["monitored"]) for row in rows] == [("/", True)]


def test_django_without_the_middleware_monitors_what_is_decorated() -> None:
    with override_settings(ROOT_URLCONF="apps.routed_django", MIDDLEWARE=[]), wsgiref(WSGIHandler()) as url:
        rows = httpx.get(url + ROUTES, trust_env=False).json()["routes"]
    assert {row["name"] for row in rows if row["monitored"]} == {"videos.latest", "artists.top.get"}


def test_a_decorator_around_the_monitors_leaves_its_name() -> None:
    def cached(view: Callable[[], str]) -> Callable[[], str]:
        return functools.wraps(view)(lambda: f"{view()}!")

    app = Flask("main", static_folder=None)
    app.get("/report")(cached(monitor_performance("api.report")(cached(_report))))
    monitor_flask.init_app(app)
    with werkzeug(app) as url:
        assert httpx.get(f"{url}/report", trust_env=False).text == "report!!"
        (row,) = httpx.get(url + ROUTES, trust_env=False).json()["routes"]
        eventually(lambda: statistics().endpoint(row["name"]))
    assert (row["name"], row["handler"]) == ("api.report", f"{__name__}._report")


def _report() -> str:
    return "report"


@pytest.mark.parametrize("prefix", ["", "/included"])
def test_a_frontend_of_fastapi_is_what_no_other_route_takes(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "index.html").write_text("page", encoding="utf-8")
    router = APIRouter()
    router.add_api_route("/items/", lambda: "items")
    router.frontend("/", directory=tmp_path)
    router.frontend("/ui", directory=tmp_path)
    app = FastAPI(openapi_url=None)
    app.include_router(router, prefix=prefix)
    monitor_fastapi.init_app(app)
    expected = {
        f"GET {prefix}/index.html": f"GET {prefix}/*",
        f"GET {prefix}/ui/index.html": f"GET {prefix}/ui/*",
        f"GET {prefix}/items": f"GET {prefix}/items/",
    }
    with uvicorn_server(app) as url:
        for request_line, name in expected.items():
            httpx.get(url + request_line.removeprefix("GET "), trust_env=False, follow_redirects=True)
            eventually(lambda name=name: statistics().endpoint(name))  # type: ignore[misc]
        table = httpx.get(url + ROUTES, params={"request": list(expected)}, trust_env=False).json()
    assert table["resolved"] == expected
    assert [row["name"] for row in table["routes"]] == [f"GET {prefix}{path}" for path in ("/items/", "/*", "/ui/*")]


def test_an_application_of_another_framework_that_is_mounted() -> None:
    """It may have routes of another kind."""

    class Foreign:
        routes: Any = [object()]  # noqa: RUF012

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("foreign")(scope, receive, send)

    for app in (FastAPI(openapi_url=None), Starlette()):
        app.mount("/foreign", Foreign())
        monitor_fastapi.init_app(app)
        perfcheck.monitor.reset()
        with uvicorn_server(app) as url:
            assert httpx.get(f"{url}/foreign/7", trust_env=False).text == "foreign"
            table = httpx.get(url + ROUTES, params={"request": "GET /foreign/7"}, trust_env=False).json()
            eventually(lambda: statistics().endpoint("GET /foreign/*"))
        assert [row["template"] for row in table["routes"]] == ["/foreign/*"]
        assert table["resolved"] == {"GET /foreign/7": "GET /foreign/*"}
        assert statistics().defects == 0


def test_a_path_with_a_language_is_resolved_in_that_language() -> None:
    class Patterns:
        urlpatterns = i18n_patterns(path("about/", lambda _: HttpResponse(), name="about"))

    with override_settings(ROOT_URLCONF=Patterns, LANGUAGES=[("en", "English"), ("nb", "Norwegian")]):
        router = DjangoRouter(monitored=True)
        assert router.resolve("GET", "/nb/about/") == "GET /nb/about/"
        assert router.resolve("GET", "/en/about") == "GET /en/about/"
        assert router.resolve("GET", "/fr/about/") is None


def test_an_application_without_a_known_router_has_no_table() -> None:
    with wsgiref(WsgiMonitor(lambda _, __: [b""])) as url:
        assert httpx.get(url + ROUTES, trust_env=False).status_code == 501

    async def bare(*_: Any) -> None:
        pass

    with uvicorn_server(AsgiMonitor(bare), lifespan="off") as url:
        assert httpx.get(url + ROUTES, trust_env=False).status_code == 501


def test_a_prefix_that_a_client_chose_is_no_part_of_a_name() -> None:
    """Middleware that moves a tenant from the path to SCRIPT_NAME."""
    app = Flask("main", static_folder=None)
    app.add_url_rule("/items/<int:item>", view_func=lambda item: f"{item}", endpoint="item")
    flask_app = app.wsgi_app

    def tenants(environ: dict[str, Any], start: Any) -> Any:
        _, tenant, rest = environ["PATH_INFO"].split("/", 2)
        return flask_app({**environ, "SCRIPT_NAME": f"/{tenant}", "PATH_INFO": f"/{rest}"}, start)

    app.wsgi_app = tenants  # type: ignore[method-assign, assignment]
    monitor_flask.init_app(app)
    with werkzeug(app) as url:
        assert httpx.get(f"{url}/acme/items/7", trust_env=False).text == "7"
        counted = eventually(lambda: (found := statistics()).total > 0 and found)
    assert [endpoint.name for endpoint in counted.endpoints] == ["GET /items/<int:item>"]
