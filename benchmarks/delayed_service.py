"""A service that knows its true delay: from the arrival of a request, which the kernel stamps, to its response.

It runs in a process of its own, and spins until a response is due, since a sleep is never exact.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import selectors
import socket
import statistics
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection

import httpx

SO_TIMESTAMPNS = 35  # Linux
SPIN_S = 0.0005  # a sleep is this exact, mostly
BODY = b'{"hello":"world"}'


class DelayedService:
    """Answers each request after the same delay, all connections in one thread."""

    def __init__(self, listener: socket.socket, delay_ms: float, body: bytes) -> None:
        self._listener = listener
        self._delay_ns = int(delay_ms * 1e6)
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: x\r\nContent-Length: {}\r\n\r\n"
        self._response = head.format(len(body)).encode() + body
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._due: deque[tuple[int, int, socket.socket]] = deque()  # answer at, arrived at, in which connection
        self._true_ns: list[int] = []  # the true delays since they were last read

    def run(self) -> None:
        while True:
            left_s = (self._due[0][0] - time.perf_counter_ns()) / 1e9 - SPIN_S if self._due else None
            for key, _ in self._selector.select(left_s if left_s is None else max(left_s, 0)):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._read(key.fileobj)  # type: ignore[arg-type]
            while self._due and self._due[0][0] <= time.perf_counter_ns():
                _, arrived_ns, connection = self._due.popleft()
                self._true_ns.append(time.perf_counter_ns() - arrived_ns)
                with contextlib.suppress(OSError):  # a tool that has left
                    connection.send(self._response)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":
            connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket) -> None:
        try:
            request, ancillary, _, _ = connection.recvmsg(65536, 64)
        except ConnectionError:
            request, ancillary = b"", []
        arrived_ns = time.perf_counter_ns()
        for _, _, stamp in ancillary:
            seconds, rest_ns = struct.unpack("@ll", stamp)
            arrived_ns -= time.time_ns() - seconds * 1_000_000_000 - rest_ns
        if not request:
            self._selector.unregister(connection)
            connection.close()
        elif request.startswith(b"GET /true-delay"):
            median = b"%d" % (statistics.median(self._true_ns) if self._true_ns else 0)
            self._true_ns.clear()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(median), median))
        else:
            self._due.append((arrived_ns + self._delay_ns, arrived_ns, connection))


def serve(ready: Connection, delay_ms: float, cpus: set[int], body: bytes) -> None:
    """Answer on a free port until the process is ended."""
    if cpus:
        os.sched_setaffinity(0, cpus)
    listener = socket.create_server(("127.0.0.1", 0))
    ready.send(listener.getsockname()[1])
    DelayedService(listener, delay_ms, body).run()


@contextlib.contextmanager
def service(delay_ms: float, cpus: set[int], body: bytes = BODY) -> Iterator[str]:
    """Running on these CPUs, if any are given; its base URL. Each response has this ``body``, of JSON."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(there, delay_ms, cpus, body), daemon=True
    )
    process.start()
    try:
        if not here.poll(30):
            raise SystemExit("the service of the benchmark did not start")
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join(10)


def true_delay_us(url: str) -> float:
    """The median of the true delays since the last call."""
    with httpx.Client(trust_env=False) as client:
        return int(client.get(f"{url}/true-delay").text) / 1000
