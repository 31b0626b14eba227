"""Pages for a real browser: a path is a document, a script, or a function of the request; every request is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # with the query
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


Answer = tuple[int, dict[str, str], str | bytes]
Page = str | Answer | Callable[[Request], Answer]


def html(body: str, head: str = "") -> str:
    """Without an icon: a browser would request it now and then."""
    start = f"<!doctype html><html><head><title>A page</title><link rel=icon href=data:,>{head}</head>"
    return f"{start}<body>{body}</body></html>"


def script(text: str, *, after_s: float = 0.0) -> Callable[[Request], Answer]:
    def answer(_: Request) -> Answer:
        time.sleep(after_s)
        return 200, {"Content-Type": "text/javascript"}, text

    return answer


@dataclass
class PageService:
    url: str
    requests: list[Request] = field(default_factory=list)
    sent_bytes: int = 0  # of responses, with their headers

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def of(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path.split("?")[0] == path]


@contextmanager
def page_service(pages: Mapping[str, Page], host: str = "127.0.0.1") -> Iterator[PageService]:
    """Serve on a free port of the loopback interface. What is no page is 404."""

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            service.requests.append(request)
            page = pages.get(self.path.split("?")[0], (404, {}, "absent"))
            status, sent, content = (
                page(request) if callable(page) else (200, {}, page) if isinstance(page, str) else page
            )
            data = content.encode() if isinstance(content, str) else content
            self.send_response(status)
            for name, value in {
                "Content-Type": "text/html; charset=utf-8",
                "Content-Length": str(len(data)),
                **sent,
            }.items():
                self.send_header(name, value)
            head = len(b"".join(self._headers_buffer)) + 2  # type: ignore[attr-defined]
            self.end_headers()
            self.wfile.write(data)
            service.sent_bytes += head + len(data)

        do_POST = do_OPTIONS = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A browser that goes away in the middle is part of the tests."""

    with Server(("127.0.0.1", 0), Requests) as server:
        service = PageService(f"http://{host}:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
