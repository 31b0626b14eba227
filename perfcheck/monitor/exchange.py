"""The file of one worker: a snapshot as lines of JSON, the first about the worker, one for each endpoint.

Counts and sums are integers of any size, so that what was written is what is read. Lines of endpoints in which nothing
happened since the last time are kept, so that writing often costs little.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from perfcheck.monitor.histogram import Histogram
from perfcheck.monitor.statistics import EndpointStatistics, Queries, RepeatedStatement, Sizes, Snapshot

FORMAT = "perfcheck.monitor/1"


@dataclass(slots=True)
class Writer:
    """Remembers the line of each endpoint."""

    _lines: dict[str, tuple[tuple[int, int], str]] = field(default_factory=dict)

    def text(self, snapshot: Snapshot, folded: Iterable[str] = ()) -> str:
        """``folded`` names the workers whose counts are in here already."""
        header = {
            "format": FORMAT,
            "started_at": snapshot.started_at,
            "taken_at": snapshot.taken_at,
            "overflow": snapshot.overflow,
            "defects": snapshot.defects,
            "folded": list(folded),
        }
        return "\n".join([json.dumps(header), *(self._line(one) for one in snapshot.endpoints), ""])

    def _line(self, one: EndpointStatistics) -> str:
        state = (one.total, one.in_flight)
        known = self._lines.get(one.name)
        if known is None or known[0] != state:
            known = self._lines[one.name] = (state, json.dumps(_told(one), separators=(",", ":")))
        return known[1]


def read(text: str) -> tuple[Snapshot, frozenset[str]]:
    """The snapshot (which counts no worker as alive), and the workers folded into it. Raises ValueError."""
    try:
        first, *lines = text.splitlines()
        header = json.loads(first)
        if header["format"] != FORMAT:
            raise ValueError(f"not of the format {FORMAT}")
        snapshot = Snapshot(
            endpoints=tuple(_restored(json.loads(line)) for line in lines),
            started_at=float(header["started_at"]),
            taken_at=float(header["taken_at"]),
            workers=0,
            overflow=int(header["overflow"]),
            defects=int(header["defects"]),
        )
        return snapshot, frozenset(map(str, header["folded"]))
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a file of the monitor: {error!r}") from error


def _told(one: EndpointStatistics) -> dict[str, Any]:
    duration, sizes, queries = one.duration, one.sizes, one.queries
    return {
        "name": one.name,
        "errors": one.errors,
        "disconnects": one.disconnects,
        "in_flight": one.in_flight,
        "statuses": {str(status): count for status, count in one.statuses.items()},
        "sums": [duration.total_ns, duration.squares, duration.least_ns, duration.most_ns],
        "buckets": list(duration.sparse().items()),
        "recent": one.recent,
        "sizes": [sizes.count, sizes.total, sizes.max],
        "queries": [queries.total, queries.max, queries.total_s, queries.requests],
        "n_plus_one": [[found.shape, found.most, found.caller, found.requests] for found in one.n_plus_one],
        "cache": [one.cache_hits, one.cache_misses],
    }


def _restored(told: dict[str, Any]) -> EndpointStatistics:
    total_ns, squares, least_ns, most_ns = told["sums"]
    duration = Histogram.restore((total_ns, squares, least_ns, most_ns), dict(told["buckets"]))
    hits, misses = told["cache"]
    return EndpointStatistics(
        name=str(told["name"]),
        total=duration.count,
        errors=told["errors"],
        disconnects=told["disconnects"],
        in_flight=told["in_flight"],
        statuses={int(status): count for status, count in told["statuses"].items()},
        duration=duration,
        recent=tuple((ended, ns) for ended, ns in told["recent"]),
        sizes=Sizes(*told["sizes"]),
        queries=Queries(*told["queries"]),
        n_plus_one=tuple(RepeatedStatement(*found) for found in told["n_plus_one"]),
        cache_hits=hits,
        cache_misses=misses,
    )
