"""What the search attempts is done on a real service, and it is sent what that counted."""

from __future__ import annotations

from _thread import interrupt_main
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from apps.load_service import load_service, planned

from perfcheck.capacity.engine.blocks import LoadBlock
from perfcheck.capacity.engine.counts import EndpointCounts
from perfcheck.capacity.engine.engine import Engine
from perfcheck.capacity.engine.histogram import LatencyHistogram
from perfcheck.capacity.engine.plan import LoadPlan
from perfcheck.capacity.evidence import AllowedShares
from perfcheck.capacity.measure import CapacityMeasurement, MeasuredStep
from perfcheck.capacity.model import Attempt, Block, Capacity, Ending
from perfcheck.model import Failure, LoadModel

FOUND = Capacity(3.0, 2.0, 4.0, Ending.PRECISE, (), 1.5)


def test_a_search_is_sent_the_blocks_of_the_load_that_it_attempts() -> None:
    sent: list[Block] = []

    def search() -> Generator[Attempt, Block | None, Capacity]:
        for attempt in (
            Attempt(2, is_fresh=True, drains=False),
            Attempt(2, is_fresh=False, drains=False),
            Attempt(5, is_fresh=True, drains=True),
        ):
            block = yield attempt
            assert block is not None
            sent.append(block)
        return FOUND

    request = planned("slow", "/wait/30", limit_ms=20)
    with load_service() as service:
        plan = LoadPlan("127.0.0.1", service.port, LoadModel.USERS, (request,), think_s=0.02)
        with Engine(plan) as engine:
            measurement = CapacityMeasurement(engine, {"slow": 20.0})
            measurement.run(search())
            slow = [engine.totals(step).get("slow") for step in (1, 2, 3)]
    assert measurement.capacity == FOUND
    assert [(block.requests - block.over, block.failed) for block in sent] == [(0, 0)] * 3
    assert sum(block.requests for block in sent) > 0
    assert [counts is not None for counts in slow] == [True, False, True]  # the second waited for the backlog
    assert [step.load for step in measurement.steps] == [2, 5]


def allowed(over: float, failed: float = 0.01) -> AllowedShares:
    return AllowedShares(failed, {"videos": over})


def part(latencies_ms: Sequence[float], *, failed: int = 0, over: int = 0) -> tuple[LoadBlock, Block]:
    counts = EndpointCounts(failures=Counter({Failure.STATUS: failed}))
    for latency_ms in latencies_ms:
        counts.latency.add(latency_ms / 1e3)
    block = Block(len(latencies_ms) + failed, over, failed)
    return LoadBlock(1, 0, {"videos": counts}, 0.0, frozenset()), block


def test_a_step_is_the_sum_of_its_judged_half_seconds() -> None:
    step = MeasuredStep(20.0, settling=[part([900.0] * 5, over=5)])
    step.judged += [part([10.0] * 60, failed=1), part([10.0] * 30 + [50.0] * 10, over=9)]
    summary = step.summary(allowed(0.1))
    assert (summary.load, summary.requests, summary.requests_per_s) == (20.0, 101, 101.0)
    assert summary.median_ms == pytest.approx(10, rel=0.0025)
    assert summary.p95_ms == pytest.approx(50, rel=0.0025)
    assert (summary.over, summary.failed, summary.holds) == (9 / 101, 1 / 101, True)
    assert step.summary(allowed(0.05)).holds is step.summary(allowed(0.1, 0.001)).holds is False


def test_a_step_that_was_not_judged_shows_what_there_was() -> None:
    collapsed = MeasuredStep(20.0, settling=[part([], failed=30)]).summary(allowed(0.5))
    assert (collapsed.requests, collapsed.failed, collapsed.holds) == (30, 1.0, None)
    nothing = MeasuredStep(20.0).summary(allowed(0.5))
    assert (nothing.requests, nothing.requests_per_s, nothing.over, nothing.holds) == (0, 0.0, None, None)


def test_what_is_over_its_limit_and_not_answered_is_longer_than_all_latencies() -> None:
    fast = part([10.0] * 20)
    fast[0].counts["videos"].pending = 10
    half = MeasuredStep(20.0, judged=[fast]).summary(allowed(0.1))
    assert half.median_ms == pytest.approx(10, rel=0.0025)
    assert half.p95_ms is half.p95_uncorrected_ms is None


class ScriptedEngine:
    """Answers every request of the first half second after the search has judged it."""

    def step(self, _: float) -> int:
        return 1

    def blocks(self, step: int) -> Iterator[LoadBlock]:
        return (LoadBlock(step, index, {"quick": EndpointCounts(pending=1)}, 0.0, frozenset()) for index in count())

    def amended(self, block: LoadBlock) -> LoadBlock:
        answered = LatencyHistogram()
        answered.add(0.9)
        return replace(block, counts={"quick": EndpointCounts(answered)})


@pytest.mark.parametrize("in_search", [False, True])
def test_what_is_known_is_kept_when_it_is_interrupted(*, in_search: bool) -> None:
    seen: list[Block | None] = []

    def search() -> Generator[Attempt, Block | None, Capacity]:
        seen.append((yield Attempt(2, is_fresh=True, drains=False)))
        if in_search:
            interrupt_main()
        seen.append((yield Attempt(2, is_fresh=False, drains=False)))
        return FOUND

    def interrupt(attempt: Attempt) -> None:
        if not attempt.is_fresh and not in_search:
            raise KeyboardInterrupt

    engine: Any = ScriptedEngine()
    measurement = CapacityMeasurement(engine, {"quick": 500.0}, interrupt)
    with pytest.raises(KeyboardInterrupt):
        measurement.run(search())
    assert measurement.capacity == FOUND
    assert seen == [Block(1, 1, 0), None]
    assert measurement.steps[0].summary(allowed(0.5)).median_ms == pytest.approx(900, rel=0.0025)
