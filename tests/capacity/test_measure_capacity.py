"""What the search attempts is done on a real service, and it is sent what that counted."""

from __future__ import annotations

from collections.abc import Generator

from apps.load_service import load_service, planned

from perfcheck.capacity.engine.engine import Engine
from perfcheck.capacity.engine.plan import LoadPlan
from perfcheck.capacity.measure import measure_capacity
from perfcheck.capacity.model import Attempt, Block, Capacity, Ending, LoadModel


def test_a_search_is_sent_the_blocks_of_the_load_that_it_attempts() -> None:
    sent: list[Block] = []

    def search() -> Generator[Attempt, Block, Capacity]:
        sent.extend(
            [
                (yield Attempt(2, is_fresh=True, drains=False)),
                (yield Attempt(2, is_fresh=False, drains=False)),
                (yield Attempt(5, is_fresh=True, drains=True)),
            ]
        )
        return Capacity(3.0, 2.0, 4.0, Ending.PRECISE, (), 1.5)

    request = planned("slow", "/wait/30", limit_ms=20)
    with load_service() as service:
        plan = LoadPlan("127.0.0.1", service.port, LoadModel.USERS, (request,), think_s=0.02)
        with Engine(plan) as engine:
            found = measure_capacity(engine, search(), {"slow": 20.0})
            slow = [engine.totals(step).get("slow") for step in (1, 2, 3)]
    assert found.answer == 3.0
    assert [(block.requests - block.over, block.failed) for block in sent] == [(0, 0)] * 3
    assert sum(block.requests for block in sent) > 0
    assert [counts is not None for counts in slow] == [True, False, True]  # the second waited for the backlog
