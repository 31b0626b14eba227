"""What workers count: the histogram, when a half second is reported, and that the parts add up to what happened."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.capacity.engine.blocks import BlockAssembler, LoadBlock
from perfcheck.capacity.engine.counts import EndpointCounts, GeneratorError, merged
from perfcheck.capacity.engine.histogram import LatencyHistogram
from perfcheck.capacity.engine.plan import Arrivals, LoadPlan, PlannedRequest
from perfcheck.capacity.engine.recorder import BlockPart, BlockRecorder
from perfcheck.model import Failure, LoadModel, ThinkTime, Tls

LATENCIES_S = st.floats(1e-5, 100)
REQUEST = PlannedRequest("videos", b"GET /videos", limit_ms=100)
OTHER = PlannedRequest("settings", b"GET /settings")


def histogram(latencies_s: list[float]) -> LatencyHistogram:
    filled = LatencyHistogram()
    for latency_s in latencies_s:
        filled.add(latency_s)
    return filled


# --- The histogram -------------------------------------------------------------------------------------------------


@given(st.lists(LATENCIES_S, min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_that_of_the_latencies_within_a_bucket(latencies_s: list[float], p: float) -> None:
    exact_ms = sorted(latencies_s)[max(1, math.ceil(p * len(latencies_s) - 1e-9)) - 1] * 1e3
    assert histogram(latencies_s).quantile_ms(p) == pytest.approx(exact_ms, rel=0.0026)


@given(st.lists(LATENCIES_S), st.lists(LATENCIES_S))
def test_histograms_add_up_exactly(one: list[float], other: list[float]) -> None:
    added = histogram(one)
    added.update(histogram(other))
    assert added == histogram(one + other)


@given(st.lists(LATENCIES_S), st.floats(0.1, 1e4))
def test_what_is_clearly_over_a_limit_counts_and_what_is_clearly_below_does_not(
    latencies_s: list[float], limit_ms: float
) -> None:
    over = histogram(latencies_s).over(limit_ms)
    assert sum(latency_s * 1e3 > limit_ms * 1.003 for latency_s in latencies_s) <= over
    assert over <= sum(latency_s * 1e3 > limit_ms / 1.003 for latency_s in latencies_s)


def test_the_unanswered_are_longer_than_all_others() -> None:
    latencies = histogram([0.1] * 6)
    assert latencies.quantile_ms(0.5, 6) == latencies.quantile_ms(0.5)
    assert latencies.quantile_ms(0.5, 7) is None


def test_nothing_has_no_quantile_and_no_latency_is_too_small() -> None:
    assert LatencyHistogram().quantile_ms(0.5) is None
    assert histogram([0.0, -1.0]).total() == 2


# --- When a half second is reported --------------------------------------------------------------------------------


def taken(recorder: BlockRecorder, now_s: float, planned_from_s: float | None = None) -> list[BlockPart]:
    return list(recorder.take(now_s, now_s if planned_from_s is None else planned_from_s))


def test_a_half_second_is_reported_once_its_requests_are_complete() -> None:
    recorder = BlockRecorder()
    recorder.begin(1, 10.0)
    quick, slow = recorder.start(REQUEST, 10.1), recorder.start(OTHER, 10.45)
    recorder.succeed(quick, 10.12)
    assert taken(recorder, 10.4) == taken(recorder, 10.6) == []
    recorder.fail(slow, Failure.RESET)
    (part,) = taken(recorder, 10.7)
    assert (part.step, part.block, part.is_amendment) == (1, 0, False)
    assert part.counts == {
        "videos": EndpointCounts(latency=histogram([0.02])),
        "settings": EndpointCounts(failures=Counter({Failure.RESET: 1})),
    }
    assert taken(recorder, 10.8) == []


def test_a_request_over_its_limit_is_not_waited_for_and_amended_later() -> None:
    recorder = BlockRecorder()
    recorder.begin(1, 10.0)
    sent = recorder.start(REQUEST, 10.3)
    (part,) = taken(recorder, 10.51)
    assert part.counts["videos"].pending == part.counts["videos"].over(100) == part.counts["videos"].requests == 1
    recorder.succeed(sent, 12.3)
    amendment, *others = taken(recorder, 12.31)
    assert [part.block for part in others] == [1, 2, 3]
    assert amendment.is_amendment
    total = merged([part.counts, amendment.counts])["videos"]
    assert total == EndpointCounts(latency=histogram([2.0]))
    assert taken(recorder, 12.32) == []


def test_without_a_limit_the_outcome_is_waited_for() -> None:
    recorder = BlockRecorder()
    recorder.begin(1, 0.0)
    recorder.start(OTHER, 0.1)
    assert [part.block for part in taken(recorder, 9.9)] == list(range(1, 19))


def test_a_half_second_without_requests_is_reported_too() -> None:
    recorder = BlockRecorder()
    assert taken(recorder, 5.0) == []  # nothing has begun
    recorder.begin(1, 5.0)
    assert [(part.block, part.counts) for part in taken(recorder, 6.2)] == [(0, {}), (1, {})]


def test_one_that_the_next_step_interrupts_is_sent_as_amendments() -> None:
    recorder = BlockRecorder()
    recorder.begin(1, 0.0)
    first, second = recorder.start(OTHER, 0.4), recorder.start(OTHER, 0.6)
    recorder.begin(2, 0.8)
    recorder.succeed(second, 0.9)
    (amendment,) = taken(recorder, 1.0)
    assert (amendment.step, amendment.block, amendment.is_amendment) == (1, 1, True)
    assert amendment.counts["settings"].requests == 1
    recorder.succeed(first, 1.1)
    assert [(part.step, part.block) for part in taken(recorder, 1.31)] == [(1, 0), (2, 0)]
    assert recorder.in_flight == 0


def test_a_dispatcher_that_is_late_keeps_its_half_second_open() -> None:
    recorder = BlockRecorder()
    recorder.begin(1, 0.0)
    assert taken(recorder, 0.6, planned_from_s=0.49) == []
    sent = recorder.start(REQUEST, 0.49)
    recorder.shed(REQUEST, 0.495)
    recorder.succeed(sent, 0.65, start_s=0.61)
    (part,) = taken(recorder, 0.7, planned_from_s=0.72)
    assert part.counts["videos"] == EndpointCounts(histogram([0.16]), histogram([0.65 - 0.61]), shed=1)
    assert part.counts["videos"].over(100) == 1
    assert part.counts["videos"].failed == 1


def test_lag_belongs_to_all_the_time_that_it_takes() -> None:
    recorder = BlockRecorder()
    recorder.begin(1, 0.0)
    recorder.note_lag(0.3, 0.31)
    recorder.note_lag(0.4, 1.2)
    parts = taken(recorder, 1.51)
    assert [part.lag_ms for part in parts] == pytest.approx([800, 800, 800])
    recorder.note_lag(1.9, 1.905)
    assert [part.lag_ms for part in taken(recorder, 2.0)] == pytest.approx([5])


def test_a_pause_is_no_part_of_a_step_but_the_lag_of_the_half_second_that_it_interrupts() -> None:
    recorder = BlockRecorder()
    recorder.begin(1, 0.0)
    sent = recorder.start(REQUEST, 0.6)
    (before,) = taken(recorder, 0.7)
    recorder.skip(0.7, 60.7)
    recorder.succeed(sent, 0.65)
    parts = taken(recorder, 61.5)
    assert [(part.block, part.lag_ms) for part in (before, *parts)] == [(0, 0), (1, 60_000), (2, 0)]
    assert parts[0].counts["videos"].requests == 1


def test_requests_that_the_generator_could_not_send_are_no_requests_of_the_service() -> None:
    recorder = BlockRecorder()
    recorder.begin(1, 0.0)
    recorder.fail(recorder.start(REQUEST, 0.1), GeneratorError.NO_PORTS)
    counts = taken(recorder, 0.5)[0].counts["videos"]
    assert counts.requests == counts.failed == 0
    assert counts.generator_errors == Counter({GeneratorError.NO_PORTS: 1})


# --- Parts of several workers --------------------------------------------------------------------------------------

COUNTS = st.builds(
    EndpointCounts,
    latency=st.lists(LATENCIES_S).map(histogram),
    uncorrected=st.lists(LATENCIES_S).map(histogram),
    failures=st.dictionaries(st.sampled_from(Failure), st.integers(1, 9)).map(Counter),
    generator_errors=st.dictionaries(st.sampled_from(GeneratorError), st.integers(1, 9)).map(Counter),
    shed=st.integers(0, 9),
    pending=st.integers(-9, 9),
)
BY_ENDPOINT = st.dictionaries(st.sampled_from(["videos", "settings"]), COUNTS)


@given(BY_ENDPOINT, st.floats(0, 10))
def test_a_part_arrives_as_it_was_sent(counts: dict[str, EndpointCounts], lag_ms: float) -> None:
    part = BlockPart(3, 7, counts, lag_ms)
    assert BlockPart.from_json(json.loads(json.dumps(part.to_json()))) == part


@given(st.lists(BY_ENDPOINT, min_size=2, max_size=2), st.lists(BY_ENDPOINT, max_size=3))
def test_the_half_second_of_two_workers_is_the_sum_of_its_parts(
    parts: list[dict[str, EndpointCounts]], amendments: list[dict[str, EndpointCounts]]
) -> None:
    assembler = BlockAssembler()
    assembler.begin(1, [0, 1])
    for worker, counts in enumerate(parts):
        assert assembler.next_of(1) is None
        assembler.add(worker, BlockPart(1, 0, counts, lag_ms=worker + 1.0))
    for counts in amendments:
        assembler.add(0, BlockPart(1, 0, counts, is_amendment=True))
    block = assembler.next_of(1)
    assert block == LoadBlock(1, 0, merged(parts), 2.0, frozenset())
    assert assembler.amended(block).counts == merged([*parts, *amendments])
    assert assembler.totals(1) == merged([*parts, *amendments])
    assert assembler.totals(2) == {}


def test_half_seconds_come_in_order_and_without_the_workers_that_are_absent() -> None:
    assembler = BlockAssembler()
    assembler.begin(1, [0, 1])
    one = {"videos": EndpointCounts(latency=histogram([0.1]))}
    for worker, block in ((0, 1), (1, 0), (0, 0), (0, 2)):
        assembler.add(worker, BlockPart(1, block, one))
    first = assembler.next_of(1)
    assert first
    assert (first.index, first.counts["videos"].requests, first.missing) == (0, 2, frozenset())
    assert assembler.next_of(1) is None
    late = assembler.next_of(1, {1}), assembler.next_of(1, {1})
    assert [block.missing for block in late if block] == [frozenset({1})] * 2
    assert assembler.next_of(1, {1}) is None
    assembler.begin(2, [0])
    assembler.add(0, BlockPart(2, 0, {}))
    assert assembler.next_of(2) == LoadBlock(2, 0, {}, 0.0, frozenset())


# --- The plan ------------------------------------------------------------------------------------------------------


def test_a_plan_arrives_as_it_was_sent() -> None:
    request = PlannedRequest("videos", b"\x00\xff", "POST", ((200, 200), (404, 404)), 3.0, 450.0, 2.0)
    plan = LoadPlan("::1", 443, LoadModel.RATE, (request, OTHER), 1.5, ThinkTime.FIXED, Arrivals.EVEN, 7)
    secure = replace(plan, tls=Tls(ca="ca.pem", verify=False), server_name="localhost")
    for sent in (plan, secure):
        assert LoadPlan.from_json(json.loads(json.dumps(sent.to_json()))) == sent


@pytest.mark.parametrize(
    ("rate", "workers", "limit_ms", "pause_s", "size"),
    [
        (10.0, 1, 100.0, 0.0, 1000),
        (10.0, 4, 100.0, 0.0, 250),
        (3000.0, 1, 1500.0, 0.0, 18_000),  # a mean latency of 1 s needs 3,000
        (100.0, 1, 100.0, 10.0, 2000),
        (5.0, 2, None, 0.0, 500),
    ],
)
def test_the_open_model_has_as_many_requests_in_flight_as_its_limit_needs(
    rate: float, workers: int, limit_ms: float | None, pause_s: float, size: float
) -> None:
    steps = PlannedRequest("first", think_s=pause_s), PlannedRequest("last", timeout_s=3.0)
    request = PlannedRequest("checkout", limit_ms=limit_ms, steps=steps)
    assert LoadPlan("::1", 443, LoadModel.RATE, (request,)).pool_size(rate, workers) == size
    assert request.longest_s == 13 + pause_s
