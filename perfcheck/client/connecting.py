"""A connected socket, by host name or path: each phase timed by itself, none longer than the exchange allows."""

from __future__ import annotations

import errno
import ipaddress
import queue
import socket
import threading
import time
from typing import NamedTuple

from perfcheck.client.exchange import Exchange, RequestFailedError, timed_out
from perfcheck.model import Failure


class _Address(NamedTuple):
    family: socket.AddressFamily
    kind: socket.SocketKind
    protocol: int
    canonical_name: str
    address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


def connect_tcp(host: str, port: int, exchange: Exchange) -> socket.socket:
    """Resolve ``host`` and connect to the first of its addresses that accepts. Raises RequestFailedError."""
    started_ns = time.perf_counter_ns()
    addresses = _resolve(host, port, exchange)
    resolved_ns = time.perf_counter_ns()
    sock = _connect_to_any(addresses, _where(host, port), exchange)
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
        _connect(sock, path, _remaining_s(exchange))
    except OSError as error:
        raise _not_connected(error, path, exchange) from error
    exchange.connect_ns = time.perf_counter_ns() - started_ns
    exchange.exclude(exchange.connect_ns)
    return sock


def _resolve(host: str, port: int, exchange: Exchange) -> list[_Address]:
    if _is_literal(host):
        return _look_up(host, port)
    # The resolver has no timeout, so it is abandoned in its thread when it takes too long.
    result: queue.SimpleQueue[list[_Address] | OSError | UnicodeError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            result.put(_look_up(host, port))
        except (OSError, UnicodeError) as error:
            result.put(error)

    threading.Thread(target=look_up, daemon=True, name="perfcheck-resolver").start()
    try:
        resolved = result.get(timeout=_remaining_s(exchange))
    except queue.Empty:
        raise timed_out(exchange) from None
    if isinstance(resolved, list):
        return resolved
    reason = resolved.strerror if isinstance(resolved, OSError) else "not a valid name"
    raise RequestFailedError(Failure.NAME, f"cannot resolve {host}: {reason}") from resolved


def _look_up(host: str, port: int) -> list[_Address]:
    return [_Address(*info) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _connect_to_any(addresses: list[_Address], where: str, exchange: Exchange) -> socket.socket:
    last: OSError | None = None
    for tried, address in enumerate(addresses):
        share_s = _remaining_s(exchange) / (len(addresses) - tried)  # a dead address leaves time for the others
        try:
            sock = socket.socket(address.family, address.kind, address.protocol)
            _connect(sock, address.address, share_s)
        except OSError as error:
            last = error
        else:
            return sock
    raise _not_connected(last or OSError(errno.EADDRNOTAVAIL, "no address"), where, exchange) from last


def _connect(sock: socket.socket, address: object, timeout_s: float) -> None:
    try:
        sock.settimeout(timeout_s)
        sock.connect(address)  # type: ignore[arg-type]
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


def _remaining_s(exchange: Exchange) -> float:
    remaining_ns = exchange.deadline_ns - time.perf_counter_ns()
    if remaining_ns <= 0:
        raise timed_out(exchange)
    return remaining_ns / 1e9


def _where(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
