"""What the scheduler measures, and what it sends requests through."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Protocol

from perfcheck.model import Endpoint, Sample


class Transport(Protocol):
    """Sends requests, any number at a time: :class:`~perfcheck.client.client.Client`, or a script."""

    def start(self, endpoint: Endpoint, tag: object) -> None:
        """Send a request; ``wait`` returns its sample with ``tag``."""

    def wait(self, until_s: float | None = None) -> Sequence[tuple[Any, Sample]]:
        """The samples of requests that have ended; waits for one until ``until_s`` on the scheduler's clock."""

    def cancel(self, tag: object) -> None:
        """Abandon a request."""

    def close_idle(self) -> None:
        """Close the connections that are not in use, but one."""


class Phase(IntEnum):
    """What the next turn of an endpoint is for."""

    WARM_UP = 0
    FIRST = 1  # its latency, for the first time; under load where turns overlap
    CONFIRMATION = 2  # what came out slow or failing, and is measured again alone
    PROOF = 3  # its failure rate, which alone needs more requests
    FINISHED = 4


class Schedulable(Protocol):
    """One endpoint while it is measured, as the scheduler sees it."""

    endpoint: Endpoint
    used_s: float  # by its turns so far; kept by the scheduler
    not_before: float  # when its next turn may begin, on the clock of the scheduler
    typical_s: float | None  # the time that a turn usually takes, as measured; None before the first latency
    need_s: float  # a forecast of the time until its latency is decided, with nothing else to do
    proof_s: float  # and of the time after that, for its failure rate alone
    need_requests: float  # in that time, to each service
    proof_requests: float
    phase: Phase
    needs_alone: bool  # its next turn counts only if nothing else is in flight

    @property
    def suspicion(self) -> float:
        """How many times the critical limit its fastest request took; 0 when that is not over it."""

    @property
    def timed_out(self) -> bool:
        """Whether its last request got no response in time."""

    @property
    def last_turn_ms(self) -> float | None:
        """The latency of its last turn; None when it failed."""

    @property
    def expected_s(self) -> float:
        """The time that a turn takes by its target: a guess for as long as nothing is measured."""

    @property
    def cost_s(self) -> float:
        """The time that its latency takes at least, by its target."""

    def next_request(self) -> tuple[int, Endpoint]:
        """What to send next, and the number of the transport."""

    def take(self, sample: Sample, width: int, now: float) -> bool:
        """Take a sample that was sent while up to ``width`` turns were in flight. True: its turn is over."""

    def drop_turn(self) -> None:
        """The service refused the request for now: the turn is to be taken anew."""

    def measure_alone(self) -> None:
        """What was measured under load is void."""

    def abandon(self, waited_s: float, since_s: float) -> None:
        """The time of the run ended while it waited for a response for unusually long."""

    def end_proof(self) -> None:
        """No more requests for its failure rate."""
