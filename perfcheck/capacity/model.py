"""What a search for the capacity of a service exchanges with the generator of its load, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

BLOCK_S = 0.5  # the time that one attempt keeps its load for, and one block counts


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the search requests: this load for another half second."""

    load: float  # users (a whole number), or requests a second
    is_fresh: bool  # the first half second of a step: the engine begins a new one
    drains: bool  # before it begins, the backlog of an overload is to be waited for
    settles: bool = False  # what happens in it is not judged: the service is not yet as it stays
    so_far: tuple[float, float] | None = None  # the interval of the capacity, once there is one


class Judged(NamedTuple):
    """Requests to one endpoint."""

    requests: int
    over: int  # longer than its limit


@dataclass(frozen=True, slots=True)
class Block:
    """What happened in one half second, by the intended start of the requests."""

    requests: int  # completed, failed or shed
    over: int  # longer than their limit (each endpoint has its own), timeouts included
    failed: int  # failed, or shed by the open model's pool
    is_void: bool = False  # not to be judged: generator lag, or a worker's part is missing
    endpoints: Mapping[str, Judged] = field(default_factory=dict)  # each by itself, where there are several


class Ending(StrEnum):
    """Why a search ended."""

    PRECISE = "precise"
    TIME = "time is up"
    HOLDS = "holds at the upper bound"
    FAILS = "fails at the lower bound"
    RARE = "too few requests"  # they are so rare that the time does not suffice for an answer
    GENERATOR = "generator"  # too many blocks were void
    COLLAPSE = "did not recover"  # the service, from an overload
    STOPPED = "stopped"  # from outside


@dataclass(frozen=True, slots=True)
class LoadStep:
    """A load that was kept for a while, and the sum of its judged blocks."""

    load: float
    requests: int
    over: int
    failed: int
    blocks: int  # that were judged
    void_blocks: int
    is_overload: bool  # it was cut short, since it was clearly too much
    endpoints: Mapping[str, Judged] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capacity:
    """The largest load for which the targets hold, in users or requests a second."""

    answer: float | None
    low: float | None  # of its 95% confidence interval; None where it is open
    high: float | None
    reason: Ending
    steps: tuple[LoadStep, ...]
    seconds: float  # of load
    seconds_needed: float | None = None  # about how long a search has to be to be precise, where this one was not
    first: str | None = None  # the endpoint that leaves its limit at the lowest load; None: all of them together
