"""All endpoints of one process. A request leaves a record, a tuple in a queue; figures are made of many at once.

Recording takes no lock (``deque.append``, ``set.add`` and ``set.remove`` are atomic, also in free-threaded Python). The
request that brings the queue to 512 records folds it, unless another thread is doing so: a request never waits for
another one, and a finaliser that ends a request in the middle of a fold cannot deadlock. A forked child begins at zero:
what the parent counted stays with the parent, and so does a request that was running at the fork.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from enum import IntEnum
from operator import itemgetter
from threading import Lock
from time import perf_counter_ns
from typing import Protocol, TypeVar

from perfcheck.monitor.histogram import Histogram
from perfcheck.monitor.log import SlowLog, log_safely
from perfcheck.monitor.request_trace import Trace, log_n_plus_one
from perfcheck.monitor.settings import Settings, on_change, settings
from perfcheck.monitor.statistics import (
    OVERFLOW,
    REPETITIONS_KEPT,
    EndpointStatistics,
    Queries,
    RepeatedStatement,
    Sizes,
    Snapshot,
    StatementTime,
    merge_repeated,
    merge_times,
)

FOLD_AT = 512
_NO_QUERIES = "0 queries"
_LONGEST_NAME = 200


class RequestOutcome(IntEnum):
    OK = 0
    ERROR = 1
    DISCONNECTED = 2


# (queries, their seconds, cache hits, cache misses, slow and repeated statements) of one request
Traced = tuple[int, float, int, int, tuple[StatementTime, ...], tuple[RepeatedStatement, ...]]
# (endpoint, when it ended by perf_counter_ns, duration_ns, status, outcome, bytes of the body, figures of the trace)
Record = tuple[str, int, int, int | None, RequestOutcome, int | None, Traced | None]
# The same of a call that returned, of which nothing else is known: (endpoint, when it ended, duration_ns)
Return = tuple[str, int, int]


class Accumulator:
    """The running figures of one endpoint, bounded. One thread at a time may call it."""

    def __init__(self, name: str, window: int) -> None:
        self._name = name
        self._duration = Histogram()
        self._recent: deque[tuple[int, int]] = deque(maxlen=window)
        self._outcomes: Counter[RequestOutcome] = Counter()
        self._statuses: Counter[int] = Counter()
        self._sizes = Sizes()
        self._queries = Queries()
        self._repeated: tuple[RepeatedStatement, ...] = ()
        self._slow: tuple[StatementTime, ...] = ()
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
        queries, seconds, hits, misses, slow, repetitions = traced
        if queries:
            self._queries += Queries(queries, queries, seconds, 1)
        self._cache = (self._cache[0] + hits, self._cache[1] + misses)
        if slow:
            self._slow = merge_times((*self._slow, *slow))
        if repetitions:
            self._repeated = merge_repeated((*self._repeated, *repetitions[:REPETITIONS_KEPT]))

    def frozen(self, in_flight: int) -> EndpointStatistics:
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
            slow_statements=self._slow,
            cache_hits=self._cache[0],
            cache_misses=self._cache[1],
        )


_Queued = TypeVar("_Queued", Record, Return)


class RunningRequest(Protocol):
    """What is recorded of a request: ``lifecycle.Request`` is one."""

    started_ns: int
    trace: Trace | None

    @property
    def endpoint(self) -> str: ...


class Registry:
    """Threads, tasks and finalisers may call it at any time."""

    def __init__(self) -> None:
        self.running: set[RunningRequest] = set()
        self.pending: deque[Record] = deque()
        self.returns: deque[Return] = deque()
        self.on_settings: Callable[[Settings], None] | None = None  # called at the first record under new settings
        self.is_served = False  # a middleware of this process serves the figures; of a forked child's parent, too
        self.reset()

    def reset(self) -> None:
        """Forget everything. Also what a forked child begins with, whatever its parent was in the middle of."""
        self._folding = Lock()
        self.pending.clear()
        self.returns.clear()
        self._accumulators: dict[str, Accumulator] = {}
        self._overflow = 0
        self._started_at = time.time()
        self.forget_settings()
        self.running.clear()
        self.defects = 0
        self._failure_logged = self._unserved_logged = False
        self._slow_log = SlowLog()

    def record(
        self,
        request: RunningRequest,
        ended_ns: int,
        status: int | None,
        outcome: RequestOutcome,
        response_bytes: int | None,
    ) -> None:
        """Count one request that ended, once: a second call, or one in a child forked in between, does nothing."""
        try:
            self.running.remove(request)
        except KeyError:
            return
        duration_ns = ended_ns - request.started_ns
        name = request.endpoint
        traced: Traced | None = None
        if (trace := request.trace) is not None:
            queries, cached = (trace.queries, trace.query_seconds), (trace.cache_hits, trace.cache_misses)
            traced = *queries, *cached, trace.statement_times, trace.repetitions
        self.pending.append((name, ended_ns, duration_ns, status, outcome, response_bytes, traced))
        if len(self.pending) >= FOLD_AT:
            self._fold_unless_busy()
        if traced is not None and traced[-1]:
            log_n_plus_one(name, traced[-1])
        if duration_ns > self._slow_ns:
            self._slow(name, duration_ns, status, trace.in_words if trace is not None else _NO_QUERIES)

    def record_return(self, request: RunningRequest, name: str) -> None:
        """``record`` for a call of a decorated function that returned, of which nothing else is known. Raises nothing.

        That is nearly every call, so every step counts here.
        """
        ended_ns = perf_counter_ns()
        try:
            self.running.remove(request)
            duration_ns = ended_ns - request.started_ns
            self.returns.append((name, ended_ns, duration_ns))
            if len(self.returns) >= FOLD_AT:
                self._fold_unless_busy()
            if duration_ns > self._slow_ns:
                self._slow(name, duration_ns, None, _NO_QUERIES)
        except KeyError:  # it belongs to the parent process, which forked
            return
        except Exception as error:  # noqa: BLE001 - never into the handler
            self.count_failure(error)

    def forget_settings(self) -> None:
        """They changed: the next record reads them."""
        self._slow_ns = -1.0  # every request is slower, and so calls _slow

    def _slow(self, name: str, duration_ns: int, status: int | None, queries: str) -> None:
        now = settings()
        if self._slow_ns < 0:
            self._slow_ns = 1e9 * min(now.slow_s, now.very_slow_s)
            self._warn_if_unserved(now)
            if self.on_settings is not None:
                self.on_settings(now)
        self._slow_log.report(name, duration_ns / 1e9, status, queries, slow_s=now.slow_s, very_slow_s=now.very_slow_s)

    def _warn_if_unserved(self, now: Settings) -> None:
        """A decorator counts without a middleware, too: a script that reads the API would never find a slow one."""
        if not (self.is_served or self._unserved_logged or now.directory):
            self._unserved_logged = True
            message = (
                "@monitor_performance counts, but nothing serves its figures: call init_app(app), or add a middleware"
            )
            log_safely(logging.WARNING, message)

    def count_failure(self, error: BaseException) -> None:
        """The monitor itself failed. Counted, logged once, and the request goes on."""
        self.defects += 1
        if not self._failure_logged:
            self._failure_logged = True
            message = "the monitor failed and let the request pass; its statistics may be incomplete"
            log_safely(logging.ERROR, message, exc_info=error)

    def snapshot(self) -> Snapshot:
        """Everything up to now, of this process."""
        with self._folding:
            self._fold()
            in_flight = Counter(request.endpoint for request in self.running.copy())
            endpoints = {
                name: accumulator.frozen(in_flight.pop(name, 0)) for name, accumulator in self._accumulators.items()
            }
            overflow = self._overflow
        for name, count in in_flight.items():
            endpoints[name] = EndpointStatistics(name, in_flight=count)
        return Snapshot(
            endpoints=tuple(endpoints[name] for name in sorted(endpoints)),
            started_at=self._started_at,
            taken_at=time.time(),
            overflow=overflow,
            defects=self.defects,
        )

    def _fold_unless_busy(self) -> None:
        folding = self._folding
        if folding.acquire(blocking=False):
            try:
                self._fold()
            finally:
                folding.release()

    def _fold(self) -> None:
        """Turn what is pending into figures; the lock is held."""
        offset_ns = time.time_ns() - perf_counter_ns()
        records, returns = _by_name(self.pending), _by_name(self.returns)
        for name in records.keys() & returns.keys():  # in order of their ends, for the recent window
            padded = [(*call, None, RequestOutcome.OK, None, None) for call in returns.pop(name)]
            records[name] = sorted((*records[name], *padded), key=itemgetter(1))
        for name, batch in records.items():
            try:
                self._accumulator(name, len(batch)).add(batch, offset_ns)
            except Exception as error:  # noqa: BLE001 - of one endpoint: the others' are not to be lost with it
                self.count_failure(error)
        for name, calls in returns.items():
            self._accumulator(name, len(calls)).add_returns(calls, offset_ns)

    def _accumulator(self, name: str, records: int) -> Accumulator:
        if name not in self._accumulators and len(self._accumulators) >= settings().max_endpoints:
            self._overflow += records
            name = OVERFLOW
        if name not in self._accumulators:
            self._accumulators[name] = Accumulator(name, settings().window)
        return self._accumulators[name]


def _by_name(queue: deque[_Queued]) -> dict[str, list[_Queued]]:
    """All that is in the queue now, taken out."""
    take = queue.popleft
    by_name: defaultdict[str, list[_Queued]] = defaultdict(list)
    for record in [take() for _ in range(len(queue))]:
        by_name[record[0]].append(record)
    return by_name


default = Registry()
on_change(default.forget_settings)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=default.reset)


def bounded(name: str) -> str:
    """A name as it is counted: one line, no more than 200 characters."""
    return name if len(name) <= _LONGEST_NAME and name.isprintable() else " ".join(name.split())[:_LONGEST_NAME]
