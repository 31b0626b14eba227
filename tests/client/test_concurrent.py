"""Several requests at once in one loop: each has its own connection, its own fate and its own stamps."""

from __future__ import annotations

import random
import selectors
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from apps.faulty_server import (
    Conversation,
    Server,
    every_request,
    read_request,
    response,
    server,
    wait_for_the_client_to_leave,
)

from perfcheck.client.client import Client
from perfcheck.client.loop import Loop
from perfcheck.model import Capture, CaptureFrom, Endpoint, Failure, Placeholder, Sample, Service, Template
from perfcheck.text import Redactor

FAST = Endpoint(name="fast", path="/fast", line=1)
SLOW = Endpoint(name="slow", path="/slow", line=2)


class Gate:
    """Answers /slow only once it is open, and everything else at once."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        while request := read_request(connection):
            if request.startswith(b"GET /slow"):
                self.open.wait(20)
            connection.sendall(response(b"late" if request.startswith(b"GET /slow") else b"soon!"))


@contextmanager
def serving(converse: Conversation) -> Iterator[tuple[Server, Client]]:
    with server(converse) as running, Client(Service(base_url=running.url()), redact=Redactor()) as client:
        yield running, client


def wait_for_all(client: Client, count: int) -> dict[object, Sample]:
    ended: dict[object, Sample] = {}
    while len(ended) < count:
        found = client.wait(time.perf_counter() + 20)
        assert found, "no sample within 20 s"
        ended.update(found)
    return ended


def test_fast_answers_are_not_held_up_by_a_hanging_one() -> None:
    gate = Gate()
    with serving(gate) as (running, client):
        client.start(SLOW, "slow")
        for number in range(5):
            client.start(FAST, number)
            assert [(tag, sample.body_bytes) for tag, sample in client.wait()] == [(number, 5)]
        assert client.send(FAST).failure is None
        gate.open.set()
        assert [(tag, sample.body_bytes) for tag, sample in client.wait()] == [("slow", 4)]
        assert running.connections == 2


def test_many_at_once_each_on_a_connection_of_its_own() -> None:
    with serving(Gate()) as (running, client):
        for _ in range(2):
            for number in range(16):
                client.start(FAST, number)
            assert {sample.failure for sample in wait_for_all(client, 16).values()} == {None}
        assert running.connections == 16


def test_a_tag_is_used_once_at_a_time() -> None:
    with serving(Gate()) as (_, client):
        client.start(FAST, 1)
        with pytest.raises(ValueError, match="in flight"):
            client.start(SLOW, 1)
        assert [tag for tag, _ in client.wait()] == [1]


def test_the_time_to_wait_ends_without_a_sample() -> None:
    gate = Gate()
    with serving(gate) as (_, client):
        client.start(SLOW, "slow")
        until_s = time.perf_counter() + 0.05
        assert client.wait(until_s) == []
        assert time.perf_counter() >= until_s
        assert client.wait(0.0) == []
        gate.open.set()
        assert [tag for tag, _ in client.wait()] == ["slow"]


def test_nothing_in_flight() -> None:
    loop = Loop()
    assert loop.wait() == []
    until_s = time.perf_counter() + 0.02
    assert loop.wait(until_s) == []
    assert time.perf_counter() >= until_s
    loop.close()


def test_a_cancelled_request_leaves_no_sample_and_no_connection() -> None:
    closed = threading.Event()

    def converse(connection: socket.socket) -> None:
        if read_request(connection).startswith(b"GET /slow"):
            connection.recv(1)
            closed.set()
        else:
            connection.sendall(response())

    with serving(converse) as (_, client):
        client.start(SLOW, "slow")
        client.wait(time.perf_counter() + 0.05)
        client.cancel("slow")
        assert closed.wait(20)
        client.start(FAST, "fast")
        while "fast" in client._in_flight:
            client.send(FAST)
        client.cancel("fast")
        client.cancel("unheard of")
        assert client.wait() == []


def test_two_services_in_one_loop() -> None:
    loop = Loop()
    with (
        server(every_request(response(b"one"))) as one,
        server(every_request(response(b"three"))) as three,
        Client(Service(base_url=one.url()), redact=Redactor(), loop=loop) as first,
        Client(Service(base_url=three.url()), redact=Redactor(), loop=loop) as second,
    ):
        first.start(FAST, "first")
        second.start(FAST, "second")
        ended = wait_for_all(first, 2)
    assert {tag: sample.body_bytes for tag, sample in ended.items()} == {"first": 3, "second": 5}
    loop.close()


def test_idle_connections_are_closed_but_one() -> None:
    left = threading.Semaphore(0)

    def converse(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(response())
        left.release()

    with serving(converse) as (running, client):
        for number in range(4):
            client.start(FAST, number)
        wait_for_all(client, 4)
        client.close_idle()
        for _ in range(3):
            assert left.acquire(timeout=20)
        assert client.send(FAST).phases.connect_ms is None
        assert running.connections == 4


def test_a_client_that_is_closed_abandons_what_is_in_flight() -> None:
    loop = Loop()
    gate = Gate()
    with server(gate) as running:
        with Client(Service(base_url=running.url()), redact=Redactor(), loop=loop) as client:
            client.start(SLOW, "slow")
        assert loop.wait() == []
        gate.open.set()
    loop.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no stamps of the kernel")
@pytest.mark.parametrize("method", ["register", "modify", "unregister"])
def test_an_interruption_at_any_step_of_the_selector_passes_through(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """It was a ValueError of the selector, and so a bug of ours, where the socket was not registered yet."""
    calls = 0

    def interrupt(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise KeyboardInterrupt

    with serving(every_request(response())) as (_, client), monkeypatch.context() as patch:
        patch.setattr(selectors.DefaultSelector, method, interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.send(SLOW)
    assert calls


def test_a_busy_client_does_not_lengthen_a_latency() -> None:
    with serving(every_request(response())) as (_, client):
        client.send(FAST)
        client.start(replace(FAST, timeout_s=0.15), "it")
        busy_until_s = time.perf_counter() + 0.3
        while time.perf_counter() < busy_until_s:
            pass
        ((_, sample),) = client.wait()
        assert client.description.endswith(", kernel timestamps")
    assert sample.failure is None
    assert sample.latency_ms is not None
    assert sample.latency_ms < 150


# --- Whatever a service answers -------------------------------------------------------------------------------------

GOOD = [
    response(b"hello", "Server: x", "Content-Type: text/plain"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n3\r\nyou\r\n0\r\nX-Trailer: y\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\nServer-Timing: db;dur=5\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /it\r\nSet-Cookie: a=b; Max-Age=5\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 23\r\n\r\n"
    + bytes.fromhex("1f8b0800000000000203cb48cdc9c907008610a63605000000")[:23],
]
MUTATIONS = (
    b"\r\n",
    b"\0",
    b"\xff",
    b":",
    b"\r\nContent-Length: 7\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"99999999999",
)


def mutated(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(GOOD))
    for _ in range(chance.randint(1, 4)):
        at, size = chance.randrange(len(data) + 1), chance.randint(0, 8)
        data[at : at + size] = chance.choice((*MUTATIONS, chance.randbytes(size), data[:size], b""))
    return bytes(data)


def mutated_answers_touch_no_other_endpoint(count: int, seed: int) -> set[Failure | None]:
    """Send so many requests that are answered with garbage, each next to one that is answered in order."""
    chance = random.Random(seed)
    answers = [mutated(chance) for _ in range(count)]

    def garbage(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(answers.pop() if answers else response())

    it = Endpoint(name="it", path="/it", line=1, follow_redirects=True, timeout_s=20)
    failures: set[Failure | None] = set()
    loop = Loop()
    with (
        server(garbage) as wild,
        server(every_request(response(b"in order"))) as tame,
        Client(Service(base_url=wild.url()), redact=Redactor(), loop=loop) as client,
        Client(Service(base_url=tame.url()), redact=Redactor(), loop=loop) as other,
    ):
        while answers:
            client.start(it, "it")
            other.start(FAST, "fast")
            ended = wait_for_all(client, 2)
            assert (ended["fast"].failure, ended["fast"].body_bytes) == (None, len(b"in order"))
            assert ended["it"].failure is not Failure.TIMEOUT
            failures.add(ended["it"].failure)
    loop.close()
    return failures


def test_mutated_answers_touch_no_other_endpoint() -> None:
    failures = mutated_answers_touch_no_other_endpoint(2000, seed=7)
    assert {None, Failure.PROTOCOL, Failure.TRUNCATED, Failure.STATUS} <= failures


def test_a_login_that_is_renewed_by_an_abandoned_request_is_renewed_by_the_next() -> None:
    logins: list[int] = []

    def converse(connection: socket.socket) -> None:
        while request := read_request(connection):
            if request.startswith(b"POST"):
                logins.append(len(logins) + 1)
                if logins[-1] == 2:
                    return wait_for_the_client_to_leave(connection)
                connection.sendall(response(b'{"token": "token-%d"}' % logins[-1]))
            else:
                connection.sendall(response(status="200 OK" if b"token-3" in request else "401 Unauthorized"))
        return None

    token = Capture("token", CaptureFrom.JSON, "$.token", line=1)
    login = Endpoint("login", "/login", line=1, method="POST", captures=(token,))
    it = Endpoint("it", "/it", line=2, headers=(("X-Token", Template((Placeholder("token"),))),))
    with server(converse) as running, Client(Service(running.url()), redact=Redactor()) as client:
        client.set_up([login])
        client.start(it, "abandoned")
        while len(logins) < 2:
            client.wait(time.perf_counter() + 0.01)
        client.start(it, "waits for its login")
        client.wait(time.perf_counter() + 0.1)
        client.cancel("abandoned")
        ((tag, sample),) = client.wait()
    assert (tag, sample.failure, logins) == ("waits for its login", None, [1, 2, 3])
