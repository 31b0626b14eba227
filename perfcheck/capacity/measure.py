"""The search for the capacity of a real service: the engine does what it attempts, and what that counts is judged."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping

from perfcheck.capacity.engine.blocks import LoadBlock
from perfcheck.capacity.engine.engine import Engine
from perfcheck.capacity.judging import judge_block
from perfcheck.capacity.model import Attempt, Block, Capacity


def measure_capacity(
    engine: Engine, search: Generator[Attempt, Block, Capacity], limits_ms: Mapping[str, float]
) -> Capacity:
    """What ``search`` finds, with the limit of each endpoint; at its end there is no load.

    A half second is judged once its requests are over, at most as long after it as the largest limit: for that time the
    load of a step goes on. Raises CouldNotMeasureError when no worker is left.
    """
    blocks: Iterator[LoadBlock] = iter(())
    attempt = next(search)
    while True:
        if attempt.is_fresh:
            if attempt.drains:
                engine.drain()
            blocks = engine.blocks(engine.step(attempt.load))
        try:
            attempt = search.send(judge_block(next(blocks), limits_ms))
        except StopIteration as ended:
            engine.step(0)
            capacity: Capacity = ended.value
            return capacity
