"""FastAPI and Starlette under uvicorn: what the monitor sees of them, and that they do not see the monitor."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from apps import fastapi_app
from apps.serving import uvicorn_server
from fastapi import BackgroundTasks, FastAPI, Response, WebSocket
from fastapi.responses import StreamingResponse
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.types import Receive, Scope, Send
from support.waiting import eventually

import perfcheck.monitor
from perfcheck.judge.server_timing import parse_descriptions, parse_server_timing
from perfcheck.monitor import configure, statistics
from perfcheck.monitor import fastapi as monitor_fastapi
from perfcheck.monitor.statistics import EndpointStatistics, Snapshot

API = "/api/performance"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DIR", "TOKEN", "SERVER_TIMING"):
        monkeypatch.delenv(f"PERFCHECK_MONITOR_{name}", raising=False)
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with uvicorn_server(fastapi_app.create_app()) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield client


def ended(total: int) -> Snapshot:
    return eventually(lambda: (found := statistics()).total >= total and found)


def one(name: str, total: int = 1) -> EndpointStatistics:
    found = ended(total).endpoint(name)
    assert found is not None, [endpoint.name for endpoint in statistics().endpoints]
    return found


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v1/items/7", "GET /api/v1/items/{number}"),
        ("/api/v1/named", "api.shop.named"),
        ("/sub/acme/things/5", "GET /sub/{tenant}/things/{thing}"),
        ("/starlette/pages/5", "GET /starlette/pages/{page:int}"),
        ("/starlette/inner/x", "GET /starlette/inner/{name}"),
        ("/missing/5", "GET (unmatched)"),
    ],
)
def test_a_request_is_named_by_its_whole_template(client: httpx.Client, path: str, name: str) -> None:
    client.get(path)
    client.get(path)
    assert [(found.name, found.total) for found in ended(2).endpoints] == [(name, 2)]


@pytest.mark.parametrize(("path", "status", "errors"), [("fails", 500, 1), ("gone", 410, 0), ("items/x", 422, 0)])
def test_statuses_and_errors(client: httpx.Client, path: str, status: int, errors: int) -> None:
    assert client.get(f"/api/v1/{path}").status_code == status
    (found,) = ended(1).endpoints
    assert (found.statuses, found.errors, found.in_flight) == ({status: 1}, errors, 0)


def test_a_wrong_method_is_no_endpoint_of_its_own_for_each_path(client: httpx.Client) -> None:
    for number in range(5):
        assert client.request("FOO", f"/missing/{number}").status_code == 404
    assert [(found.name, found.total) for found in ended(5).endpoints] == [("OTHER (unmatched)", 5)]


def test_queries_of_synchronous_handlers_are_counted(client: httpx.Client) -> None:
    client.get("/api/v1/n-plus-one")
    found = one("GET /api/v1/n-plus-one")
    assert (found.queries.total, found.n_plus_one[0].most) == (25, 25)
    assert found.n_plus_one[0].caller is not None
    assert "apps/fastapi_app.py:" in found.n_plus_one[0].caller


def test_a_stream_is_timed_to_its_last_byte(client: httpx.Client) -> None:
    assert len(client.get("/api/v1/stream?pieces=5").content) == 5000
    found = one("GET /api/v1/stream")
    assert found.sizes.total == 5000
    assert found.min_s is not None
    assert found.min_s > 4 * 0.02  # five pauses of 20 ms, and a clock that rounds


def test_a_client_that_leaves_is_no_error(client: httpx.Client) -> None:
    address = urlsplit(str(client.base_url))
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(b"GET /api/v1/stream?pieces=1000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1000)
    found = one("GET /api/v1/stream")
    assert (found.disconnects, found.errors, found.in_flight) == (1, 0, 0)


def test_requests_at_the_same_time_do_not_mix(client: httpx.Client) -> None:
    async def all_at_once(base: str) -> None:
        async with httpx.AsyncClient(base_url=base, trust_env=False) as many:
            paths = ["named", "items/1", "n-plus-one", "slow/20", "blocking/5"] * 8
            answers = await asyncio.gather(*(many.get(f"/api/v1/{path}") for path in paths))
            assert {answer.status_code for answer in answers} == {200}

    asyncio.run(all_at_once(str(client.base_url)))
    counted = {found.name: (found.total, found.queries.total) for found in ended(40).endpoints}
    assert counted == {
        "api.shop.named": (8, 0),
        "GET /api/v1/items/{number}": (8, 8),
        "GET /api/v1/n-plus-one": (8, 200),
        "GET /api/v1/slow/{ms}": (8, 0),
        "GET /api/v1/blocking/{ms}": (8, 0),
    }


def test_server_timing_is_sent_when_it_is_switched_on(client: httpx.Client) -> None:
    assert "server-timing" not in client.get("/api/v1/n-plus-one").headers
    configure(server_timing=True)
    header = client.get("/api/v1/n-plus-one").headers["server-timing"]
    assert parse_descriptions(header)["db"] == "25 queries, 25 identical"  # next to a statement that is slow
    spans = parse_server_timing(client.get("/api/v1/named").headers["server-timing"])
    assert spans["fetch"] > 5  # it sleeps 10 ms, and event loops wake up a little early
    assert spans["app"] >= spans["fetch"]


def test_the_api_is_served_and_not_counted(client: httpx.Client) -> None:
    assert client.get(f"{API}/health").json()["status"] == "no_data"
    client.get("/api/v1/items/1")
    ended(1)
    assert client.get(f"{API}/stats").json()["summary"]["total_requests_processed"] == 1
    assert client.get(f"{API}/slow?threshold=500").json()["slow_endpoints_count"] == 0
    assert client.post(f"{API}/log-summary").status_code == 200
    assert client.get(f"{API}/metrics").text.endswith("# EOF\n")
    head = client.head(f"{API}/stats")
    assert head.content == b""
    assert head.headers["cache-control"] == "no-store"
    assert client.get(f"{API}/log-summary").headers["allow"] == "POST"
    assert client.get(f"{API}/unknown").status_code == 404


def test_a_forwarded_address_is_not_believed(client: httpx.Client) -> None:
    """uvicorn believes a proxy on this machine and takes the client's address from the header."""
    for value in ("127.0.0.1", "203.0.113.9"):
        assert client.get(f"{API}/stats", headers={"X-Forwarded-For": value}).status_code == 403
    assert client.get(f"{API}/stats", headers={"Host": "rebound.example"}).status_code == 403


def test_a_unix_socket_needs_a_token(tmp_path: Path) -> None:
    path = tmp_path / "s"
    transport = httpx.HTTPTransport(uds=str(path))
    with uvicorn_server(fastapi_app.create_app(), unix=path) as url, httpx.Client(transport=transport) as client:
        assert client.get(f"{url}{API}/health").status_code == 403
        configure(token="s3cret")
        assert client.get(f"{url}{API}/health", headers={"Authorization": "Bearer s3cret"}).status_code == 200


def test_the_lifespan_passes(client: httpx.Client) -> None:
    seen = fastapi_app.Seen()
    with uvicorn_server(fastapi_app.create_app(seen), lifespan="on"):
        assert seen.lifespan == ["began"]
    assert seen.lifespan == ["began", "ended"]


def test_websockets_pass_untouched() -> None:
    app = FastAPI()
    monitor_fastapi.init_app(app)

    app.add_api_websocket_route("/ws", _echo)
    said: list[dict[str, Any]] = []
    heard = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}])

    async def receive() -> dict[str, Any]:
        return next(heard)

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"", "subprotocols": []}
    asyncio.run(app(scope, receive, send))
    assert [message["type"] for message in said] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert said[1]["text"] == "hello"
    assert statistics().endpoints == ()


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


class Late:
    """A middleware that is added after the monitor, and fails."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("in a middleware")


def test_middleware_that_is_added_later_is_covered_too() -> None:
    app = fastapi_app.create_app()
    app.add_middleware(Late)
    with uvicorn_server(app, lifespan="off") as url:
        assert httpx.get(f"{url}/api/v1/items/1", trust_env=False).status_code == 500
    found = one("GET (unmatched)")
    assert (found.errors, found.statuses) == (1, {500: 1})


def test_a_starlette_app_with_middleware() -> None:
    app = fastapi_app.starlette_app()
    app.user_middleware.append(Middleware(_Passing))
    monitor_fastapi.init_app(app)
    monitor_fastapi.init_app(app)
    with uvicorn_server(app) as url:
        assert httpx.get(f"{url}/pages/5", trust_env=False).text == "page"
    assert one("GET /pages/{page:int}").total == 1


@pytest.mark.parametrize(("path", "errors"), [("breaks", 1), ("breaks-at-once", 1), ("fails-later", 0), ("whole", 0)])
def test_an_error_that_a_middleware_hides_from_the_client_is_counted(path: str, errors: int) -> None:
    """Starlette's BaseHTTPMiddleware completes a body that broke off; a background task is no part of the response."""
    app = FastAPI()
    monitor_fastapi.init_app(app)
    app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))
    app.add_api_route("/{path}", _hidden_error)
    middleware = list(app.user_middleware)
    with uvicorn_server(app, lifespan="off") as url, contextlib.suppress(httpx.RemoteProtocolError):
        httpx.get(f"{url}/{path}", trust_env=False)
    found = one("GET /{path}")
    assert (found.errors, found.statuses, found.disconnects) == (errors, {200: 1}, 0)
    assert app.user_middleware == middleware


async def _hidden_error(path: str, tasks: BackgroundTasks) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        if path != "breaks-at-once":
            yield b"x" * 10
        if path.startswith("breaks"):
            raise RuntimeError("in the middle")

    def later() -> None:
        if path == "fails-later":
            raise RuntimeError("after the response")

    tasks.add_task(later)
    return StreamingResponse(pieces(), background=tasks)


class _Passing:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def test_an_app_that_has_served_already_can_still_be_monitored() -> None:
    app = fastapi_app.starlette_app()
    with uvicorn_server(app) as url:
        httpx.get(f"{url}/pages/1", trust_env=False)
        monitor_fastapi.init_app(app)
        httpx.get(f"{url}/pages/2", trust_env=False)
    assert one("GET /pages/{page:int}").total == 1


def test_every_response_is_what_it_is_without_the_monitor() -> None:
    monitored, bare = fastapi_app.create_app(), fastapi_app.create_app()
    bare.build_middleware_stack = lambda: FastAPI.build_middleware_stack(bare)  # type: ignore[method-assign]
    with uvicorn_server(monitored) as one_url, uvicorn_server(bare) as other_url:
        for path in ("items/1", "named", "stream", "fails", "gone", "missing", "items/x"):
            answers = [httpx.get(f"{url}/api/v1/{path}", trust_env=False) for url in (one_url, other_url)]
            shown = [(one.status_code, one.content, _without_date(one)) for one in answers]
            assert shown[0] == shown[1], path


def _without_date(answer: httpx.Response) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in answer.headers.raw if name.lower() != b"date"]


def test_the_values_of_a_parameter_are_endpoints_of_their_own(client: httpx.Client) -> None:
    configure(variants=["sort"])
    client.get("/api/v1/items/1?sort=title")
    assert one("GET /api/v1/items/{number} ?sort=title").total == 1
