"""What the client measures, against real servers on the loopback interface."""

from __future__ import annotations

import gzip
import signal
import socket
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import brotli  # type: ignore[import-untyped]
import pytest
from apps.faulty_server import Conversation, every_request, once, read_request, response, server

from perfcheck import __version__
from perfcheck.client.client import Client
from perfcheck.client.response import has_brotli
from perfcheck.errors import UsageError
from perfcheck.model import Endpoint, Failure, Sample, Secret, Service
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1)


@contextmanager
def client_of(base_url: str) -> Iterator[Client]:
    with Client(Service(base_url=base_url), redact=Redactor()) as client:
        yield client


def sample_of(converse: Conversation, endpoint: Endpoint = IT) -> Sample:
    with server(converse) as running, client_of(running.url()) as client:
        return client.send(endpoint)


class Recorder:
    """Answers every request with 200 and keeps what was asked."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        while request := read_request(connection):
            self.requests.append(request)
            connection.sendall(response())

    @property
    def lines(self) -> list[str]:
        return self.requests[-1].decode().split("\r\n")


# --- The figures ---------------------------------------------------------------------------------------------------


def test_phases_add_up_to_the_latency_and_set_up_stands_apart() -> None:
    with server(every_request(response())) as running, client_of(running.url(host="localhost")) as client:
        first, second = client.send(IT), client.send(IT)
    assert first.failure is second.failure is None
    for sample in (first, second):
        assert sample.latency_ms is not None
        assert sample.phases.wait_ms is not None
        assert sample.phases.download_ms is not None
        assert sample.phases.wait_ms > 0
        assert sample.latency_ms == sample.phases.wait_ms + sample.phases.download_ms
    assert first.phases.dns_ms is not None
    assert first.phases.connect_ms is not None
    assert (second.phases.dns_ms, second.phases.connect_ms, second.phases.tls_ms) == (None, None, None)


def test_the_delay_of_the_service_is_waiting_time_and_the_rest_is_download() -> None:
    def converse(connection: socket.socket) -> None:
        read_request(connection)
        time.sleep(0.05)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        time.sleep(0.5)  # the client may see the first piece late, on a busy machine
        connection.sendall(b"world")

    sample = sample_of(converse)
    assert sample.phases.wait_ms is not None
    assert sample.phases.download_ms is not None
    assert sample.phases.wait_ms >= 50
    assert sample.phases.download_ms >= 100
    assert sample.body_bytes == 10


def test_one_connection_serves_all_requests() -> None:
    with server(every_request(response())) as running, client_of(running.url()) as client:
        assert [client.send(IT).status for _ in range(5)] == [200] * 5
        assert running.connections == 1


def test_the_time_of_a_sample_is_by_the_clock_that_was_given() -> None:
    with (
        server(every_request(response())) as running,
        Client(Service(base_url=running.url()), redact=Redactor(), now=lambda: 1000.0) as client,
    ):
        sample = client.send(IT)
    assert 1000.0 < sample.at_s < 1020.0


def test_the_server_timing_header_is_kept() -> None:
    sample = sample_of(every_request(response(b"", "Server-Timing: db;dur=53", "Server-Timing: app;dur=7")))
    assert sample.server_timing == "db;dur=53, app;dur=7"


def test_an_endless_server_timing_header_is_cut() -> None:
    sample = sample_of(every_request(response(b"", f"Server-Timing: {'x' * 5000};dur=1")))
    assert sample.server_timing is not None
    assert len(sample.server_timing) == 2000


# --- Connections ---------------------------------------------------------------------------------------------------


def test_a_connection_closed_after_each_answer_is_opened_anew() -> None:
    with server(once(response(b"hello", "Connection: close"))) as running, client_of(running.url()) as client:
        samples = [client.send(IT) for _ in range(3)]
        assert running.connections == 3
    assert [(s.failure, s.body_bytes, s.phases.connect_ms is None) for s in samples] == [(None, 5, False)] * 3


def test_a_body_that_ends_with_the_connection() -> None:
    assert sample_of(once(b"HTTP/1.0 200 OK\r\n\r\nhello ", b"world")).body_bytes == 11


def test_a_connection_closed_just_when_it_is_used_again_is_no_failure() -> None:
    def converse(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(response())
        read_request(connection)  # and close without a response

    with server(converse) as running, client_of(running.url()) as client:
        samples = [client.send(IT) for _ in range(3)]
        assert running.connections == 3
    assert [sample.failure for sample in samples] == [None] * 3
    assert samples[1].phases.connect_ms is not None


def test_what_a_closed_connection_cost_is_not_in_the_latency() -> None:
    first = threading.Event()

    def converse(connection: socket.socket) -> None:
        while read_request(connection):
            if first.is_set():
                first.clear()
                time.sleep(0.3)
                return
            connection.sendall(response())

    with server(converse) as running, client_of(running.url()) as client:
        client.send(IT)
        first.set()
        started = time.perf_counter()
        sample = client.send(IT)
        took_ms = (time.perf_counter() - started) * 1000
    assert sample.failure is None
    assert sample.latency_ms is not None
    assert took_ms - sample.latency_ms >= 300


def test_a_new_connection_that_is_closed_is_a_failure_and_not_tried_again() -> None:
    with server(once()) as running, client_of(running.url()) as client:
        assert client.send(IT).failure is Failure.RESET
        assert running.connections == 1


def test_an_early_answer_to_a_request_that_was_not_read_to_the_end() -> None:
    def converse(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(response(b"", status="413 Too large"))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    sample = sample_of(converse, replace(IT, method="POST", content="x" * 3_000_000))
    assert (sample.status, sample.failure) == (413, Failure.STATUS)


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "service.sock"
    with server(every_request(response()), unix=path):
        service = Service(base_url="http://localhost", unix_socket=str(path))
        with Client(service, redact=Redactor()) as client:
            client.wait_until_ready()
            sample = client.send(IT)
            assert client.description.endswith(", process clock")
    assert (sample.status, sample.failure) == (200, None)
    assert sample.phases.connect_ms is not None


def test_a_login_elsewhere_is_not_sent_to_the_unix_socket_of_the_service(tmp_path: Path) -> None:
    path = tmp_path / "service.sock"
    with server(every_request(response(b"token"))) as other, server(every_request(response()), unix=path) as running:
        service = Service(base_url="http://localhost", unix_socket=str(path))
        with Client(service, redact=Redactor()) as client:
            sample = client.send(Endpoint(name="login", path=other.url() + "/token", line=1, method="POST"))
        assert (sample.failure, sample.body_bytes) == (None, 5)
        assert (other.connections, running.connections) == (1, 0)


def test_a_unix_socket_whose_queue_is_full_is_waited_for(tmp_path: Path) -> None:
    """As TCP does by itself."""

    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                every_request(response())(connection)

    path = tmp_path / "service.sock"
    service = Service(base_url="http://localhost", unix_socket=str(path))
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(str(path))
        listener.listen(0)
        waiting.connect(str(path))
        with Client(service, redact=Redactor()) as client:
            assert client.send(replace(IT, timeout_s=0.05)).detail == "no connection within 50 ms"
            client.start(IT, "it")
            assert client.wait(0.0) == []
            waiting.close()
            with ThreadPoolExecutor() as pool:
                pool.submit(serve, listener)
                ((_, sample),) = client.wait(time.perf_counter() + 20)
                client.close()
    assert sample.failure is None


def test_a_unix_socket_that_is_not_there(tmp_path: Path) -> None:
    service = Service(base_url="http://localhost", unix_socket=str(tmp_path / "none.sock"))
    with Client(service, redact=Redactor()) as client:
        sample = client.send(IT)
    assert sample.failure is Failure.CONNECT
    assert sample.detail is not None
    assert sample.detail.startswith("cannot connect to ")


def test_an_interrupt_passes_through_and_leaves_the_client_usable() -> None:
    main = threading.main_thread()
    asked = threading.Event()

    def converse(connection: socket.socket) -> None:
        while read_request(connection):
            if not asked.is_set():
                asked.set()
                assert main.ident is not None
                signal.pthread_kill(main.ident, signal.SIGINT)
            else:
                connection.sendall(response())

    with server(converse) as running, client_of(running.url()) as client:
        with pytest.raises(KeyboardInterrupt):
            client.send(IT)
        assert client.send(IT).failure is None


# --- Bodies --------------------------------------------------------------------------------------------------------

TEXT = b"a body that repeats itself, " * 1000


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("GZip", gzip.compress(TEXT, mtime=0) + bytes(100)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT, wbits=-15)),
        ("br", brotli.compress(TEXT)),
        ("gzip, br", brotli.compress(gzip.compress(TEXT, mtime=0))),
        ("identity", TEXT),
        ("unheard-of", TEXT),
    ],
)
def test_the_size_is_that_of_the_decoded_body(coding: str, packed: bytes) -> None:
    sample = sample_of(every_request(response(packed, f"Content-Encoding: {coding}")))
    assert (sample.failure, sample.body_bytes) == (None, len(TEXT))


def test_a_brotli_without_limits_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_brotli()
    for module in (SimpleNamespace(Decompressor=object), None):  # as before version 1.2, and not installed
        monkeypatch.setitem(sys.modules, "brotli", module)
        assert not has_brotli()


def test_a_large_body_is_decoded_in_pieces() -> None:
    packed = gzip.compress(bytes(20_000_000), 1, mtime=0)
    assert sample_of(every_request(response(packed, "Content-Encoding: gzip"))).body_bytes == 20_000_000


def test_a_large_body_arrives_whole_and_its_last_byte_ends_the_latency() -> None:
    sample = sample_of(every_request(response(bytes(5_000_000))))
    assert (sample.failure, sample.body_bytes) == (None, 5_000_000)


def test_a_chunked_body_in_many_pieces() -> None:
    pieces = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nhel", b"lo\r\n", b"6\r\n worl"]
    pieces += [b"d\r\n0\r\nTrailer: x\r\n", b"\r\n"]

    def converse(connection: socket.socket) -> None:
        while read_request(connection):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.01)

    with server(converse) as running, client_of(running.url()) as client:
        assert [client.send(IT).body_bytes for _ in range(2)] == [11, 11]
        assert running.connections == 1


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nContent-Encoding: gzip\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_answers_without_a_body(method: str, answer: bytes) -> None:
    with server(every_request(answer)) as running, client_of(running.url()) as client:
        samples = [client.send(replace(IT, method=method)) for _ in range(2)]
        assert running.connections == 1
    assert [(sample.failure, sample.body_bytes) for sample in samples] == [(None, 0)] * 2


# --- Redirects -----------------------------------------------------------------------------------------------------


def redirecting(connection: socket.socket) -> None:
    while request := read_request(connection):
        if request.startswith(b"GET /there"):
            connection.sendall(response(b"arrived" if b"Cookie: session=1" in request else b"no cookie"))
        else:
            time.sleep(0.05)
            headers = ("Location: /there", "Set-Cookie: session=1")
            connection.sendall(response(b"moved", *headers, status="302 Found"))


def test_a_followed_redirect_counts_as_one_request() -> None:
    sample = sample_of(redirecting, replace(IT, follow_redirects=True))
    assert (sample.status, sample.failure, sample.body_bytes) == (200, None, len(b"arrived"))
    assert sample.latency_ms is not None
    assert sample.latency_ms >= 50
    assert sample.phases.wait_ms is not None
    assert sample.phases.wait_ms >= 50


def test_a_redirect_that_is_expected_is_no_failure() -> None:
    sample = sample_of(redirecting, replace(IT, expect=((302, 302),)))
    assert (sample.status, sample.failure) == (302, None)


def test_another_origin_gets_no_secrets() -> None:
    recorder = Recorder()
    headers = (("X-Api-Key", Secret("k3y-value", "***")), ("Authorization", "Bearer x"), ("X-Plain", "seen"))
    with server(recorder) as other:
        elsewhere = response(b"", f"Location: {other.url()}/there", status="307 Elsewhere")
        sample = sample_of(every_request(elsewhere), replace(IT, headers=headers, follow_redirects=True))
    assert sample.failure is None
    assert "X-Plain: seen" in recorder.lines
    assert not any("k3y-value" in line or "Bearer" in line for line in recorder.lines)


# --- What is sent and shown ----------------------------------------------------------------------------------------


def test_a_request_is_sent_as_the_endpoint_defines_it() -> None:
    recorder = Recorder()
    endpoint = replace(
        IT,
        method="POST",
        query=(("q", "a b&c"), ("token", Secret("t/k", "***"))),
        headers=(("Accept", "text/plain"), ("X-Name", "Zoë")),
        content=Secret('{"password": "ä"}', '{"password": "***"}'),
    )
    with server(recorder) as running, client_of(f"{running.url()}/base/") as client:
        assert client.send(endpoint).failure is None
        assert client.url_shown(endpoint) == f"{running.url()}/base/it?q=a%20b%26c&token=***"
    head, body = recorder.requests[0].split(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /base/it?q=a%20b%26c&token=t%2Fk HTTP/1.1"
    assert "Accept: text/plain" in lines
    assert "X-Name: Zoë" in lines
    assert "Accept-Encoding: gzip, deflate, br" in lines
    assert sum(line.lower().startswith("accept:") for line in lines) == 1
    assert body.decode() == '{"password": "ä"}'


@pytest.mark.parametrize(
    "wrong", [replace(IT, method="GE T"), replace(IT, headers=(("X-Token", Secret("s3cret\n", "***")),))]
)
def test_a_request_that_http_does_not_allow(wrong: Endpoint) -> None:
    with client_of("http://127.0.0.1:9") as client, pytest.raises(UsageError) as caught:
        client.start(wrong, "it")
    assert caught.value.message == "not an HTTP request: it"
    assert "line break" in (caught.value.remedy or "")


def test_a_password_in_the_address_is_used_and_not_shown() -> None:
    recorder = Recorder()
    with server(recorder) as running:
        service = Service(base_url=running.url().replace("//", "//user:pa55word@"))
        with Client(service, redact=Redactor()) as client:
            client.send(IT)
            assert client.url_shown(IT) == running.url().replace("//", "//user:***@") + "/it"
            assert client.base_url_shown == running.url().replace("//", "//user:***@")
    assert "Authorization: Basic dXNlcjpwYTU1d29yZA==" in recorder.lines


def test_the_client_describes_itself() -> None:
    with client_of("http://127.0.0.1:9") as client:
        clock = "kernel timestamps" if sys.platform == "linux" else "process clock"
        assert client.description == f"perfcheck {__version__}, HTTP/1.1, {clock}"
        assert list(client.findings) == []


@pytest.mark.parametrize(
    "base_url", ["localhost:5001", "ftp://localhost", "http://", "http://host:port", "http://[::1"]
)
def test_a_base_url_that_is_none(base_url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Client(Service(base_url=base_url), redact=Redactor())
    assert caught.value.remedy
