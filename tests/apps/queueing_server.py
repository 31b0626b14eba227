"""A service whose capacity theory knows: servers behind one queue, with exponential service times.

The time at which a response is due is known when its request arrives, so a late wakeup delays it, but takes nothing
from the capacity.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import heapreplace

_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class _Queue(asyncio.Protocol):
    """One connection; ``free`` says when each of the servers, which all connections share, will be free."""

    def __init__(self, free: list[float], service_s: float) -> None:
        self._free = free
        self._service_s = service_s
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        due = max(self._loop.time(), self._free[0]) + random.expovariate(1 / self._service_s)
        heapreplace(self._free, due)
        self._loop.call_at(due, self._transport.write, _RESPONSE)


@contextmanager
def queueing_server(servers: int, service_s: float) -> Iterator[str]:
    """The base URL of a service in a thread."""
    loop = asyncio.new_event_loop()
    free = [0.0] * servers
    listening = loop.run_until_complete(loop.create_server(lambda: _Queue(free, service_s), "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listening.close()
        loop.close()
