"""The sample service on a socket: a thread for each connection, and a stop that leaves nothing behind."""

from __future__ import annotations

import logging
import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from perfcheck.demo import DEFAULT_HOST, DEFAULT_ROUND_TRIP_MS, DEFAULT_SEED, Regression
from perfcheck.demo.http_handler import HttpHandler, ServiceLog
from perfcheck.demo.service import SampleService
from perfcheck.text import clean

_POLL_S = 0.1  # how long a stop from another thread may take to be seen


class DemoServer(socketserver.ThreadingTCPServer):
    """Listens as soon as it is made; closing it ends its connections and waits for their threads.

    Raises OSError when it cannot listen there.
    """

    request_queue_size = 128
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two servers share a port
    daemon_threads = False

    def __init__(self, host: str, port: int, service: SampleService, log: Callable[[str], None] | None = None) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.service = service
        self._log = ServiceLog(log)
        self._connections: set[socket.socket] = set()
        self._changing = threading.Lock()
        super().__init__((host, port), partial(HttpHandler, service, self._log))

    @property
    def url(self) -> str:
        return base_url_of(*self.server_address[:2])

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changing:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._changing:
            self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening, end every connection, wait for their threads."""
        with self._changing:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        super().server_close()
        self.service.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the signature of the base class
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):  # clients may leave at any time
            self._log.error(error)


def base_url_of(host: str | bytes | bytearray, port: int) -> str:
    """The URL of an address as sockets have it."""
    name = host if isinstance(host, str) else host.decode()
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def create_server(
    host: str = DEFAULT_HOST,
    port: int = 0,
    *,
    regressions: Iterable[str] = (),
    round_trip_ms: float = DEFAULT_ROUND_TRIP_MS,
    seed: int = DEFAULT_SEED,
    log: Callable[[str], None] | None = None,
) -> DemoServer:
    """A server that listens and does not respond yet: call ``serve_forever``, ``shutdown``, ``server_close``.

    Port 0 is any free port. Raises OSError when it cannot listen there, ValueError for an unknown regression.
    """
    chosen = frozenset(Regression(name) for name in regressions)
    return DemoServer(host, port, SampleService(regressions=chosen, round_trip_ms=round_trip_ms, seed=seed), log)


def serve(
    host: str,
    port: int,
    *,
    ready: Callable[[str], None],
    regressions: Iterable[str] = (),
    round_trip_ms: float = DEFAULT_ROUND_TRIP_MS,
    seed: int = DEFAULT_SEED,
    log: Callable[[str], None] | None = None,
    monitor_log: Callable[[str], None] | None = None,
    stop_with_stdin: bool = False,
) -> None:
    """Serve until interrupted, or with ``stop_with_stdin`` until standard input ends. Calls ``ready`` with the
    base URL once it listens.

    ``log`` gets a line for each request, ``monitor_log`` the monitor's lines: slow responses, N+1 queries.
    Raises OSError when it cannot listen there.
    """
    with suppress(KeyboardInterrupt), _monitor_logging_to(monitor_log):
        server = create_server(host, port, regressions=regressions, round_trip_ms=round_trip_ms, seed=seed, log=log)
        with server:
            if stop_with_stdin:
                threading.Thread(target=_stop_when_stdin_ends, args=(server,), daemon=True).start()
            ready(server.url)
            server.service.prepare()  # while the first client starts: its connection waits in the backlog
            server.serve_forever(_POLL_S)


def _stop_when_stdin_ends(server: DemoServer) -> None:
    """The process at the other end has closed it or died. Bypasses Python's buffer, whose lock would block the exit."""
    with suppress(OSError):
        while os.read(0, 1024):
            pass
    server.shutdown()


@contextmanager
def _monitor_logging_to(write: Callable[[str], None] | None) -> Iterator[None]:
    """Nowhere without ``write``: by default a warning goes to standard error, a pipe that may never be read."""
    logger = logging.getLogger("perfcheck.monitor")
    handler = _Lines(write) if write else logging.NullHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


class _Lines(logging.Handler):
    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(f"monitor: {record.levelname.lower()}: {clean(self.format(record))}")
        except Exception:  # noqa: BLE001 - a request must not fail for a log that cannot be written
            self.handleError(record)
