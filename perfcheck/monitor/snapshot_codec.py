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
class SnapshotWriter:
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
        return "\n".join([json.dumps(header), *map(self._line, snapshot.endpoints), ""])

    def _line(self, endpoint: EndpointStatistics) -> str:
        state = (endpoint.total, endpoint.in_flight)
        known = self._lines.get(endpoint.name)
        if known is None or known[0] != state:
            known = self._lines[endpoint.name] = (state, json.dumps(_encoded(endpoint), separators=(",", ":")))
        return known[1]


def decode_snapshot(text: str) -> tuple[Snapshot, frozenset[str]]:
    """The snapshot (which counts no worker as alive), and the workers folded into it. Raises ValueError."""
    try:
        first, *lines = text.splitlines()
        header = json.loads(first)
        if header["format"] != FORMAT:
            raise ValueError(f"not of the format {FORMAT}")
        snapshot = Snapshot(
            endpoints=tuple(_decoded(json.loads(line)) for line in lines),
            started_at=float(header["started_at"]),
            taken_at=float(header["taken_at"]),
            workers=0,
            overflow=int(header["overflow"]),
            defects=int(header["defects"]),
        )
        return snapshot, frozenset(map(str, header["folded"]))
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a file of the monitor: {error!r}") from error


def _encoded(endpoint: EndpointStatistics) -> dict[str, Any]:
    duration, sizes, queries = endpoint.duration, endpoint.sizes, endpoint.queries
    return {
        "name": endpoint.name,
        "errors": endpoint.errors,
        "disconnects": endpoint.disconnects,
        "in_flight": endpoint.in_flight,
        "statuses": {str(status): count for status, count in endpoint.statuses.items()},
        "sums": [duration.total_ns, duration.squares, duration.least_ns, duration.most_ns],
        "buckets": list(duration.sparse().items()),
        "recent": endpoint.recent,
        "sizes": [sizes.count, sizes.total, sizes.max],
        "queries": [queries.total, queries.max, queries.total_s, queries.requests],
        "n_plus_one": [[each.shape, each.most, each.caller, each.requests] for each in endpoint.n_plus_one],
        "cache": [endpoint.cache_hits, endpoint.cache_misses],
    }


def _decoded(line: dict[str, Any]) -> EndpointStatistics:
    total_ns, squares, least_ns, most_ns = line["sums"]
    duration = Histogram.restore((total_ns, squares, least_ns, most_ns), dict(line["buckets"]))
    hits, misses = line["cache"]
    return EndpointStatistics(
        name=str(line["name"]),
        total=duration.count,
        errors=line["errors"],
        disconnects=line["disconnects"],
        in_flight=line["in_flight"],
        statuses={int(status): count for status, count in line["statuses"].items()},
        duration=duration,
        recent=tuple((ended, ns) for ended, ns in line["recent"]),
        sizes=Sizes(*line["sizes"]),
        queries=Queries(*line["queries"]),
        n_plus_one=tuple(RepeatedStatement(*repeated) for repeated in line["n_plus_one"]),
        cache_hits=hits,
        cache_misses=misses,
    )
