from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.monitor import configure, request_trace
from perfcheck.monitor.request_trace import Trace, log_n_plus_one, shape_of
from perfcheck.monitor.settings import restore_defaults
from perfcheck.monitor.statistics import RepeatedStatement


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    request_trace.forget_statements()
    yield
    restore_defaults()


@pytest.mark.parametrize(
    ("statement", "shape"),
    [
        ("SELECT 1", "SELECT ?"),
        ("SELECT * FROM t WHERE id = 7", "SELECT * FROM t WHERE id = ?"),
        ("SELECT * FROM t WHERE id IN (1, 2, 3)", "SELECT * FROM t WHERE id IN (?)"),
        ("SELECT * FROM t WHERE id IN (?, ?)", "SELECT * FROM t WHERE id IN (?)"),
        ("SELECT * FROM t WHERE id IN (%(id_1_1)s, %(id_1_2)s)", "SELECT * FROM t WHERE id IN (?)"),
        ("SELECT * FROM t WHERE id = %s AND x = %s", "SELECT * FROM t WHERE id = ? AND x = ?"),
        ("SELECT * FROM t WHERE id = $1", "SELECT * FROM t WHERE id = ?"),
        ("SELECT * FROM t WHERE id = :id_1", "SELECT * FROM t WHERE id = ?"),
        ("SELECT id::text FROM t", "SELECT id::text FROM t"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (?)"),
        ("SELECT  *\n FROM\tt -- who asks\nWHERE a = 1", "SELECT * FROM t WHERE a = ?"),
        ("SELECT 1 /*traceparent='00-abc'*/ FROM t", "SELECT ? FROM t"),
        ("SELECT t1.a2, x3 FROM t1 WHERE a2 = -1.5e3", "SELECT t1.a2, x3 FROM t1 WHERE a2 = ?"),
        ('SELECT "t"."id" FROM "t" WHERE "t"."id" = "u"."id"', 'SELECT "t"."id" FROM "t" WHERE "t"."id" = "u"."id"'),
        ('SELECT a FROM t WHERE name = "Bob"', "SELECT a FROM t WHERE name = ?"),
        ("SELECT 'it''s' , 0x1F", "SELECT ? , ?"),
        ("SELECT $$secret 'text'$$, 2", "SELECT ?, ?"),
    ],
)
def test_the_shape_of_a_statement(statement: str, shape: str) -> None:
    assert shape_of(statement) == shape


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'secret",
        'SELECT a FROM t WHERE b IN ("secret@x.com", "b c")',
        'SELECT a FROM t WHERE b LIKE "secret%"',
        'SELECT a FROM t WHERE b BETWEEN "secret" AND "z"',
        'SELECT a FROM t WHERE n = "it\\" secret"',
        "SELECT $t1$secret$t1$",
        "SELECT q'[it's secret]'",
        "SELECT 'a\\' , 'secret', 'b'",  # where the text ends differs between dialects
        "SELECT E'it\\'s secret'",
        "SELECT '" + "x" * 5000 + "secret'",
        "SELECT $t$ secret",
        "SELECT 1 /* secret",
        'SELECT a WHERE b = "secret',
    ],
)
def test_no_value_stays_in_a_shape(statement: str) -> None:
    assert "secret" not in shape_of(statement)


@given(st.text(alphabet="'\"\\$ab1?(),;:%@/*-\n ", max_size=300))
def test_any_text_has_a_shape_and_a_bounded_one(statement: str) -> None:
    shape = shape_of(statement)
    assert len(shape) <= 300
    assert "\n" not in shape


@given(st.text(max_size=100).filter(lambda text: "\\" not in text))
def test_a_quoted_value_changes_nothing(value: str) -> None:
    quoted = value.replace("'", "''")
    assert shape_of(f"SELECT a FROM t WHERE b = '{quoted}' AND c = 1") == "SELECT a FROM t WHERE b = ? AND c = ?"


def test_the_end_of_a_long_statement_is_in_its_shape() -> None:
    columns = ", ".join(f"t.column_{letter}" for letter in "abcdefghijklmnopqrstuvwxyz" * 3)
    by_id, by_name = (shape_of(f"SELECT {columns} FROM t WHERE t.{key} = 1") for key in ("id", "name"))
    assert by_id != by_name
    assert by_id.endswith("WHERE t.id = ?")


def test_neither_statements_nor_shapes_pile_up() -> None:
    for number in range(3000):
        shape_of(f"SELECT {number}")
    assert request_trace._known_shape.cache_info().currsize <= 512
    trace = Trace()
    for number in range(3000):
        trace.add_query(
            f"SELECT a FROM t_{chr(97 + number % 26)}{chr(97 + number // 26 % 26)}{chr(97 + number // 676)}", 0.0
        )
    assert len(trace._statements) == 200
    for number in range(3000):
        log_n_plus_one(f"endpoint {number}", [RepeatedStatement("SELECT ?", 10, None)])
    assert len(request_trace._reported) == 1000


def ask(trace: Trace, statement: str) -> None:
    trace.add_query(statement, 0.0)


def test_the_caller_is_found_when_a_statement_comes_too_often() -> None:
    trace = Trace()
    configure(n_plus_one=3)
    for number in range(5):
        ask(trace, f"SELECT {number} FROM t")
        ask(trace, "SELECT name FROM once_or_twice") if number < 2 else None
    (found,) = trace.repetitions
    assert (found.shape, found.most) == ("SELECT ? FROM t", 5)
    line = ask.__code__.co_firstlineno + 1
    assert found.caller is not None
    assert found.caller.endswith(f"tests/monitor/test_request_trace.py:{line}")


def test_the_most_frequent_comes_first() -> None:
    trace = Trace()
    configure(n_plus_one=2)
    for statement in ["SELECT a FROM x"] * 2 + ["SELECT b FROM y"] * 4:
        trace.add_query(statement, 0.0)
    assert [one.most for one in trace.repetitions] == [4, 2]


def test_a_shape_is_logged_once_for_an_endpoint(caplog: pytest.LogCaptureFixture) -> None:
    found = [RepeatedStatement("SELECT ?", 12, "shop/views.py:42")]
    with caplog.at_level(logging.WARNING, "perfcheck.monitor"):
        for endpoint in ("GET /a", "GET /a", "GET /b"):
            log_n_plus_one(endpoint, found)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert caplog.messages[0] == (
        "N+1: GET /a sent the same statement 12 times in one request, from shop/views.py:42: SELECT ?"
    )


def test_a_statement_is_located_once_it_takes_a_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    located: list[object] = []

    def call_site(*arguments: object) -> str:
        located.append(arguments)
        return "shop/views.py:42"

    monkeypatch.setattr(request_trace, "call_site", call_site)
    trace = Trace()
    for _ in range(9):
        trace.add_query("SELECT a FROM fast", 0.0001)
    assert (located, trace.slow_statements) == ([], [])
    for _ in range(3):
        trace.add_query("SELECT b FROM slow", 0.0004)
        trace.add_query("SELECT c FROM slower", 0.2)
    assert len(located) == 2
    assert [str(found) for found in trace.slow_statements] == [
        "SELECT c FROM slower, 3 times, from shop/views.py:42",
        "SELECT b FROM slow, 3 times, from shop/views.py:42",
    ]


def test_what_a_long_statement_joins_is_in_its_shape() -> None:
    columns = ", ".join(f"t.column_{letter}" for letter in "abcdefghijklmnopqrstuvwxyz" * 3)
    shape = shape_of(f"SELECT {columns} FROM t JOIN u ON u.id = t.u WHERE t.id = 1")
    assert shape.startswith("SELECT t.column_a, ")
    assert shape.endswith(" ... FROM t JOIN u ON u.id = t.u WHERE t.id = ?")
