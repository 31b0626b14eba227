"""What a worker needs to send requests. It reaches the engine over a pipe: headers and bodies may hold secrets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from perfcheck.client.request_template import RequestTemplate
from perfcheck.errors import UsageError
from perfcheck.hosts import check_load_target, is_loopback
from perfcheck.model import Capture, DataFile, Expectations, LoadModel, ThinkTime, Tls

_LIMITS = 4  # many a limit is that of a median, and the mean latency may be several times as long


class Arrivals(StrEnum):
    """How the intended starts of the open model follow each other."""

    POISSON = "poisson"  # as those of many users who know nothing of each other
    EVEN = "even"


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """One request of the mix; a workflow, which sends nothing but its steps; or one of these."""

    endpoint: str  # of a step: its own name
    data: bytes | RequestTemplate = b""  # as it is sent: head and body
    method: str = "GET"
    expect: tuple[tuple[int, int], ...] = ((200, 299),)  # inclusive ranges of status codes
    timeout_s: float = 10.0
    limit_ms: float | None = None  # a request over it is over, however much longer it takes
    weight: float = 1.0
    answer: Expectations | None = None
    captures: tuple[Capture, ...] = ()
    rows: DataFile | None = None  # which it uses in turn, or its steps do
    cookies: bytes | None = None  # of a step that sends those of the responses before it: what it has from the setup
    think_s: float = 0.0  # of a step: the pause before the next one
    steps: tuple[PlannedRequest, ...] = ()

    @property
    def is_read(self) -> bool:
        """Whether more of its response than the status is of interest."""
        return self.answer is not None or bool(self.captures) or self.cookies is not None

    @property
    def pauses_s(self) -> float:
        """In a workflow; no part of its latency."""
        return sum(step.think_s for step in self.steps)

    @property
    def longest_s(self) -> float:
        """A turn takes no longer, whatever the service does."""
        return sum(step.timeout_s for step in self.steps or (self,)) + self.pauses_s


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The load of a service. No other host is ever connected to: redirects are not followed."""

    host: str  # to connect to
    port: int
    model: LoadModel
    requests: tuple[PlannedRequest, ...]
    think_s: float = 0.0  # mean pause of a user
    think_time: ThinkTime = ThinkTime.EXPONENTIAL
    arrivals: Arrivals = Arrivals.POISSON
    smallest_pool: int = 1000  # requests in flight that the open model allows at any rate, all workers together
    unix_socket: str | None = None  # in place of host and port
    tls: Tls | None = None  # None: plain HTTP
    server_name: str = ""  # that the certificate has
    seed: int = 0  # of the values that requests insert

    def pool_size(self, rate: float, workers: int) -> float:
        """The requests that one worker of the open model may have in flight, at its rate: what exceeds that is shed.

        A service that holds the load needs as many as arrive within its mean latency (Little's law). Users who pause,
        in a workflow, wait for no response.
        """
        limit_s = max((request.limit_ms or 0.0 for request in self.requests), default=0.0) / 1e3
        pauses_s = sum(request.weight * request.pauses_s for request in self.requests)
        mean_pauses_s = pauses_s / (sum(request.weight for request in self.requests) or 1)
        return max(1.0, self.smallest_pool / workers, rate * _LIMITS * limit_s) + rate * mean_pauses_s

    def check_target(self, master: str, *, owns_host: bool) -> None:
        """Raises UsageError where a worker of this ``master`` must not send this load, or would send it elsewhere."""
        if not self.unix_socket and not is_loopback(self.host):
            check_load_target(self.host, owns_host=owns_host)
        elif not is_loopback(master):
            message = f"the service is at {self.unix_socket or self.host}, which is another one on each machine"
            raise UsageError(message, "start the search with an address that its workers reach, with --base-url")

    def to_json(self) -> dict[str, Any]:
        values: dict[str, Any] = msgspec.to_builtins(self, enc_hook=list)  # an array as a list
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> LoadPlan:
        return msgspec.convert(values, cls)
