"""The monitor inside the service, as its statistics API reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from perfcheck.model.sample import Failure


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response that was requested for its body, not for its latency."""

    status: int | None = None
    content_type: str = ""
    location: str = ""  # of a redirect that was not followed
    body: bytes = b""  # decoded, as far as it came; also with an unexpected status
    failure: Failure | None = None
    detail: str | None = None  # one clean line about a failure
    remedy: str | None = None  # where the failure has one of its own


class MonitorStatus(StrEnum):
    """The state of the service as the monitor reports it. UNKNOWN: no state, or an unknown one."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    NO_DATA = "no data"
    ERROR = "error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Repeated:
    """A database statement that is repeated within one request: N+1."""

    shape: str  # of the statement, without its values
    most: int  # times in one request
    caller: str | None  # "file.py:42"
    requests: int | None  # how many requests had it


@dataclass(frozen=True, slots=True)
class SlowStatement:
    """A database statement that takes notable time in a request."""

    shape: str
    ms: float | None  # in a request
    caller: str | None


@dataclass(frozen=True, slots=True)
class MonitoredEndpoint:
    """One endpoint by the monitor's figures; None is what it does not report. Latencies in milliseconds."""

    name: str
    requests: int | None = None
    errors: int | None = None
    mean_ms: float | None = None  # of the recent requests, where it reports these separately
    min_ms: float | None = None
    max_ms: float | None = None
    stdev_ms: float | None = None
    median_ms: float | None = None
    p75_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    largest_body: int | None = None  # bytes
    n_plus_one: tuple[Repeated, ...] = ()
    slowest_statement: SlowStatement | None = None  # in total
    listed_as_slow: bool = False  # by the monitor, for the threshold in force


@dataclass(frozen=True, slots=True)
class MonitoredRoute:
    """One method of one route of the service, whether it was ever requested or not."""

    method: str | None  # None: any, as far as its router knows
    template: str  # "/api/videos/<int:id>"
    name: str  # in the statistics; without a method, one that begins with "/" comes after that of the request
    handler: str | None = None
    monitored: bool = True


@dataclass(frozen=True, slots=True)
class RouteTable:
    """The routes of the service, in the order in which its router tries them."""

    routes: tuple[MonitoredRoute, ...]
    # By the baseline's name of an endpoint, where the router resolved it: the name in the statistics, or no route.
    resolved: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MonitorReading:
    """Everything that was read. Not ``alive``: no monitor, or it cannot be read, and ``message`` is why."""

    alive: bool
    status: MonitorStatus = MonitorStatus.UNKNOWN
    message: str = ""
    remedy: str | None = None
    issues: tuple[str, ...] = ()
    endpoints: tuple[MonitoredEndpoint, ...] = ()
    since: str | None = None  # when it started counting, as the monitor writes it
    workers: int | None = None
    problems: tuple[str, ...] = ()  # why the figures may be incomplete
    table: RouteTable | None = None  # None: the monitor has none
