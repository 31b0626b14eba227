"""A service for tests of load, which counts what it gets; the path of a request chooses how it is answered."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from apps.faulty_server import read_request, reset, response, server, wait_for_the_client_to_leave

from perfcheck.capacity.engine.plan import PlannedRequest


def planned(
    endpoint: str, path: str, *headers: str, method: str = "GET", body: bytes = b"", **options: Any
) -> PlannedRequest:
    """A request of a load; ``options`` as of PlannedRequest."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, f"Content-Length: {len(body)}", "", ""]
    return PlannedRequest(endpoint, "\r\n".join(lines).encode() + body, method, **options)


def data_of(request: PlannedRequest) -> bytes:
    """Of one that inserts nothing."""
    assert isinstance(request.data, bytes)
    return request.data


class LoadService:
    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()  # by path
        self.heads: set[bytes] = set()
        self.redirect_to = "/"
        self.port = 0
        self._lock = threading.Lock()

    def converse(self, connection: socket.socket) -> None:
        while request := read_request(connection):
            path = request.split(maxsplit=2)[1].decode()
            with self._lock:
                self.requests[path] += 1
                self.heads.add(request.partition(b"\r\n\r\n")[0])
            match path.strip("/").split("/"):
                case ["wait", milliseconds]:
                    time.sleep(int(milliseconds) / 1e3)
                    connection.sendall(response())
                case ["alone", milliseconds]:
                    with self._lock:
                        time.sleep(int(milliseconds) / 1e3)
                    connection.sendall(response())
                case ["status", status]:
                    connection.sendall(response(status=f"{status} Some"))
                case ["redirect"]:
                    connection.sendall(response(b"", f"Location: {self.redirect_to}", status="302 Found"))
                case ["reset"]:
                    reset(connection)
                case ["cookie", *quoted]:
                    cookies = [unquote(cookie, "latin-1") for cookie in quoted]
                    connection.sendall(response(b"{}", *(f"Set-Cookie: {cookie}; Path=/" for cookie in cookies)))
                case ["token"]:
                    connection.sendall(response(b'{"token": "t/%d"}' % self.requests[path]))
                case ["never"]:
                    wait_for_the_client_to_leave(connection)
                case ["truncated"]:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
                    return
                case ["nonsense"]:
                    connection.sendall(b"nonsense\r\n\r\n")
                    return
                case _:
                    connection.sendall(response())


@contextmanager
def load_service() -> Iterator[LoadService]:
    service = LoadService()
    with server(service.converse) as running:
        service.port = running.port
        yield service
