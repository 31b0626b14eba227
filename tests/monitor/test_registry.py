"""The registry: exact among threads and tasks, bounded whatever comes, and never in the way."""

from __future__ import annotations

import asyncio
import logging
import threading
import tracemalloc
from collections.abc import Iterator

import pytest

import perfcheck.monitor
from perfcheck.monitor import configure, lifecycle, monitor_performance
from perfcheck.monitor.histogram import Histogram
from perfcheck.monitor.registry import FOLD_AT, Registry, bounded, default
from perfcheck.monitor.statistics import OVERFLOW


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


def totals() -> dict[str, int]:
    return {one.name: one.total for one in default.snapshot().endpoints}


def test_threads_lose_and_double_nothing() -> None:
    def nothing() -> None:
        return None

    functions = [monitor_performance(f"api.{number}")(nothing) for number in range(3)]
    middleware_calls = 700

    def work() -> None:
        for _ in range(2000):
            for function in functions:
                function()
        for number in range(middleware_calls):
            lifecycle.begin("api.0").finish(status=200, response_bytes=1)
            if number % 100 == 0:
                default.snapshot()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals() == {"api.0": 8 * 2700, "api.1": 16_000, "api.2": 16_000}
    snapshot = default.snapshot()
    assert all(one.duration.count == one.total == sum(one.duration.sparse().values()) for one in snapshot.endpoints)
    assert all(len(one.recent) == 100 and one.recent == tuple(sorted(one.recent)) for one in snapshot.endpoints)
    assert snapshot.endpoints[0].statuses == {200: 8 * middleware_calls}


def test_tasks_are_distinguished() -> None:
    @monitor_performance("outer")
    async def outer(number: int) -> int:
        await asyncio.sleep(0.001 * (number % 3))
        return await inner(number)

    @monitor_performance("inner")
    async def inner(number: int) -> int:
        await asyncio.sleep(0)
        return number

    async def many() -> list[int]:
        return await asyncio.gather(*(outer(number) for number in range(300)))

    assert asyncio.run(many()) == list(range(300))
    assert totals() == {"outer": 300}


def test_a_task_that_outlives_its_request_begins_its_own() -> None:
    @monitor_performance("later")
    async def later() -> None:
        await asyncio.sleep(0)

    async def whole() -> None:
        request = lifecycle.begin("request")

        async def background() -> None:
            await released.wait()
            await later()

        released = asyncio.Event()
        task = asyncio.create_task(background())
        request.finish()
        released.set()
        await task

    asyncio.run(whole())
    assert totals() == {"request": 1, "later": 1}


def test_names_beyond_the_bound_are_counted_under_one() -> None:
    configure(max_endpoints=5)
    for number in range(1000):
        lifecycle.begin(f"name {number}").finish()
    snapshot = default.snapshot()
    assert len(snapshot.endpoints) == 6
    assert (totals()[OVERFLOW], snapshot.overflow, snapshot.total) == (995, 995, 1000)


def test_memory_does_not_grow_with_requests_or_names() -> None:
    configure(max_endpoints=20)

    def hostile(begin: int) -> None:
        for number in range(begin, begin + 1500):
            request = lifecycle.begin(f"/{number}" * 100)
            request.finish(status=number, response_bytes=number)
        default.snapshot()

    hostile(0)
    tracemalloc.start()
    try:
        hostile(1500)
        before, _ = tracemalloc.get_traced_memory()
        hostile(3000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    assert len(default.pending) < FOLD_AT
    assert not default.running


def test_a_name_is_one_line_of_bounded_length() -> None:
    assert bounded("a\nb\tc") == "a b c"
    assert len(bounded("x" * 10_000)) == 200
    assert bounded("GET /videos/{id}") == "GET /videos/{id}"


def test_folding_waits_for_nobody() -> None:
    """A finaliser may end a request while this very thread folds: it must come through."""
    with default._folding:
        for _ in range(3 * FOLD_AT):
            lifecycle.begin("api.a").finish()
    assert totals() == {"api.a": 3 * FOLD_AT}


def test_what_was_traced_is_added_up() -> None:
    for count in (12, 30):
        request = lifecycle.begin("api.a")
        trace = perfcheck.monitor.trace.current()
        assert trace is not None
        for number in range(count):
            trace.add_query(f"SELECT * FROM t WHERE id = {number}", 0.001)
        trace.cache(hit=True)
        trace.cache(hit=False)
        request.finish(status=200)
    (one,) = default.snapshot().endpoints
    assert (one.queries.total, one.queries.max, one.queries.requests) == (42, 30, 2)
    assert one.queries.total_s == pytest.approx(0.042)
    assert (one.cache_hits, one.cache_misses) == (2, 2)
    (repeated,) = one.n_plus_one
    assert (repeated.shape, repeated.most, repeated.requests) == ("SELECT * FROM t WHERE id = ?", 30, 2)
    assert repeated.caller is not None
    assert "test_registry.py" in repeated.caller


def test_a_defect_in_the_figures_is_reported_once_and_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Histogram, "add", broken)

    def answer() -> str:
        return "answer"

    function = monitor_performance("api.a")(answer)
    with caplog.at_level(logging.ERROR, "perfcheck.monitor"):
        assert {function() for _ in range(3 * FOLD_AT)} == {"answer"}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "ZeroDivisionError" in caplog.text
    assert len(default.pending) + len(default.returns) < FOLD_AT


def test_registries_are_apart() -> None:
    lifecycle.begin("api.a").finish()
    assert Registry().snapshot().endpoints == ()
