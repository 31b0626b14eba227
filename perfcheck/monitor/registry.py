"""All endpoints of one process. A request leaves a record, a tuple in a queue; figures are made of many at once.

What holds: recording takes no lock (``deque.append``, ``set.add`` and ``set.remove`` are atomic, also in free-threaded
Python). Whoever brings the queue to 512 records folds it, unless somebody else is at it; a request never waits for
another one, and a finaliser that ends a request in the middle of a fold cannot lock itself up. A forked child begins at
nothing: what the parent counted stays with the parent, and a request that was running at the fork is the parent's.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from operator import itemgetter
from threading import Lock
from time import perf_counter_ns
from typing import TYPE_CHECKING, TypeVar

from perfcheck.monitor.accumulator import Accumulator, Outcome, Record, Return, Traced
from perfcheck.monitor.log import tell
from perfcheck.monitor.queries import warn_of
from perfcheck.monitor.settings import Settings, on_change, settings
from perfcheck.monitor.slow_log import SlowLog
from perfcheck.monitor.statistics import OVERFLOW, EndpointStatistics, Snapshot

if TYPE_CHECKING:
    from perfcheck.monitor.lifecycle import Request
    from perfcheck.monitor.trace import Trace

FOLD_AT = 512
_OK = Outcome.OK
_LONGEST_NAME = 200


_Queued = TypeVar("_Queued", Record, Return)


class Registry:
    """Threads, tasks and finalisers may call it at any time."""

    def __init__(self) -> None:
        self.running: set[Request] = set()
        self.pending: deque[Record] = deque()
        self.returns: deque[Return] = deque()
        self.on_settings: Callable[[Settings], None] | None = None  # told before the first record under new settings
        self._slow_log = SlowLog()
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
        self._defect_told = False
        self._slow_log.forget()

    def record(
        self, request: Request, ended_ns: int, status: int | None, outcome: Outcome, response_bytes: int | None
    ) -> None:
        """Count one request that ended, once: a second call, or one in a child forked in between, does nothing."""
        try:
            self.running.remove(request)
        except KeyError:
            return
        duration_ns = ended_ns - request.started_ns
        name = request.endpoint
        traced = _traced(request.trace)
        self.pending.append((name, ended_ns, duration_ns, status, outcome, response_bytes, traced))
        if len(self.pending) >= FOLD_AT:
            self._fold_unless_busy()
        if traced is not None and traced[-1]:
            warn_of(name, traced[-1])
        if duration_ns > self._slow_ns:
            self._slow(name, duration_ns, status, traced[0] if traced else 0)

    def record_return(self, request: Request, name: str) -> None:
        """``record`` for a call of a decorated function that returned and told nothing else. Raises nothing.

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
                self._slow(name, duration_ns, None, 0)
        except KeyError:  # it is the parent's, who forked
            return
        except Exception as error:  # noqa: BLE001 - never into the handler
            self.defect(error)

    def forget_settings(self) -> None:
        """They changed: the next record reads them."""
        self._slow_ns = -1.0  # every request is slower, and so comes by

    def _slow(self, name: str, duration_ns: int, status: int | None, queries: int) -> None:
        now = settings()
        if self._slow_ns < 0:
            self._slow_ns = 1e9 * min(now.slow_s, now.very_slow_s)
            if self.on_settings is not None:
                self.on_settings(now)
        self._slow_log.report(name, duration_ns / 1e9, status, queries, now)

    def defect(self, error: BaseException) -> None:
        """The monitor itself failed. Counted, told once, and the request goes on."""
        self.defects += 1
        if not self._defect_told:
            self._defect_told = True
            tell(logging.ERROR, "a defect of the monitor; requests go on, statistics may lack some", exc_info=error)

    def snapshot(self) -> Snapshot:
        """Everything up to now, of this process."""
        with self._folding:
            self._fold()
            in_flight = Counter(request.endpoint for request in self.running.copy())
            found = {name: one.frozen(in_flight.pop(name, 0)) for name, one in self._accumulators.items()}
            overflow = self._overflow
        for name, count in in_flight.items():
            found[name] = EndpointStatistics(name, in_flight=count)
        return Snapshot(
            endpoints=tuple(found[name] for name in sorted(found)),
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
            whole = [(name, ended_ns, duration_ns, None, _OK, None, None) for _, ended_ns, duration_ns in returns[name]]
            records[name] = sorted((*records[name], *whole), key=itemgetter(1))
            del returns[name]
        for name, several in records.items():
            try:
                self._accumulator(name, len(several)).add(several, offset_ns)
            except Exception as error:  # noqa: BLE001 - of one endpoint: the others' are not to be lost with it
                self.defect(error)
        for name, few in returns.items():
            self._accumulator(name, len(few)).add_returns(few, offset_ns)

    def _accumulator(self, name: str, records: int) -> Accumulator:
        known = self._accumulators.get(name)
        if known is not None:
            return known
        now = settings()
        if len(self._accumulators) >= now.max_endpoints:
            self._overflow += records
            name = OVERFLOW
        return self._accumulators.setdefault(name, Accumulator(name, now.window))


def _by_name(queue: deque[_Queued]) -> dict[str, list[_Queued]]:
    """All that is in the queue now, taken out."""
    take = queue.popleft
    by_name: defaultdict[str, list[_Queued]] = defaultdict(list)
    for one in [take() for _ in range(len(queue))]:
        by_name[one[0]].append(one)
    return by_name


def _traced(trace: Trace | None) -> Traced | None:
    if trace is None:
        return None
    return (trace.queries, trace.query_seconds, trace.cache_hits, trace.cache_misses, trace.repetitions)


default = Registry()
on_change(default.forget_settings)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=default.reset)


def bounded(name: str) -> str:
    """A name as it is counted: one line, no more than 200 characters."""
    return name if len(name) <= _LONGEST_NAME and name.isprintable() else " ".join(name.split())[:_LONGEST_NAME]
