"""How many of the operations of a service a baseline measures."""

from __future__ import annotations

from dataclasses import dataclass

from perfcheck.model.operation import LeftOut, Operation


@dataclass(frozen=True, slots=True)
class Uncovered:
    """An operation that could be measured, and is not.

    With the latency of one request and the ``stanza`` that would measure it, as lines; or with the ``reason`` why it
    did not respond as it should.
    """

    operation: Operation
    latency_ms: float | None = None
    stanza: tuple[str, ...] = ()
    reason: str | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """An endpoint of the baseline that the service does not have any more."""

    endpoint: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    file: str
    base_url: str  # safe to show
    at: str  # UTC, RFC 3339
    covered: tuple[tuple[Operation, tuple[str, ...]], ...]  # with the endpoints that measure it
    uncovered: tuple[Uncovered, ...]  # those that cost users the most time first
    not_counted: tuple[LeftOut, ...]  # never measured: they may change something, or are deprecated
    gone: tuple[Gone, ...]

    @property
    def counted(self) -> int:
        return len(self.covered) + len(self.uncovered)

    @property
    def share(self) -> float:
        """Of the operations that can be measured; 1 where there are none."""
        return len(self.covered) / self.counted if self.counted else 1.0
