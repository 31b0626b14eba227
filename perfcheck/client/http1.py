"""A connection to the service, and HTTP/1.1 on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import h11

from perfcheck.client.exchange import Exchange, RequestFailedError, connection_lost, not_http, truncated
from perfcheck.client.loop import Steps
from perfcheck.client.prepared_request import Origin, WireRequest
from perfcheck.client.response import Response
from perfcheck.client.transport import Layer
from perfcheck.model import Failure

_LONGEST_HEAD = 100 * 1024
_END = h11.EndOfMessage()
_SWITCHING_PROTOCOLS = 101


class Connection(ABC):
    """``head``, then ``body``, then perhaps another request. Both raise RequestFailedError."""

    def __init__(self, layer: Layer, origin: Origin) -> None:
        self.origin = origin
        self.reusable = False
        self._layer = layer
        self._unsendable: OSError | None = None

    @abstractmethod
    def is_idle(self) -> bool:
        """Whether another request may be sent: the service has neither closed the connection nor sent anything."""

    @abstractmethod
    def head(self, request: WireRequest, exchange: Exchange) -> Steps[Response]:
        """Send the request; returns the head of its response."""

    @abstractmethod
    def body(self, exchange: Exchange, response: Response) -> Steps[None]:
        """Read the rest of the response into ``response``."""

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


class Http1Connection(Connection):
    def __init__(self, layer: Layer, origin: Origin) -> None:
        super().__init__(layer, origin)
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)

    def is_idle(self) -> bool:
        try:
            return self._layer.poll() is None
        except OSError:
            return False

    def head(self, request: WireRequest, exchange: Exchange) -> Steps[Response]:
        self.reusable = False
        try:
            data = self._parser.send(request.head) or b""
            if request.content:
                data += self._parser.send(h11.Data(request.content)) or b""
            data += self._parser.send(_END) or b""
        except h11.LocalProtocolError as error:
            raise not_http(error) from error
        exchange.stamps_next = True
        yield from self._write(data, exchange)
        while not isinstance(event := (yield from self._next(exchange)), h11.Response):
            if not isinstance(event, h11.InformationalResponse) or event.status_code == _SWITCHING_PROTOCOLS:
                raise _unexpected(event)
        version = "HTTP/" + event.http_version.decode("ascii")
        return Response(event.status_code, event.reason, list(event.headers), version)

    def body(self, exchange: Exchange, response: Response) -> Steps[None]:
        while not isinstance(event := (yield from self._next(exchange)), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise _unexpected(event)
            response.add(bytes(event.data))
        if self._parser.trailing_data[0]:
            raise RequestFailedError(Failure.PROTOCOL, "the response was longer than announced")
        if self._parser.our_state is self._parser.their_state is h11.DONE and self._unsendable is None:
            self._parser.start_next_cycle()
            self.reusable = True

    def _next(self, exchange: Exchange) -> Steps[Any]:
        ended = False
        while True:
            try:
                event = self._parser.next_event()
            except Exception as error:
                raise (truncated(exchange) if ended else not_http(error)) from error
            if event is not h11.NEED_DATA:
                return event
            data = yield from self._read(exchange)
            exchange.arrived(len(data), self._layer.received_ns, by_kernel=self._layer.by_kernel)
            self._parser.receive_data(data)
            ended = not data


def _unexpected(event: object) -> RequestFailedError:
    return RequestFailedError(Failure.PROTOCOL, f"unexpected in a response: {type(event).__name__}")
