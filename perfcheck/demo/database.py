"""The database as the handlers see it: connections from a small pool, and a round trip for every query.

SQLite in the same process answers in microseconds, and joins and N+1 queries would cost next to nothing. A database
over a network is where they hurt, so every query first waits for a network round trip.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections import deque
from contextlib import contextmanager
from functools import partial
from random import Random
from threading import BoundedSemaphore, Lock
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

from perfcheck.demo import catalogue
from perfcheck.monitor import trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

POOL_SIZE = 16
_SIGMA = 0.4  # of the lognormal round trip: its 95th percentile is 1.9 times its median


def network(median_ms: float, seed: int) -> Callable[[], None]:
    """A function that waits as for a network: lognormal around ``median_ms``, seeded; with 0 it does not wait."""
    if not median_ms:
        return lambda: None
    random, mu = Random(seed), math.log(median_ms / 1000)  # noqa: S311 - jitter, not secrets
    return lambda: sleep(random.lognormvariate(mu, _SIGMA))


class QuerySession:
    """The queries of one request, counted, and timed in the monitor's trace of the request."""

    def __init__(self, connection: sqlite3.Connection, round_trip: Callable[[], None]) -> None:
        self._connection = connection
        self._round_trip = round_trip
        self.queries = 0

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        """One query, one round trip, all its rows."""
        started = perf_counter()
        self._round_trip()
        rows: list[sqlite3.Row] = self._connection.execute(sql, parameters).fetchall()
        self.queries += 1
        if running := trace.current():  # None where no request is being served
            running.add_query(sql, perf_counter() - started, layer=__file__)
        return rows

    def pairs(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> dict[Any, Any]:
        """The first column of all rows, each with the second."""
        return {row[0]: row[1] for row in self.rows(sql, parameters)}

    def value(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """The first column of the first row."""
        return self.rows(sql, parameters)[0][0]


def as_set(values: Iterable[int]) -> tuple[str]:
    """Parameters for ``IN (SELECT value FROM json_each(?))``: one placeholder, however many values."""
    return (json.dumps(sorted(set(values))),)


class Database:
    """The catalogue of a seed, copied for each connection: threads wait for a free connection only.

    A request holds a connection for as long as it runs. At most ``POOL_SIZE`` run at once, as behind a real pool.
    """

    def __init__(self, seed: int, round_trip_ms: float, *, tag_index: bool = True) -> None:
        self._build = partial(catalogue.build, seed, tag_index=tag_index)
        self._catalogue: sqlite3.Connection | None = None
        self._copying = Lock()
        self._round_trip = network(round_trip_ms, seed)
        self._slots = BoundedSemaphore(POOL_SIZE)
        self._idle: deque[sqlite3.Connection] = deque()

    def prepare(self) -> None:
        """Build the catalogue now, and not at the first request."""
        with self._copying:
            self._built()

    @contextmanager
    def session(self) -> Iterator[QuerySession]:
        with self._slots:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._copy()
            try:
                yield QuerySession(connection, self._round_trip)
            finally:
                self._idle.append(connection)

    def close(self) -> None:
        """To be called when no session is open."""
        while self._idle:
            self._idle.pop().close()
        if self._catalogue is not None:
            self._catalogue.close()

    def _copy(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        connection.row_factory = sqlite3.Row
        with self._copying:
            self._built().backup(connection)
        return connection

    def _built(self) -> sqlite3.Connection:
        if self._catalogue is None:
            self._catalogue = self._build()
        return self._catalogue
