"""What the monitor knows, as plain values: one set of figures for each endpoint, and a snapshot of them all.

Durations are seconds (``*_s``) or nanoseconds (``*_ns``), sizes bytes. Merging adds up exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from perfcheck.monitor.histogram import Histogram
from perfcheck.monitor.settings import settings

OVERFLOW = "(other endpoints)"  # where requests are counted once max_endpoints names are known
REPETITIONS_KEPT = 10  # statement shapes of one endpoint
_SLOW_KEPT = 20


@dataclass(frozen=True, slots=True)
class RepeatedStatement:
    """A statement shape that came again and again within one request: N+1."""

    shape: str
    most: int  # times in one request
    caller: str | None  # "shop/views.py:42"; None where no line of the application was found
    requests: int = 1  # how many requests had it


@dataclass(frozen=True, slots=True)
class StatementTime:
    """What a statement shape took, in those requests in which it took notable time."""

    shape: str
    total_s: float
    caller: str | None
    requests: int = 1


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of response bodies, in bytes, of those responses whose size is known."""

    count: int = 0
    total: int = 0
    max: int = 0

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(self.count + other.count, self.total + other.total, max(self.max, other.max))


@dataclass(frozen=True, slots=True)
class Queries:
    """To the database."""

    total: int = 0
    max: int = 0  # in one request
    total_s: float = 0.0
    requests: int = 0  # that sent any

    @property
    def mean(self) -> float | None:
        """Of the requests that sent any."""
        return self.total / self.requests if self.requests else None

    def __add__(self, other: Queries) -> Queries:
        total_s = self.total_s + other.total_s
        return Queries(self.total + other.total, max(self.max, other.max), total_s, self.requests + other.requests)


@dataclass(frozen=True, slots=True)
class EndpointStatistics:
    """Of one endpoint, since the monitor began.

    Every request counts in ``total`` and in ``duration``. ``errors`` are statuses of 500 and above and exceptions that
    no handler turned into a response; ``disconnects`` are requests whose client left, or that were cancelled, before
    the end: they are no errors, and their duration ends where the response began (or where they ended, without one).
    """

    name: str
    total: int = 0
    errors: int = 0
    disconnects: int = 0
    in_flight: int = 0
    statuses: Mapping[int, int] = field(default_factory=dict)  # status -> requests, where it is known
    duration: Histogram = field(default_factory=Histogram)  # not to be changed
    recent: tuple[tuple[int, int], ...] = ()  # (when it ended in nanoseconds since 1970, duration_ns), the latest last
    sizes: Sizes = Sizes()
    queries: Queries = Queries()
    n_plus_one: tuple[RepeatedStatement, ...] = ()  # the most frequent in one request first
    slow_statements: tuple[StatementTime, ...] = ()  # that took the most in total first
    cache_hits: int = 0
    cache_misses: int = 0

    @property
    def error_rate(self) -> float:
        """A fraction; 0 while there are no requests."""
        return self.errors / self.total if self.total else 0.0

    @property
    def mean_s(self) -> float | None:
        return self.duration.mean_s

    @property
    def min_s(self) -> float | None:
        return self.duration.min_s

    @property
    def max_s(self) -> float | None:
        return self.duration.max_s

    @property
    def stdev_s(self) -> float | None:
        return self.duration.stdev_s

    @property
    def latest_s(self) -> float | None:
        return self.recent[-1][1] / 1e9 if self.recent else None

    @property
    def latest_at_s(self) -> float | None:
        """When the latest request ended, in seconds since 1970."""
        return self.recent[-1][0] / 1e9 if self.recent else None

    @property
    def recent_mean_s(self) -> float | None:
        return sum(ns for _, ns in self.recent) / len(self.recent) / 1e9 if self.recent else None

    @property
    def p50_s(self) -> float | None:
        return self.duration.quantile_s(0.50)

    @property
    def p90_s(self) -> float | None:
        return self.duration.quantile_s(0.90)

    @property
    def p95_s(self) -> float | None:
        return self.duration.quantile_s(0.95)

    @property
    def p99_s(self) -> float | None:
        return self.duration.quantile_s(0.99)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All endpoints at one time, of all workers where they share a directory."""

    endpoints: tuple[EndpointStatistics, ...] = ()  # by name; one that is only in flight has a total of 0
    started_at: float = 0.0  # when counting began, in seconds since 1970
    taken_at: float = 0.0
    workers: int = 1  # processes that are alive and counted
    overflow: int = 0  # requests that are counted under OVERFLOW, because there were too many names
    defects: int = 0  # times that the monitor itself failed, and let the request pass
    problems: tuple[str, ...] = ()  # sentences: why the figures may be incomplete

    @property
    def total(self) -> int:
        return sum(endpoint.total for endpoint in self.endpoints)

    def endpoint(self, name: str) -> EndpointStatistics | None:
        return next((endpoint for endpoint in self.endpoints if endpoint.name == name), None)


def merge_snapshots(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Counts, sums and histograms add up exactly; the recent window is the latest of all. Names stay bounded.

    ``workers`` adds up: the snapshot of dead workers has 0.
    """
    known = [snapshot for snapshot in snapshots if snapshot.endpoints or snapshot.workers]
    merged: dict[str, EndpointStatistics] = {}
    bounds = settings()
    overflow = sum(snapshot.overflow for snapshot in known)
    for endpoint in (endpoint for snapshot in known for endpoint in snapshot.endpoints):
        name = endpoint.name
        if name not in merged and len(merged) >= bounds.max_endpoints and name != OVERFLOW:
            name = OVERFLOW
            overflow += endpoint.total
        merged[name] = (
            merge_endpoints(merged[name], endpoint, bounds.window) if name in merged else replace(endpoint, name=name)
        )
    return Snapshot(
        endpoints=tuple(merged[name] for name in sorted(merged)),
        started_at=min((snapshot.started_at for snapshot in known), default=0.0),
        taken_at=max((snapshot.taken_at for snapshot in known), default=0.0),
        workers=sum(snapshot.workers for snapshot in known),
        overflow=overflow,
        defects=sum(snapshot.defects for snapshot in known),
    )


_ADDED = ("total", "errors", "disconnects", "in_flight", "sizes", "queries", "cache_hits", "cache_misses")


def merge_endpoints(a: EndpointStatistics, b: EndpointStatistics, window: int) -> EndpointStatistics:
    """The sum of both, under the first one's name."""
    duration = a.duration.copy()
    duration.merge(b.duration)
    return replace(
        a,
        statuses=dict(sorted((Counter(a.statuses) + Counter(b.statuses)).items())),
        duration=duration,
        recent=tuple(sorted((*a.recent, *b.recent))[-window:]),
        n_plus_one=merge_repeated((*a.n_plus_one, *b.n_plus_one)),
        slow_statements=merge_times((*a.slow_statements, *b.slow_statements)),
        **{name: getattr(a, name) + getattr(b, name) for name in _ADDED},
    )


def merge_repeated(statements: Iterable[RepeatedStatement]) -> tuple[RepeatedStatement, ...]:
    """By shape, the most frequent in one request first, no more than are kept."""
    merged: dict[str, RepeatedStatement] = {}
    for statement in statements:
        shape, known = statement.shape, merged.get(statement.shape)
        if known is None:
            merged[shape] = statement
        else:
            most, requests = max(known.most, statement.most), known.requests + statement.requests
            merged[shape] = RepeatedStatement(shape, most, known.caller or statement.caller, requests)
    return tuple(sorted(merged.values(), key=lambda statement: -statement.most)[:REPETITIONS_KEPT])


def merge_times(statements: Iterable[StatementTime]) -> tuple[StatementTime, ...]:
    """By shape, those that took the most in total first, no more than are kept."""
    merged: dict[str, StatementTime] = {}
    for statement in statements:
        shape, known = statement.shape, merged.get(statement.shape)
        if known is not None:
            total_s, requests = known.total_s + statement.total_s, known.requests + statement.requests
            statement = StatementTime(shape, total_s, known.caller or statement.caller, requests)  # noqa: PLW2901
        merged[shape] = statement
    return tuple(sorted(merged.values(), key=lambda statement: -statement.total_s)[:_SLOW_KEPT])
