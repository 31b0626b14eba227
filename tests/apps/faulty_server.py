"""Servers that answer in ways of their own: each connection is handed to a function of the test, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

Conversation = Callable[[socket.socket], None]
TIMEOUT_S = 20.0


class Server:
    """Accepts connections until the block ends, each in a thread of its own; closes every one of them."""

    def __init__(self, listener: socket.socket, converse: Conversation, context: ssl.SSLContext | None) -> None:
        self._listener = listener
        self._converse = converse
        self._context = context
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.connections = 0
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(TIMEOUT_S)
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            if self._context is not None:
                connection = stack.enter_context(self._context.wrap_socket(connection, server_side=True))
                self._open.append(connection)
            self._converse(connection)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(TIMEOUT_S)
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(TIMEOUT_S)


@contextlib.contextmanager
def server(
    converse: Conversation, *, context: ssl.SSLContext | None = None, unix: Path | None = None
) -> Iterator[Server]:
    """A server on a free port of the loopback interface, or on a Unix socket, that speaks as ``converse`` does."""
    if unix is None:
        listener = socket.create_server(("127.0.0.1", 0))
    else:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(unix))
        listener.listen()
    running = Server(listener, converse, context)
    try:
        yield running
    finally:
        running.close()


def read_request(connection: socket.socket) -> bytes:
    """The next request with its body, as far as Content-Length goes; nothing when the client has disconnected."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
        data += piece
    return data


def every_request(*pieces: bytes) -> Conversation:
    """Answer each request with the same bytes, each piece in a write of its own."""

    def converse(connection: socket.socket) -> None:
        while read_request(connection):
            for piece in pieces:
                connection.sendall(piece)

    return converse


def once(*pieces: bytes) -> Conversation:
    """Answer the first request of a connection, then close it in order."""

    def converse(connection: socket.socket) -> None:
        if read_request(connection):
            for piece in pieces:
                connection.sendall(piece)

    return converse


def response(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def reset(connection: socket.socket) -> None:
    """Close without order: the other side gets a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang_up(connection: socket.socket) -> None:
    """Close as soon as anything arrives."""
    connection.recv(1)


def wait_for_the_client_to_leave(connection: socket.socket) -> None:
    """Say nothing more, and read until the other side closes."""
    while connection.recv(65536):
        pass
