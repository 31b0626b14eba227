from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.judge.server_timing import parse_descriptions, parse_server_timing
from perfcheck.monitor import lifecycle
from perfcheck.monitor.registry import default
from perfcheck.monitor.request_trace import Trace
from perfcheck.monitor.trace import cached, current, span


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    default.reset()
    yield
    default.reset()


def test_the_header_says_what_was_traced() -> None:
    trace = Trace()
    for number in range(12):
        trace.add_query(f"SELECT name FROM t WHERE id = {number}", 0.010)
    trace.add_query("SELECT count(*) FROM t", 0.030)
    trace.cache(hit=True)
    trace.cache(hit=True)
    trace.cache(hit=False)
    trace.add_span("render page", 0.0042)
    header = trace.server_timing(0.2)
    assert header.startswith(
        'app;dur=200.0, db;dur=150.0;desc="13 queries, 12 identical", cache;desc="2 hits, 1 miss", '
        "render-page;dur=4.2, statement."
    )
    spans, descriptions = parse_server_timing(header), parse_descriptions(header)
    first, second = (name for name in spans if name.startswith("statement."))
    assert spans == {"app": 200.0, "db": 150.0, "render-page": 4.2, first: 120.0, second: 30.0}
    assert descriptions["db"] == "13 queries, 12 identical"
    assert descriptions["cache"] == "2 hits, 1 miss"
    assert re.fullmatch(r"SELECT name FROM t WHERE id = \?, 12 times, from .*test_trace.py:\d+", descriptions[first])
    assert re.fullmatch(r"SELECT count\(\*\) FROM t, from .*test_trace.py:\d+", descriptions[second])


def test_a_statement_has_one_name_in_every_request_and_only_the_slowest_are_named() -> None:
    def header(*seconds: float) -> str:
        trace = Trace()
        for number, each in enumerate(seconds):
            trace.add_query(f"SELECT {'abcdefgh'[number]} FROM t WHERE id = {each}", each)
        return trace.server_timing(1.0)

    (name,) = set(parse_server_timing(header(0.5))) - {"app", "db"}
    several = parse_server_timing(header(0.002, 0.0009, 0.004, 0.003, 0.0019))
    assert several.pop(name) == 2.0
    assert sorted(several.values()) == [3.0, 4.0, pytest.approx(11.8), 1000.0]


@given(st.text(max_size=400))
def test_any_statement_makes_a_header_that_is_bounded_and_can_be_parsed(text: str) -> None:
    trace = Trace()
    for end in range(3):
        trace.add_query(f'SELECT \\ "{text}{"x" * end}', 0.002)
    header = trace.server_timing(1.0)
    assert header.isascii()
    assert header.isprintable()
    assert len(header) < 2000
    assert parse_server_timing(header)["db"] == 6.0
    assert all(text.startswith("SELECT") for name, text in parse_descriptions(header).items() if name != "db")


def test_nothing_traced_is_the_whole_alone() -> None:
    assert Trace().server_timing(0.0125) == "app;dur=12.5"


def test_spans_of_one_name_add_up() -> None:
    trace = Trace()
    trace.add_span("fetch", 0.001)
    trace.add_span("fetch", 0.002)
    assert trace.server_timing(1.0) == 'app;dur=1000.0, fetch;dur=3.0;desc="2 times"'


@pytest.mark.parametrize("name", ["app", "db", "cache"])
def test_a_span_cannot_pass_for_what_the_monitor_says(name: str) -> None:
    trace = Trace()
    trace.add_span(name, 0.001)
    assert parse_server_timing(trace.server_timing(1.0)) == {"app": 1000.0, f"{name}-span": 1.0}


@given(st.lists(st.text(max_size=300), max_size=60))
def test_any_names_make_a_header_that_is_bounded_and_can_be_parsed(names: list[str]) -> None:
    trace = Trace()
    for name in names:
        trace.add_span(name, 0.001)
    header = trace.server_timing(1.0)
    assert header.isascii()
    assert header.isprintable()
    assert len(header) < 2000
    spans = parse_server_timing(header)
    assert len(spans) <= 22
    assert sum(spans.values()) == pytest.approx(1000.0 + len(names))


def test_outside_of_a_request_nothing_is_traced_and_nothing_breaks() -> None:
    with span("alone"):
        cached(hit=True)
    assert current() is None


def test_spans_belong_to_the_request_that_runs() -> None:
    request = lifecycle.begin("one")
    with span("work"):
        cached(hit=False)
    trace = request.trace
    assert trace is not None
    assert trace is current()
    assert set(parse_server_timing(trace.server_timing(1.0))) == {"app", "work"}
    assert trace.cache_misses == 1
    request.finish(status=200)
    assert current() is None


def test_a_span_that_fails_is_measured_and_raises_what_it_raised() -> None:
    request = lifecycle.begin("one")
    with pytest.raises(ValueError, match="as it was"), span("broken"):
        raise ValueError("as it was")
    assert request.trace is not None
    assert "broken" in request.trace.server_timing(1.0)
    request.finish(status=500)


def test_tasks_and_threads_of_one_request_share_its_trace() -> None:
    async def part(name: str) -> None:
        async with span(name):
            await asyncio.sleep(0)
        await asyncio.to_thread(cached, hit=True)

    async def serve() -> Trace | None:
        request = lifecycle.begin("one")
        await asyncio.gather(*(part(f"part-{number}") for number in range(5)))
        request.finish(status=200)
        return request.trace

    trace = asyncio.run(serve())
    assert trace is not None
    assert trace.cache_hits == 5
    assert len(parse_server_timing(trace.server_timing(1.0))) == 6


def test_no_count_is_lost_between_threads() -> None:
    trace = Trace()

    def work() -> None:
        for _ in range(2000):
            trace.add_query("SELECT 1", 0.5)
            trace.cache(hit=True)
            trace.add_span("s", 0.001)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (trace.queries, trace.query_seconds, trace.cache_hits) == (8000, 4000.0, 8000)
    assert trace.repetitions[0].most == 8000


@pytest.mark.parametrize("statement", [None, b"SELECT 1", 5, ["SELECT"]])
@pytest.mark.parametrize("seconds", [0.1, float("nan"), float("inf"), -1.0])
def test_whatever_a_driver_gives_raises_nothing(statement: object, seconds: float) -> None:
    trace = Trace()
    trace.add_query(statement, seconds)
    assert trace.queries == 1
    assert 0 <= trace.query_seconds < 1
