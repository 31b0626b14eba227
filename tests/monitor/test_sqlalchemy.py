from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, ForeignKey, create_engine, event, select, text
from sqlalchemy.exc import InvalidRequestError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from perfcheck.monitor import lifecycle, request_trace
from perfcheck.monitor.registry import default
from perfcheck.monitor.request_trace import Trace
from perfcheck.monitor.sqlalchemy import instrument
from perfcheck.monitor.trace import current


class Base(DeclarativeBase):
    pass


class Artist(Base):
    __tablename__ = "artist"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Video(Base):
    __tablename__ = "video"
    id: Mapped[int] = mapped_column(primary_key=True)
    artist_id: Mapped[int] = mapped_column(ForeignKey("artist.id"))
    artist: Mapped[Artist] = relationship()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    default.reset()
    request_trace.forget_statements()
    yield
    default.reset()


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Artist(id=number, name=f"artist {number}") for number in range(1, 21))
        session.add_all(Video(id=number, artist_id=number) for number in range(1, 21))
        session.commit()
    yield engine
    engine.dispose()


def traced(work: Callable[[], object]) -> Trace:
    """What ``work`` leaves in the trace of a request."""
    request = lifecycle.begin("GET /x")
    work()
    trace = current()
    request.finish(status=200)
    assert trace is not None
    return trace


def statement(engine: Engine, sql: str) -> object:
    with engine.connect() as connection:
        return connection.execute(text(sql)).all()


def test_every_statement_of_a_request_is_counted(engine: Engine) -> None:
    instrument(engine)
    trace = traced(lambda: [statement(engine, "SELECT 1"), statement(engine, "SELECT 2")])
    assert trace.queries == 2
    assert 0 < trace.query_seconds < 10


def test_instrumenting_twice_counts_once(engine: Engine) -> None:
    instrument(engine)
    instrument(engine)
    assert traced(lambda: statement(engine, "SELECT 1")).queries == 1


def test_an_engine_that_is_not_instrumented_is_not_counted(engine: Engine) -> None:
    assert traced(lambda: statement(engine, "SELECT 1")).queries == 0


def test_lazy_loading_in_a_loop_is_found_with_its_line(engine: Engine) -> None:
    instrument(engine)

    def loop() -> None:
        with Session(engine) as session:
            for video in session.scalars(select(Video)):
                assert video.artist.name

    trace = traced(loop)
    assert trace.queries == 21
    (found,) = trace.repetitions
    assert found.most == 20
    assert "FROM artist WHERE artist.id = ?" in found.shape
    line = loop.__code__.co_firstlineno + 3
    assert found.caller is not None
    assert found.caller.endswith(f"tests/monitor/test_sqlalchemy.py:{line}")
    told = default.snapshot().endpoint("GET /x")
    assert told is not None
    assert told.n_plus_one[0].caller == found.caller


def test_a_statement_that_fails_is_counted_and_fails_as_before(engine: Engine) -> None:
    instrument(engine)

    def fails() -> None:
        with pytest.raises(OperationalError, match="no such table"):
            statement(engine, "SELECT * FROM missing")

    assert traced(fails).queries == 1


def test_an_asynchronous_engine_and_the_line_that_awaits(tmp_path: Path) -> None:
    async def loop(lines: list[int]) -> Trace | None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
        instrument(engine)
        request = lifecycle.begin("GET /async")
        async with engine.connect() as connection:
            for number in range(12):
                await connection.execute(text(f"SELECT {number}"))  # this line
        lines.append(loop.__code__.co_firstlineno + 6)
        trace = request.trace
        request.finish(status=200)
        await engine.dispose()
        return trace

    lines: list[int] = []
    trace = asyncio.run(loop(lines))
    assert trace is not None
    assert trace.queries == 12
    assert trace.repetitions[0].caller is not None
    assert trace.repetitions[0].caller.endswith(f"tests/monitor/test_sqlalchemy.py:{lines[0]}")


def test_many_rows_in_one_call_are_one_statement(engine: Engine) -> None:
    instrument(engine)

    def insert() -> None:
        with engine.begin() as connection:
            rows = [{"id": number, "name": "x"} for number in range(100, 200)]
            connection.execute(text("INSERT INTO artist VALUES (:id, :name)"), rows)

    trace = traced(insert)
    assert trace.queries == 1
    assert trace.repetitions == ()


def test_outside_of_a_request_nothing_is_kept(engine: Engine) -> None:
    instrument(engine)
    statement(engine, "SELECT 1")
    assert default.snapshot().endpoints == ()


def test_a_defect_of_the_monitor_does_not_reach_the_statement(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    instrument(engine)

    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Trace, "add_query", broken)
    assert traced(lambda: statement(engine, "SELECT 1")).queries == 0
    assert "a defect" in caplog.text


def test_every_engine_of_the_process(engine: Engine) -> None:
    from perfcheck.monitor import sqlalchemy as module  # noqa: PLC0415

    instrument()
    try:
        assert traced(lambda: statement(engine, "SELECT 1")).queries == 1
    finally:
        event.remove(Engine, "before_cursor_execute", module._before)
        event.remove(Engine, "after_cursor_execute", module._after)
        event.remove(Engine, "handle_error", module._failed)


def test_what_is_no_engine_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        instrument("sqlite://")
