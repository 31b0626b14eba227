"""The WSGI middleware on real servers: what it counts, and that a client cannot tell that it is there."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit
from wsgiref.validate import validator

import httpx
import pytest
from apps import bare_apps as apps
from apps.serving import werkzeug, wsgiref
from flask import Flask, Response, abort, stream_with_context
from support.waiting import eventually

import perfcheck.monitor
from perfcheck.monitor import configure, lifecycle, monitor_performance, wsgi
from perfcheck.monitor.registry import default
from perfcheck.monitor.statistics import EndpointStatistics
from perfcheck.monitor.wsgi import Monitor

PATHS = [  # every kind of body
    "ok",
    "ok/12",
    "named",
    "pieces",
    "unsized",
    "file",
    "legacy",
    "empty",
    "raises",
    "broken",
    "fork",
    "nothing/here",
]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """wsgiref writes the tracebacks of an application to stderr."""
    monkeypatch.setattr("wsgiref.handlers.BaseHandler.log_exception", lambda *_: None)


def found(name: str) -> EndpointStatistics:
    one = eventually(lambda: (one := default.snapshot().endpoint(name)) and not one.in_flight and one)
    assert isinstance(one, EndpointStatistics)
    return one


def counts(name: str) -> tuple[int, int, int]:
    one = found(name)
    return one.total, one.errors, one.disconnects


def raw(url: str, request: bytes) -> bytes:
    """Everything that the server sends, as it is."""
    at = urlsplit(url)
    with socket.create_connection((at.hostname, at.port), timeout=20) as connection:
        connection.sendall(request)
        received = b""
        while part := connection.recv(65536):
            received += part
    return b"\r\n".join(line for line in received.split(b"\r\n") if not line.startswith(b"Date:"))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_response_is_the_same_byte_for_byte(path: str, method: str) -> None:
    request = f"{method} /{path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()
    with wsgiref(apps.bare_wsgi) as url:
        without = raw(url, request)
    with wsgiref(apps.wsgi) as url:
        assert raw(url, request) == without
    expected = "api.named" if path == "named" else f"{method} /{path.split('/', maxsplit=1)[0]}"
    assert [one.name for one in default.snapshot().endpoints] == [
        f"{method} (unmatched)" if path == "nothing/here" else expected
    ]


@pytest.mark.usefixtures("quiet")
def test_statuses_sizes_and_errors() -> None:
    with wsgiref(apps.wsgi) as url, httpx.Client(base_url=url) as client:
        for _ in range(3):
            client.get("/ok")
        client.get("/nothing")
        client.get("/raises")
        client.get("/file")
        client.get("/legacy")
        client.get("/broken")
    assert (counts("GET /ok"), found("GET /ok").statuses, found("GET /ok").sizes.total) == ((3, 0, 0), {200: 3}, 15)
    assert (counts("GET (unmatched)"), found("GET (unmatched)").statuses) == ((1, 0, 0), {404: 1})
    assert (counts("GET /raises"), found("GET /raises").statuses) == ((1, 1, 0), {})
    assert (counts("GET /file"), found("GET /file").sizes.total) == ((1, 0, 0), 200_000)
    assert found("GET /legacy").sizes.total == 7
    assert counts("GET /broken") == (1, 1, 0)


def test_time_runs_until_the_last_byte() -> None:
    with wsgiref(apps.wsgi) as url:
        assert httpx.get(f"{url}/pieces").text == "01234"
    took = found("GET /pieces").latest_s
    assert took is not None
    assert took >= 0.099


def test_a_client_that_leaves_is_a_disconnect() -> None:
    with wsgiref(apps.wsgi) as url:
        with httpx.stream("GET", f"{url}/endless") as response:
            parts = response.iter_raw()
            assert next(parts)
            assert default.snapshot().endpoints[0].in_flight == 1
        one = eventually(lambda: (one := default.snapshot().endpoint("GET /endless")) and one.total and one)
    assert isinstance(one, EndpointStatistics)
    assert (one.total, one.errors, one.disconnects, one.in_flight) == (1, 0, 1, 0)


def test_a_decorator_inside_gives_the_name_and_nothing_counts_twice() -> None:
    with wsgiref(wsgi.Monitor(wsgi.Monitor(apps.wsgi))) as url:
        httpx.get(f"{url}/named")
    assert [(one.name, one.total) for one in default.snapshot().endpoints] == [("api.named", 1)]


def test_hostile_clients_add_no_names() -> None:
    with wsgiref(apps.wsgi) as url:
        for number in range(60):
            raw(url, f"METHOD{number} /{'x' * 1000}{number} HTTP/1.0\r\nHost: {number}\r\n\r\n".encode())
            raw(url, f"GET /{number}?{number} HTTP/1.0\r\nHost: made.up{number}\r\n\r\n".encode())
    eventually(lambda: default.snapshot().total == 120)
    assert [one.name for one in default.snapshot().endpoints] == ["GET (unmatched)", "OTHER (unmatched)"]


def test_the_api_is_mounted_and_not_counted() -> None:
    with wsgiref(apps.wsgi) as url:
        httpx.get(f"{url}/ok")
        eventually(lambda: default.snapshot().total == 1)
        assert httpx.get(f"{url}/api/performance/stats").json()["summary"]["total_requests_processed"] == 1
        assert httpx.get(f"{url}/api/performance/stats").json()["summary"]["total_requests_processed"] == 1
        assert httpx.get(f"{url}/api/performances").status_code == 404
    assert [one.name for one in default.snapshot().endpoints] == ["GET (unmatched)", "GET /ok"]
    with wsgiref(wsgi.Monitor(apps.bare_wsgi, api=False)) as url:
        assert httpx.get(f"{url}/api/performance/stats").text == "no such page"


def test_server_timing_is_added_where_it_is_switched_on() -> None:
    with wsgiref(apps.wsgi) as url:
        assert "server-timing" not in httpx.get(f"{url}/named").headers
        configure(server_timing=True)
        assert httpx.get(f"{url}/named").headers["server-timing"].startswith("app;dur=")


def test_the_file_wrapper_of_the_server_stays_what_it_is() -> None:
    class Wrapper:
        closed = False

        def __init__(self, file: Any) -> None:
            self.file = file

        def __iter__(self) -> Iterator[bytes]:
            return iter([self.file.read()])

        def close(self) -> None:
            self.closed = True

    body = Wrapper(io.BytesIO(b"file"))
    app = wsgi.Monitor(lambda _, start: (start("200 OK", [("content-length", "4")]), body)[1])
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.file_wrapper": Wrapper}
    result: Any = app(environ, lambda *_: lambda _: None)
    assert result is body
    assert default.snapshot().endpoints[0].in_flight == 1
    result.close()
    assert body.closed
    assert found("GET (unmatched)").sizes.total == 4


def test_it_keeps_to_the_standard() -> None:
    """wsgiref's validator between the server and the middleware, and between that and the application."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"checked"]

    with wsgiref(validator(wsgi.Monitor(validator(app)))) as url:
        assert httpx.get(url).text == "checked"
    assert counts("GET (unmatched)") == (1, 0, 0)


def test_a_server_that_forgets_to_close() -> None:
    app = wsgi.Monitor(lambda _, start: (start("200 OK", []), iter([b"a", b"b"]))[1])
    body = iter(app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: lambda _: None))
    assert next(body) == b"a"
    del body
    assert counts("GET (unmatched)") == (1, 0, 1)


def requests_in_memory() -> int:
    return sum(issubclass(type(one), lifecycle.Request | wsgi._Response) for one in gc.get_objects())


def test_nothing_of_a_request_waits_for_the_garbage_collector() -> None:
    app = wsgi.Monitor(apps.bare_wsgi, route_of=apps.wsgi_route)
    gc.collect()
    gc.disable()
    before = requests_in_memory()
    try:
        for path in ("/ok", "/named", "/pieces", "/unsized") * 5:
            body: Any = app({"REQUEST_METHOD": "GET", "PATH_INFO": path}, lambda *_: lambda _: None)
            list(body)
            body.close()
            del body
        kept = requests_in_memory() - before
    finally:
        gc.enable()
    assert default.snapshot().total == 20
    assert kept == 0


def test_a_thread_that_goes_on_with_another_request_is_not_confused() -> None:
    """One thread, two bodies read in turns: what runs is current, and nothing else."""
    seen: list[object] = []

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        start("200 OK", [])
        for _ in range(2):
            seen.append(lifecycle.current())
            yield b"x"

    monitored = wsgi.Monitor(app)
    first, second = (
        iter(monitored({"REQUEST_METHOD": method, "PATH_INFO": "/"}, lambda *_: lambda _: None))
        for method in ("GET", "POST")
    )
    for body in (first, second, first, second):
        next(body)
    assert lifecycle.current() is None
    assert seen[0] is seen[2]
    assert seen[1] is seen[3]
    assert seen[0] is not seen[1]
    for body in (first, second):
        assert list(body) == []
        body.close()  # type: ignore[attr-defined]
    assert (counts("GET (unmatched)"), counts("POST (unmatched)")) == ((1, 0, 0), (1, 0, 0))


def flask_app() -> Flask:
    app = Flask("shop")

    @app.get("/videos/<int:number>")
    def video(number: int) -> str:
        return str(number)

    @app.get("/named/<name>")
    @monitor_performance("api.named")
    def named(name: str) -> Response:
        return Response(stream_with_context(iter(["a", "b"])))

    @app.get("/missing")
    def missing() -> str:
        abort(404)

    @app.get("/failing")
    def failing() -> str:
        raise RuntimeError("failed")

    return app


def test_flasks_rules_are_names_without_any_set_up(caplog: pytest.LogCaptureFixture) -> None:
    app = flask_app()
    app.wsgi_app = wsgi.Monitor(app.wsgi_app)  # type: ignore[method-assign]
    with caplog.at_level(logging.CRITICAL), werkzeug(app) as url, httpx.Client(base_url=url) as client:
        for path in ("videos/1", "videos/2", "named/x", "named/y", "missing", "failing", "x/1", "x/2"):
            client.get(f"/{path}")
    eventually(lambda: default.snapshot().total == 8)
    assert {one.name: (one.total, one.errors) for one in default.snapshot().endpoints} == {
        "GET (unmatched)": (2, 0),
        "GET /failing": (1, 1),
        "GET /missing": (1, 0),
        "GET /videos/<int:number>": (2, 0),
        "api.named": (2, 0),
    }


def test_a_broken_registry_changes_no_response(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(default, "record", broken)
    monkeypatch.setattr("perfcheck.monitor.lifecycle.Request.responding", broken)
    with caplog.at_level(logging.ERROR, "perfcheck.monitor"), wsgiref(apps.wsgi) as url:
        assert [httpx.get(f"{url}/{path}").text for path in ("ok", "named", "pieces")] == ["hello", "named", "01234"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    monkeypatch.undo()
    with contextlib.suppress(KeyError):
        default.running.clear()


def test_headers_from_an_iterator_and_exc_info_by_its_name_reach_the_server() -> None:
    def app(_: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", iter([("Content-Length", "2"), ("X-Own", "1")]), exc_info=None)
        return [b"ok"]

    told: dict[str, Any] = {}

    def start_response(status: str, headers: Any, exc_info: Any = "not given") -> Any:
        told.update(status=status, headers=list(headers), exc_info=exc_info)
        return lambda _: None

    body = Monitor(app)({"PATH_INFO": "/", "REQUEST_METHOD": "GET"}, start_response)
    assert b"".join(body) == b"ok"
    body.close()  # type: ignore[attr-defined]
    assert told == {"status": "200 OK", "headers": [("Content-Length", "2"), ("X-Own", "1")], "exc_info": None}
