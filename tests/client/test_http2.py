"""HTTP/2, against a small server made of h2."""

from __future__ import annotations

import importlib.util
import socket
import ssl
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from apps.faulty_server import Conversation, Server, every_request, once, response, server
from apps.http2_server import http2
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamEnded
from hyperframe.frame import GoAwayFrame

from perfcheck.client.client import Client
from perfcheck.errors import UsageError
from perfcheck.model import Endpoint, Failure, Service, Tls
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1, headers=(("X-Name", "value"),))


def upload() -> Conversation:
    """Answers with the size of what was sent, read in small windows."""
    sizes: Counter[int] = Counter()  # by the stream

    def on_event(state: H2Connection, stream: int, event: Event) -> None:
        if isinstance(event, DataReceived):
            sizes[stream] += len(event.data or b"")
            state.acknowledge_received_data(event.flow_controlled_length or 0, stream)
        if isinstance(event, StreamEnded):
            state.send_headers(stream, [(":status", "200")])
            state.send_data(stream, b"x" * (sizes[stream] // 1000), end_stream=True)

    return http2(on_event)


def reset(state: H2Connection, stream: int, event: Event) -> None:
    """Instead of answering."""
    if isinstance(event, RequestReceived):
        state.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)


def answer(state: H2Connection, stream: int, event: Event) -> None:
    if isinstance(event, RequestReceived):
        headers = dict(event.headers or [])
        body = b"hello" * 1000 if headers[b":path"] == b"/it" else b""
        status = "200" if headers[b":path"] in {b"/it", b"/health"} else "404"
        state.send_headers(stream, [(":status", status), ("server-timing", "app;dur=1")])
        state.send_data(stream, body, end_stream=True)


def answer_once(state: H2Connection, stream: int, event: Event) -> None:
    """The connection is closed as the next request arrives."""
    if stream > 1:
        raise ConnectionAbortedError
    answer(state, stream, event)


def going_away(*packets: str) -> Conversation:
    """Sends GOAWAY with or within the first response of a connection, and instead of the second."""

    def converse(connection: socket.socket) -> None:
        state = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        state.initiate_connection()
        goaway = GoAwayFrame(0, last_stream_id=1).serialize()
        while data := connection.recv(65536):
            requests = [event for event in state.receive_data(data) if isinstance(event, RequestReceived)]
            connection.sendall(state.data_to_send())
            for stream in (request.stream_id or 0 for request in requests):
                state.send_headers(stream, [(":status", "200")])
                head = state.data_to_send()
                state.send_data(stream, b"hello" * 1000, end_stream=True)
                parts = {"head": head, "body": state.data_to_send(), "go": goaway[:12], "away": goaway[12:]}
                for packet in packets if stream == 1 else ["go+away"]:
                    connection.sendall(b"".join(parts[part] for part in packet.split("+")))
                    time.sleep(0.01)

    return converse


def client_of(running: Server) -> Client:
    return Client(Service(base_url=running.url(), http2=True), redact=Redactor())


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def test_http2_over_tls(context: ssl.SSLContext, tmp_path: Path) -> None:
    context.set_alpn_protocols(["h2"])
    with server(http2(answer), context=context) as running:
        service = Service(
            base_url=running.url("https", "localhost"),
            ready="/health",
            http2=True,
            tls=Tls(ca=str(tmp_path / "ca.pem")),
        )
        with Client(service, redact=Redactor()) as client:
            client.wait_until_ready()
            samples = [client.send(IT) for _ in range(3)]
            assert ", HTTP/2, " in client.description
            assert list(client.findings) == []
        assert running.connections == 2  # one to see that it is ready
    for sample in samples:
        assert (sample.status, sample.failure, sample.body_bytes) == (200, None, 5000)
        assert sample.server_timing == "app;dur=1"
        assert sample.latency_ms == (sample.phases.wait_ms or 0) + (sample.phases.download_ms or 0)
        assert (sample.phases.wait_ms or 0) > 0


def test_http2_without_tls_is_spoken_at_once() -> None:
    with server(http2(answer)) as running:
        with client_of(running) as client:
            samples = [client.send(IT) for _ in range(3)]
            missing = client.send(Endpoint(name="none", path="/none", line=1))
        assert running.connections == 1
    assert [sample.failure for sample in samples] == [None] * 3
    assert (missing.failure, missing.detail) == (Failure.STATUS, "404 Not Found")


def test_another_service_without_tls_gets_http_1() -> None:
    with server(every_request(response(b"{}"))) as other, server(http2(answer)) as running:
        login = Endpoint(name="login", path=other.url() + "/token", line=1)
        with client_of(running) as client:
            assert [client.send(endpoint).failure for endpoint in (IT, login, IT)] == [None] * 3


def test_a_connection_closed_just_when_it_is_used_again_is_no_failure() -> None:
    with server(http2(answer_once)) as running:
        with client_of(running) as client:
            assert [client.send(IT).failure for _ in range(3)] == [None] * 3
        assert running.connections == 3


@pytest.mark.parametrize(
    "packets",
    [
        ("head+body",),
        ("go+away", "head+body"),
        ("go+away+head+body",),
        ("head", "go+away", "body"),
        ("head+go", "away+body"),
        ("head+body+go+away",),
    ],
)
def test_a_service_that_goes_away_completes_its_response(packets: tuple[str, ...]) -> None:
    with server(going_away(*packets)) as running, client_of(running) as client:
        samples = [client.send(IT) for _ in range(2)]
        assert running.connections == 2
    assert [(sample.failure, sample.body_bytes) for sample in samples] == [(None, 5000)] * 2


def test_a_large_body_is_sent_as_the_service_takes_it() -> None:
    endpoint = replace(IT, method="POST", content="x" * 1_000_000)
    with server(upload()) as running, client_of(running) as client:
        assert [client.send(endpoint).body_bytes for _ in range(3)] == [1000] * 3
        assert running.connections == 1


def test_a_stream_that_is_reset() -> None:
    with (
        server(http2(reset)) as running,
        client_of(running) as client,
    ):
        sample = client.send(IT)
    assert (sample.failure, sample.detail) == (Failure.PROTOCOL, "the service reset the stream: INTERNAL_ERROR")


@pytest.mark.parametrize(
    "garbage", [b"\0" * 100, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"\xff" * 20_000]
)
def test_garbage_instead_of_http2(garbage: bytes) -> None:
    with server(once(garbage)) as running, client_of(running) as client:
        sample = client.send(IT)
    assert sample.failure in {Failure.PROTOCOL, Failure.RESET, Failure.TRUNCATED}
    assert sample.detail


def test_several_at_once() -> None:
    with (
        server(http2(answer)) as running,
        client_of(running) as client,
    ):
        for tag in range(4):
            client.start(IT, tag)
        ended: list[object] = []
        while len(ended) < 4:
            ended += (sample.body_bytes for _, sample in client.wait())
        assert ended == [5000] * 4
        assert running.connections == 4


def test_a_service_that_speaks_http_1_only_is_measured_and_that_is_reported(
    context: ssl.SSLContext, tmp_path: Path
) -> None:
    with server(every_request(response()), context=context) as running:
        service = Service(base_url=running.url("https", "localhost"), http2=True, tls=Tls(ca=str(tmp_path / "ca.pem")))
        with Client(service, redact=Redactor()) as client:
            assert client.send(IT).failure is None
            assert ", HTTP/1.1, " in client.description
            assert [finding.message for finding in client.findings] == [
                "service.http2 is set, but the service supports only HTTP/1.1"
            ]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UsageError) as caught:
        Client(Service(base_url="http://localhost", http2=True), redact=Redactor())
    assert caught.value.message == "service.http2 needs the package h2"
    assert caught.value.remedy == "pip install 'perfcheck[http2]'"
