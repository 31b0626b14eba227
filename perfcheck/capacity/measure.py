"""The search for the capacity of a real service: the engine does what it attempts, and what that counts is judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

from perfcheck.capacity.engine.blocks import LoadBlock
from perfcheck.capacity.engine.counts import EndpointCounts
from perfcheck.capacity.engine.engine import Engine
from perfcheck.capacity.evidence import AllowedShares, is_kept, summed
from perfcheck.capacity.judging import judge_block
from perfcheck.capacity.model import BLOCK_S, Attempt, Block, Capacity
from perfcheck.capacity.search import Search
from perfcheck.model import CapacityStep

_P95 = 0.95
_NEAR = 0.1  # a logarithm of the load


@dataclass(slots=True)
class MeasuredStep:
    """What has happened at one load, by half seconds."""

    load: float
    settling: list[tuple[LoadBlock, Block]] = field(default_factory=list)
    judged: list[tuple[LoadBlock, Block]] = field(default_factory=list)

    def amend(self, engine: Engine) -> None:
        """Latencies of requests that were over their limits, and in flight, when their half second was judged."""
        for parts in (self.settling, self.judged):
            parts[:] = [(engine.amended(measured), block) for measured, block in parts]

    def summary(self, allowed: AllowedShares) -> CapacityStep:
        """Where nothing is judged, as of a service that collapsed at once, by what there is."""
        parts = self.judged or self.settling
        requests = sum(block.requests for _, block in parts)
        total = EndpointCounts()
        for part, _ in parts:
            for counts in part.counts.values():
                total.merge(counts)
        share_over = sum(block.over for _, block in parts) / requests if requests else None
        share_failed = sum(block.failed for _, block in parts) / requests if requests else None
        is_known = self.judged and share_over is not None and share_failed is not None
        return CapacityStep(
            load=self.load,
            requests=requests,
            requests_per_s=requests / (len(parts) * BLOCK_S) if parts else 0.0,
            median_ms=total.latency.quantile_ms(0.5, total.unanswered),
            p95_ms=total.latency.quantile_ms(_P95, total.unanswered),
            p95_uncorrected_ms=total.uncorrected.quantile_ms(_P95, total.unanswered),
            over=share_over,
            failed=share_failed,
            holds=is_kept([block for _, block in self.judged], allowed) if is_known else None,
        )


def over_near(steps: Sequence[MeasuredStep], load: float) -> dict[str, float]:
    """The shares of requests over their limits, by endpoint, in steps near a load; empty where there is only one."""
    near = [step for step in steps if abs(math.log(step.load / load)) < _NEAR]
    judged = summed(block.endpoints for step in near for _, block in step.judged)
    return {name: counts.over / counts.requests for name, counts in judged.items() if counts.requests}


class CapacityMeasurement:
    """What was found is kept, whatever ends it."""

    def __init__(
        self, engine: Engine, limits_ms: Mapping[str, float], observe: Callable[[Attempt], None] = lambda _: None
    ) -> None:
        """``limits_ms`` by endpoint; ``observe`` is called with each load before it is made."""
        self.steps: list[MeasuredStep] = []
        self.capacity: Capacity | None = None  # once the search has ended
        self.engine = engine
        self._limits_ms = limits_ms
        self._observe = observe
        self._blocks: Iterator[LoadBlock] = iter(())

    def run(self, search: Search) -> None:
        """Until the search ends. Raises CouldNotMeasureError where no worker is left.

        A half second is judged once its requests are over, at most as long after it as the largest limit: for that time
        the load of a step goes on.
        """
        block: Block | None = None
        # The search has a thread, in which no interrupt is raised: it would end it without what it knows.
        with closing(search), ThreadPoolExecutor(1) as thread:
            try:
                while True:
                    block = self._measured(thread.submit(search.send, block).result())
            except StopIteration as end:
                self.capacity = end.value
            except BaseException:
                self.capacity = thread.submit(_stopped, search).result()
                raise
            finally:
                for step in self.steps:
                    step.amend(self.engine)

    def _measured(self, attempt: Attempt) -> Block:
        self._observe(attempt)
        if attempt.drains:
            self.engine.drain()
        if attempt.is_fresh:
            self._blocks = self.engine.blocks(self.engine.step(attempt.load))
            self.steps.append(MeasuredStep(attempt.load))
        measured = next(self._blocks)
        block = judge_block(measured, self._limits_ms)
        if not block.is_void:
            step = self.steps[-1]
            (step.settling if attempt.settles else step.judged).append((measured, block))
        return block


def _stopped(search: Search) -> Capacity | None:
    """What it knows; None where it has not begun, or has failed."""
    try:
        search.send(None)
    except StopIteration as end:
        capacity: Capacity | None = end.value
        return capacity
    return None
