"""How many connections a service takes: twice as many, for as long as its latency stays the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median

MEMBERS = 8  # endpoints that are watched
EACH = 3  # latencies of each of them, at each number of connections
MOST_SLOWDOWN = 1.25  # of the typical latency, compared with one connection


class Ramp:
    """Watches the latencies of some endpoints while the requests in flight double, and stops when the service slows.

    ``usual_ms`` are the latencies of the members with one request in flight, by name, where they are known already: the
    ramp then begins with two. ``width`` is the number of connections that is tried, and once ``is_over`` the largest
    that left the latencies as they are.
    """

    def __init__(self, members: set[str], most: int, usual_ms: Mapping[str, float] | None = None) -> None:
        self._usual_ms = dict(usual_ms or {})
        self._members = set(members)
        self._most = most
        self._latencies: dict[str, list[float]] = {}
        self.width = 2 if usual_ms else 1
        self.is_over = most < 2  # noqa: PLR2004

    def wants(self, name: str) -> bool:
        """Whether another latency of this endpoint is needed at this width."""
        return not self.is_over and name in self._members and len(self._latencies.get(name, ())) < EACH

    def add(self, name: str, latency_ms: float | None, width: int) -> None:
        """Take the latency of one request that was sent at ``width``; None or infinity for one that failed."""
        if self.is_over or width != self.width or not self.wants(name):
            return
        if latency_ms is None or math.isinf(latency_ms):
            self.leave(name)
        else:
            self._latencies.setdefault(name, []).append(latency_ms)
            self._conclude()

    def leave(self, name: str) -> None:
        """This endpoint needs no more requests, or cannot serve as a measure."""
        self._members.discard(name)
        self._conclude()

    def _conclude(self) -> None:
        if self.is_over or any(self.wants(name) for name in self._members):
            return
        if self.width == 1:
            self._usual_ms = {name: median(latencies) for name, latencies in self._latencies.items()}
        ratios = [
            latency / self._usual_ms[name]
            for name, latencies in self._latencies.items()
            for latency in latencies
            if self._usual_ms.get(name)
        ]
        if ratios and median(ratios) > MOST_SLOWDOWN:
            self.stop(self.width // 2)
        elif 2 * self.width > self._most or not self._members:
            self.stop(self.width)
        else:
            self.width *= 2
            self._latencies = {}

    def stop(self, width: int = 1) -> None:
        """Stay at ``width``."""
        self.width, self.is_over = max(width, 1), True
