"""The network backend of httpcore: what it reads and writes is stamped at the socket (see ``layers``)."""

from __future__ import annotations

import re
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import httpcore

from perfcheck.client.connecting import connect_tcp, connect_unix
from perfcheck.client.exchange import Exchange, RequestFailedError, connection_lost, timed_out, tls_failed
from perfcheck.client.layers import Layer, SocketLayer, TlsLayer
from perfcheck.client.response import BODY_CAP

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d\d\d)")
_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r?\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\ntransfer-encoding:[ \t]*chunked[ \t]*\r?\n", re.IGNORECASE)
_ANY_FRAMING = re.compile(rb"\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,12})[ \t]*(?:;[^\r\n]*)?\r\n")
_LONGEST_LINE = 1024
_LONGEST_TRAILER = 65536


class ResponseEnd:
    """Fed with the bytes of one response as they come; ``more`` is whether some are certainly missing."""

    def __init__(self, *, head_request: bool, limit: int) -> None:
        """``limit``: a body announced longer is not read ahead, so that it can be rejected."""
        self._bodiless = head_request
        self._limit = limit
        self._unparsed = b""
        self._missing = 0  # bytes of the body, or of the current chunk
        self._state: Callable[[bytes], None] = self._in_head
        self.more = False  # bytes are certainly missing
        self.overlong = False  # bytes came after the end of the response

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; returns ``more``."""
        self._state(data)
        return self.more

    def _in_head(self, data: bytes) -> None:
        data = self._unparsed + data
        status, end = _STATUS_LINE.match(data), _HEAD_END.search(data)
        if status is None or end is None or status[1] == b"101":
            self._give_up()  # garbage, a head in pieces, another protocol
        elif status[1].startswith(b"1"):  # an interim response: the real one follows
            self._unparsed, self.more = b"", True
            if rest := data[end.end() :]:
                self._in_head(rest)
        else:
            self._bodiless = self._bodiless or status[1] in {b"204", b"304"}
            self._enter_body(data[: end.start() + 1], data[end.end() :])

    def _enter_body(self, head: bytes, rest: bytes) -> None:
        lengths = _LENGTH.findall(head)
        framings = len(_ANY_FRAMING.findall(head))
        if self._bodiless:
            self._state = self._in_length
        elif framings == 0:
            self._state = self._until_close
        elif framings == 1 and lengths and int(lengths[0]) <= self._limit:
            self._missing, self._state = int(lengths[0]), self._in_length
        elif framings == 1 and _CHUNKED.search(head):
            self._state = self._in_chunks
        else:
            self._state = self._unknown
        self._state(rest)

    def _in_length(self, data: bytes) -> None:
        self._missing -= len(data)
        self.more, self.overlong = self._missing > 0, self._missing < 0

    def _in_chunks(self, data: bytes) -> None:
        data, self._unparsed = self._unparsed + data, b""
        at, self.more = 0, True
        while self._missing < len(data) - at:
            at += self._missing
            self._missing = 0
            line = _CHUNK_LINE.match(data, at)
            if line is None:
                self._unparsed = data[at:]
                if b"\n" in self._unparsed or len(self._unparsed) > _LONGEST_LINE:
                    self._give_up()
                return
            at, size = line.end(), int(line[1], 16)
            if size == 0:
                self._state = self._in_trailer
                self._in_trailer(data[at - len(b"\r\n") :])
                return
            self._missing = size + len(b"\r\n")
        self._missing -= len(data) - at

    def _in_trailer(self, data: bytes) -> None:
        """The end of the line of the last chunk, header lines (usually none), and an empty line."""
        self._unparsed += data
        end = self._unparsed.find(b"\r\n\r\n")
        self.more, self.overlong = end < 0, 0 <= end < len(self._unparsed) - len(b"\r\n\r\n")
        if len(self._unparsed) > _LONGEST_TRAILER and self.more:
            self._give_up()

    def _until_close(self, _data: bytes) -> None:
        self.more = True

    def _unknown(self, _data: bytes) -> None:
        self.more = False

    def _give_up(self) -> None:
        self._state, self.more = self._unknown, False


# A tunnel through HTTP, or SOCKS 5 and its log-in (RFC 1928, 1929).
_TO_A_PROXY = (b"CONNECT ", b"\x05", b"\x01")
_HTTP2 = (b"PRI * HTTP/2", b"\x00")  # the first bytes of a connection, or of a frame (RFC 9113)


class StampedBackend(httpcore.NetworkBackend):
    """Opens connections, and gives every stream the current exchange: one at a time.

    The timeouts of the HTTP library are not used: the exchange has a deadline of its own.
    """

    def __init__(self) -> None:
        self.exchange = Exchange(timeout_s=0)

    def connect_tcp(self, host: str, port: int, *_args: object, **_kwargs: object) -> StampedStream:
        self.exchange.fresh = True
        return StampedStream(SocketLayer(connect_tcp(host, port, self.exchange)), self)

    def connect_unix_socket(self, path: str, *_args: object, **_kwargs: object) -> StampedStream:
        self.exchange.fresh = True
        return StampedStream(SocketLayer(connect_unix(path, self.exchange)), self)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class StampedStream(httpcore.NetworkStream):
    """Holds back what is written until the first read, so that a request leaves in one piece."""

    def __init__(self, layer: Layer, backend: StampedBackend) -> None:
        self._layer = layer
        self._backend = backend
        self._unsent: list[bytes] = []
        self._ahead: deque[bytes] = deque()
        self._end: ResponseEnd | None = None
        self._with_proxy = False
        self._written_ns = 0
        self._unsendable: OSError | None = None
        self._broken: RequestFailedError | None = None
        self._spent = False  # the next response cannot be separated from the rest of the last

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        if buffer:
            self._unsent.append(buffer)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        if not self._ahead:
            if self._broken is not None:
                raise self._broken
            exchange = self._backend.exchange
            try:
                if self._unsent:
                    self._send(exchange)
                self._take(self._layer.receive(exchange), exchange)
            except OSError as error:
                raise connection_lost(error, exchange) from error
            self._read_ahead(exchange)
        piece = self._ahead.popleft()
        if len(piece) > max_bytes:
            self._ahead.appendleft(piece[max_bytes:])
            piece = piece[:max_bytes]
        return piece

    def _send(self, exchange: Exchange) -> None:
        request = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
        self._unsent.clear()
        self._with_proxy = request.startswith(_TO_A_PROXY)
        if self._with_proxy or request.startswith(_HTTP2):
            self._end = None
        else:
            self._end = ResponseEnd(head_request=request.startswith(b"HEAD "), limit=BODY_CAP)
        self._written_ns = time.perf_counter_ns()
        first = not exchange.sent_ns and not self._with_proxy
        if first:
            exchange.sent_ns = self._written_ns
            exchange.deadline_ns = exchange.sent_ns + exchange.timeout_ns
        try:
            sent_ns = self._layer.transmit(request, exchange)
        except (BrokenPipeError, ConnectionResetError) as error:
            # A service may respond and close before it has read the entire request: the response is read next.
            self._unsendable = error
            return
        if first:
            exchange.sent_ns = sent_ns

    def _read_ahead(self, exchange: Exchange) -> None:
        """Read what is certain to come, so that the time it takes to parse the beginning is not in the latency.

        When that fails, the beginning is returned first: it may hold the status.
        """
        data = self._ahead[0]
        if self._end is None or not data:
            return
        more = self._end.feed(data)
        try:
            while more and exchange.received <= BODY_CAP:
                data = self._layer.receive(exchange)
                self._take(data, exchange)
                more = bool(data) and self._end.feed(data)
        except OSError as error:
            self._broken = connection_lost(error, exchange)
        except RequestFailedError as error:
            self._broken = error
        if self._end.overlong:
            exchange.overlong = self._spent = True

    def _take(self, data: bytes, exchange: Exchange) -> None:
        received_ns = self._layer.received_ns
        if self._with_proxy:
            exchange.connect_ns = (exchange.connect_ns or 0) + received_ns - self._written_ns
            exchange.exclude(received_ns - self._written_ns)
            self._written_ns = received_ns
        else:
            if not data and not exchange.received:
                raise connection_lost(self._unsendable, exchange)
            exchange.first_ns = exchange.first_ns or received_ns
            exchange.last_ns = received_ns
            exchange.received += len(data)
            exchange.ended = not data
        if received_ns > exchange.deadline_ns:
            raise timed_out(exchange)
        self._ahead.append(data)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, *_args: object, **_kwargs: object
    ) -> StampedStream:
        exchange = self._backend.exchange
        started_ns = time.perf_counter_ns()
        try:
            layer = TlsLayer(self._layer, ssl_context, server_hostname, exchange)
        except OSError as error:  # ssl.SSLError is one
            self.close()
            raise tls_failed(error, server_hostname) from error
        except BaseException:
            self.close()
            raise
        duration_ns = time.perf_counter_ns() - started_ns
        exchange.tls_ns = (exchange.tls_ns or 0) + duration_ns
        exchange.exclude(duration_ns)
        return StampedStream(layer, self._backend)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._layer.tls if isinstance(self._layer, TlsLayer) else None
        if info == "is_readable":
            return self._spent or bool(self._ahead) or self._layer.readable(self._backend.exchange)
        return None

    def close(self) -> None:
        self._layer.sock.close()
