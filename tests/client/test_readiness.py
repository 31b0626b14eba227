"""Waiting for a service that starts, and giving up on one that does not."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace

import pytest
from apps.faulty_server import every_request, hang_up, read_request, response, server

from perfcheck.client.client import Client
from perfcheck.errors import CouldNotMeasureError
from perfcheck.model import Secret, Service
from perfcheck.text import Redactor


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
    port = unused_port()
    service = Service(base_url=f"http://127.0.0.1:{port}", ready_timeout_s=20)
    listening: list[socket.socket] = []
    timer = threading.Timer(0.2, lambda: listening.append(socket.create_server(("127.0.0.1", port))))
    timer.start()
    try:
        with Client(service, redact=Redactor()) as client:
            client.wait_until_ready()
    finally:
        timer.join()
        for listener in listening:
            listener.close()
    assert listening


@pytest.mark.parametrize("ready", ["/health", None])
def test_a_service_that_is_not_there(ready: str | None) -> None:
    port = unused_port()
    error = why_not_ready(Service(base_url=f"http://127.0.0.1:{port}", ready=ready, ready_timeout_s=0.2))
    assert error.message.startswith(f"http://127.0.0.1:{port}{ready or ''} is not ready after ")
    assert error.message.endswith(f": connection refused by 127.0.0.1:{port}")
    assert error.remedy == "start it, or give its address with --base-url"


def test_a_service_that_is_never_well() -> None:
    with server(every_request(response(status="503 s3cret trouble"))) as running:
        # The last of its tries has a third of a second left: enough on a busy machine.
        error = why_not_ready(Service(base_url=running.url(), ready="/health", ready_timeout_s=1.0))
    assert error.message.endswith(": 503 *** trouble")
    assert error.remedy is not None
    assert "service.ready" in error.remedy


def test_a_service_that_accepts_and_sends_nothing() -> None:
    with server(hang_up) as running:
        service = Service(base_url=running.url(), ready="/health", ready_timeout_s=0.3)
        error = why_not_ready(service)
        assert "is not ready after" in error.message
        assert "without a response" in error.message or "no response within" in error.message
        with Client(replace(service, ready=None), redact=Redactor()) as client:
            client.wait_until_ready()


def test_a_name_that_does_not_resolve() -> None:
    error = why_not_ready(Service(base_url="http://no-such-host.invalid", ready_timeout_s=1.0))
    assert "cannot resolve no-such-host.invalid" in error.message
    assert error.remedy == "correct service.base_url, or give its address with --base-url"
