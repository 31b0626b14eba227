from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.answers.answer_check import ALWAYS_BYTES, AnswerCheck
from perfcheck.answers.conditions import parse_length, parse_pattern, parse_scalar, parse_type
from perfcheck.answers.json_schema import compile_schema
from perfcheck.model import Condition, Expectations, Operator
from perfcheck.text import Redactor
from perfcheck.units import WrongValueError

EXISTS: Condition = (parse_scalar("exists"),)
LOVE: Condition = (parse_scalar("Love", typed=False, plain=Operator.CONTAINS),)
VIDEOS = {"total": 1, "items": [{"id": 1, "title": "Hyperballad"}]}


def problem(
    expectations: Expectations,
    body: bytes | str,
    headers: dict[bytes, str] | None = None,
    *,
    secrets: tuple[str, ...] = (),
    has_body: bool = True,
) -> str | None:
    check = AnswerCheck(expectations, Redactor(secrets), has_body=has_body)
    content = body if isinstance(body, bytes) else body.encode()
    return check.problem(lambda name: (headers or {}).get(name, ""), content)


def json_of(**conditions: Condition) -> Expectations:
    return Expectations(json=tuple((f"$.{name}", condition) for name, condition in conditions.items()))


@pytest.mark.parametrize(
    ("expectations", "body", "message"),
    [
        (json_of(total=(parse_scalar(">= 1"),)), '{"total": 0}', "$.total: expected >= 1, got 0"),
        (json_of(items=(parse_type("array"),)), '{"items": null}', "$.items: expected type array, got null"),
        (json_of(items=(parse_length(1),)), '{"items": {}}', "$.items: expected length 1, got 0"),
        (json_of(a=(parse_scalar(1),)), '{"a": [1, 2]}', "$.a: expected 1, got an array of 2"),
        (json_of(a=(parse_scalar(1),)), '{"a": {}}', "$.a: expected 1, got an object"),
        (json_of(a=(parse_scalar(1),)), f'{{"a": "{"x" * 90}"}}', f"$.a: expected 1, got '{'x' * 37}...'"),
        (json_of(a=EXISTS), "[]", "$.a not found"),
        (json_of(a=EXISTS), "", "the body is empty, not JSON"),
        (json_of(a=EXISTS), "<html>", "the body is not JSON: invalid character at byte 1"),
        (json_of(a=EXISTS), '{"a": 1', "the body is not JSON: it ends too early"),
        (json_of(a=EXISTS), '{"a": NaN}', "the body is not JSON: invalid character at byte 7"),
        (json_of(a=EXISTS), "[" * 100_000, "the body is nested too deep"),
        (
            Expectations(json=(("$..[?@.a]", EXISTS),)),
            "[" * 300 + "]" * 300,
            "the document is nested too deep for $..[?@.a]",
        ),
        (Expectations(text=LOVE), "Hate", "the body does not contain 'Love'"),
        (Expectations(text=(parse_pattern("^<"),)), "x", "the body does not match '^<'"),
        (Expectations(text=EXISTS), "", "the body is empty"),
        (Expectations(headers=(("ETag", EXISTS),)), "x", "header ETag not found"),
        (Expectations(max_bytes=3), "four", "the body: expected at most 3 B, got 4 B"),
        (Expectations(max_bytes=10_001), "x" * 10_002, "the body: expected at most 10 kB, got 10002 bytes"),
        (Expectations(no_graphql_errors=True), '{"errors": [{"message": "no x"}]}', "GraphQL error: no x"),
        (Expectations(no_graphql_errors=True), '{"errors": ["no\\nx"]}', "GraphQL error: no x"),
        (Expectations(no_graphql_errors=True), '{"errors": {"a": 1}}', 'GraphQL error: {"a": 1}'),
    ],
)
def test_a_wrong_answer_is_described_in_a_line(expectations: Expectations, body: str, message: str) -> None:
    assert problem(expectations, body) == message


@pytest.mark.parametrize(
    ("expectations", "body"),
    [
        (json_of(total=(parse_scalar(1),), items=(parse_type("array"), parse_length(">= 1"))), json.dumps(VIDEOS)),
        (json_of(total=EXISTS), b'\xef\xbb\xbf{"total": null}'),
        (json_of(error=(parse_scalar("absent"),)), "{}"),
        (Expectations(text=LOVE), "All Is Full of Love"),
        (Expectations(max_bytes=4), "four"),
        (Expectations(no_graphql_errors=True), '{"data": {}, "errors": []}'),
        (Expectations(no_graphql_errors=True), "[]"),
        (Expectations(json=(("$.errors", EXISTS),), no_graphql_errors=True), '{"errors": [1]}'),  # as is expected
    ],
)
def test_a_right_answer(expectations: Expectations, body: bytes | str) -> None:
    assert problem(expectations, body) is None


@pytest.mark.parametrize(
    ("content_type", "body", "is_right"),
    [
        ("text/html; charset=iso-8859-1", "søk".encode("latin-1"), True),
        ('text/html; charset="UTF-16"', "søk".encode("utf-16"), True),
        ("text/html", "søk".encode(), True),
        ("text/html", "søk".encode("latin-1"), False),
        ("text/html; charset=nosuch", "søk".encode(), True),
        ("text/html; charset=base64", "søk".encode(), True),  # of bytes, not of text
        ("text/html; charset=undefined", "søk".encode(), True),
    ],
)
def test_text_is_decoded_by_its_charset(content_type: str, body: bytes, *, is_right: bool) -> None:
    expectations = Expectations(text=(parse_scalar("søk", typed=False, plain=Operator.CONTAINS),))
    assert (problem(expectations, body, {b"content-type": content_type}) is None) is is_right


def test_the_response_to_head_has_headers_only() -> None:
    expectations = Expectations(json=(("$.a", EXISTS),), headers=(("ETag", EXISTS),), text=LOVE, max_bytes=3)
    assert problem(expectations, b"", {b"etag": "x"}, has_body=False) is None
    assert problem(expectations, b"", has_body=False) == "header ETag not found"


def test_a_secret_is_masked_before_a_value_is_cut() -> None:
    token = "k" * 30 + "&" + "secret" * 5
    for body in (json.dumps({"a": "x" * 20 + token}), json.dumps({"a": "x" * 38 + token})):
        found = problem(json_of(a=(parse_scalar(1),)), body, secrets=(token,))
        assert found is not None
        assert "kkk" not in found
    found = problem(Expectations(no_graphql_errors=True), json.dumps({"errors": [token]}), secrets=(token,))
    assert found == "GraphQL error: ***"


# --- Large bodies ----------------------------------------------------------------------------------------------------

WRONG, RIGHT = b"x" * (ALWAYS_BYTES + 1), b"Love" + b"x" * ALWAYS_BYTES


def found_in(bodies: list[bytes], expectations: Expectations) -> list[bool]:
    check = AnswerCheck(expectations, Redactor())
    return [check.problem(lambda _: "", body) is not None for body in bodies]


def test_of_large_bodies_the_first_and_every_tenth_are_looked_into() -> None:
    expectations = Expectations(text=LOVE)
    found = found_in([RIGHT, *[WRONG] * 10], expectations)
    assert found == [False] * 10 + [True]


def test_after_a_wrong_one_each_is_looked_into_until_one_is_right() -> None:
    expectations = Expectations(text=LOVE)
    assert found_in([WRONG, WRONG, RIGHT, WRONG, WRONG], expectations) == [True, True, False, False, False]


def test_every_body_up_to_64_kb_is_looked_into_and_size_and_headers_always() -> None:
    assert found_in([b"Love"] + [b"x" * ALWAYS_BYTES] * 3, Expectations(text=LOVE)) == [False, True, True, True]
    assert found_in([RIGHT, WRONG, WRONG], Expectations(text=LOVE, max_bytes=10)) == [True] * 3
    assert found_in([RIGHT, WRONG, WRONG], Expectations(text=LOVE, headers=(("ETag", EXISTS),))) == [True] * 3


# --- A JSON Schema ---------------------------------------------------------------------------------------------------

ITEM = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "minimum": 1}}}
SCHEMA = {"type": "object", "properties": {"items": {"type": "array", "items": ITEM}}, "required": ["items"]}


def schema_file(folder: Path, schema: Any = SCHEMA) -> str:
    file = folder / "videos.json"
    file.write_text(schema if isinstance(schema, str) else json.dumps(schema), encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"items": [{"id": 1}]}, None),
        ({"items": [{"id": "x"}]}, "schema: $.items[0].id is not of type \"integer\", got 'x'"),
        ({"items": [{"id": 0}]}, "schema: $.items[0].id is less than the minimum of 1, got 0"),
        ({"items": [{}]}, 'schema: $.items[0]: "id" is a required property'),
        ({"items": "x" * 100_000}, f"schema: $.items is not of type \"array\", got '{'x' * 37}...'"),
        ([1], 'schema: $ is not of type "object", got an array of 1'),
    ],
)
def test_a_schema(tmp_path: Path, body: Any, message: str | None) -> None:
    assert problem(Expectations(schema=schema_file(tmp_path)), json.dumps(body)) == message


def test_a_schema_may_refer_to_other_files_and_to_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "an item.json").write_text(json.dumps({"$defs": {"it": ITEM}}))
    file = schema_file(tmp_path, {"items": {"$ref": "an%20item.json#/$defs/it"}})
    assert problem(Expectations(schema=file), "[{}]") == 'schema: $[0]: "id" is a required property'
    with pytest.raises(WrongValueError, match="only files are read"):
        compile_schema(Path(schema_file(tmp_path, {"$ref": "http://127.0.0.1:1/item.json"})))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "videos.json is not JSON: it ends too early"),
        ("", "videos.json is empty, not JSON"),
        ({"type": 12}, "videos.json is not a JSON Schema: $.type is not valid under any of the schemas"),
        ({"pattern": "("}, 'videos.json is not a JSON Schema: $.pattern is not a "regex"'),
        ([1], "videos.json is not a JSON Schema: $ is not of types"),
        ({"$ref": "other.json"}, "videos.json is not a JSON Schema: Resource 'file:"),
    ],
)
def test_what_is_no_schema(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(WrongValueError) as caught:
        compile_schema(Path(schema_file(tmp_path, content)))
    assert caught.value.message.startswith(message)


def test_without_its_package_a_schema_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jsonschema_rs", None)
    with pytest.raises(WrongValueError, match="needs the package jsonschema-rs") as caught:
        compile_schema(Path("videos.json"))
    assert caught.value.remedy == "pip install 'perfcheck[schema]'"


# --- Whatever arrives ------------------------------------------------------------------------------------------------

EVERYTHING = Expectations(
    json=(
        ("$..a", (parse_scalar("!= 1"), parse_length(">= 0"))),
        ("$[?@.a > 1]", (parse_scalar("absent"),)),
        ("$.*[0]", (parse_type("integer"), parse_pattern("a"))),
    ),
    text=(parse_pattern(r"^[\s\S]*$"), parse_length(">= 0"), parse_scalar("> 3", typed=False)),
    headers=(("Content-Type", (parse_pattern("."), parse_scalar("< 3", typed=False))),),
    no_graphql_errors=True,
)
PARTS = tuple(
    Expectations(**{name: getattr(EVERYTHING, name)}) for name in ("json", "text", "headers", "no_graphql_errors")
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "errors", "message"]) | st.text(), inner),
)


@given(st.binary() | DOCUMENTS.map(lambda document: json.dumps(document).encode()), st.text())
def test_whatever_arrives_is_right_or_wrong(tmp_path_factory: pytest.TempPathFactory, body: bytes, header: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps({"items": {"$ref": "#"}, "type": ["array", "object"], "maxProperties": 1}))
    for expectations in (EVERYTHING, *PARTS, Expectations(schema=str(file))):
        found = problem(expectations, body, {b"content-type": header})
        assert found is None or isinstance(found, str)
