"""HTTP/1.1 for the sample service: keep-alive, one send a response, JSON also for what cannot be served.

Every request is counted by the monitor, whose statistics API is served along with the service's own paths. A service on
a framework has one line for that; this one is its own server, so it marks itself where a request begins and ends.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import SplitResult, urlsplit

from perfcheck.demo.service import ROUTES, Reply, SampleService, refusal
from perfcheck.monitor.lifecycle import Request, begin
from perfcheck.monitor.route_template import endpoint_name
from perfcheck.monitor.settings import settings
from perfcheck.text import clean
from perfcheck.words import plural

_ALLOWED = "GET, HEAD"
_LARGEST_BODY = 1_000_000  # of a request; nothing here has a use for one
_MOST_DIGITS = 12
_PIECE = 65536


class ServiceLog:
    """A line for each request, a traceback for a bug; or nothing."""

    def __init__(self, write: Callable[[str], None] | None) -> None:
        self._write = write

    def line(self, line: str) -> None:
        if self._write:
            self._write(clean(line))

    def error(self, error: BaseException) -> None:
        if self._write:
            self._write("".join(traceback.format_exception(error)))


class HttpHandler(BaseHTTPRequestHandler):
    """One connection. Requests are served one after another until either side closes it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, service: SampleService, log: ServiceLog, *connection: Any) -> None:
        self._service = service
        self._log = log
        super().__init__(*connection)  # which serves it

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
        self._send(refusal(status, message or explain or status.description))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of the base class
        self._log.line(format % args)

    def _respond(self, *, allowed: bool) -> None:
        if error := self._body_error():
            self.send_error(error)
            return
        try:
            target = urlsplit(self.path)
        except ValueError:
            self._send(refusal(HTTPStatus.BAD_REQUEST, "the URL cannot be read"))
            return
        if not self._serve_statistics(target):
            self._serve(target, allowed=allowed)

    def _serve(self, target: SplitResult, *, allowed: bool) -> None:
        """Counted by the monitor from here to the last byte, under its route: the number of paths is unlimited."""
        request = begin(endpoint_name(self.command, target.path if allowed and target.path in ROUTES else None))
        try:
            if allowed and self._service.hangs(target.path):
                self._hang()
                request.finish(disconnected=True)
            else:
                reply = self._reply(target) if allowed or target.path not in ROUTES else self._not_allowed()
                request.finish(status=reply.status, response_bytes=self._send(reply, request))
        except BaseException as error:
            request.finish(error=True, disconnected=isinstance(error, ConnectionError))
            raise

    def _reply(self, target: SplitResult) -> Reply:
        try:
            return self._service.get(target.path, target.query)
        except Exception as error:  # noqa: BLE001 - a bug in here: the client gets a 500 and the log gets the rest
            self._log.error(error)
            return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the sample service failed; see its log (-v)")

    def _not_allowed(self) -> Reply:
        return refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{self.command} is not allowed here, only {_ALLOWED}")

    def _serve_statistics(self, target: SplitResult) -> bool:
        """Whether the request was for the monitor's API, and its response is sent."""
        if not target.path.startswith(settings().prefix):
            return False
        from perfcheck.monitor import api  # noqa: PLC0415 - start-up need not wait for it

        headers = {name.lower(): ", ".join(self.headers.get_all(name, ())) for name in self.headers}
        answer = api.answer(self.command, target.path, target.query, headers, str(self.client_address[0]))
        if answer is not None:
            self._write(HTTPStatus(answer.status), answer.headers, answer.body, "the monitor's API")
        return answer is not None

    def _send(self, reply: Reply, request: Request | None = None) -> int:
        """The number of bytes of the body that were sent."""
        body = json.dumps(reply.body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = [
            ("Content-Type", "application/json; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Query-Count", str(reply.queries)),
        ]
        if reply.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", _ALLOWED))
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
        self._log.line(f"{self.requestline} -> {status.value}, {note}, {len(body)} B")

    def _body_error(self) -> HTTPStatus | None:
        """Read past a body, which would be taken for the next request. A status where its end is unknown or too far."""
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
        """Never respond, but leave when the client does, or when the server stops and closes the connection."""
        self.close_connection = True
        while self.connection.recv(_PIECE):
            pass
