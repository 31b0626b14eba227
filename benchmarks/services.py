"""Services of known latency: ``/200/17`` takes 200 ms, which each kind of service spends in its own way.

    python benchmarks/services.py KIND [CPU...]

Serves on a free port, which it prints, from these CPUs only, until its standard input ends. The kinds:

- ``sleep``: any number of requests at once;
- ``cpu``: computes, in as many processes as it has CPUs;
- ``lock``: sleeps, half of the time under one lock;
- ``one-thread``: an event loop that every request blocks: one request after the other, over connections that stay open;
- ``gunicorn``: one synchronous worker: one request after the other, each on a new connection;
- ``gunicorn-mixed``: the same, but half of the time is computing;
- ``sample-WORKERS-SLOWER``: the sample service instead, in so many workers of gunicorn, slower by this share (0.2).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

_START_TIMEOUT_S = 30.0
_BODY = b'{"ok": true}\n'
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
_LOCK = asyncio.Lock()


@contextlib.contextmanager
def service(kind: str, cpus: Collection[int] = ()) -> Iterator[str]:
    """The base URL of a service that runs in processes of its own during the block. Raises SystemExit."""
    command = [sys.executable, __file__, kind, *map(str, cpus)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            if not port:
                raise SystemExit(f"the service '{kind}' did not start")
            _await_response(int(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _await_response(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_TIMEOUT_S)
    with contextlib.closing(connection):
        connection.request("GET", "/1/0")
        connection.getresponse().read()


# --- How the time is spent -------------------------------------------------------------------------------------------


def latency_s(path: str) -> float:
    return float(path.split("/")[1]) / 1000


def compute(seconds: float) -> None:
    """So much time on a CPU: it takes longer where another process has it."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def compute_and_sleep(seconds: float) -> None:
    compute(seconds / 2)
    time.sleep(seconds / 2)


async def sleep_under_lock(seconds: float) -> None:
    async with _LOCK:
        await asyncio.sleep(seconds / 2)
    await asyncio.sleep(seconds / 2)


async def block(seconds: float, *, blocking: Callable[[float], None]) -> None:
    blocking(seconds)


Work = Callable[[float], Awaitable[None]]
ASYNC: dict[str, Work] = {
    "sleep": asyncio.sleep,
    "cpu": partial(block, blocking=compute),
    "lock": sleep_under_lock,
    "one-thread": partial(block, blocking=time.sleep),
}
GUNICORN: dict[str, Callable[[float], None]] = {"gunicorn": time.sleep, "gunicorn-mixed": compute_and_sleep}


# --- In the processes of the service ---------------------------------------------------------------------------------


def wsgi(kind: str) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """The application that gunicorn serves."""
    end_with_stdin()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        GUNICORN[kind](latency_s(environ["PATH_INFO"]))
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(_BODY)))])
        return [_BODY]

    return application


async def _respond(work: Work, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await work(latency_s(head.split(maxsplit=2)[1].decode()))
            writer.write(_HEAD + _BODY)
            await writer.drain()
    writer.close()


async def _serve(listener: socket.socket, work: Work) -> None:
    server = await asyncio.start_server(partial(_respond, work), sock=listener)
    await server.serve_forever()


def end_with_stdin() -> None:
    """End all processes of the service, a session of their own, when whoever started it ends, in whatever way."""

    def watch() -> None:
        sys.stdin.read()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _exec_gunicorn(application: str, listener: socket.socket, workers: str = "1") -> None:
    listener.set_inheritable(True)
    bind = ["--bind", f"fd://{listener.fileno()}", "--no-control-socket"]
    worker = ["--workers", workers, "--worker-class", "sync", "--log-level", "error"]
    where = ["--chdir", str(Path(__file__).parent), application]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *bind, *worker, *where])


def main(kind: str, cpus: Collection[int]) -> None:
    if cpus:
        os.sched_setaffinity(0, cpus)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    if kind in GUNICORN:
        _exec_gunicorn(f"services:wsgi('{kind}')", listener)
    if kind.startswith("sample-"):
        _, workers, os.environ["SLOWER_BY"] = kind.split("-")
        _exec_gunicorn("sample_wsgi:application", listener, workers)
    for _ in range(len(cpus) - 1 if kind == "cpu" else 0):
        if os.fork() == 0:
            break
    end_with_stdin()
    asyncio.run(_serve(listener, ASYNC[kind]))


if __name__ == "__main__":
    main(sys.argv[1], {int(cpu) for cpu in sys.argv[2:]})
