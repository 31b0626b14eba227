"""Bytes in and out, stamped at the socket. TLS is a layer over any other layer, so it is in no latency.

On Linux the kernel stamps what arrives (SO_TIMESTAMPNS, socket(7)), so that a latency does not grow while this process
is busy, or waits for a CPU. Elsewhere the clock is read right after the system call.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
import time
from contextlib import suppress

from perfcheck.client.exchange import Exchange, RequestFailedError, timed_out
from perfcheck.client.loop import READ, WRITE, Steps, Wait

HAS_KERNEL_STAMPS = sys.platform == "linux"
_SO_TIMESTAMPNS = 35  # not in the socket module; include/uapi/asm-generic/socket.h
_TIMESPEC = struct.Struct("@ll")
_CONTROL_BYTES = 64
_BLOCK_BYTES = 64 * 1024
_CLOCK_STEP_NS = 200_000  # when the difference of the clocks has changed by more, the wall clock was set
# Reading both one after the other takes less; on a busy machine another process may run in between.
_AT_ONCE_NS = 5_000
_MOST_READINGS = 5


def stamp_arrivals(sock: socket.socket) -> None:
    """Let the kernel stamp what arrives, where it can."""
    if HAS_KERNEL_STAMPS:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def _wall_clock_ahead_ns() -> int:
    """How far ``time.time_ns`` is ahead of ``time.perf_counter_ns``."""
    for _ in range(_MOST_READINGS):
        before_ns, wall_ns, after_ns = time.perf_counter_ns(), time.time_ns(), time.perf_counter_ns()
        if after_ns - before_ns < _AT_ONCE_NS:
            break
    return wall_ns - (before_ns + after_ns) // 2


def note_arrival(ancillary: list[tuple[int, int, bytes]], exchange: Exchange) -> None:
    """Note when the bytes arrived that came with this ancillary data."""
    now_ns = time.perf_counter_ns()
    exchange.received_ns, exchange.by_kernel = now_ns, False
    if abs(_wall_clock_ahead_ns() - (exchange.wall_ns - exchange.sent_ns)) > _CLOCK_STEP_NS:
        return
    for level, kind, value in ancillary:
        if (level, kind, len(value)) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS, _TIMESPEC.size):
            seconds, rest_ns = _TIMESPEC.unpack(value)
            arrived_ns = exchange.sent_ns + seconds * 1_000_000_000 + rest_ns - exchange.wall_ns
            exchange.came_before = arrived_ns <= exchange.sent_ns
            if exchange.sent_ns < arrived_ns <= now_ns:
                exchange.received_ns, exchange.by_kernel = arrived_ns, True


class Socket:
    """A connected socket that never blocks."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def send(self, data: bytes, exchange: Exchange) -> Steps[None]:
        """Write all of ``data``. Raises RequestFailedError, OSError."""
        # Looked up before, so that nothing comes between clock and call.
        clock, ahead_ns, send = time.perf_counter_ns, _wall_clock_ahead_ns(), self.sock.send
        sent = 0
        sent_ns = clock()
        try:
            sent = send(data)
        except BlockingIOError:
            pass
        finally:
            exchange.wrote(sent_ns, sent_ns + ahead_ns)
        while sent < len(data):
            yield Wait(self.sock, WRITE, exchange.deadline_ns)
            with suppress(BlockingIOError):
                sent += send(memoryview(data)[sent:])
            exchange.remaining_ns()

    def receive(self, exchange: Exchange) -> Steps[bytes]:
        """The next bytes, or none at the end. Raises RequestFailedError, OSError."""
        while True:
            yield Wait(self.sock, READ, exchange.deadline_ns)
            try:
                data, ancillary, _, _ = self.sock.recvmsg(_BLOCK_BYTES, _CONTROL_BYTES)
            except BlockingIOError:
                exchange.remaining_ns()
                continue
            note_arrival(ancillary, exchange)
            if exchange.received_ns > exchange.deadline_ns:
                raise timed_out(exchange)
            return data

    def poll(self) -> bytes | None:
        """What has arrived by now: None is nothing yet, no bytes are the end. Raises OSError."""
        try:
            return self.sock.recv(_BLOCK_BYTES)
        except BlockingIOError:
            return None


class TlsLayer:
    """TLS over another layer, which may itself be TLS: that is how an https service is reached by an https proxy."""

    def __init__(self, inner: Layer, context: ssl.SSLContext, host: str) -> None:
        self.sock: socket.socket = inner.sock
        self._inner = inner
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    @property
    def protocol(self) -> str | None:
        """What was agreed upon with the peer: ``h2``."""
        return self._tls.selected_alpn_protocol()

    def shake_hands(self, exchange: Exchange) -> Steps[None]:
        """Raises ssl.SSLError, OSError, RequestFailedError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                yield from self._flush(exchange)
                yield from self._fetch(exchange)
            except ssl.SSLError:
                with suppress(OSError, RequestFailedError):
                    yield from self._flush(exchange)  # the alert with the reason, if the peer still listens
                raise
            else:
                break
        yield from self._flush(exchange)

    def send(self, data: bytes, exchange: Exchange) -> Steps[None]:
        """Write all of ``data``. Raises RequestFailedError, OSError."""
        self._tls.write(data)
        yield from self._flush(exchange)

    def receive(self, exchange: Exchange) -> Steps[bytes]:
        """The next bytes, or none at the end. Raises RequestFailedError, OSError."""
        while (data := self._decrypted()) is None:
            yield from self._fetch(exchange)
            yield from self._flush(exchange)
        return data

    def poll(self) -> bytes | None:
        """What has arrived by now. TLS 1.3 sends session tickets at any time, which are no data."""
        while (data := self._decrypted()) is None and (encrypted := self._inner.poll()) is not None:
            self._take(encrypted)
        return data

    def _flush(self, exchange: Exchange) -> Steps[None]:
        if pending := self._outgoing.read():
            yield from self._inner.send(pending, exchange)

    def _fetch(self, exchange: Exchange) -> Steps[None]:
        self._take((yield from self._inner.receive(exchange)))

    def _take(self, encrypted: bytes) -> None:
        if encrypted:
            self._incoming.write(encrypted)
        else:
            self._incoming.write_eof()

    def _decrypted(self) -> bytes | None:
        """All that can be decrypted by now: None is nothing yet, no bytes are the end. Raises ssl.SSLError."""
        parts: list[bytes] = []
        try:
            while part := self._tls.read(_BLOCK_BYTES):
                parts.append(part)
        except ssl.SSLWantReadError:
            return b"".join(parts) or None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass
        return b"".join(parts)


Layer = Socket | TlsLayer
