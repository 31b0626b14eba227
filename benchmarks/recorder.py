"""A relay in front of a service that records the first line of every request: what a tool really sent."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

_REQUEST_LINE = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]\r\n")
_PIECE = 65536


@dataclass
class Recorder:
    """``requests`` are (method, target), in the order in which they came."""

    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)

    @property
    def methods(self) -> set[str]:
        return {method for method, _ in self.requests}


@contextlib.contextmanager
def recorder(port: int) -> Iterator[Recorder]:
    """Relays to ``port`` of the loopback interface, byte by byte, during the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        recorded = Recorder(f"http://127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=_accept, args=(listener, port, recorded), daemon=True).start()
        yield recorded


def _accept(listener: socket.socket, port: int, recorded: Recorder) -> None:
    with contextlib.suppress(OSError):  # once it is closed
        while True:
            client, _ = listener.accept()
            try:
                service = socket.create_connection(("127.0.0.1", port))
            except OSError:
                client.close()
                continue
            for source, target, requests in ((client, service, recorded.requests), (service, client, None)):
                threading.Thread(target=_relay, args=(source, target, requests), daemon=True).start()


def _relay(source: socket.socket, target: socket.socket, requests: list[tuple[str, str]] | None) -> None:
    """A request comes in one piece from a client that writes it in one."""
    try:
        while piece := source.recv(_PIECE):
            if requests is not None and (line := _REQUEST_LINE.match(piece)):
                requests.append((line[1].decode(), line[2].decode("latin-1")))
            target.sendall(piece)
    except OSError:
        pass
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()
