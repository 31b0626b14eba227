"""The stream below the client where the network does not do as one hopes."""

from __future__ import annotations

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
from perfcheck.model import Endpoint, Failure, Sample, Service
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


def test_the_next_address_is_tried_when_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        refusing = unused.getsockname()
    with server(every_request(response())) as running:
        addresses = [refusing, ("127.0.0.1", running.port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        (sample,) = ask("http://two.invalid")
    assert sample.failure is None


def test_the_rest_of_an_answer_is_not_taken_for_the_next_one() -> None:
    # Two equal lengths are allowed.
    twice = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}"
    with server(every_request(twice + response(status="200 Stray"))) as running:
        samples = ask(running.url(), times=3)
        assert running.connections == 3
    assert [(sample.status, sample.failure) for sample in samples] == [(200, Failure.PROTOCOL)] * 3
    assert samples[0].detail == "the response was longer than announced"


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
