"""HTTP/2 on a connection, one request at a time."""

from __future__ import annotations

from collections import deque

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from perfcheck.client.exchange import Exchange, RequestFailedError, connection_lost, not_http, truncated
from perfcheck.client.http1 import SocketConnection
from perfcheck.client.loop import Steps
from perfcheck.client.prepared_request import Origin, WireRequest
from perfcheck.client.response import Response
from perfcheck.client.transport import Layer
from perfcheck.model import Failure

_WINDOW_BYTES = 2**24
_LONGEST_HEAD = 64 * 1024
_STATUS_DIGITS = 3
_FRAME_HEAD = 9  # bytes (RFC 9113, section 4.1)
_LONGEST_FRAME = 2**14
_GOAWAY = 7
_OF_HTTP1 = {b"host", b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}


class Http2Connection(SocketConnection):
    def __init__(self, layer: Layer, origin: Origin) -> None:
        super().__init__(layer, origin)
        self._h2 = H2Connection(H2Configuration(header_encoding=None, validate_inbound_headers=False))
        initial = {
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW_BYTES,  # a service waits for us as little as possible
            SettingCodes.MAX_HEADER_LIST_SIZE: _LONGEST_HEAD,
        }
        self._h2.local_settings = Settings(client=True, initial_values=initial)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW_BYTES)
        self._stream = 0
        self._events: deque[Event] = deque()  # of the current stream, not looked at yet
        self._is_last = False  # the service takes no stream after the current one
        self._terminated = False  # nor does it respond to that
        self._held = b""  # the beginning of a frame, until it is known whether h2 is to read it
        self._ahead = 0  # bytes of the current frame that h2 is still to read

    def is_idle(self) -> bool:
        try:
            while data := self._layer.poll():  # frames about the connection
                self._take(data)
        except (OSError, RequestFailedError):
            return False
        return data is None and not self._is_last

    def head(self, request: WireRequest, exchange: Exchange) -> Steps[Response]:
        self.reusable = False
        headers = [
            (b":method", request.head.method),
            (b":authority", next(value for name, value in request.head.headers if name == b"host")),
            (b":scheme", request.origin.scheme.encode("ascii")),
            (b":path", request.head.target),
            *((name, value) for name, value in request.head.headers if name not in _OF_HTTP1),
        ]
        self._events.clear()
        try:
            self._stream = self._h2.get_next_available_stream_id()
            self._h2.send_headers(self._stream, headers, end_stream=not request.content)
        except Exception as error:
            raise not_http(error) from error
        exchange.stamps_next = True
        yield from self._flush(exchange)
        yield from self._send_body(memoryview(request.content), exchange)
        while not isinstance(event := (yield from self._next(exchange)), ResponseReceived):
            pass
        fields = list(event.headers or [])
        status = next((value for name, value in fields if name == b":status"), b"")
        if not status.isdigit() or len(status) != _STATUS_DIGITS:
            raise RequestFailedError(Failure.PROTOCOL, "a response without a status")
        return Response(int(status), b"", [field for field in fields if field[0][:1] != b":"], "HTTP/2")

    def body(self, exchange: Exchange, response: Response) -> Steps[None]:
        while self._events or not response.is_enough:
            event = yield from self._next(exchange)
            if isinstance(event, StreamEnded):
                break
            if isinstance(event, DataReceived):
                response.add(event.data or b"")
        else:
            try:
                self._h2.reset_stream(self._stream, ErrorCodes.CANCEL)
                yield from self._flush(exchange)
            except (ProtocolError, RequestFailedError):
                return  # the connection is lost, and with it the rest that nobody needs
        stream = self._h2.streams.get(self._stream)
        self.reusable = not self._is_last and self._unsendable is None and (stream is None or stream.closed)

    def _send_body(self, unsent: memoryview, exchange: Exchange) -> Steps[None]:
        """As the service takes it, or until it has responded."""
        while unsent and not self._events:
            room = min(self._h2.local_flow_control_window(self._stream), self._h2.max_outbound_frame_size)
            if room > 0:
                try:
                    self._h2.send_data(self._stream, unsent[:room].tobytes(), end_stream=len(unsent) <= room)
                except ProtocolError as error:
                    raise not_http(error) from error
                unsent = unsent[room:]
                yield from self._flush(exchange)
            else:
                yield from self._fetch(exchange)

    def _flush(self, exchange: Exchange) -> Steps[None]:
        if data := self._h2.data_to_send():
            yield from self._write(data, exchange)

    def _next(self, exchange: Exchange) -> Steps[Event]:
        while not self._events:
            yield from self._fetch(exchange)
        event = self._events.popleft()
        if isinstance(event, StreamReset):
            reason = getattr(event.error_code, "name", event.error_code)
            raise RequestFailedError(Failure.PROTOCOL, f"the service reset the stream: {reason}")
        return event

    def _fetch(self, exchange: Exchange) -> Steps[None]:
        data = yield from self._read(exchange)
        if not data:
            raise truncated(exchange)
        self._take(data)
        if self._events:  # else these were frames about the connection
            exchange.arrived(len(data))
        elif self._terminated:
            raise connection_lost(None, exchange)
        yield from self._flush(exchange)  # acknowledgements

    def _take(self, data: bytes) -> None:
        try:
            for event in self._h2.receive_data(self._without_graceful_goaway(data)):
                if isinstance(event, ConnectionTerminated):
                    self._is_last = self._terminated = True
                if isinstance(event, DataReceived) and event.flow_controlled_length and event.stream_id:
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if getattr(event, "stream_id", None) == self._stream and isinstance(
                    event, (ResponseReceived, DataReceived, StreamEnded, StreamReset)
                ):
                    self._events.append(event)
        except Exception as error:
            raise not_http(error) from error

    def _without_graceful_goaway(self, data: bytes) -> bytes:
        """After any GOAWAY h2 rejects what follows, though the current stream is completed (RFC 9113, section 6.8)."""
        data, self._held = self._held + data, b""
        kept, at = [], 0
        while at < len(data):
            if not self._ahead:
                head = data[at : at + _FRAME_HEAD]
                size = _FRAME_HEAD + int.from_bytes(head[:3], "big")
                is_goaway = head[3:4] == bytes([_GOAWAY]) and size <= _FRAME_HEAD + _LONGEST_FRAME
                if len(head) < _FRAME_HEAD or (is_goaway and len(data) < at + size):
                    self._held = data[at:]
                    break
                if is_goaway and self._is_graceful(data[at + _FRAME_HEAD : at + size]):
                    self._is_last = True
                    at += size
                    continue
                self._ahead = size
            kept.append(data[at : at + self._ahead])
            at += len(kept[-1])
            self._ahead -= len(kept[-1])
        return b"".join(kept)

    def _is_graceful(self, goaway: bytes) -> bool:
        last_stream, error = int.from_bytes(goaway[:4], "big") & 0x7FFFFFFF, goaway[4:8]
        return error == bytes(4) and last_stream >= self._stream
