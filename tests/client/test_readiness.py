"""Waiting for a service that starts, and giving up on one that does not."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest
from apps.faulty_server import (
    Conversation,
    Server,
    every_request,
    hang_up,
    read_request,
    response,
    server,
    wait_for_the_client_to_leave,
)

from perfcheck.client.client import Client
from perfcheck.errors import CouldNotMeasureError
from perfcheck.model import Endpoint, Secret, Service
from perfcheck.text import Redactor

ENDPOINT = Endpoint(name="it", path="/it", line=1)
OTHER = Endpoint(name="other", path="/other", line=2)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return int(unused.getsockname()[1])


def why_not_ready(service: Service) -> CouldNotMeasureError:
    with Client(service, redact=Redactor(["s3cret"])) as client, pytest.raises(CouldNotMeasureError) as caught:
        client.wait_until_ready()
    return caught.value


def test_a_service_that_answers_is_ready() -> None:
    with server(every_request(response())) as running:
        for ready in ("/health", None):
            with Client(Service(base_url=running.url(), ready=ready), redact=Redactor()) as client:
                client.wait_until_ready()


def test_a_service_that_needs_a_while() -> None:
    asked: list[bytes] = []

    def converse(connection: socket.socket) -> None:
        while request := read_request(connection):
            asked.append(request)
            connection.sendall(response(status="200 OK" if len(asked) > 2 else "503 Starting"))

    with server(converse) as running:
        service = Service(
            base_url=running.url(), ready="/health", headers=(("X-Key", Secret("s3cret", "***")),), ready_timeout_s=20
        )
        with Client(service, redact=Redactor()) as client:
            client.wait_until_ready()
    assert len(asked) == 3
    assert all(request.startswith(b"GET /health ") and b"X-Key: s3cret" in request for request in asked)


def test_a_service_that_starts_to_listen_late() -> None:
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        service = Service(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", ready_timeout_s=20)

        def listen() -> None:
            listener.listen()
            stack.callback(Server(listener, every_request(response()), None).close)

        timer = threading.Timer(0.2, listen)
        timer.start()
        with Client(service, redact=Redactor()) as client:
            client.wait_until_ready()
        assert not timer.is_alive()


class Starting:
    """Answers the first connections in its own way, as a container's proxy or a gateway does, and then well."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)  # after one that is not complete, the connection is closed
        self.asked: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        while request := read_request(connection):
            self.asked.append(request.partition(b" HTTP")[0])
            answer = self._answers.pop(0) if self._answers else response()
            connection.sendall(answer)
            if b"\r\n\r\n" not in answer:
                return


def wait(converse: Starting | Conversation, *endpoints: Endpoint, ready_timeout_s: float = 20.0) -> Server:
    with server(converse) as running:
        service = Service(base_url=running.url(), ready_timeout_s=ready_timeout_s)
        with Client(service, redact=Redactor()) as client:
            client.wait_until_ready(endpoints)
    return running


@pytest.mark.parametrize(
    "starting",
    [
        (b"", b""),
        (response(status="502 Bad Gateway"), response(status="503 x"), response(status="504 x")),
        (b"HTTP",),
    ],
    ids=["closed", "gateway", "cut off"],
)
def test_a_port_that_accepts_before_the_service_does(starting: tuple[bytes, ...]) -> None:
    service = Starting(*starting)
    wait(service, ENDPOINT, OTHER)
    assert service.asked == [b"GET /it"] * (len(starting) + 1)


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "401 No", "302 Found", "400 Bad Request"])
def test_any_other_response_is_one(status: str) -> None:
    service = Starting(response(status=status))
    wait(service, ENDPOINT)
    assert service.asked == [b"GET /it"]


@pytest.mark.parametrize("ready", ["/health", None])
def test_a_service_that_limits_requests_is_up(ready: str | None) -> None:
    limited = Starting(response(b"", "Retry-After: 60", status="429 Too Many Requests"))
    with (
        server(limited) as running,
        Client(Service(base_url=running.url(), ready=ready), redact=Redactor()) as client,
    ):
        client.wait_until_ready([ENDPOINT])
    assert len(limited.asked) == 1


def test_the_request_that_shows_it_changes_nothing() -> None:
    service = Starting()
    wait(service, replace(ENDPOINT, method="POST"), OTHER)
    wait(service, replace(ENDPOINT, method="POST"))
    assert service.asked == [b"GET /other", b"GET /"]


def test_a_gateway_that_never_gets_through_is_measured() -> None:
    wait(every_request(response(status="503 Down")), ENDPOINT, ready_timeout_s=0.3)


def test_an_endpoint_that_hangs_holds_nothing_up() -> None:
    def converse(connection: socket.socket) -> None:
        while request := read_request(connection):
            if request.startswith(b"GET /other "):
                connection.sendall(response())

    wait(converse, replace(ENDPOINT, timeout_s=0.1), OTHER, ready_timeout_s=60)


@pytest.mark.parametrize("answer", [None, b"SSH-2.0-OpenSSH\r\n\r\n"])
def test_what_one_endpoint_does_is_its_own_failure(answer: bytes | None) -> None:
    def converse(connection: socket.socket) -> None:
        while request := read_request(connection):
            if not request.startswith(b"GET /other "):
                connection.sendall(answer or b"")
                return
            connection.sendall(response())

    wait(converse, ENDPOINT, OTHER, ready_timeout_s=0.3)


def test_an_endpoint_that_is_slower_than_the_wait() -> None:
    def converse(connection: socket.socket) -> None:
        read_request(connection)
        time.sleep(1.2)  # longer than the wait, and than its last try
        connection.sendall(response())

    wait(converse, ENDPOINT, ready_timeout_s=0.1)


def test_a_service_that_speaks_no_http() -> None:
    with server(every_request(b"SSH-2.0-OpenSSH\r\n\r\n")) as running:
        error = why_not_ready(Service(base_url=running.url(), ready_timeout_s=60))
    assert error.remedy == "is service.base_url the address of an HTTP service?"
    assert not error.is_down


@pytest.mark.parametrize("ready", ["/health", None])
def test_a_service_that_is_not_there(ready: str | None) -> None:
    port = unused_port()
    error = why_not_ready(Service(base_url=f"http://127.0.0.1:{port}", ready=ready, ready_timeout_s=0.2))
    assert error.message.startswith(f"http://127.0.0.1:{port}{ready or ''} is not ready after ")
    assert error.message.endswith(f": connection refused by 127.0.0.1:{port}")
    assert error.remedy == "start it, or give its address with --base-url"
    with_command = Service(base_url=f"http://127.0.0.1:{port}", start="./serve", ready_timeout_s=0.2)
    assert "--start runs service.start" in (why_not_ready(with_command).remedy or "")


def test_a_service_that_is_never_well() -> None:
    with server(every_request(response(status="503 s3cret trouble"))) as running:
        # The last of its tries has a third of a second left: enough on a busy machine.
        error = why_not_ready(Service(base_url=running.url(), ready="/health", ready_timeout_s=1.0))
    assert error.message.endswith(": 503 *** trouble")
    assert error.remedy is not None
    assert "service.ready" in error.remedy


@pytest.mark.parametrize("ready", ["/health", None])
def test_a_service_that_accepts_and_sends_nothing(ready: str | None) -> None:
    with server(hang_up) as running:
        error = why_not_ready(Service(base_url=running.url(), ready=ready, ready_timeout_s=0.3))
    assert "is not ready after" in error.message
    assert "without a response" in error.message or "no response within" in error.message
    assert error.is_down


def test_a_service_that_hangs_is_not_down() -> None:
    with server(wait_for_the_client_to_leave) as running:
        service = Service(base_url=running.url(), ready_timeout_s=0.1)
        with Client(service, redact=Redactor()) as client, pytest.raises(CouldNotMeasureError) as caught:
            client.wait_until_ready([replace(ENDPOINT, timeout_s=0.2)])
    assert "no response within 200 ms" in caught.value.message
    assert caught.value.remedy == "see the service's log: it accepts connections, and does not respond"
    assert not caught.value.is_down


def test_a_name_that_does_not_resolve() -> None:
    error = why_not_ready(Service(base_url="http://no-such-host.invalid", ready_timeout_s=1.0))
    assert "cannot resolve no-such-host.invalid" in error.message
    assert error.remedy == "correct service.base_url, or give its address with --base-url"
