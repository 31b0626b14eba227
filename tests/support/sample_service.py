"""The sample service in a thread of the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from perfcheck.demo.demo_server import DemoServer, create_server


@contextmanager
def serving(
    *regressions: str, round_trip_ms: float = 0, log: list[str] | None = None, **options: Any
) -> Iterator[DemoServer]:
    server = create_server(
        regressions=regressions, round_trip_ms=round_trip_ms, log=log.append if log is not None else None, **options
    )
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
