"""A small service whose answers a test decides: one path, one behaviour."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[], Answer]


def ok(body: bytes = b"{}", **headers: str) -> Handler:
    return lambda: (200, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def slow(seconds: float) -> Handler:
    def answer() -> Answer:
        time.sleep(seconds)
        return 200, {}, b"{}"

    return answer


def status(code: int, **headers: str) -> Handler:
    return lambda: (code, headers, b"{}")


@contextmanager
def service(paths: dict[str, Handler], *, one_thread: bool = False) -> Iterator[str]:
    """Serve on a free port of the loopback interface for as long as the block runs; yields the base URL.

    With ``one_thread`` a second connection waits until the first one is closed.
    """

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            code, headers, body = paths.get(self.path.split("?")[0], status(404))()
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(HTTPServer if one_thread else ThreadingHTTPServer):  # type: ignore[misc]
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away in the middle is part of the tests."""

    with Server(("127.0.0.1", 0), Requests) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
