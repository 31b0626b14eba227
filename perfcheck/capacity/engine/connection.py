"""A connection to the service, used again and again, and how a request over it fails."""

from __future__ import annotations

import errno
from functools import cache
from select import POLLIN
from socket import AF_UNIX, IPPROTO_TCP, TCP_NODELAY, gaierror

import gevent
from gevent import socket, ssl
from gevent.monkey import get_original
from geventhttpclient.client import IDEMPOTENT_METHODS
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketResponse

from perfcheck.capacity.engine.counts import GeneratorError
from perfcheck.capacity.engine.plan import LoadPlan, PlannedRequest
from perfcheck.client.response import Response
from perfcheck.model import Failure, Tls

_OF_THE_GENERATOR = {
    errno.EADDRNOTAVAIL: GeneratorError.NO_PORTS,
    errno.EMFILE: GeneratorError.NO_FILES,
    errno.ENFILE: GeneratorError.NO_FILES,
    errno.ENOBUFS: GeneratorError.NO_MEMORY,
    errno.ENOMEM: GeneratorError.NO_MEMORY,
}

_poll = get_original("select", "poll")  # which does not yield to other users


class LoadConnection:
    """To the host of the plan alone, without a proxy. Opened by the first request, and again after a failure.

    Requests are sent as they are in the plan: geventhttpclient's own client would build each of them anew, and yield to
    other users within the time that is measured.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._socket: socket.socket | None = None

    def send(self, request: PlannedRequest, data: bytes) -> Response | Failure | GeneratorError | None:
        """What went wrong, until the last byte of the response; a redirect is a status like any other.

        The response where it is to be read. ``data`` are head and body of the request.
        """
        try:
            with gevent.Timeout(request.timeout_s):
                status, response = self._exchange(request, data)
        except (gevent.Timeout, OSError, HTTPParseError) as error:
            self.close()
            return kind_of(error)
        is_expected = any(low <= status <= high for low, high in request.expect)
        return response if is_expected else Failure.STATUS

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, request: PlannedRequest, data: bytes) -> tuple[int, Response | None]:
        """The status. A connection that the service closes while it is idle is no failure of a request."""
        if self._socket is not None and not _is_idle(self._socket):
            self.close()
        is_reused = self._socket is not None
        try:
            return self._exchange_once(request, data)
        except (HTTPConnectionClosed, ConnectionResetError, BrokenPipeError):
            if not is_reused or request.method not in IDEMPOTENT_METHODS:
                raise
        self.close()
        return self._exchange_once(request, data)

    def _exchange_once(self, request: PlannedRequest, data: bytes) -> tuple[int, Response | None]:
        if self._socket is None:
            self._socket = _connect(self._plan)
        self._socket.sendall(data)
        received = (HTTPSocketResponse if request.is_read else _Unread)(self._socket, method=request.method)
        body = received.read()
        if received.should_close():
            self.close()
        return received.status_code, _as_response(received, body) if request.is_read else None


class _Unread(HTTPSocketResponse):
    """Of which only the status is of interest: to keep headers and body takes a third of the time for a request."""

    def _on_header_field(self, string: str) -> None: ...

    def _on_header_value(self, string: str) -> None: ...

    def _on_body(self, buf: bytearray) -> None: ...


def _as_response(received: HTTPSocketResponse, body: bytes) -> Response:
    """With the bytes of the headers, as which Latin-1 is decoded. Raises RequestFailedError for a body too large."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in received.items()]
    response = Response(received.status_code, b"", headers, "HTTP/1.1")
    response.add(body)
    return response


def _is_idle(connection: socket.socket) -> bool:
    """Not closed by the other side, and without bytes that no request waits for."""
    poll = _poll()
    poll.register(connection.fileno(), POLLIN)
    return not poll.poll(0)


def _connect(plan: LoadPlan) -> socket.socket:
    if plan.unix_socket:
        connection = socket.socket(AF_UNIX)
        connection.connect(plan.unix_socket)
    else:
        connection = socket.create_connection((plan.host, plan.port))
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)  # the end of a body does not wait for an acknowledgement
    if plan.tls is None:
        return connection
    return _tls_context(plan.tls).wrap_socket(connection, server_hostname=plan.server_name)


def kind_of(error: BaseException) -> Failure | GeneratorError:
    """Of what went wrong: with the service, or for want of something on this machine."""
    match error:
        case gevent.Timeout() | TimeoutError():
            return Failure.TIMEOUT
        case gaierror():
            return Failure.NAME
        case ssl.SSLError():
            return Failure.TLS
        case HTTPConnectionClosed() | ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            return Failure.RESET
        case ConnectionRefusedError():
            return Failure.REFUSED
        case OSError(errno=number) if number in _OF_THE_GENERATOR:
            return _OF_THE_GENERATOR[number]
        case OSError():
            return Failure.CONNECT
    return Failure.PROTOCOL


def check_tls(plan: LoadPlan) -> None:
    """Raises OSError for a file of a certificate or key that cannot be used."""
    if plan.tls:
        _tls_context(plan.tls)


@cache
def _tls_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca)
    if tls.cert:
        context.load_cert_chain(tls.cert, tls.key)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
