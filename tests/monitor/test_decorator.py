"""The decorator on handlers of every kind: what it counts, and that nobody can tell it is there."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import django.http
import pytest
import starlette.exceptions
import starlette.responses
import werkzeug.exceptions
import werkzeug.wrappers

import perfcheck.monitor
from perfcheck.monitor import lifecycle, monitor_performance
from perfcheck.monitor.registry import default
from perfcheck.monitor.statistics import EndpointStatistics


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


def found(name: str = "api.it") -> EndpointStatistics:
    one = default.snapshot().endpoint(name)
    assert one is not None, [known.name for known in default.snapshot().endpoints]
    return one


def names() -> list[str]:
    return [one.name for one in default.snapshot().endpoints]


def counts(name: str = "api.it") -> tuple[int, int, int]:
    one = found(name)
    assert one.in_flight == 0
    return one.total, one.errors, one.disconnects


@monitor_performance
def without_a_name(first: int, *, second: str = "b") -> tuple[int, str]:
    """Its docstring."""
    return first, second


def test_the_function_stays_what_it_is() -> None:
    assert without_a_name(1, second="c") == (1, "c")
    assert names() == [f"{__name__}.without_a_name"]
    assert (without_a_name.__name__, without_a_name.__doc__) == ("without_a_name", "Its docstring.")
    assert str(inspect.signature(without_a_name)) == "(first: 'int', *, second: 'str' = 'b') -> 'tuple[int, str]'"


def test_with_and_without_parentheses() -> None:
    @monitor_performance()
    def handler() -> str:
        return "x"

    assert handler() == "x"
    (name,) = names()
    assert name.endswith(".test_with_and_without_parentheses.handler")


def test_an_exception_is_an_error_and_the_callers_own() -> None:
    error = ValueError("why")

    @monitor_performance("api.it")
    def handler() -> None:
        raise error

    with pytest.raises(ValueError, match="why") as caught:
        handler()
    assert caught.value is error
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames[1:] == ["monitored", "handler"]
    assert error.__context__ is None
    assert counts() == (1, 1, 0)


@pytest.mark.parametrize(
    ("error", "status", "errors"),
    [
        (werkzeug.exceptions.NotFound(), 404, 0),
        (werkzeug.exceptions.InternalServerError(), 500, 1),
        (starlette.exceptions.HTTPException(403), 403, 0),
        (starlette.exceptions.HTTPException(503), 503, 1),
        (django.http.Http404(), 404, 0),
        (KeyError(), None, 1),
        (SystemExit(1), None, 1),
        (KeyboardInterrupt(), None, 1),
    ],
)
def test_exceptions_that_are_responses(error: BaseException, status: int | None, errors: int) -> None:
    @monitor_performance("api.it")
    def handler() -> None:
        raise error

    with pytest.raises(type(error)):
        handler()
    assert (found().statuses, counts()) == ({status: 1} if status else {}, (1, errors, 0))


@pytest.mark.parametrize(
    ("result", "status", "size"),
    [
        (None, None, None),
        ({"a": 1}, None, None),
        ("text", None, 4),
        ("ä", None, 2),
        (b"bytes", None, 5),
        (("text", 404), 404, 4),
        (("text", "201 CREATED", {}), 201, 4),
        (("text", {"X-A": "b"}), None, 4),
        (({"a": 1}, 500), 500, None),
        (({"a": 1}, HTTPStatus.ACCEPTED), 202, None),
        ((1, 500), None, None),
        (starlette.responses.PlainTextResponse("text", 201), 201, 4),
        (werkzeug.wrappers.Response("text", 202), 202, 4),
        (werkzeug.wrappers.Response(iter(["te", "xt"]), 200), 200, None),
    ],
)
def test_what_a_result_states(result: object, status: int | None, size: int | None) -> None:
    handler: Callable[[], object] = monitor_performance("api.it")(lambda: result)
    assert handler() is result
    one = found()
    assert one.statuses == ({status: 1} if status else {})
    assert (one.sizes.count, one.sizes.total) == ((1, size) if size is not None else (0, 0))


def test_objects_of_the_application_are_not_touched() -> None:
    class Lazy:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"{name} was asked for")

    lazy = Lazy()
    assert monitor_performance("api.it")(lambda: lazy)() is lazy
    assert counts() == (1, 0, 0)


def test_coroutine_functions() -> None:
    @monitor_performance("api.it")
    async def handler(value: int) -> int:
        await asyncio.sleep(0.01)
        if value < 0:
            raise ValueError("negative")
        return value

    assert inspect.iscoroutinefunction(handler)
    assert asyncio.run(handler(5)) == 5
    with pytest.raises(ValueError, match="negative"):
        asyncio.run(handler(-1))
    assert counts() == (2, 1, 0)
    shortest = found().min_s
    assert shortest is not None
    assert shortest >= 0.009


def test_a_cancellation_is_no_error() -> None:
    @monitor_performance("api.it")
    async def handler() -> None:
        await asyncio.sleep(60)

    async def cancel() -> None:
        task = asyncio.create_task(handler())
        await asyncio.sleep(0.01)
        assert found().in_flight == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert counts() == (1, 0, 1)


def test_a_plain_function_around_a_coroutine_function() -> None:
    async def inner() -> str:
        await asyncio.sleep(0.01)
        return "awaited"

    handler: Callable[[], Coroutine[Any, Any, str]] = monitor_performance("api.it")(lambda: inner())  # noqa: PLW0108 - what a decorator in between does

    async def run() -> str:
        coroutine = handler()
        assert found().in_flight == 1
        return await coroutine

    assert asyncio.run(run()) == "awaited"
    assert counts() == (1, 0, 0)


def test_generators_run_to_their_end_with_everything_that_is_sent_and_thrown() -> None:
    def plain() -> Generator[str, str, str]:
        received = yield "first"
        try:
            received += yield received
        except KeyError:
            received += yield "caught"
        return received

    def drive(make: Callable[[], Generator[str, str, str]]) -> list[str]:
        generator = make()
        seen = [next(generator), generator.send("a"), generator.throw(KeyError("thrown"))]
        with pytest.raises(StopIteration) as stop:
            generator.send("b")
        return [*seen, stop.value.value]

    handler = monitor_performance("api.it")(plain)
    assert inspect.isgeneratorfunction(handler)
    assert drive(handler) == drive(plain) == ["first", "a", "caught", "ab"]
    assert counts() == (1, 0, 0)


def test_a_generator_is_current_only_while_it_runs() -> None:
    seen = []

    @monitor_performance("api.it")
    def handler() -> Iterator[int]:
        seen.append(lifecycle.current())
        yield 1
        seen.append(lifecycle.current())

    first, second = handler(), handler()
    next(first)
    assert lifecycle.current() is None
    next(second)
    assert list(first) == []
    assert list(second) == []
    assert seen[0] is seen[2]
    assert seen[1] is seen[3]
    assert None not in seen
    assert counts() == (2, 0, 0)


def test_a_generator_that_is_left_is_a_disconnect_and_one_never_begun_is_nothing() -> None:
    closed = []

    @monitor_performance("api.it")
    def handler() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    handler()
    generator = handler()
    next(generator)
    generator.close()  # type: ignore[attr-defined]
    forgotten = handler()
    next(forgotten)
    del forgotten
    assert closed == [True, True]
    assert counts() == (2, 0, 2)


def test_a_generator_that_fails_is_an_error() -> None:
    @monitor_performance("api.it")
    def handler() -> Iterator[int]:
        yield 1
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        list(handler())
    assert counts() == (1, 1, 0)


def test_async_generators() -> None:
    @monitor_performance("api.it")
    async def handler(end: int) -> AsyncGenerator[int, str]:
        for number in range(end):
            await asyncio.sleep(0)
            try:
                sent = yield number
            except KeyError:
                sent = "thrown"
            if sent is not None:
                yield len(sent)

    async def run() -> None:
        assert inspect.isasyncgenfunction(handler)
        assert [number async for number in handler(3)] == [0, 1, 2]
        generator = handler(3)
        assert await anext(generator) == 0
        assert await generator.asend("four") == 4
        assert await anext(generator) == 1
        assert await generator.athrow(KeyError()) == 6
        assert lifecycle.current() is None
        await generator.aclose()

    asyncio.run(run())
    assert counts() == (2, 0, 1)


def test_an_async_generator_that_fails_or_is_cancelled() -> None:
    @monitor_performance("api.it")
    async def handler(seconds: float) -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(seconds)
        raise ValueError("in the middle")

    async def read(seconds: float) -> None:
        async for _ in handler(seconds):
            pass

    async def run() -> None:
        with pytest.raises(ValueError, match="in the middle"):
            await read(0)
        task = asyncio.create_task(read(60))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert counts() == (2, 1, 1)


def test_methods_of_every_kind() -> None:
    class Views:
        @monitor_performance("api.method")
        def method(self) -> object:
            return self

        @monitor_performance("api.class")
        @classmethod
        def of_class(cls) -> object:
            return cls

        @staticmethod
        @monitor_performance("api.static")
        def static() -> int:
            return 1

    views = Views()
    assert (views.method(), views.of_class(), Views.of_class(), views.static()) == (views, Views, Views, 1)
    assert [(one.name, one.total) for one in default.snapshot().endpoints] == [
        ("api.class", 2),
        ("api.method", 1),
        ("api.static", 1),
    ]


def test_classes_of_views() -> None:
    class Base:
        def post(self) -> str:
            return "posted"

    @monitor_performance("api.videos")
    class Videos(Base):
        def get(self) -> str:
            return self.helper()

        async def put(self) -> str:
            return "put"

        def helper(self) -> str:
            return "got"

    assert inspect.isclass(Videos)
    videos = Videos()
    assert (videos.get(), videos.post(), asyncio.run(videos.put()), Base().post()) == ("got", "posted", "put", "posted")
    assert inspect.iscoroutinefunction(Videos.put)
    assert names() == ["api.videos.get", "api.videos.post", "api.videos.put"]


def test_what_a_base_class_brings_along_is_not_taken_for_the_handler() -> None:
    class Base:
        def options(self) -> str:
            return "options"

        def dispatch(self) -> str:
            return self.list()

        def list(self) -> str:
            raise NotImplementedError

    @monitor_performance("api.pages")
    class Pages(Base):
        def list(self) -> str:
            return "pages"

    assert Pages().dispatch() == "pages"
    assert names() == ["api.pages.dispatch"]


def test_a_class_with_a_dispatcher_only() -> None:
    @monitor_performance("api.page")
    class Page:
        def dispatch_request(self) -> str:
            return "page"

    assert Page().dispatch_request() == "page"
    assert names() == ["api.page.dispatch_request"]


def test_callables_that_are_no_functions() -> None:
    class Handler:
        async def __call__(self) -> str:
            return "called"

    assert asyncio.run(monitor_performance("api.object")(Handler())()) == "called"
    assert monitor_performance(functools.partial(int, "7"))() == 7
    assert names() == ["api.object", "builtins.int"]


@pytest.mark.parametrize("thing", [5, object(), type("Empty", (), {})])
def test_what_cannot_be_called_is_refused_at_once(thing: object) -> None:
    with pytest.raises(TypeError):
        monitor_performance("api.it")(thing)


def test_inner_functions_are_part_of_their_handler() -> None:
    @monitor_performance("api.inner")
    def inner(depth: int) -> int:
        return 1 + (inner(depth - 1) if depth else 0)

    @monitor_performance("api.it")
    def handler() -> int:
        return inner(50)

    assert handler() == 51
    assert names() == ["api.it"]
    assert inner(10) == 11
    assert counts("api.inner") == (1, 0, 0)


def test_within_a_middleware_it_gives_the_name() -> None:
    request = lifecycle.begin(route=lambda: "GET /route")
    monitor_performance("api.it")(lambda: None)()
    assert found().in_flight == 1
    request.finish(status=503)
    assert (names(), counts()) == (["api.it"], (1, 1, 0))


def test_a_child_that_returns_from_the_handler_counts_nothing_of_its_parent() -> None:
    @monitor_performance("api.it")
    def handler() -> int:
        return os.fork()

    child = handler()
    if child == 0:
        os._exit(int(default.snapshot().total != 0))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counts() == (1, 0, 0)


@pytest.mark.parametrize("method", ["record", "record_return"])
def test_a_defect_of_the_monitor_does_not_reach_the_handler(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise OSError("a defect")

    answer: object
    if method == "record":
        monkeypatch.setattr(default, "record", broken)
        answer = "answer"
    else:
        monkeypatch.setattr(default, "returns", None)
        answer = {"a": 1}
    handler: Callable[[], object] = monitor_performance("api.it")(lambda: answer)
    with caplog.at_level(logging.ERROR, "perfcheck.monitor"):
        assert [handler() for _ in range(5)] == [answer] * 5
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert default.defects == 5
    assert lifecycle.current() is None
    monkeypatch.undo()


UNSERVED = """
import sys
from flask import Flask
from perfcheck.monitor import flask as monitor, monitor_performance

app = Flask(__name__)


@app.get("/")
@monitor_performance
def page():
    return "page"


if "served" in sys.argv:
    monitor.init_app(app)
client = app.test_client()
assert [client.get("/").status_code for _ in range(3)] == [200] * 3
"""


@pytest.mark.parametrize(("arguments", "directory", "lines"), [([], "", 1), (["served"], "", 0), ([], "{tmp}", 0)])
def test_figures_that_nothing_serves_are_warned_of_once(
    tmp_path: Path, arguments: list[str], directory: str, lines: int
) -> None:
    env = {**os.environ, "PERFCHECK_MONITOR_DIR": directory.format(tmp=tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", UNSERVED, *arguments], env=env, capture_output=True, text=True, check=True
    )
    assert (
        done.stderr.splitlines()
        == ["@monitor_performance counts, but nothing serves its figures: call init_app(app), or add a middleware"]
        * lines
    )
