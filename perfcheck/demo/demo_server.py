"""The sample service on a socket: a thread for each connection, and a stop that leaves nothing behind."""

from __future__ import annotations

import json
import logging
import os
import socket
import socketserver
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from time import monotonic
from typing import Any, Unpack
from urllib.parse import SplitResult, urlsplit

from perfcheck.demo import DEFAULT_HOST, ServiceOptions
from perfcheck.demo.api_description import DOCUMENTS, DemoRouter
from perfcheck.demo.call import ApiRequest, Reply
from perfcheck.demo.service import SampleService, methods_of, refusal, route_of
from perfcheck.monitor.frameworks import endpoint_name
from perfcheck.monitor.lifecycle import Request, begin
from perfcheck.monitor.registry import default
from perfcheck.monitor.settings import settings
from perfcheck.text import clean
from perfcheck.words import plural

_LARGEST_BODY = 1_000_000  # of a request; nothing here has a use for as much
_MOST_DIGITS = 12
_PIECE = 65536


class HttpHandler(BaseHTTPRequestHandler):
    """One connection. Requests are served one after another until either side closes it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, service: SampleService, log: Callable[[str], None], *connection: Any) -> None:
        self._service = service
        self._log = log
        super().__init__(*connection)  # which serves it

    def do_GET(self) -> None:
        body = self._body()
        if isinstance(body, HTTPStatus):
            self.send_error(body)
            return
        try:
            target = urlsplit(self.path)
        except ValueError:
            self._send(refusal(HTTPStatus.BAD_REQUEST, "the URL cannot be read"))
            return
        if target.path in DOCUMENTS and self.command in {"GET", "HEAD"}:  # no endpoint: the monitor does not count it
            self._send(Reply(HTTPStatus.OK, DOCUMENTS[target.path]()))
        elif not self._serve_statistics(target):
            self._serve(target, body)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """For what the base class refuses (a malformed request line, headers too long): as JSON, and then close."""
        self.close_connection = True
        status = HTTPStatus(code)
        self._send(refusal(status, message or explain or status.description))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of the base class
        self._log(clean(format % args))

    def _serve(self, target: SplitResult, body: bytes) -> None:
        """Counted by the monitor from here to the last byte, under its route: the number of paths is unlimited."""
        route, _ = route_of(target.path)
        is_allowed = self.command in methods_of(route)
        request = begin(endpoint_name(self.command, route if is_allowed else None), query=target.query)
        try:
            if is_allowed and self._service.hangs(target.path):
                self.close_connection = True
                self._left_within(None)
                request.finish(disconnected=True)
                return
            reply = self._reply(ApiRequest(self.command, target.path, target.query, self._lower_case(), body))
            if reply.events is not None:
                self._stream(reply, reply.events, request)
                request.finish(disconnected=True)
            else:
                request.finish(status=reply.status, response_bytes=self._send(reply, request))
        except BaseException as error:
            request.finish(error=True, disconnected=isinstance(error, ConnectionError))
            raise

    def _reply(self, request: ApiRequest) -> Reply:
        try:
            return self._service.answer(request)
        except Exception:  # noqa: BLE001 - a bug in here: the client gets a 500 and the log gets the rest
            self._log(traceback.format_exc())
            return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the sample service failed; see its log (-v)")

    def _serve_statistics(self, target: SplitResult) -> bool:
        """Whether the request was for the monitor's API, and its response is sent."""
        if not target.path.startswith(settings().prefix):
            return False
        from perfcheck.monitor import api  # noqa: PLC0415 - start-up need not wait for it

        client = str(self.client_address[0])
        answer = api.answer(self.command, target.path, target.query, self._lower_case(), client, router=DemoRouter)
        if answer is not None:
            self._write(HTTPStatus(answer.status), answer.headers, answer.body, "the monitor's API")
        return answer is not None

    def _send(self, reply: Reply, request: Request | None = None) -> int:
        """The number of bytes of the body that were sent."""
        body = b""
        headers = [*reply.headers, ("X-Query-Count", str(reply.queries))]
        if reply.page is not None:
            body = reply.page
        elif reply.body is not None:
            body = json.dumps(reply.body, ensure_ascii=False, separators=(",", ":")).encode()
            headers.append(("Content-Type", "application/json; charset=utf-8"))
        if reply.page is not None or reply.body is not None:
            headers.append(("Content-Length", str(len(body))))
        took_s = 0.0
        if request is not None:
            request.responding()
            took_s = request.elapsed_s
            headers.append(("Server-Timing", request.server_timing()))
        sent = b"" if self.command == "HEAD" else body
        self._write(reply.status, headers, sent, f"{1000 * took_s:.1f} ms, {plural(reply.queries, 'query')}")
        return len(sent)

    def _write(self, status: HTTPStatus, headers: Iterable[tuple[str, str]], body: bytes, note: str) -> None:
        """Headers and body in one send, so that neither waits for the other to be acknowledged."""
        head = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Date: {self.date_time_string()}",
            *(f"{name}: {value}" for name, value in headers),
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
        ]
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        self._log(clean(f"{self.requestline} -> {status.value}, {note}, {len(body)} B"))

    def _body(self) -> bytes | HTTPStatus:
        """The body, read also where nothing has a use for it: it would be taken for the next request. A status for one
        whose end is unknown, too far, or missing.
        """
        length = self.headers.get("Content-Length", "0").strip()
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            return HTTPStatus.BAD_REQUEST
        if len(length) > _MOST_DIGITS or int(length) > _LARGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else HTTPStatus.BAD_REQUEST

    def _lower_case(self) -> dict[str, str]:
        return {name.lower(): ", ".join(self.headers.get_all(name, ())) for name in self.headers}

    def _stream(self, reply: Reply, events: Iterator[tuple[float, bytes]], request: Request) -> None:
        """Each event when its time has come, until the client leaves. Its end is that of the connection."""
        self.close_connection = True
        request.responding()
        self._write(reply.status, reply.headers, b"", "a stream")
        if self.command == "HEAD":
            return
        for wait_s, event in events:
            if self._left_within(wait_s):
                return
            self.wfile.write(event)

    def _left_within(self, wait_s: float | None) -> bool:
        """Wait; True as soon as the client leaves, or the server stops and closes the connection."""
        ends_s = None if wait_s is None else monotonic() + wait_s
        try:
            while ends_s is None or (wait_s := ends_s - monotonic()) > 0:
                self.connection.settimeout(wait_s)
                if not self.connection.recv(_PIECE):
                    return True
        except TimeoutError:
            pass
        finally:
            self.connection.settimeout(None)
        return False


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
        self._log = log or (lambda _: None)
        self._connections: set[socket.socket] = set()
        self._changing = threading.Lock()
        default.is_served = True
        super().__init__((host, port), partial(HttpHandler, service, self._log))

    @property
    def url(self) -> str:
        return base_url_of(*self.server_address[:2])

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changing:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Also where a signal interrupts the start of its thread, which must not wait for another request then."""
        with self._changing:
            self._connections.discard(request)
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)
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
        if not isinstance(sys.exception(), ConnectionError):  # clients may leave at any time
            self._log(traceback.format_exc())


def base_url_of(host: str | bytes | bytearray, port: int) -> str:
    """The URL of an address as sockets have it."""
    name = host if isinstance(host, str) else host.decode()
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def create_server(
    host: str = DEFAULT_HOST,
    port: int = 0,
    *,
    log: Callable[[str], None] | None = None,
    **options: Unpack[ServiceOptions],
) -> DemoServer:
    """A server that listens and does not respond yet: call ``serve_forever``, ``shutdown``, ``server_close``.

    Port 0 is any free port. Raises OSError when it cannot listen there, ValueError for an unknown regression.
    """
    return DemoServer(host, port, SampleService(**options), log)


def serve(
    host: str,
    port: int,
    *,
    ready: Callable[[str], None],
    log: Callable[[str], None] | None = None,
    monitor_log: Callable[[str], None] | None = None,
    **options: Unpack[ServiceOptions],
) -> None:
    """Serve until interrupted. Calls ``ready`` with the base URL once it listens.

    ``log`` gets a line for each request, ``monitor_log`` the monitor's lines: slow responses, N+1 queries.
    Raises OSError when it cannot listen there.
    """
    with suppress(KeyboardInterrupt), _monitor_logging_to(monitor_log):
        server = create_server(host, port, log=log, **options)
        with server:
            ready(server.url)
            server.service.prepare()  # while the first client starts: its connection waits in the backlog
            server.serve_forever(_POLL_S)


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
