"""The stream below the client where the network does not do as one hopes."""

from __future__ import annotations

import errno
import math
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest
from apps.faulty_server import every_request, read_request, reset, response, server, wait_for_the_client_to_leave

from perfcheck.client.client import Client
from perfcheck.client.exchange import Exchange
from perfcheck.client.transport import note_arrival
from perfcheck.model import Endpoint, Failure, Sample, Service, Severity
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1, timeout_s=0.3)
HUGE = replace(IT, method="POST", content="x" * 30_000_000)


def ask(base_url: str, endpoint: Endpoint = IT, times: int = 1) -> list[Sample]:
    with Client(Service(base_url=base_url), redact=Redactor()) as client:
        return [client.send(endpoint) for _ in range(times)]


def timed_out(sample: Sample, words: str) -> None:
    assert (sample.failure, sample.latency_ms, sample.detail) == (Failure.TIMEOUT, math.inf, words)


def test_a_request_that_is_not_read_times_out() -> None:
    gone = threading.Event()

    def converse(_: socket.socket) -> None:
        gone.wait(5)

    with server(converse) as running:
        (sample,) = ask(running.url(), HUGE)
        gone.set()
    timed_out(sample, "no response within 300 ms")


def test_a_large_request_that_is_read_slowly_arrives_whole() -> None:
    sizes: list[int] = []

    def converse(connection: socket.socket) -> None:
        while request := read_request(connection):
            sizes.append(len(request.partition(b"\r\n\r\n")[2]))
            connection.sendall(response())

    with server(converse) as running:
        (sample,) = ask(running.url(), replace(HUGE, content="x" * 5_000_000, timeout_s=20))
    assert sample.failure is None
    assert sizes == [5_000_000]


def test_a_connection_reset_while_the_request_is_sent() -> None:
    def converse(connection: socket.socket) -> None:
        connection.recv(100)
        reset(connection)

    with server(converse) as running:
        (sample,) = ask(running.url(), replace(HUGE, timeout_s=10))
    assert sample.failure is Failure.RESET
    assert sample.detail == "the connection was reset without a response"


def test_a_connection_that_is_not_accepted() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # whom nobody accepts, and who fill the queue
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        (sample,) = ask(f"http://127.0.0.1:{full.getsockname()[1]}")
    timed_out(sample, "no connection within 300 ms")


def test_a_handshake_that_hangs() -> None:
    with server(wait_for_the_client_to_leave) as running:
        (sample,) = ask(running.url("https"))
    timed_out(sample, "no connection within 300 ms; does the service speak TLS on this port?")


def test_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        released.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    (sample,) = ask("http://slow.invalid")
    released.set()
    timed_out(sample, "no connection within 300 ms")


def test_a_name_without_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    (sample,) = ask("http://empty.invalid")
    assert (sample.failure, sample.detail) == (Failure.CONNECT, "cannot connect to empty.invalid:80: no address")


def test_a_socket_that_the_system_refuses_is_no_failure_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    with Client(Service(base_url="http://127.0.0.1:1"), redact=Redactor()) as client:

        def refuse(*_: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(socket, "socket", refuse)
        with pytest.raises(OSError, match="Too many open files"):
            client.send(IT)
        monkeypatch.undo()


def test_the_next_address_is_tried_when_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        refusing = unused.getsockname()
    with server(every_request(response())) as running:
        addresses = [refusing, ("127.0.0.1", running.port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        (sample,) = ask("http://two.invalid")
    assert sample.failure is None


# --- More than was requested ---------------------------------------------------------------------------------------

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def notes_of(client: Client) -> list[str]:
    return [finding.message for finding in client.findings if finding.severity is Severity.NOTE]


@pytest.mark.parametrize(
    ("whole", "status", "size"),
    [
        (response(b"hello") + b"and more", 200, 5),
        (response(b"") + b"and more", 200, 0),
        (CHUNKED + b"and more", 200, 5),
        (response(b"hello") + response(b"twice", status="500 Stray"), 200, 5),
        # Two equal lengths are allowed.
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}more", 200, 2),
        (NO_CONTENT + b"\r\nand more", 204, 0),
        (NO_CONTENT + b"Content-Length: 5\r\n\r\nhello", 204, 0),
        (NO_CONTENT + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204, 0),
        (NO_CONTENT + b"Transfer-Encoding: chunked\r\n\r\n", 204, 0),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n<html>", 304, 0),
    ],
)
def test_bytes_after_a_response_change_nothing(whole: bytes, status: int, size: int) -> None:
    endpoint = replace(IT, expect=((200, 399),), timeout_s=10)
    with server(every_request(whole)) as running:
        with Client(Service(base_url=running.url()), redact=Redactor()) as client:
            samples = [client.send(endpoint) for _ in range(3)]
            (note,) = notes_of(client)
        assert running.connections == 3
    assert [(sample.status, sample.failure, sample.body_bytes) for sample in samples] == [(status, None, size)] * 3
    assert note.startswith("the service sent or announced more bytes than its responses have")


def test_a_body_in_response_to_head() -> None:
    with server(every_request(response(b"hello"))) as running:
        samples = ask(running.url(), replace(IT, method="HEAD", timeout_s=10), times=3)
        assert running.connections == 3
    assert [(sample.status, sample.failure, sample.body_bytes) for sample in samples] == [(200, None, 0)] * 3


def test_what_arrives_while_a_connection_idles_belongs_to_no_request() -> None:
    sent = threading.Event()

    def converse(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(response(b"first"))
            connection.sendall(response(b"not asked for", status="500 Stray"))
            sent.set()

    with server(converse) as running, Client(Service(base_url=running.url()), redact=Redactor()) as client:
        for _ in range(3):
            sent.clear()
            sample = client.send(replace(IT, timeout_s=10))
            assert (sample.status, sample.failure, sample.body_bytes) == (200, None, 5)
            assert sent.wait(10)
        assert len(notes_of(client)) == 1
        assert running.connections == 3


def test_the_end_of_a_body_that_comes_with_the_next_request_is_not_its_response() -> None:
    def converse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(response(b"first"))
        read_request(connection)
        connection.sendall(b"0\r\n\r\n")

    with server(converse) as running, Client(Service(base_url=running.url()), redact=Redactor()) as client:
        samples = [client.send(replace(IT, timeout_s=10)) for _ in range(3)]
        assert len(notes_of(client)) == 1
    assert [(sample.status, sample.failure, sample.body_bytes) for sample in samples] == [(200, None, 5)] * 3


def test_a_response_that_came_before_its_request_belongs_to_no_request() -> None:
    sock, peer = socket.socketpair()
    with sock, peer:
        exchange = Exchange(timeout_s=10)
        exchange.sent_ns, exchange.wall_ns = time.perf_counter_ns(), time.time_ns()
        stamp = struct.pack("@ll", *divmod(exchange.wall_ns - 1000, S))
        note_arrival([(socket.SOL_SOCKET, 35, stamp)], exchange)
    assert exchange.came_before


@pytest.mark.parametrize("head", [b"Connection: close\r\n", b""])
def test_a_request_timeout_on_a_connection_kept_alive_is_sent_again(head: bytes) -> None:
    def converse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(response(b"hello"))
        if read_request(connection):
            connection.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n" + head + b"\r\n")

    with server(converse) as running, Client(Service(base_url=running.url()), redact=Redactor()) as client:
        samples = [client.send(replace(IT, timeout_s=10)) for _ in range(3)]
        assert running.connections == 3
        assert notes_of(client) == []
    assert [(sample.status, sample.failure) for sample in samples] == [(200, None)] * 3


def test_a_goodbye_on_an_idle_connection_is_no_excess() -> None:
    said = threading.Event()

    def converse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(response())
        connection.sendall(response(b"", "Connection: close", status="408 Request Timeout"))
        connection.close()
        said.set()

    with server(converse) as running, Client(Service(base_url=running.url()), redact=Redactor()) as client:
        first = client.send(IT)
        assert said.wait(10)
        assert [first.failure, client.send(IT).failure] == [None, None]


def test_a_request_timeout_on_a_new_connection_is_a_failure() -> None:
    with server(every_request(response(status="408 Request Timeout"))) as running:
        (sample,) = ask(running.url(), replace(IT, timeout_s=10))
    assert (sample.status, sample.failure) == (408, Failure.STATUS)


# --- Redirects -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("close", [reset, socket.socket.close], ids=["reset", "closed"])
def test_a_redirect_to_another_service_counts_without_its_connection(close: Callable[[socket.socket], None]) -> None:
    def once_and_gone(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(response(b"arrived"))
        read_request(connection)
        close(connection)

    endpoint = replace(IT, follow_redirects=True, timeout_s=10)
    with server(once_and_gone) as other:
        elsewhere = response(b"", f"Location: {other.url(host='localhost')}/there", status="302 Found")
        with server(every_request(elsewhere)) as running:
            samples = ask(running.url(), endpoint, times=2)
        assert other.connections == 2
    for sample in samples:
        assert (sample.failure, sample.body_bytes) == (None, 7)
        assert sample.latency_ms == (sample.phases.wait_ms or 0) + (sample.phases.download_ms or 0)
        assert sample.phases.dns_ms is not None


S = 1_000_000_000


@pytest.mark.parametrize(
    ("stamped_after_ns", "clock_set_by_ns", "is_used"),
    [(1000, 0, True), (-1000, 0, False), (60 * S, 0, False), (1000, S, False), (1000, -S, False)],
    ids=["in order", "before the request", "in the future", "clock set forward", "clock set back"],
)
def test_a_stamp_of_the_kernel_that_cannot_be_right_is_not_used(
    stamped_after_ns: int,
    clock_set_by_ns: int,
    is_used: bool,  # noqa: FBT001
) -> None:
    exchange = Exchange(timeout_s=10)
    exchange.sent_ns, exchange.wall_ns = time.perf_counter_ns(), time.time_ns() - clock_set_by_ns
    stamp = struct.pack("@ll", *divmod(exchange.wall_ns + stamped_after_ns, S))
    note_arrival([(socket.SOL_SOCKET, 35, stamp)], exchange)
    assert exchange.by_kernel is is_used
    assert (exchange.received_ns == exchange.sent_ns + stamped_after_ns) is is_used
