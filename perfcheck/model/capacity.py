"""The load that a service holds its targets for: what a baseline sets, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from perfcheck.model.findings import Unit, Verdict

CAPACITY = "capacity"  # its name among those of endpoints


class LoadModel(StrEnum):
    """What a load is: concurrent users, who wait for an answer before they go on, or requests a second, come what may.

    The first is known as the closed model, the second as the open one (Schroeder, Wierman and Harchol-Balter 2006).
    """

    USERS = "users"
    RATE = "rate"

    @property
    def unit(self) -> Unit:
        return Unit.USERS if self is LoadModel.USERS else Unit.PER_SECOND

    @property
    def metric_name(self) -> str:
        """Of the capacity in a series of runs."""
        return "user capacity" if self is LoadModel.USERS else "rate capacity"

    @property
    def floor(self) -> float:
        """As of ``MetricOf``: no capacity is 0."""
        return 0.0


class ThinkTime(StrEnum):
    """How the pause of a user between two requests varies around its mean."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


class Load(NamedTuple):
    """``50 users``, or ``200/s``."""

    amount: float  # users, or requests a second
    model: LoadModel


@dataclass(frozen=True, slots=True)
class CapacityGoals:
    """The ``capacity`` of a baseline: the load to try, and what has to hold under it."""

    mix: dict[str, float] = field(default_factory=dict)  # endpoint -> weight
    left_out: dict[str, str] = field(default_factory=dict)  # endpoint that no mix was named for -> why
    model: LoadModel = LoadModel.USERS
    think_s: float = 1.0  # mean pause of a user between two requests
    think_time: ThinkTime = ThinkTime.FIXED
    within: float | None = None  # share of the requests that keep the limits; None: by the metrics of the endpoints
    limit_ms: float | None = None  # of each request; None: the warning limit of its endpoint
    error_rate: float = 0.01  # of all requests, at most
    at_least: float | None = None  # in the unit of the model, as all loads
    lowest: float = 1.0
    highest: float | None = None
    max_time_s: float = 180.0
    line: int = 0  # of at_least


@dataclass(frozen=True, slots=True)
class CapacityStep:
    """A load that was kept for a while."""

    load: float
    requests: int  # those that were judged, as all that follows
    requests_per_s: float
    median_ms: float | None
    p95_ms: float | None
    over: float | None  # share of the requests over their limits, or timed out
    failed: float | None  # share of the requests
    holds: bool | None  # whether both shares are allowed; None without requests
    p95_uncorrected_ms: float | None = None  # open model: from the real start of each request, not from when it was due


class CapacityChange(StrEnum):
    """Since an earlier run."""

    LOWER = "lower"
    HIGHER = "higher"
    NO_CHANGE = "no change"  # the intervals overlap
    CANNOT_TELL = "cannot tell"  # one of them is not known


@dataclass(frozen=True, slots=True)
class EarlierCapacity:
    """That of an earlier run, and what has become of it."""

    label: str | None
    started_at: str
    value: float | None
    interval: tuple[float | None, float | None]
    changed: CapacityChange


@dataclass(frozen=True, slots=True)
class CapacityResult:
    """The largest load for which the targets hold; loads are users or requests a second, by the model."""

    model: LoadModel
    verdict: Verdict
    value: float | None  # None: not known
    interval: tuple[float | None, float | None]  # 95%; None where it is open
    at_least: float | None
    ended: str  # why the search did
    within: dict[str, float]  # share of the requests to each endpoint that has to keep its limit
    error_rate: float  # share that may fail
    mix: dict[str, float]
    limits_ms: dict[str, float]  # by endpoint
    think_s: float | None  # None in the open model
    think_time: ThinkTime
    workers: int  # processes that made the load
    seconds: float  # of load
    steps: tuple[CapacityStep, ...]
    seconds_needed: float | None = None  # about, for a precise answer
    before: EarlierCapacity | None = None
    first: str | None = None  # the endpoint that leaves its limit at the lowest load; None: all together, or failures
    over: dict[str, float] = field(default_factory=dict)  # share over the limit near this load, by endpoint

    @property
    def allowed_over(self) -> float:
        """The share of all requests that is over a limit where each endpoint just keeps its own."""
        total = sum(self.mix.values())
        return sum(weight * (1 - self.within[name]) for name, weight in self.mix.items()) / total

    @property
    def conditions(self) -> dict[str, str]:
        """What has to be the same in two searches whose capacities are compared, by what it is called."""
        total = sum(self.mix.values())
        limits = {name: f"{self.limits_ms[name]:g} {self.within[name]:g}" for name in sorted(self.limits_ms)}
        return {
            "model": str(self.model),
            "mix": str({name: f"{self.mix[name] / total:.4g}" for name in sorted(self.mix)}),
            "think time": "" if self.think_s is None else f"{self.think_time} {self.think_s:g}",
            "limits": f"{self.error_rate:g} {limits}",
        }
