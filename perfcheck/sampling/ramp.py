"""How many connections a service takes: twice as many, for as long as its latency stays the same."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from statistics import median
from typing import Generic, TypeVar

MEMBERS = 8  # endpoints that are watched
EACH = 3  # latencies of each of them, at each number of connections
MOST_SLOWDOWN = 1.25  # of the typical latency, compared with one connection

M = TypeVar("M")


class Ramp(Generic[M]):
    """Watches the latencies of some endpoints while the requests in flight double, and stops when the service slows.

    ``usual_ms`` are the latencies of the members with one request in flight where they are known: the ramp then begins
    with two. ``width`` is the number of connections that is tried, and once ``is_over`` the largest that left the
    latencies as they are.
    """

    def __init__(self, members: Iterable[M], most: int, usual_ms: Mapping[M, float] | None = None) -> None:
        self._usual_ms = dict(usual_ms or {})
        self._began_with = tuple(members)
        self._members = set(self._began_with)  # that have not left
        self._most = most
        self._latencies: dict[M, list[float]] = {}
        self.width = 2 if usual_ms else 1
        self.is_over = most < 2  # noqa: PLR2004

    @property
    def watched(self) -> Collection[M]:
        """Those that it began with, until it is over."""
        return () if self.is_over else self._began_with

    def wants(self, member: M) -> bool:
        """Whether another latency of this endpoint is needed at this width."""
        return not self.is_over and member in self._members and len(self._latencies.get(member, ())) < EACH

    def add(self, member: M, latency_ms: float | None, width: int) -> None:
        """Take the latency of one request that was sent at ``width``; None or infinity for one that failed."""
        if self.is_over or width != self.width or not self.wants(member):
            return
        if latency_ms is None or math.isinf(latency_ms):
            self.leave(member)
        else:
            self._latencies.setdefault(member, []).append(latency_ms)
            self._conclude()

    def leave(self, member: M) -> None:
        """This endpoint needs no more requests, or cannot serve as a measure."""
        self._members.discard(member)
        self._conclude()

    def _conclude(self) -> None:
        if self.is_over or any(self.wants(member) for member in self._members):
            return
        if self.width == 1:
            self._usual_ms = {member: median(latencies) for member, latencies in self._latencies.items()}
        ratios = [
            latency / self._usual_ms[member]
            for member, latencies in self._latencies.items()
            for latency in latencies
            if self._usual_ms.get(member)
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
