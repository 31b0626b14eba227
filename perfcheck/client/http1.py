"""A connection through a socket, and HTTP/1.1 on it."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import Any

import h11

from perfcheck.client.connection import Connection
from perfcheck.client.exchange import (
    CHANGED_PROTOCOL,
    Exchange,
    RequestFailedError,
    connection_lost,
    not_http,
    truncated,
)
from perfcheck.client.loop import Steps
from perfcheck.client.prepared_request import Origin, WireRequest, expect_response
from perfcheck.client.response import Response
from perfcheck.client.transport import Layer
from perfcheck.model import Failure

_LONGEST_HEAD = 100 * 1024
_START = b"HTTP/"
_IDLE_TOO_LONG = re.compile(rb"HTTP/1\.\d 408 ")  # with which some services close a connection
_NO_CONTENT = 204
_SWITCHING_PROTOCOLS = 101


class SocketConnection(Connection):
    def __init__(self, layer: Layer, origin: Origin) -> None:
        super().__init__(origin)
        self._layer = layer
        self._unsendable: OSError | None = None

    @abstractmethod
    def is_idle(self) -> bool:
        """Whether another request may be sent: the service has neither closed the connection nor sent anything."""

    def close(self) -> None:
        self.reusable = False
        self._layer.sock.close()

    def _write(self, data: bytes, exchange: Exchange) -> Steps[None]:
        try:
            yield from self._layer.send(data, exchange)
        except (BrokenPipeError, ConnectionResetError) as error:
            # A service may respond and close before it has read the entire request: the response is read next.
            self._unsendable = error
        except OSError as error:
            raise connection_lost(error, exchange) from error

    def _read(self, exchange: Exchange) -> Steps[bytes]:
        try:
            data = yield from self._layer.receive(exchange)
        except OSError as error:
            raise connection_lost(error, exchange) from error
        if not data and not exchange.received:
            raise connection_lost(self._unsendable, exchange)
        return data


# A response with nothing special about it: one head, in one piece, whose body has a length.
_PLAIN_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)\r\n"
    rb"((?:[-!#$%&'*+.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)+)\r\n"
)
_FIELD = re.compile(rb"([^:]+):[\t ]*(.*?)[\t ]*\r\n")
_WITHOUT_BODY = {204, 304}
_MOST_DIGITS = 15


def plain_response(data: bytes) -> tuple[Response, int] | None:
    """The response that begins with ``data``, and the bytes that it lacks; None when it is not plain."""
    head = _PLAIN_HEAD.match(data)
    if head is None:
        return None
    headers = [(name.lower(), value) for name, value in _FIELD.findall(head[3])]
    framing = [field for field in headers if field[0] in {b"content-length", b"transfer-encoding", b"connection"}]
    if (b"connection", b"keep-alive") in framing:
        framing.remove((b"connection", b"keep-alive"))
    status, rest = int(head[1]), data[head.end() :]
    if len(framing) != 1 or framing[0][0] != b"content-length" or status in _WITHOUT_BODY:
        return None
    length = framing[0][1]
    if not length.isdigit() or len(length) > _MOST_DIGITS or len(rest) > int(length):
        return None
    response = Response(status, head[2], headers, "HTTP/1.1")
    response.add(rest)
    return response, int(length) - len(rest)


class Http1Connection(SocketConnection):
    """Plain responses are read here, and all others by h11, which takes five times as long."""

    def __init__(self, layer: Layer, origin: Origin) -> None:
        super().__init__(layer, origin)
        self._parser: h11.Connection | None = None  # of the current response; None when that is plain
        self._missing = 0  # bytes of a plain body

    def is_idle(self) -> bool:
        try:
            data = self._layer.poll()
        except OSError:
            return False
        self.has_excess = bool(data) and not _IDLE_TOO_LONG.match(data or b"")
        return data is None

    def head(self, request: WireRequest, exchange: Exchange) -> Steps[Response]:
        self.reusable = False
        exchange.stamps_next = True
        yield from self._write(request.data, exchange)
        data = yield from self._take(exchange)
        # On a connection that was used before, this is the end of what came then.
        self.has_excess = exchange.came_before or not data.startswith(_START[: len(data)])
        if request.head.method not in {b"HEAD", b"CONNECT"} and (plain := plain_response(data)):
            self._parser = None
            response, self._missing = plain
            return response
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        expect_response(self._parser, request.head, request.content)
        self._parser.receive_data(data)
        while not isinstance(event := (yield from self._next(self._parser, exchange)), h11.Response):
            if not isinstance(event, h11.InformationalResponse) or event.status_code == _SWITCHING_PROTOCOLS:
                raise RequestFailedError(Failure.PROTOCOL, CHANGED_PROTOCOL)
        version = "HTTP/" + event.http_version.decode("ascii")
        return Response(event.status_code, event.reason, list(event.headers), version)

    def body(self, exchange: Exchange, response: Response) -> Steps[None]:
        if self._parser is None:
            yield from self._plain_body(exchange, response)
            self.reusable = not self._missing and self._unsendable is None and not self.has_excess
            return
        while not isinstance(event := (yield from self._next(self._parser, exchange, response)), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                return
            if not isinstance(event, h11.Data):
                raise truncated(exchange)
            response.add(bytes(event.data))
        self.has_excess = bool(self._parser.trailing_data[0]) or _announces_what_it_must_not_send(response)
        is_done = self._parser.our_state is self._parser.their_state is h11.DONE
        self.reusable = is_done and self._unsendable is None and not self.has_excess

    def _plain_body(self, exchange: Exchange, response: Response) -> Steps[None]:
        while self._missing and not response.is_enough:
            data = yield from self._take(exchange)
            if not data:
                raise truncated(exchange)
            response.add(data[: self._missing])
            self.has_excess = len(data) > self._missing
            self._missing -= min(self._missing, len(data))

    def _next(self, parser: h11.Connection, exchange: Exchange, response: Response | None = None) -> Steps[Any]:
        """NEED_DATA where ``response`` has enough of its body."""
        ended = False
        while True:
            try:
                event = parser.next_event()
            except Exception as error:
                raise (truncated(exchange) if ended else not_http(error)) from error
            if event is not h11.NEED_DATA or (response is not None and response.is_enough):
                return event
            data = yield from self._take(exchange)
            parser.receive_data(data)
            ended = not data

    def _take(self, exchange: Exchange) -> Steps[bytes]:
        data = yield from self._read(exchange)
        exchange.arrived(len(data))
        return data


def _announces_what_it_must_not_send(response: Response) -> bool:
    """A body of status 204, which then arrives at any time (RFC 9112, section 6.3)."""
    framing = response.header(b"transfer-encoding") or response.header(b"content-length").strip("0")
    return response.status == _NO_CONTENT and bool(framing)
