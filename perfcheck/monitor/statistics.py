"""What the monitor knows, as plain values: one set of figures for each endpoint, and a snapshot of them all.

Durations are seconds (``*_s``) or nanoseconds (``*_ns``), sizes bytes. Merging adds up exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from perfcheck.monitor.histogram import Histogram

OVERFLOW = "(other endpoints)"  # where requests are counted once max_endpoints names are known
REPETITIONS_KEPT = 10  # statement shapes of one endpoint


@dataclass(frozen=True, slots=True)
class RepeatedStatement:
    """A statement shape that came again and again within one request: N+1."""

    shape: str
    most: int  # times in one request
    caller: str | None  # "file.py:42"
    requests: int  # how many requests had it


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of response bodies, in bytes, of those responses whose size is known."""

    count: int = 0
    total: int = 0
    max: int = 0

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None


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
    """All endpoints at one moment, of all workers where they share a directory."""

    endpoints: tuple[EndpointStatistics, ...] = ()  # by name; one that is only in flight has a total of 0
    started_at: float = 0.0  # when counting began, in seconds since 1970
    taken_at: float = 0.0
    workers: int = 1  # processes that are alive and counted
    overflow: int = 0  # requests that are counted under OVERFLOW, since there were too many names
    defects: int = 0  # times that the monitor itself failed, and let the request pass
    problems: tuple[str, ...] = ()  # sentences: why this may not be everything

    @property
    def total(self) -> int:
        return sum(one.total for one in self.endpoints)

    def endpoint(self, name: str) -> EndpointStatistics | None:
        return next((one for one in self.endpoints if one.name == name), None)


def merge_snapshots(snapshots: Iterable[Snapshot], *, window: int, max_endpoints: int) -> Snapshot:
    """Counts, sums and histograms add up exactly; the recent window is the latest of all. Names stay bounded.

    ``workers`` adds up; whoever merges what dead workers left sets theirs to 0.
    """
    given = [one for one in snapshots if one.endpoints or one.workers]
    merged: dict[str, EndpointStatistics] = {}
    overflow = 0
    for snapshot in given:
        overflow += snapshot.overflow
        for one in snapshot.endpoints:
            name = one.name
            if name not in merged and len(merged) >= max_endpoints and name != OVERFLOW:
                name = OVERFLOW
                overflow += one.total
            merged[name] = merge_endpoints(merged[name], one, window) if name in merged else replace(one, name=name)
    return Snapshot(
        endpoints=tuple(merged[name] for name in sorted(merged)),
        started_at=min((one.started_at for one in given), default=0.0),
        taken_at=max((one.taken_at for one in given), default=0.0),
        workers=sum(one.workers for one in given),
        overflow=overflow,
        defects=sum(one.defects for one in given),
        problems=tuple(dict.fromkeys(problem for one in given for problem in one.problems)),
    )


def merge_endpoints(one: EndpointStatistics, other: EndpointStatistics, window: int) -> EndpointStatistics:
    """The sum of both, under the first one's name."""
    duration = one.duration.copy()
    duration.merge(other.duration)
    return EndpointStatistics(
        name=one.name,
        total=one.total + other.total,
        errors=one.errors + other.errors,
        disconnects=one.disconnects + other.disconnects,
        in_flight=one.in_flight + other.in_flight,
        statuses=dict(sorted((Counter(one.statuses) + Counter(other.statuses)).items())),
        duration=duration,
        recent=tuple(sorted((*one.recent, *other.recent))[-window:]),
        sizes=Sizes(
            one.sizes.count + other.sizes.count,
            one.sizes.total + other.sizes.total,
            max(one.sizes.max, other.sizes.max),
        ),
        queries=Queries(
            one.queries.total + other.queries.total,
            max(one.queries.max, other.queries.max),
            one.queries.total_s + other.queries.total_s,
            one.queries.requests + other.queries.requests,
        ),
        n_plus_one=merge_repeated(one.n_plus_one, other.n_plus_one),
        cache_hits=one.cache_hits + other.cache_hits,
        cache_misses=one.cache_misses + other.cache_misses,
    )


def merge_repeated(*findings: Iterable[RepeatedStatement]) -> tuple[RepeatedStatement, ...]:
    """By shape, the most frequent in one request first, no more than are kept."""
    merged: dict[str, RepeatedStatement] = {}
    for finding in (one for several in findings for one in several):
        known = merged.get(finding.shape)
        merged[finding.shape] = (
            RepeatedStatement(
                finding.shape,
                max(known.most, finding.most),
                known.caller or finding.caller,
                known.requests + finding.requests,
            )
            if known
            else finding
        )
    return tuple(sorted(merged.values(), key=lambda one: -one.most)[:REPETITIONS_KEPT])
