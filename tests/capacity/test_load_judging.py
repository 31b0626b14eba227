"""What half a second of load is for the search."""

from __future__ import annotations

from collections import Counter

import pytest

from perfcheck.capacity.engine.blocks import LoadBlock
from perfcheck.capacity.engine.counts import EndpointCounts, GeneratorError
from perfcheck.capacity.engine.histogram import LatencyHistogram
from perfcheck.capacity.judging import judge_block
from perfcheck.capacity.model import Block, Judged
from perfcheck.model import Failure

LIMITS_MS = {"videos": 450.0, "settings": 150.0}


def counts(*latencies_s: float, **others: object) -> EndpointCounts:
    latency = LatencyHistogram()
    for latency_s in latencies_s:
        latency.add(latency_s)
    return EndpointCounts(latency, **others)  # type: ignore[arg-type]


def block(lag_ms: float = 0.0, missing: frozenset[int] = frozenset(), **by_endpoint: EndpointCounts) -> LoadBlock:
    return LoadBlock(1, 0, by_endpoint, lag_ms, missing)


def test_each_endpoint_has_its_own_limit() -> None:
    measured = block(videos=counts(0.2, 0.3, 0.5), settings=counts(0.1, 0.2), others=counts(9.0))
    endpoints = {"videos": Judged(3, 1), "settings": Judged(2, 1), "others": Judged(1, 0)}
    assert judge_block(measured, LIMITS_MS) == Block(requests=6, over=2, failed=0, endpoints=endpoints)


def test_timeouts_are_over_and_what_was_shed_has_failed() -> None:
    failures = Counter({Failure.TIMEOUT: 2, Failure.STATUS: 1})
    measured = block(videos=counts(0.1, failures=failures, shed=4, pending=3))
    assert judge_block(measured, {"videos": 450.0}) == Block(requests=11, over=5, failed=7)


@pytest.mark.parametrize(
    ("measured", "is_void"),
    [
        (block(lag_ms=74, settings=counts(0.1)), False),
        (block(lag_ms=76, settings=counts(0.1)), True),
        (block(lag_ms=76, videos=counts(0.1)), False),
        (block(lag_ms=1e4), False),
        (block(missing=frozenset({1}), videos=counts(0.1)), True),
        (block(videos=counts(0.1, generator_errors=Counter({GeneratorError.NO_PORTS: 1}))), True),
    ],
)
def test_what_the_generator_has_a_part_in_is_void(measured: LoadBlock, is_void: object) -> None:
    assert judge_block(measured, LIMITS_MS).is_void is is_void
