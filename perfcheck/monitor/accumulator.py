"""The running figures of one endpoint. Bounded: one histogram, one window, ten statement shapes, 500 statuses."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from enum import IntEnum

from perfcheck.monitor.histogram import Histogram
from perfcheck.monitor.request_trace import Repetition
from perfcheck.monitor.statistics import (
    REPETITIONS_KEPT,
    EndpointStatistics,
    Queries,
    RepeatedStatement,
    Sizes,
    merge_repeated,
)


class RequestOutcome(IntEnum):
    """How a request ended."""

    OK = 0
    ERROR = 1
    DISCONNECTED = 2


# (queries, their seconds, cache hits, cache misses, repeated statements) of one request
Traced = tuple[int, float, int, int, tuple[Repetition, ...]]
# (endpoint, when it ended by perf_counter_ns, duration_ns, status, outcome, bytes of the body, figures of the trace)
Record = tuple[str, int, int, int | None, RequestOutcome, int | None, Traced | None]
# The same of a call that returned, of which nothing else is known: (endpoint, when it ended, duration_ns)
Return = tuple[str, int, int]


class Accumulator:
    """One thread at a time may call it."""

    __slots__ = (
        "_cache",
        "_duration",
        "_name",
        "_outcomes",
        "_queries",
        "_recent",
        "_repeated",
        "_sizes",
        "_statuses",
    )

    def __init__(self, name: str, window: int) -> None:
        self._name = name
        self._duration = Histogram()
        self._recent: deque[tuple[int, int]] = deque(maxlen=window)
        self._outcomes: Counter[RequestOutcome] = Counter()
        self._statuses: Counter[int] = Counter()
        self._sizes = Sizes()
        self._queries = Queries()
        self._repeated: tuple[RepeatedStatement, ...] = ()
        self._cache = (0, 0)

    def add(self, records: Sequence[Record], offset_ns: int) -> None:
        """Many at once, in order of their ends; ``offset_ns`` turns their clock into nanoseconds since 1970."""
        names, ended, durations, statuses, outcomes, known_sizes, traces = zip(*records, strict=True)
        self.add_returns(list(zip(names, ended, durations, strict=True)), offset_ns)
        self._outcomes.update(outcomes)
        for status, count in Counter(statuses).items():
            if status is not None and 100 <= status < 600:  # noqa: PLR2004 - no other number is a status of HTTP
                self._statuses[status] += count
        sizes = [size for size in known_sizes if size is not None]
        if sizes:
            self._sizes += Sizes(len(sizes), sum(sizes), max(sizes))
        for traced in traces:
            if traced is not None:
                self._add_traced(traced)

    def add_returns(self, returns: Sequence[Return], offset_ns: int) -> None:
        """Many at once, in order of their ends."""
        self._duration.add([duration_ns for _, _, duration_ns in returns])
        latest = returns[-(self._recent.maxlen or 1) :]
        self._recent.extend([(ended_ns + offset_ns, duration_ns) for _, ended_ns, duration_ns in latest])

    def _add_traced(self, traced: Traced) -> None:
        queries, seconds, hits, misses, repetitions = traced
        if queries:
            self._queries += Queries(queries, queries, seconds, 1)
        self._cache = (self._cache[0] + hits, self._cache[1] + misses)
        if repetitions:
            worst = repetitions[:REPETITIONS_KEPT]
            self._repeated = merge_repeated(
                self._repeated, (RepeatedStatement(each.shape, each.count, each.caller, 1) for each in worst)
            )

    def frozen(self, in_flight: int) -> EndpointStatistics:
        """A copy as a plain value."""
        return EndpointStatistics(
            name=self._name,
            total=self._duration.count,
            errors=self._outcomes[RequestOutcome.ERROR],
            disconnects=self._outcomes[RequestOutcome.DISCONNECTED],
            in_flight=in_flight,
            statuses=dict(sorted(self._statuses.items())),
            duration=self._duration.copy(),
            # A thread that was suspended between its end and its record comes in a later batch than others.
            recent=tuple(sorted(self._recent)),
            sizes=self._sizes,
            queries=self._queries,
            n_plus_one=self._repeated,
            cache_hits=self._cache[0],
            cache_misses=self._cache[1],
        )
