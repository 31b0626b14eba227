"""What the client measures of WSGI and ASGI applications in this process."""

from __future__ import annotations

import asyncio
import gzip
import math
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

import pytest
from apps.fastapi_app import Seen, create_app
from fastapi import FastAPI, Request
from flask import Flask, request

from perfcheck.client.in_process import InProcessClient
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.model import Endpoint, Failure, Sample, Service
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def client_of(application: object, raised: list[BaseException] | None = None, **options: Any) -> InProcessClient:
    note = ([] if raised is None else raised).append
    service = Service("http://testserver", ready_timeout_s=10)
    return InProcessClient(service, redact=Redactor(), application=application, raised=note, **options)


def sample_of(application: object, endpoint: Endpoint = IT, raised: list[BaseException] | None = None) -> Sample:
    with client_of(application, raised) as client:
        client.wait_until_ready()
        return client.send(endpoint)


# --- WSGI ----------------------------------------------------------------------------------------------------------


def wsgi(
    *pieces: bytes, status: str = "200 Fine", headers: Iterable[tuple[str, str]] = (), pause_s: float = 0
) -> Callable[[dict[str, Any], Callable[..., Any]], Iterator[bytes]]:
    def application(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response(status, list(headers))
        for piece in pieces:
            time.sleep(pause_s)
            yield piece

    return application


def test_the_latency_is_the_time_until_the_last_byte_and_its_phases_add_up() -> None:
    sample = sample_of(wsgi(b"one", b"two", pause_s=0.02))
    assert (sample.failure, sample.status, sample.body_bytes) == (None, 200, 6)
    assert sample.phases.wait_ms is not None
    assert sample.phases.download_ms is not None
    assert sample.phases.wait_ms >= 20
    assert sample.phases.download_ms >= 20
    assert sample.latency_ms == sample.phases.wait_ms + sample.phases.download_ms


def test_an_unexpected_status_has_its_reason_and_the_beginning_of_the_body() -> None:
    sample = sample_of(wsgi(b"no such thing", status="404 Gone Fishing", headers=[("Content-Type", "text/plain")]))
    assert (sample.failure, sample.status, sample.detail) == (Failure.STATUS, 404, "404 Gone Fishing")
    assert sample.body_excerpt == "no such thing"


def test_headers_and_a_path_that_are_not_ascii() -> None:
    app = Flask("cafe")

    @app.get("/<name>")
    def page(name: str) -> tuple[str, dict[str, str]]:
        return name, {"X-Name": "caf\xe9"}

    sample = sample_of(app, Endpoint("it", "/caf%C3%A9", 1))
    assert (sample.failure, sample.body_bytes) == (None, len("café".encode()))


def test_a_request_has_its_method_query_headers_and_body() -> None:
    app, seen = Flask("echo"), []

    @app.post("/it")
    def page() -> str:
        seen.append((request.args["sort"], request.headers["X-Key"], request.get_json(), request.host))
        return ""

    headers = (("X-Key", "k"), ("Content-Type", "application/json"))
    endpoint = Endpoint("it", "/it", 1, method="POST", query=(("sort", "a b"),), headers=headers, content='{"n": 1}')
    assert sample_of(app, endpoint).failure is None
    assert seen == [("a b", "k", {"n": 1}, "testserver")]


def test_redirects_are_followed_within_the_application_only() -> None:
    app = Flask("redirects")
    app.add_url_rule("/it", view_func=lambda: ("", 302, {"Location": "https://testserver/there"}), endpoint="it")
    app.add_url_rule("/there", view_func=lambda: "there", endpoint="there")
    app.add_url_rule("/away", view_func=lambda: ("", 302, {"Location": "http://elsewhere/"}), endpoint="away")
    assert sample_of(app, Endpoint("it", "/it", 1, follow_redirects=True)).body_bytes == len("there")
    sample = sample_of(app, Endpoint("it", "/away", 1, follow_redirects=True))
    assert (sample.failure, sample.detail) == (
        Failure.REDIRECTS,
        "elsewhere is not in this process",
    )


def test_the_response_to_head_has_no_body() -> None:
    assert sample_of(wsgi(b"body"), Endpoint("it", "/it", 1, method="HEAD")).body_bytes == 0


def test_a_compressed_body_is_decoded() -> None:
    assert sample_of(wsgi(gzip.compress(b"x" * 1000), headers=[("Content-Encoding", "gzip")])).body_bytes == 1000


def test_what_the_application_writes_comes_before_what_it_returns() -> None:
    def application(_: object, start_response: Callable[..., Any]) -> Iterable[bytes]:
        write = start_response("404 Gone", [("Content-Type", "text/plain")])
        write(b"written, ")
        return [b"returned"]

    assert sample_of(application).body_excerpt == "written, returned"


def test_an_application_that_exits_has_failed() -> None:
    def application(_environ: object, _start_response: object) -> Iterable[bytes]:
        sys.exit("no settings")

    assert sample_of(application).body_excerpt == "SystemExit: no settings"


def test_what_the_application_raises_is_status_500_and_passed_on() -> None:
    app = Flask("raises")
    app.testing = True
    app.add_url_rule("/it", view_func=lambda: dict[str, str]()["key"], endpoint="it")
    raised: list[BaseException] = []
    sample = sample_of(app, raised=raised)
    assert (sample.failure, sample.status, sample.latency_ms) == (Failure.STATUS, 500, None)
    assert sample.body_excerpt == "KeyError: 'key'"
    assert [type(error) for error in raised] == [KeyError]


def test_an_exception_in_the_middle_of_a_response_truncates_it() -> None:
    def application(_: object, start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"half"
        raise ValueError("no more")

    sample = sample_of(application)
    assert sample.failure is Failure.TRUNCATED
    assert sample.detail == "the application raised ValueError: no more before its response was complete"


def test_a_response_after_the_timeout_has_timed_out() -> None:
    """Nothing can interrupt it."""
    sample = sample_of(wsgi(b"late", pause_s=0.03), Endpoint("it", "/it", 1, timeout_s=0.02))
    assert (sample.failure, sample.latency_ms) == (Failure.TIMEOUT, math.inf)


def test_a_body_over_the_cap_is_not_read_to_its_end() -> None:
    left = iter([b"x" * 2**20] * 100)

    def application(_: object, start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield from left

    assert sample_of(application).failure is Failure.BODY_TOO_LARGE
    assert list(left)


def test_exceptions_that_are_no_errors_of_the_application_pass_through() -> None:
    """Such as what pytest.fail() raises in a handler."""
    for application in (raising_wsgi, raising_asgi):
        with client_of(application) as client, pytest.raises(Stopped):
            client.send(IT)


class Stopped(BaseException):
    pass


def raising_wsgi(_environ: object, _start_response: object) -> Iterable[bytes]:
    raise Stopped


async def raising_asgi(_scope: Message, _receive: Receive, _send: Send) -> None:
    raise Stopped


# --- ASGI ----------------------------------------------------------------------------------------------------------


class Asgi:
    """Responds with ``messages``; a number among them is a pause in seconds. Knows no lifespan."""

    def __init__(self, *messages: Message | float) -> None:
        self.messages = messages
        self.cancelled = threading.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        for message in self.messages:
            if isinstance(message, (int, float)):
                try:
                    await asyncio.sleep(message)
                except asyncio.CancelledError:
                    self.cancelled.set()
                    raise
            else:
                await send(message)


START: Message = {"type": "http.response.start", "status": 200, "headers": []}
MORE: Message = {"type": "http.response.body", "body": b"more", "more_body": True}
END: Message = {"type": "http.response.body", "body": b"end"}


def test_an_asgi_response_in_pieces() -> None:
    sample = sample_of(Asgi(0.02, START, MORE, 0.02, END))
    assert (sample.failure, sample.status, sample.body_bytes) == (None, 200, 7)
    assert sample.phases.wait_ms is not None
    assert sample.phases.download_ms is not None
    assert sample.phases.wait_ms >= 20
    assert sample.phases.download_ms >= 20


def test_what_the_application_does_after_its_response_is_part_of_no_latency() -> None:
    application = Asgi(START, END, 0.2)
    with client_of(application) as client:
        before = time.perf_counter()
        sample = client.send(IT)
        took_ms = 1000 * (time.perf_counter() - before)
    assert sample.latency_ms is not None
    assert took_ms - sample.latency_ms >= 200
    assert not application.cancelled.is_set()


def test_a_timeout_interrupts_the_application() -> None:
    application = Asgi(START, MORE, 3600)
    sample = sample_of(application, Endpoint("it", "/it", 1, timeout_s=0.05))
    assert (sample.failure, sample.latency_ms) == (Failure.TIMEOUT, math.inf)
    assert sample.detail == "the response was not complete within 50 ms"
    assert application.cancelled.is_set()


@pytest.mark.parametrize(
    ("messages", "failure", "detail"),
    [
        ([], Failure.PROTOCOL, "the application returned before its response was complete"),
        ([START, MORE], Failure.TRUNCATED, "the application returned before its response was complete"),
    ],
)
def test_an_incomplete_response(messages: list[Message], failure: Failure, detail: str) -> None:
    sample = sample_of(Asgi(*messages))
    assert (sample.failure, sample.detail) == (failure, detail)


def test_an_endless_response_is_bounded() -> None:
    async def application(scope: Message, receive: Receive, send: Send) -> None:
        await send(START)
        while True:
            await send({"type": "http.response.body", "body": b"x" * 2**20, "more_body": True})

    assert sample_of(application).failure is Failure.BODY_TOO_LARGE


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(3), KeyboardInterrupt()])
def test_the_loop_survives_what_an_asgi_application_raises(error: BaseException) -> None:
    async def application(scope: Message, receive: Receive, send: Send) -> None:
        raise error

    raised: list[BaseException] = []
    with client_of(application, raised) as client:
        samples = [client.send(IT) for _ in range(2)]
    assert [sample.status for sample in samples] == [500, 500]
    assert raised == [error, error]


def test_fastapi_has_its_own_response_to_what_it_raises() -> None:
    app = FastAPI()

    @app.get("/it")
    async def page() -> None:
        raise ValueError("of the handler")

    raised: list[BaseException] = []
    sample = sample_of(app, raised=raised)
    assert (sample.failure, sample.status, sample.detail) == (Failure.STATUS, 500, "500 Internal Server Error")
    assert [str(error) for error in raised] == ["of the handler"]


def test_it_runs_where_a_loop_is_running_already() -> None:
    async def test() -> Sample:
        return sample_of(Asgi(START, END))

    assert asyncio.run(test()).failure is None


# --- Lifespan ------------------------------------------------------------------------------------------------------


def test_startup_and_shutdown_are_run_around_the_requests() -> None:
    seen = Seen()
    with client_of(create_app(seen)) as client:
        assert seen.lifespan == []
        client.wait_until_ready()
        assert seen.lifespan == ["began"]
        assert client.send(Endpoint("it", "/sub/a/things/b", 1)).status == 200
    assert seen.lifespan == ["began", "ended"]
    with client_of(create_app(seen), lifespan=False) as client:
        client.wait_until_ready()
    assert seen.lifespan == ["began", "ended"]


def test_a_request_finds_the_state_of_the_lifespan() -> None:
    async def lifespan(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        scope["state"]["pool"] = "open"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    app, seen = FastAPI(), []

    @app.get("/it")
    async def page(request: Request) -> None:
        seen.append(request.state.pool)

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        await (lifespan if scope["type"] == "lifespan" else app)(scope, receive, send)

    assert sample_of(application).failure is None
    assert seen == ["open"]


def test_a_startup_that_fails() -> None:
    def lifespan(_: FastAPI) -> Any:
        raise OSError("no database")

    with client_of(FastAPI(lifespan=lifespan)) as client, pytest.raises(CouldNotMeasureError) as error:
        client.wait_until_ready()
    assert error.value.message == "the application did not start: OSError: no database"
    assert isinstance(error.value.__cause__, OSError)


def test_a_startup_that_ends_the_process() -> None:
    async def application(scope: Message, receive: Receive, send: Send) -> None:
        raise SystemExit("no settings")

    with client_of(application) as client, pytest.raises(CouldNotMeasureError) as error:
        client.wait_until_ready()
    assert error.value.message == "the application did not start: SystemExit: no settings"


def test_a_startup_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfcheck.client.asgi._STOP_S", 0.2)

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        await asyncio.sleep(3600)

    service = Service("http://testserver", ready_timeout_s=0.05)
    with (
        InProcessClient(service, redact=Redactor(), application=application) as client,
        pytest.raises(CouldNotMeasureError, match="did not start within 50 ms"),
    ):
        client.wait_until_ready()


def test_nothing_is_left_behind() -> None:
    before = threading.active_count()
    for _ in range(3):
        sample_of(create_app(), Endpoint("it", "/sub/a/things/b", 1))
    assert threading.active_count() == before


# --- What is an application ----------------------------------------------------------------------------------------


def test_the_interface_is_found_by_how_the_application_is_called() -> None:
    def any_wsgi(*_: object) -> Iterable[bytes]:
        return ()

    async def any_asgi(*_: object) -> None: ...

    for application, interface in {
        Flask("it"): "WSGI",
        any_wsgi: "WSGI",
        FastAPI(): "ASGI",
        any_asgi: "ASGI",
        Asgi(): "ASGI",
    }.items():
        with client_of(application) as client:
            assert client.description.endswith(f", in process ({interface})")


@pytest.mark.parametrize(
    ("application", "remedy"),
    [
        (create_app, "pass what it returns, as a server does"),
        ("app:app", "pass the application itself, as a server does"),
        (None, "pass the application itself, as a server does"),
    ],
)
def test_what_is_no_application(application: object, remedy: str) -> None:
    with pytest.raises(UsageError, match="not a WSGI or ASGI application: ") as error:
        client_of(application)
    assert error.value.remedy == remedy
