"""Real servers on free ports of the loopback interface, for as long as a block runs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import uvicorn
from werkzeug.serving import make_server

TESTS = Path(__file__).parent.parent
_PATIENCE_S = 30.0


@contextlib.contextmanager
def werkzeug(app: Any) -> Iterator[str]:
    """Flask's own server, with a thread for each request; yields the base URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.log = lambda *_, **__: None  # type: ignore[method-assign]
    with _in_thread(lambda: server.serve_forever(0.02), server.shutdown):
        yield f"http://127.0.0.1:{server.server_port}"
    server.server_close()


class _Wsgiref(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that goes away in the middle is part of the tests."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def wsgiref(app: Any) -> Iterator[str]:
    """The standard library's server, with a thread for each request; yields the base URL."""
    with _Wsgiref(("127.0.0.1", 0), _Quiet) as server:
        server.set_app(app)
        with _in_thread(lambda: server.serve_forever(0.02), server.shutdown):
            yield f"http://127.0.0.1:{server.server_port}"


@contextlib.contextmanager
def uvicorn_server(app: Any, *, lifespan: str = "auto", unix: Path | None = None) -> Iterator[str]:
    """uvicorn with one worker in a thread; yields the base URL (of the Unix socket's Host, where there is one)."""
    listener = socket.socket(socket.AF_UNIX) if unix else socket.create_server(("127.0.0.1", 0))
    if unix:
        listener.bind(str(unix))
    config = uvicorn.Config(app, log_config=None, lifespan=lifespan, ws="none", timeout_graceful_shutdown=5)  # type: ignore[arg-type]
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    with _in_thread(lambda: server.run([listener]), stop):
        deadline = time.monotonic() + _PATIENCE_S
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield "http://localhost" if unix else f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


@contextlib.contextmanager
def _in_thread(run: Any, stop: Any) -> Iterator[None]:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(_PATIENCE_S)
    assert not thread.is_alive()


@contextlib.contextmanager
def gunicorn(app: str, *options: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """``gunicorn apps.module:app`` as a process of its own; yields the base URL once a worker has begun."""
    with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.NamedTemporaryFile() as log:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}", "--no-control-socket"]
        process = subprocess.Popen(
            [*command, *options, app],
            cwd=TESTS,
            env={**os.environ, "PYTHONPATH": str(TESTS), **(env or {})},
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=log,  # a file, not a pipe: nobody reads while the tests run, and a full pipe would stop the server
        )
        try:
            _await_words(process, Path(log.name), "Booting worker")
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=_PATIENCE_S)


def _await_words(process: subprocess.Popen[bytes], log: Path, words: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        seen = log.read_text(encoding="utf-8", errors="replace")
        if words in seen:
            return
        assert process.poll() is None, f"it did not start: {seen}"
        assert time.monotonic() < deadline, f"it did not start: {seen}"
        time.sleep(0.02)
