"""What the client sends its requests through: a service on the network, or an application in this process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, TypeVar

from perfcheck.client.exchange import Exchange
from perfcheck.client.loop import Steps
from perfcheck.client.prepared_request import Origin, WireRequest
from perfcheck.client.response import Response


class Connection(ABC):
    """``head``, then ``body``, then perhaps another request. Both raise RequestFailedError."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.reusable = False
        self.has_excess = False  # more has arrived than was requested

    @abstractmethod
    def head(self, request: WireRequest, exchange: Exchange) -> Steps[Response]:
        """Send the request; returns the head of its response."""

    @abstractmethod
    def body(self, exchange: Exchange, response: Response) -> Steps[None]:
        """Read the rest of the response into ``response``."""

    @abstractmethod
    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=Connection)


class Connections(Protocol[Opened]):
    """Opens connections, and keeps those that can be used again."""

    @property
    def has_excess(self) -> bool:
        """Whether a connection had more than was requested."""

    def idle(self, origin: Origin) -> Opened | None:
        """The connection to ``origin`` that was used last, if it is still there."""

    def connect(self, origin: Origin, exchange: Exchange) -> Steps[Opened]:
        """A new connection. Raises RequestFailedError."""

    def keep(self, connection: Opened) -> None:
        """Take back a connection after its use, to be used again or closed."""

    def close_idle(self, *, but: int = 0) -> None:
        """Close the connections that are not in use, but for the last so many that were."""

    def close(self) -> None: ...
