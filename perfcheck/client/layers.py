"""Bytes in and out, with the clock read right next to the system calls. TLS is a layer over any other layer.

Two costs of the usual way are avoided, since both would be part of every latency. A Python socket with a timeout polls
before each read, one more system call and one more wake-up; here the kernel enforces the timeout (SO_RCVTIMEO) and the
socket stays blocking. And a TLS socket decrypts before it returns; here the bytes are stamped first and decrypted then.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import sys
import time
from contextlib import suppress

from perfcheck.client.exchange import Exchange, RequestFailedError

_BUFFER_BYTES = 256 * 1024
_TIMEOUT_SLACK_NS = 10_000_000  # the kernel's timeout may be this far from the deadline
_LEAST_TIMEOUT_NS = 1_000_000


class SocketLayer:
    """A connected, blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._timeout_ns = 0
        self.received_ns = 0  # just after the last bytes came from the socket

    def transmit(self, data: bytes, exchange: Exchange) -> int:
        """Write all of ``data``; returns the clock just before the first byte. Raises RequestFailedError, OSError."""
        self._set_timeout(exchange.deadline_ns - time.perf_counter_ns())
        # Looked up before, so that nothing comes between clock and call.
        clock, send = time.perf_counter_ns, self.sock.send
        sent_ns = clock()
        try:
            sent = send(data)
        except (BlockingIOError, TimeoutError):
            sent = 0
        while sent < len(data):
            self._set_timeout(exchange.remaining_ns())
            with suppress(BlockingIOError, TimeoutError):
                sent += send(memoryview(data)[sent:])
        return sent_ns

    def receive(self, exchange: Exchange) -> bytes:
        """The next bytes, or none at the end. Raises RequestFailedError, OSError."""
        clock, receive, buffer = time.perf_counter_ns, self.sock.recv_into, self._buffer
        while True:
            self._set_timeout(exchange.remaining_ns())
            try:
                count = receive(buffer)
                self.received_ns = clock()
            except (BlockingIOError, TimeoutError):
                continue
            return bytes(buffer[:count])

    def _set_timeout(self, remaining_ns: int) -> None:
        if abs(self._timeout_ns - remaining_ns) > _TIMEOUT_SLACK_NS:
            self._timeout_ns = max(remaining_ns, _LEAST_TIMEOUT_NS)
            _limit_socket(self.sock, self._timeout_ns)

    def readable(self, _exchange: Exchange) -> bool:
        """Whether data, or the end of the connection, is waiting to be read."""
        if self.sock.fileno() < 0:
            return True
        if sys.platform == "win32":
            return bool(select.select([self.sock], [], [], 0)[0])
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))


def _limit_socket(sock: socket.socket, timeout_ns: int) -> None:
    """Let reads and writes of a blocking socket give up after ``timeout_ns``."""
    if sys.platform == "win32":
        sock.settimeout(timeout_ns / 1e9)
        return
    seconds, rest_ns = divmod(timeout_ns, 1_000_000_000)
    timeval = struct.pack("@ll", seconds, rest_ns // 1000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)


class TlsLayer:
    """TLS over another layer, which may itself be TLS: that is how an https service is reached by an https proxy."""

    def __init__(self, inner: Layer, context: ssl.SSLContext, server_hostname: str | None, exchange: Exchange) -> None:
        """Shakes hands. Raises ssl.SSLError, OSError, RequestFailedError."""
        self._inner = inner
        self.sock: socket.socket = inner.sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._early: bytes | None = b""  # decrypted before a read
        self.received_ns = 0
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._fetch(exchange)
            except ssl.SSLError:
                with suppress(OSError, RequestFailedError):
                    self._flush(exchange)  # the alert that tells the peer what went wrong, if it still listens
                raise
            else:
                break
        self._flush(exchange)

    def _flush(self, exchange: Exchange) -> int:
        pending = self._outgoing.read()
        return self._inner.transmit(pending, exchange) if pending else 0

    def _fetch(self, exchange: Exchange) -> None:
        self._flush(exchange)
        data = self._inner.receive(exchange)
        self.received_ns = self._inner.received_ns
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def transmit(self, data: bytes, exchange: Exchange) -> int:
        self.tls.write(data)
        return self._flush(exchange)

    def receive(self, exchange: Exchange) -> bytes:
        data, self._early = self._early, b""
        while data == b"":
            data = self._decrypted()
            if data == b"":
                self._fetch(exchange)
        return data or b""

    def _decrypted(self) -> bytes | None:
        """All that can be decrypted by now, perhaps nothing; None at the end."""
        parts: list[bytes] = []
        try:
            while True:
                part = self.tls.read(_BUFFER_BYTES)
                if not part:
                    return b"".join(parts) or None
                parts.append(part)
        except ssl.SSLWantReadError:
            return b"".join(parts)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b"".join(parts) or None

    def readable(self, exchange: Exchange) -> bool:
        # Not everything on the socket is data for the reader: TLS 1.3 sends session tickets at any time.
        try:
            while self._early == b"" and self._inner.readable(exchange):
                self._fetch(exchange)
                self._early = self._decrypted()
        except (OSError, RequestFailedError):
            return True
        return self._early != b""


Layer = SocketLayer | TlsLayer
