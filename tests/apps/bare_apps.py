"""Bare applications for both interfaces, as services have them, monitored by nothing but the middleware.

``wsgi`` and ``asgi`` are monitored, ``bare_wsgi`` and ``bare_asgi`` are the same without: what a client sees must not
differ. Run as ``gunicorn apps.bare_apps:wsgi``. With ``TEST_RECORDS`` in the environment, each process also writes
every duration that it records to a file of its own there: what histograms are compared with.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from perfcheck.monitor import asgi as asgi_monitor
from perfcheck.monitor import monitor_performance, span
from perfcheck.monitor import wsgi as wsgi_monitor
from perfcheck.monitor.registry import default

Start = Callable[..., Callable[[bytes], object]]
Environ = dict[str, Any]
_WSGI_ROUTES = frozenset(
    ["ok", "named", "random", "raises", "endless", "broken", "pieces", "unsized", "fork", "file", "legacy", "empty"]
)
_ASGI_ROUTES = frozenset(["ok", "named", "raises", "endless", "broken", "pieces", "waits", "background", "cancelled"])


def _endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 65536


def _broken() -> Iterator[bytes]:
    yield b"the first half"
    raise RuntimeError("in the middle of the body")


def _pieces() -> Iterator[bytes]:
    for number in range(5):
        time.sleep(0.02)
        yield b"%d" % number


@monitor_performance("in the child")
def _in_the_child() -> None:
    pass


def _forked(start: Start) -> Iterable[bytes]:
    """A handler that forks; the child counts for itself, and ends as processes that multiprocessing forks do."""
    child = os.fork()
    if child == 0:
        _in_the_child()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return _answered(start, b"child left with %d" % os.waitstatus_to_exitcode(status))


def _answered(start: Start, body: bytes, status: str = "200 OK") -> list[bytes]:
    start(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def _file(environ: Environ, start: Start) -> Iterable[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it
    file.write(b"y" * 200_000)
    file.seek(0)
    start("200 OK", [("Content-Length", "200000")])
    found: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
    return found


@monitor_performance("api.named")
def _named(start: Start) -> list[bytes]:
    with span("inside"):
        return _answered(start, b"named")


def _legacy(start: Start) -> list[bytes]:
    write = start("200 OK", [("Content-Length", "7")])
    write(b"written")
    return []


def _random(start: Start) -> list[bytes]:
    time.sleep(min(0.05, random.lognormvariate(-7, 0.7)))
    return _answered(start, b"slept", random.choice(["200 OK"] * 9 + ["500 Oh no"]))


def bare_wsgi(environ: Environ, start: Start) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/named":
        return _named(start)
    if path == "/random":
        return _random(start)
    if path == "/raises":
        raise RuntimeError("before the response")
    if path in {"/endless", "/broken", "/pieces", "/unsized"}:
        start("200 OK", [("Content-Type", "text/plain")])
        bodies: dict[str, Callable[[], Iterable[bytes]]] = {
            "/endless": _endless,
            "/broken": _broken,
            "/pieces": _pieces,
            "/unsized": lambda: [b"one part"],
        }
        return bodies[path]()
    if path == "/fork":
        return _forked(start)
    if path == "/file":
        return _file(environ, start)
    if path == "/legacy":
        return _legacy(start)
    if path == "/empty":
        start("304 Not Modified", [])
        return []
    return _answered(start, b"hello") if path.startswith("/ok") else _answered(start, b"no such page", "404 Not Found")


def wsgi_route(environ: Environ) -> str | None:
    first = str(environ["PATH_INFO"]).split("/")[1]
    return f"/{first}" if first in _WSGI_ROUTES else None


wsgi = wsgi_monitor.Monitor(bare_wsgi, route_of=wsgi_route)


async def _send(send: Any, body: bytes, status: int = 200) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@monitor_performance("api.named")
async def _named_async(send: Any) -> None:
    async with span("inside"):
        await _send(send, b"named")


async def _stream(send: Any, pieces: int | None, *, broken: bool = False) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    count = 0
    while pieces is None or count < pieces:
        await send({"type": "http.response.body", "body": b"z" * 65536, "more_body": True})
        await asyncio.sleep(0.01)
        count += 1
        if broken:
            raise RuntimeError("in the middle of the body")
    await send({"type": "http.response.body", "body": b""})


async def bare_asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    if path == "/named":
        await _named_async(send)
    elif path == "/raises":
        raise RuntimeError("before the response")
    elif path == "/cancelled":
        raise asyncio.CancelledError
    elif path == "/endless":
        await _stream(send, None)
    elif path == "/broken":
        await _stream(send, 3, broken=True)
    elif path == "/pieces":
        await _stream(send, 5)
    elif path == "/waits":  # until the client is gone, which is what there is to notice
        while (await receive())["type"] != "http.disconnect":
            pass
    elif path == "/background":
        await _send(send, b"at once")
        await asyncio.sleep(0.3)
    else:
        await _send(send, *((b"hello", 200) if path.startswith("/ok") else (b"no such page", 404)))


def asgi_route(scope: Any) -> str | None:
    first = str(scope["path"]).split("/")[1]
    return f"/{first}" if first in _ASGI_ROUTES else None


asgi = asgi_monitor.Monitor(bare_asgi, route_of=asgi_route)


def _write_the_truth(folder: Path) -> None:
    record = default.record

    def recording(request: Any, ended_ns: int, *rest: Any) -> None:
        if request not in default.running:
            return
        line = f"{request.endpoint}\t{ended_ns - request.started_ns}\n"
        with (folder / f"{os.getpid()}.tsv").open("a") as file:
            file.write(line)
        record(request, ended_ns, *rest)

    default.record = recording  # type: ignore[method-assign, assignment]


if "TEST_RECORDS" in os.environ:
    _write_the_truth(Path(os.environ["TEST_RECORDS"]))
