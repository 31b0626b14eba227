"""A request begins, is named and is finished, once, wherever that happens."""

from __future__ import annotations

import contextvars
import gc
import logging
import os
import threading
import weakref
from collections.abc import Iterator

import pytest

import perfcheck.monitor
from perfcheck.monitor import configure, lifecycle
from perfcheck.monitor.registry import default
from perfcheck.monitor.statistics import EndpointStatistics


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


def found(name: str) -> EndpointStatistics:
    one = default.snapshot().endpoint(name)
    assert one is not None
    return one


def test_it_is_current_until_it_is_finished_and_counts_once() -> None:
    assert lifecycle.current() is None
    request = lifecycle.begin("api.a")
    assert lifecycle.current() is request
    assert found("api.a").in_flight == 1
    for status in (200, 500):
        request.finish(status=status, response_bytes=10)
    assert lifecycle.current() is None
    one = found("api.a")
    assert (one.total, one.errors, one.in_flight, one.statuses, one.sizes.total) == (1, 0, 0, {200: 1}, 10)


@pytest.mark.parametrize(
    ("status", "error", "disconnected", "errors", "disconnects"),
    [
        (200, False, False, 0, 0),
        (404, False, False, 0, 0),
        (499, False, False, 0, 0),
        (500, False, False, 1, 0),
        (None, True, False, 1, 0),
        (200, True, False, 1, 0),
        (200, True, True, 0, 1),
        (500, False, True, 1, 0),
    ],
)
def test_how_it_ended(status: int | None, error: bool, disconnected: bool, errors: int, disconnects: int) -> None:  # noqa: FBT001
    lifecycle.begin("api.a").finish(status=status, error=error, disconnected=disconnected)
    one = found("api.a")
    assert (one.total, one.errors, one.disconnects) == (1, errors, disconnects)


def test_a_client_that_leaves_ends_the_time_where_the_response_began() -> None:
    request = lifecycle.begin("api.a")
    request.responding()
    request.started_ns, request.response_ns = 1_000, 51_000
    request.finish(disconnected=True)
    assert found("api.a").latest_s == pytest.approx(50e-6)


def test_the_route_is_requested_a_name_at_the_end_and_a_name_stands_over_it() -> None:
    routes = ["GET (unmatched)"]
    request = lifecycle.begin(route=lambda: routes[-1])
    routes.append("GET /a")
    request.finish()
    named = lifecycle.begin(route=lambda: routes[-1])
    named.name("GET /named")
    assert named.adopt("api.decorated")
    assert not named.adopt("api.inner")
    named.name("GET /later")
    named.finish()
    assert [one.name for one in default.snapshot().endpoints] == ["GET /a", "api.decorated"]


def test_a_route_that_fails_is_a_defect_and_the_request_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> str:
        raise KeyError("route")

    with caplog.at_level(logging.ERROR, "perfcheck.monitor"):
        for _ in range(3):
            lifecycle.begin(route=broken).finish()
    assert found("(unmatched)").total == 3
    assert (default.snapshot().defects, len(caplog.records)) == (3, 1)


def test_a_cancelled_one_was_none() -> None:
    request = lifecycle.begin("api.a")
    request.cancel()
    request.finish()
    assert default.snapshot().endpoints == ()


def test_one_within_another_gives_it_back() -> None:
    outer = lifecycle.begin("outer")
    inner = lifecycle.begin("inner")
    assert lifecycle.current() is inner
    inner.finish()
    assert lifecycle.current() is outer
    outer.finish()
    assert (found("outer").total, found("inner").total) == (1, 1)


def test_finished_in_another_context_it_is_current_nowhere() -> None:
    request = lifecycle.begin("api.a")
    thread = threading.Thread(target=request.finish)
    thread.start()
    thread.join()
    assert lifecycle.current() is None
    copy = contextvars.copy_context()
    assert copy.run(lifecycle.current) is None
    assert found("api.a").total == 1


def test_requests_that_are_over_are_let_go() -> None:
    """A context keeps its last request, which must not keep the one before, and so on for ever."""
    requests = []
    for _ in range(100):
        request = lifecycle.begin("api.a")
        requests.append(weakref.ref(request))
        thread = threading.Thread(target=request.finish)
        thread.start()
        thread.join()
    del request, thread
    lifecycle.begin("api.a").finish()
    gc.collect()
    assert [one for one in requests if one() is not None] == []


def test_what_runs_at_a_fork_is_the_parents() -> None:
    perfcheck.monitor.configure(window=10)
    lifecycle.begin("before").finish()
    request = lifecycle.begin("during")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            request.finish(status=200)
            current = lifecycle.current()
            lifecycle.begin("after").finish()
            told = [(one.name, one.total, one.in_flight) for one in default.snapshot().endpoints]
            os.write(writing, repr((current, told)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "(None, [('after', 1, 0)])"
    os.waitpid(child, 0)
    request.finish(status=200)
    assert [(one.name, one.total) for one in default.snapshot().endpoints] == [("before", 1), ("during", 1)]


def test_the_values_of_a_parameter_are_endpoints_of_their_own_up_to_a_number() -> None:
    configure(variants=["sort", "order"])
    for number in range(1000):
        lifecycle.begin("GET /a", query=f"sort={number}").finish()
    for query in ("sort=" + "x" * 5000, "&".join(["a"] * 5000) + "&sort=1", "", "sort=", "page=7"):
        lifecycle.begin("GET /a", query=query).finish()
    for query in ("order=asc&sort=a%20b%0a", "sort=a+b%0A&order=asc"):
        lifecycle.begin("GET /b", query=query).finish()
    names = {endpoint.name: endpoint.total for endpoint in default.snapshot().endpoints}
    assert len(names) == 23
    assert (names["GET /a ?sort=0"], names["GET /a ?(other)"], names["GET /a"]) == (1, 981, 4)
    assert names["GET /b ?sort=a+b%0A&order=asc"] == 2
