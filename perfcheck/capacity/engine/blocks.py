"""The parts of all workers put together: the half seconds of a step, in order, each as soon as it is complete."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from perfcheck.capacity.engine.counts import EndpointCounts, merged
from perfcheck.capacity.engine.recorder import BlockPart


@dataclass(frozen=True, slots=True)
class LoadBlock:
    """Half a second of a step, by the intended start of the requests."""

    step: int
    index: int
    counts: dict[str, EndpointCounts]  # by endpoint
    lag_ms: float  # the largest of a worker
    missing: frozenset[int]  # the workers that were absent, and had not reported their part


class BlockAssembler:
    """Parts of the workers in, half seconds out. A half second that is complete never changes."""

    def __init__(self) -> None:
        self._workers: dict[int, frozenset[int]] = {}  # of each step
        self._parts: dict[tuple[int, int], dict[int, BlockPart]] = {}
        self._amendments: dict[tuple[int, int], list[dict[str, EndpointCounts]]] = defaultdict(list)
        self._next: dict[int, int] = {}  # block of each step

    def begin(self, step: int, workers: Iterable[int]) -> None:
        self._workers[step] = frozenset(workers)
        self._next[step] = 0

    def add(self, worker: int, part: BlockPart) -> None:
        if part.is_amendment:
            self._amendments[part.step, part.block].append(part.counts)
        else:
            self._parts.setdefault((part.step, part.block), {})[worker] = part

    def next_of(self, step: int, absent: AbstractSet[int] = frozenset()) -> LoadBlock | None:
        """The next half second of the step, once each of its workers that is not absent has reported it."""
        index = self._next[step]
        parts = self._parts.get((step, index), {})
        missing = self._workers[step] - parts.keys()
        if missing - absent or not parts:
            return None
        self._next[step] += 1
        counts = merged(part.counts for part in parts.values())
        return LoadBlock(step, index, counts, max(part.lag_ms for part in parts.values()), missing)

    def amended(self, block: LoadBlock) -> LoadBlock:
        """With what has become, by now, of the requests that were in flight when it was complete."""
        return replace(block, counts=merged([block.counts, *self._amendments.get((block.step, block.index), [])]))

    def totals(self, step: int) -> dict[str, EndpointCounts]:
        """All requests of the step that have been reported, those of half seconds that are not complete, too."""
        parts = [
            part.counts for (of_step, _), parts in self._parts.items() if of_step == step for part in parts.values()
        ]
        later = (amendments for (of_step, _), amendments in self._amendments.items() if of_step == step)
        return merged([*parts, *(counts for amendments in later for counts in amendments)])
