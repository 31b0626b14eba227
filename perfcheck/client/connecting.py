"""Connections to a service: by host name or path, through TLS and proxies, each phase timed by itself."""

from __future__ import annotations

import errno
import functools
import importlib.util
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any

import httpx

from perfcheck.client.exchange import IS_IT_TLS, Exchange, RequestFailedError, timed_out, tls_failed
from perfcheck.client.http1 import Http1Connection, SocketConnection
from perfcheck.client.loop import READ, WRITE, Steps, Wait, pause
from perfcheck.client.prepared_request import Origin, proxy_headers, serialise
from perfcheck.client.proxies import ProxyOf
from perfcheck.client.tls import tls_context
from perfcheck.client.transport import Layer, Socket, TlsLayer, stamp_arrivals
from perfcheck.errors import UsageError
from perfcheck.model import Failure, Service

_Address = tuple[socket.AddressFamily, Any]  # and what connect() takes
_MOST_IDLE = 20  # connections; redirects may lead to any number of services
_FULL_QUEUE_NS = 2_000_000  # between attempts to connect
_OF_THIS_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_NOT_CONNECTED = 300  # from here on, the status of a CONNECT request


class Connector:
    """Opens the connections of one service, and keeps those that can be used again."""

    def __init__(self, service: Service, proxy_of: ProxyOf) -> None:
        """Raises UsageError when the baseline requires what is not available."""
        if service.http2 and importlib.util.find_spec("h2") is None:
            raise UsageError("service.http2 needs the package h2", "pip install 'perfcheck[http2]'")
        self._service = service
        self._proxy_of = proxy_of
        self._service_origin = Origin.of(httpx.URL(service.base_url))
        self._idle: list[SocketConnection] = []
        self.has_excess = False  # a connection had more than was requested
        if service.base_url.lower().startswith("https:") or service.tls.ca or service.tls.cert:
            _ = self._context  # a file that cannot be read is an error of the baseline
        # The kernel stamps nothing until a while after the first socket wants it.
        self._stamped = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stamp_arrivals(self._stamped)

    def close(self) -> None:
        self.close_idle()
        self._stamped.close()

    def close_idle(self, *, but: int = 0) -> None:
        """Close the connections that are not in use, but for the last so many that were."""
        while len(self._idle) > but:
            self._idle.pop(0).close()

    def keep(self, connection: SocketConnection) -> None:
        """Take back a connection after its use, to be used again or closed."""
        self.has_excess = self.has_excess or connection.has_excess
        if connection.reusable:
            self._idle.append(connection)
            self.close_idle(but=_MOST_IDLE)
        else:
            connection.close()

    def idle(self, origin: Origin) -> SocketConnection | None:
        """The connection to ``origin`` that was used last, if it is still there."""
        for connection in reversed(self._idle[:]):
            if connection.origin == origin:
                self._idle.remove(connection)
                connection.reusable = connection.is_idle()
                if connection.reusable:
                    return connection
                self.keep(connection)
        return None

    def connect(self, origin: Origin, exchange: Exchange) -> Steps[SocketConnection]:
        """A new connection. Raises RequestFailedError."""
        proxy = self._proxy_of(origin)
        sock = yield from self._connect(origin, exchange)
        layer: Layer = Socket(sock)
        try:
            if proxy is not None:
                if proxy.url.scheme == "https":
                    layer = yield from _start_tls(layer, self._proxy_context, Origin.of(proxy.url).host, exchange)
                if origin.scheme == "https":
                    yield from _open_tunnel(layer, origin, proxy, exchange)
            if origin.scheme == "https":
                layer = yield from _start_tls(layer, self._context, origin.host, exchange)
        except BaseException:
            sock.close()
            raise
        # Without TLS there is no negotiation, so the service gets HTTP/2 at once (RFC 9113, section 3.3).
        at_once = self._service.http2 and proxy is None and origin == self._service_origin
        if layer.protocol == "h2" if isinstance(layer, TlsLayer) and origin.scheme == "https" else at_once:
            from perfcheck.client.http2 import Http2Connection  # noqa: PLC0415 - an extra

            return Http2Connection(layer, origin)
        return Http1Connection(layer, origin)

    def try_to_connect(self, origin: Origin, timeout_s: float) -> Steps[RequestFailedError | None]:
        """Whether the service, or its proxy, accepts a connection; without TLS."""
        try:
            sock = yield from self._connect(origin, Exchange(timeout_s))
        except RequestFailedError as error:
            return error
        sock.close()
        return None

    def speaks_tls(self, origin: Origin, timeout_s: float) -> Steps[bool]:
        """Whether the port of an http:// address takes a TLS handshake."""
        if origin.scheme == "https" or self._proxy_of(origin) is not None:
            return False
        exchange = Exchange(timeout_s)
        try:
            sock = yield from self._connect(origin, exchange)
            with sock:
                yield from _start_tls(Socket(sock), _unverified(), origin.host, exchange)
        except RequestFailedError:
            return False
        return True

    def _connect(self, origin: Origin, exchange: Exchange) -> Steps[socket.socket]:
        is_elsewhere = origin != self._service_origin  # a login, or where a redirect leads
        if (path := self._service.unix_socket) and not is_elsewhere:
            with exchange.setting_up("connect"):
                return (yield from _connect_to_any([(socket.AF_UNIX, path)], path, exchange))
        if self._service.connect_to is None or is_elsewhere:
            proxy = self._proxy_of(origin)
            return (yield from _connect_to_peer(Origin.of(proxy.url) if proxy else origin, exchange))
        peer = Origin(origin.scheme, *self._service.connect_to)
        try:
            return (yield from _connect_to_peer(peer, exchange))
        except RequestFailedError as error:
            error.detail += f" (service.connect_to: {peer.authority} instead of {origin.authority})"
            error.remedy = "start what listens there, or correct service.connect_to"
            raise

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        context = tls_context(self._service.tls)
        context.set_alpn_protocols(["h2", "http/1.1"] if self._service.http2 else ["http/1.1"])
        return context

    @functools.cached_property
    def _proxy_context(self) -> ssl.SSLContext:
        return tls_context(self._service.tls)


# --- TCP and Unix sockets --------------------------------------------------------------------------------------------


def _connect_to_peer(peer: Origin, exchange: Exchange) -> Steps[socket.socket]:
    with exchange.setting_up("dns"):
        addresses = yield from _resolve(peer.host, peer.port, exchange)
    with exchange.setting_up("connect"):
        sock = yield from _connect_to_any(addresses, peer.authority, exchange)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stamp_arrivals(sock)
    return sock


def _resolve(host: str, port: int, exchange: Exchange) -> Steps[Sequence[_Address]]:
    if _is_literal(host):
        return _look_up(host, port)
    # The resolver has no timeout, so it is abandoned in its thread when it takes too long.
    resolved: list[Sequence[_Address] | RequestFailedError] = []
    here, there = socket.socketpair()

    def resolve() -> None:
        with there:  # its end is what the other side waits for
            try:
                resolved.append(_look_up(host, port))
            except RequestFailedError as error:
                resolved.append(error)

    with here:
        threading.Thread(target=resolve, daemon=True, name="perfcheck-resolver").start()
        if not (yield Wait(here, READ, exchange.deadline_ns)):
            raise timed_out(exchange)
    (result,) = resolved
    if isinstance(result, RequestFailedError):
        raise result
    return result


def _look_up(host: str, port: int) -> Sequence[_Address]:
    try:
        return [(family, address) for family, *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a valid name"
        raise RequestFailedError(Failure.NAME, f"cannot resolve {host}: {reason}") from error


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _connect_to_any(addresses: Sequence[_Address], where: str, exchange: Exchange) -> Steps[socket.socket]:
    last: OSError | None = None
    for tried, (family, address) in enumerate(addresses):
        share_ns = exchange.remaining_ns() // (len(addresses) - tried)  # a dead address leaves time for the others
        try:
            return (yield from _connect(family, address, time.perf_counter_ns() + share_ns))
        except OSError as error:
            if error.errno in _OF_THIS_MACHINE:  # no failure of the service
                raise
            last = error
    raise _not_connected(last or OSError(errno.EADDRNOTAVAIL, "no address"), where, exchange) from last


def _connect(family: int, address: Any, deadline_ns: int) -> Steps[socket.socket]:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)  # noqa: FBT003
        # The queue of a Unix socket is full: TCP tries again by itself.
        while (code := sock.connect_ex(address)) == errno.EAGAIN and time.perf_counter_ns() < deadline_ns:
            yield from pause(_FULL_QUEUE_NS)
        if code == errno.EAGAIN:
            code = errno.ETIMEDOUT
        if code == errno.EINPROGRESS:
            ready = yield Wait(sock, WRITE, deadline_ns)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if ready else errno.ETIMEDOUT
    except BaseException:
        sock.close()
        raise
    if code:
        sock.close()
        raise OSError(code, os.strerror(code))
    return sock


def _not_connected(error: OSError, where: str, exchange: Exchange) -> RequestFailedError:
    if isinstance(error, TimeoutError):
        return timed_out(exchange)
    if isinstance(error, ConnectionRefusedError):
        return RequestFailedError(Failure.REFUSED, f"connection refused by {where}")
    return RequestFailedError(Failure.CONNECT, f"cannot connect to {where}: {error.strerror or error}")


# --- TLS and tunnels -------------------------------------------------------------------------------------------------


def _start_tls(layer: Layer, context: ssl.SSLContext, host: str, exchange: Exchange) -> Steps[Layer]:
    try:
        with exchange.setting_up("tls"):
            secure = TlsLayer(layer, context, host)
            yield from secure.shake_hands(exchange)
    except OSError as error:  # ssl.SSLError is one
        raise tls_failed(error, host) from error
    except RequestFailedError as error:  # timed out: a service that reads lines waits for the end of one
        error.remedy = IS_IT_TLS
        raise
    except ValueError as error:
        raise RequestFailedError(Failure.NAME, f"not a valid host name for TLS: {host}") from error
    return secure


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _open_tunnel(layer: Layer, origin: Origin, proxy: httpx.Proxy, exchange: Exchange) -> Steps[None]:
    target = origin.authority.encode("ascii")
    headers = [(b"Host", target), (b"Accept", b"*/*"), *proxy_headers(proxy)]
    refusal: str | None = None
    try:
        request = serialise(origin, b"CONNECT", target, headers)
        with exchange.setting_up("connect"):
            response = yield from Http1Connection(layer, origin).head(request, Exchange(exchange.remaining_ns() / 1e9))
        if response.status >= _NOT_CONNECTED:
            refusal = f"{response.status} {response.reason}"
    except RequestFailedError as error:
        if error.failure is Failure.TIMEOUT:
            raise timed_out(exchange) from error
        refusal = error.detail
    if refusal is not None:
        raise RequestFailedError(Failure.CONNECT, f"the proxy refused the connection: {refusal}")
