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
from typing import Protocol

from perfcheck.client.exchange import Exchange, RequestFailedError, timed_out

_BUFFER_BYTES = 256 * 1024
_TIMEOUT_SLACK_NS = 10_000_000  # the kernel's timeout may be this far from the deadline
_LEAST_TIMEOUT_NS = 1_000_000


class Layer(Protocol):
    """What a stream writes to and reads from."""

    received_ns: int  # just after the last bytes came from the socket

    def transmit(self, data: bytes, exchange: Exchange) -> int:
        """Write all of ``data``; returns the clock just before the first byte. Raises RequestFailedError, OSError."""

    def receive(self, exchange: Exchange) -> bytes:
        """The next bytes, or none at the end. Raises RequestFailedError, OSError."""

    def readable(self, exchange: Exchange) -> bool:
        """Whether data, or the end of the connection, is waiting to be read."""

    def socket(self) -> socket.socket: ...

    def close(self) -> None: ...


class SocketLayer:
    """A connected, blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._timeout_ns = 0
        self.received_ns = 0

    def transmit(self, data: bytes, exchange: Exchange) -> int:
        self._set_timeout(exchange.deadline_ns - time.perf_counter_ns())
        clock, send = (
            time.perf_counter_ns,
            self._sock.send,
        )  # looked up before, so that nothing comes between clock and call
        sent_ns = clock()
        try:
            sent = send(data)
        except (BlockingIOError, TimeoutError):
            sent = 0
        if sent < len(data):
            self._transmit_rest(memoryview(data)[sent:], exchange)
        return sent_ns

    def _transmit_rest(self, data: memoryview, exchange: Exchange) -> None:
        while data:
            self._set_timeout(self._remaining_ns(exchange))
            try:
                data = data[self._sock.send(data) :]
            except (BlockingIOError, TimeoutError):
                continue

    def receive(self, exchange: Exchange) -> bytes:
        clock, receive, buffer = time.perf_counter_ns, self._sock.recv_into, self._buffer
        while True:
            self._set_timeout(self._remaining_ns(exchange))
            try:
                count = receive(buffer)
                self.received_ns = clock()
            except (BlockingIOError, TimeoutError):
                continue
            return bytes(buffer[:count])

    def _remaining_ns(self, exchange: Exchange) -> int:
        remaining_ns = exchange.deadline_ns - time.perf_counter_ns()
        if remaining_ns <= 0:
            raise timed_out(exchange)
        return remaining_ns

    def _set_timeout(self, remaining_ns: int) -> None:
        if abs(self._timeout_ns - remaining_ns) > _TIMEOUT_SLACK_NS:
            self._timeout_ns = max(remaining_ns, _LEAST_TIMEOUT_NS)
            limit_socket(self._sock, self._timeout_ns)

    def readable(self, _exchange: Exchange) -> bool:
        return is_readable(self._sock)

    def socket(self) -> socket.socket:
        return self._sock

    def close(self) -> None:
        self._sock.close()


class TlsLayer:
    """TLS over another layer, which may itself be TLS: that is how an https service is reached by an https proxy."""

    def __init__(self, inner: Layer, context: ssl.SSLContext, server_hostname: str | None, exchange: Exchange) -> None:
        """Shakes hands. Raises ssl.SSLError, OSError, RequestFailedError."""
        self._inner = inner
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
                self._send_alert(exchange)
                raise
            else:
                break
        self._flush(exchange)

    def _send_alert(self, exchange: Exchange) -> None:
        """Send the alert that tells the peer what went wrong, if it still listens."""
        try:
            self._flush(exchange)
        except (OSError, RequestFailedError):
            return

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

    def socket(self) -> socket.socket:
        return self._inner.socket()

    def close(self) -> None:
        self._inner.close()


def limit_socket(sock: socket.socket, timeout_ns: int) -> None:
    """Let reads and writes of a blocking socket give up after ``timeout_ns``."""
    if sys.platform == "win32":
        sock.settimeout(timeout_ns / 1e9)
        return
    seconds, rest_ns = divmod(timeout_ns, 1_000_000_000)
    timeval = struct.pack("@ll", seconds, rest_ns // 1000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)


def is_readable(sock: socket.socket) -> bool:
    """Whether data, or the end of the connection, is waiting on the socket."""
    if sock.fileno() < 0:
        return True
    if sys.platform == "win32":
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
