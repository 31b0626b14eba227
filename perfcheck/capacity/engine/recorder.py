"""What one worker counts: requests by step and by the half second of their intended start, and when that is complete.

A half second is reported once the outcome of each of its requests is known: it is complete, has failed, or has been in
flight for longer than its limit, which is *over* whatever follows. So the search learns of an overload after the limit,
not after the timeout. What follows is reported as an amendment: the sum of all parts is what happened, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from perfcheck.capacity.engine.counts import EndpointCounts, GeneratorError
from perfcheck.capacity.engine.plan import PlannedRequest
from perfcheck.capacity.model import BLOCK_S
from perfcheck.model import Failure


@dataclass(frozen=True, slots=True)
class BlockPart:
    """The part that one worker has in a half second of a step; or, later, what is to be added to it."""

    step: int
    block: int
    counts: dict[str, EndpointCounts]  # by endpoint
    lag_ms: float = 0.0
    is_amendment: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "block": self.block,
            "counts": {endpoint: counts.to_json() for endpoint, counts in self.counts.items()},
            "lag_ms": self.lag_ms,
            "is_amendment": self.is_amendment,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> BlockPart:
        counts = {endpoint: EndpointCounts.from_json(part) for endpoint, part in values["counts"].items()}
        return cls(values["step"], values["block"], counts, values["lag_ms"], values["is_amendment"])


@dataclass(slots=True)
class _OpenBlock:
    step: int
    index: int
    end_s: float
    counts: dict[str, EndpointCounts] = field(default_factory=dict)  # since the last report
    in_flight: set[InFlight] = field(default_factory=set)
    lag_ms: float = 0.0
    is_cut: bool = False  # by the next step, so that it is no half second: all of it is sent as amendments
    is_reported: bool = False

    def of(self, endpoint: str) -> EndpointCounts:
        return self.counts.setdefault(endpoint, EndpointCounts())

    def is_known(self, now_s: float) -> bool:
        """Whether each request is over, or has an outcome."""
        return all(sent.over_s < now_s for sent in self.in_flight)


@dataclass(eq=False, slots=True)
class InFlight:
    """A request between its intended start and its outcome."""

    request: PlannedRequest
    intended_s: float
    block: _OpenBlock

    @property
    def over_s(self) -> float:
        """When it exceeds its limit, whatever a workflow has paused by then."""
        limit_ms = self.request.limit_ms
        return math.inf if limit_ms is None else self.intended_s + limit_ms / 1e3 + self.request.pauses_s


class BlockRecorder:
    """Counts nothing until the first step begins. Times are seconds of any monotonic clock."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._step = 0
        self._began_s = math.inf
        self._blocks: dict[tuple[int, int], _OpenBlock] = {}  # those that are not complete
        self._next = 0  # the first block of the current step that nothing is known of
        self._least = 0  # no request starts in a block before this one

    def begin(self, step: int, now_s: float) -> None:
        """A new step, with a number over 0 of its own. Interrupts the half second of the one before."""
        self._open_until(now_s)
        for block in self._blocks.values():
            block.is_cut |= not block.is_reported and block.end_s > now_s
        self._step, self._began_s, self._next, self._least = step, now_s, 0, 0

    def skip(self, from_s: float, now_s: float) -> None:
        """Leave out the time since ``from_s``, in which there was no load. What it interrupted has it as lag."""
        skipped_s = now_s - from_s
        self._began_s += skipped_s
        for block in self._blocks.values():
            if not block.is_reported and not block.is_cut:
                block.end_s += skipped_s
                block.lag_ms = max(block.lag_ms, skipped_s * 1e3)

    def start(self, request: PlannedRequest, intended_s: float) -> InFlight:
        sent = InFlight(request, intended_s, self._block_at(intended_s))
        sent.block.in_flight.add(sent)
        self.in_flight += 1
        return sent

    def shed(self, request: PlannedRequest, intended_s: float) -> None:
        self._block_at(intended_s).of(request.endpoint).shed += 1

    def succeed(self, sent: InFlight, end_s: float, start_s: float | None = None) -> None:
        """``start_s``: the real start, in the open model, where it may be later than the intended one."""
        counts = self._outcome(sent)
        counts.latency.add(end_s - sent.intended_s)
        if start_s is not None:
            counts.uncorrected.add(end_s - start_s)

    def fail(self, sent: InFlight, error: Failure | GeneratorError) -> None:
        counts = self._outcome(sent)
        if isinstance(error, Failure):
            counts.failures[error] += 1
        else:
            counts.generator_errors[error] += 1

    def note_lag(self, due_s: float, now_s: float) -> None:
        """Something that was due runs only now."""
        self._open_until(now_s)
        for block in self._blocks.values():
            if not block.is_reported and block.end_s > due_s:
                block.lag_ms = max(block.lag_ms, (now_s - due_s) * 1e3)

    def take(self, now_s: float, planned_from_s: float) -> Iterator[BlockPart]:
        """What is to be reported now. All requests to come have an intended start of ``planned_from_s`` or later."""
        self._open_until(now_s)
        for key, block in list(self._blocks.items()):
            is_past = block.end_s <= planned_from_s
            if block.is_cut or block.is_reported:
                if block.counts:
                    yield BlockPart(block.step, block.index, block.counts, is_amendment=True)
                    block.counts = {}
            elif is_past and block.end_s <= now_s and block.is_known(now_s):
                for sent in block.in_flight:
                    block.of(sent.request.endpoint).pending += 1
                yield BlockPart(block.step, block.index, block.counts, block.lag_ms)
                block.counts, block.is_reported = {}, True
                self._least = max(self._least, block.index + 1) if block.step == self._step else self._least
            if (block.is_cut or block.is_reported) and not block.in_flight:
                del self._blocks[key]

    def _outcome(self, sent: InFlight) -> EndpointCounts:
        block = sent.block
        block.in_flight.remove(sent)
        self.in_flight -= 1
        counts = block.of(sent.request.endpoint)
        counts.pending -= block.is_reported
        return counts

    def _block_at(self, time_s: float) -> _OpenBlock:
        index = max(self._least, int((time_s - self._began_s) / BLOCK_S))  # rounding might return one that is reported
        self._open_until(self._began_s + index * BLOCK_S)
        return self._blocks[self._step, index]

    def _open_until(self, time_s: float) -> None:
        """Those that nothing starts in are reported, too."""
        while self._began_s + self._next * BLOCK_S <= time_s:
            end_s = self._began_s + (self._next + 1) * BLOCK_S
            self._blocks[self._step, self._next] = _OpenBlock(self._step, self._next, end_s)
            self._next += 1
