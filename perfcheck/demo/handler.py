"""HTTP/1.1 for the sample service: keep-alive, one send a response, JSON also for what cannot be served."""

from __future__ import annotations

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from perfcheck.demo.service import ROUTES, Reply, refusal

if TYPE_CHECKING:
    from perfcheck.demo.server import DemoServer

_ALLOWED = "GET, HEAD"
_LARGEST_BODY = 1_000_000  # of a request; nothing here has a use for one
_MOST_DIGITS = 12
_PIECE = 65536


class Handler(BaseHTTPRequestHandler):
    """One connection. Requests are answered one after another until either side closes it."""

    server: DemoServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._respond(allowed=True)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self._respond(allowed=False)

    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """For what the base class refuses (a malformed request line, headers too long): as JSON, and then close."""
        self.close_connection = True
        status = HTTPStatus(code)
        self._send(refusal(status, message or explain or status.description), perf_counter())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of the base class
        self.server.log_line(format % args)

    def _respond(self, *, allowed: bool) -> None:
        started = perf_counter()
        if problem := self._body_problem():
            self.send_error(problem)
            return
        try:
            target = urlsplit(self.path)
        except ValueError:
            self._send(refusal(HTTPStatus.BAD_REQUEST, "the address cannot be read"), started)
            return
        if not allowed and target.path in ROUTES:
            message = f"{self.command} is not allowed here, only {_ALLOWED}"
            self._send(refusal(HTTPStatus.METHOD_NOT_ALLOWED, message), started, f"Allow: {_ALLOWED}")
        elif self.server.service.hangs(target.path):
            self._hang()
        else:
            self._send(self._reply(target.path, target.query), started)

    def _reply(self, path: str, query: str) -> Reply:
        try:
            return self.server.service.get(path, query)
        except Exception as error:  # noqa: BLE001 - a bug in here: the client gets a 500 and the log gets the rest
            self.server.log_problem(error)
            return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the sample service failed; see its log (-v)")

    def _send(self, reply: Reply, started: float, *more_headers: str) -> None:
        """Headers and body in one send, so that neither waits for the other to be acknowledged."""
        body = json.dumps(reply.answer, ensure_ascii=False, separators=(",", ":")).encode()
        spent_ms = 1000 * (perf_counter() - started)
        head = [
            f"HTTP/1.1 {reply.status.value} {reply.status.phrase}",
            f"Date: {self.date_time_string()}",
            "Content-Type: application/json; charset=utf-8",
            f"Content-Length: {len(body)}",
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
            f"X-Query-Count: {reply.queries}",
            f"Server-Timing: db;dur={reply.database_ms:.2f}, app;dur={max(0.0, spent_ms - reply.database_ms):.2f}",
            *more_headers,
        ]
        without_body = self.command == "HEAD"
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + (b"" if without_body else body))
        self.server.log_line(
            f"{self.requestline} -> {reply.status.value}, {spent_ms:.1f} ms, {reply.queries} queries, {len(body)} B"
        )

    def _body_problem(self) -> HTTPStatus | None:
        """Read past a body, which would be taken for the next request. A status where its end is unknown or far off."""
        length = self.headers.get("Content-Length", "0").strip()
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            return HTTPStatus.BAD_REQUEST
        if len(length) > _MOST_DIGITS or int(length) > _LARGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        left = int(length)
        while left and (piece := self.rfile.read(min(left, _PIECE))):
            left -= len(piece)
        return None

    def _hang(self) -> None:
        """Never answer, but leave when the client does, or when the server stops and closes the connection."""
        self.close_connection = True
        while self.connection.recv(_PIECE):
            pass
