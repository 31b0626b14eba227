"""A connected socket, by host name or path: each phase timed by itself, none longer than the exchange allows.

And waiting until the service is ready, before anything is timed.
"""

from __future__ import annotations

import errno
import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import httpx

from perfcheck.client.exchange import Exchange, RequestFailedError, timed_out
from perfcheck.errors import CouldNotMeasureError
from perfcheck.model import Endpoint, Failure, Sample, Service
from perfcheck.units import format_ms

_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]  # as getaddrinfo returns it


def connect_tcp(host: str, port: int, exchange: Exchange) -> socket.socket:
    """Resolve ``host`` and connect to the first of its addresses that accepts. Raises RequestFailedError."""
    started_ns = time.perf_counter_ns()
    addresses = _resolve(host, port, exchange)
    resolved_ns = time.perf_counter_ns()
    sock = _connect_to_any(addresses, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", exchange)
    connected_ns = time.perf_counter_ns()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    exchange.dns_ns = (exchange.dns_ns or 0) + resolved_ns - started_ns
    exchange.connect_ns = (exchange.connect_ns or 0) + connected_ns - resolved_ns
    exchange.exclude(connected_ns - started_ns)
    return sock


def connect_unix(path: str, exchange: Exchange) -> socket.socket:
    """Connect to the socket at ``path``. Raises RequestFailedError."""
    if not hasattr(socket, "AF_UNIX"):
        raise RequestFailedError(Failure.CONNECT, "this system has no Unix sockets")
    started_ns = time.perf_counter_ns()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _connect(sock, path, exchange.remaining_ns() / 1e9)
    except OSError as error:
        raise _not_connected(error, path, exchange) from error
    exchange.connect_ns = time.perf_counter_ns() - started_ns
    exchange.exclude(exchange.connect_ns)
    return sock


def _resolve(host: str, port: int, exchange: Exchange) -> Sequence[_Address]:
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    if _is_literal(host):
        return look_up()
    # The resolver has no timeout, so it is abandoned in its thread when it takes too long.
    result: queue.SimpleQueue[Sequence[_Address] | OSError | UnicodeError] = queue.SimpleQueue()

    def report() -> None:
        try:
            result.put(look_up())
        except (OSError, UnicodeError) as error:
            result.put(error)

    threading.Thread(target=report, daemon=True, name="perfcheck-resolver").start()
    try:
        resolved = result.get(timeout=exchange.remaining_ns() / 1e9)
    except queue.Empty:
        raise timed_out(exchange) from None
    if isinstance(resolved, Sequence):
        return resolved
    reason = resolved.strerror if isinstance(resolved, OSError) else "not a valid name"
    raise RequestFailedError(Failure.NAME, f"cannot resolve {host}: {reason}") from resolved


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _connect_to_any(addresses: Sequence[_Address], where: str, exchange: Exchange) -> socket.socket:
    last: OSError | None = None
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        share_ns = exchange.remaining_ns() / (len(addresses) - tried)  # a dead address leaves time for the others
        try:
            sock = socket.socket(family, kind, protocol)
            _connect(sock, address, share_ns / 1e9)
        except OSError as error:
            last = error
        else:
            return sock
    raise _not_connected(last or OSError(errno.EADDRNOTAVAIL, "no address"), where, exchange) from last


def _connect(sock: socket.socket, address: Any, timeout_s: float) -> None:
    try:
        sock.settimeout(timeout_s)
        sock.connect(address)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise


def _not_connected(error: OSError, where: str, exchange: Exchange) -> RequestFailedError:
    if isinstance(error, TimeoutError):
        return timed_out(exchange)
    if isinstance(error, ConnectionRefusedError):
        return RequestFailedError(Failure.REFUSED, f"connection refused by {where}")
    return RequestFailedError(Failure.CONNECT, f"cannot connect to {where}: {error.strerror or error}")


# --- Waiting until the service is ready ------------------------------------------------------------------------------

_LONGEST_TRY_S = 10.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_FINAL = {Failure.TLS}  # waiting would not change it
_SERVER_ERROR = 500  # from here on: a proxy before a service that is down, or one that is still starting
_REMEDIES = {  # where something answers
    Failure.STATUS: "service.ready must be a path that returns 2xx; raise service.ready_timeout to wait longer",
    Failure.TLS: "correct service.base_url or service.tls",
}
_UNKNOWN_NAME = "correct service.base_url, or give its address with --base-url"
_UNREACHABLE = "start it, or give its address with --base-url"


def wait_until_ready(
    service: Service,
    send: Callable[[Endpoint], Sample],
    target: httpx.URL,
    *,
    shown: Callable[[Endpoint], str],
    unreachable: str | None = None,
) -> float:
    """Request ``service.ready``, or connect to ``target`` without one, until it works; returns the seconds it took.

    Raises CouldNotMeasureError with the last failure. ``unreachable`` is the remedy where nothing answers.
    """
    endpoint = Endpoint(name="service.ready", path=service.ready or "", line=0, headers=service.headers)
    started_s = time.monotonic()
    pause_s = _FIRST_PAUSE_S
    while True:
        left_s = service.ready_timeout_s - (time.monotonic() - started_s)
        try_s = min(max(left_s, 0.001), _LONGEST_TRY_S)
        status: int | None = None
        if service.ready is None:
            failure, detail = _try_to_connect(service, target, Exchange(try_s))
        else:
            sample = send(replace(endpoint, timeout_s=try_s))
            failure, detail, status = sample.failure, sample.detail, sample.status
        waited_s = time.monotonic() - started_s
        if failure is None:
            return waited_s
        if failure in _FINAL or waited_s + pause_s > service.ready_timeout_s:
            after = "" if failure in _FINAL else f" after {format_ms(waited_s * 1000)}"
            raise CouldNotMeasureError(
                f"{shown(endpoint)} is not ready{after}: {detail}",
                _REMEDIES.get(failure) or unreachable or (_UNKNOWN_NAME if failure is Failure.NAME else _UNREACHABLE),
                is_down=failure not in _FINAL and (status is None or status >= _SERVER_ERROR),
            )
        time.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)


def _try_to_connect(service: Service, target: httpx.URL, exchange: Exchange) -> tuple[Failure | None, str | None]:
    try:
        if service.unix_socket:
            sock = connect_unix(service.unix_socket, exchange)
        else:
            port = target.port or (443 if target.scheme == "https" else 80)
            sock = connect_tcp(target.raw_host.decode("ascii"), port, exchange)
    except RequestFailedError as error:
        return error.failure, error.detail
    sock.close()
    return None, None
