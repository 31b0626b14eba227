from __future__ import annotations

import json
from typing import Any

import pytest

from perfcheck.answers.conditions import (
    compile_condition,
    parse_length,
    parse_pattern,
    parse_scalar,
    parse_type,
    violation,
)
from perfcheck.model import Condition, Operator, Requirement, Scalar
from perfcheck.units import WrongValueError

TOTAL = "$.total"


@pytest.mark.parametrize(
    ("written", "right", "wrong", "message"),
    [
        (1, [1, 1.0], [2, "1", True, None], "expected 1, got {}"),
        ("1", ["1"], [1], "expected '1', got {}"),
        (True, [True], [1, "true"], "expected true, got {}"),
        (None, [None], [0, "", False], "expected null, got {}"),
        ("x", ["x"], ["xx", 1], "expected 'x', got {}"),
        (">= 1", [1, 2.5], [0, "1", True, None], "expected >= 1, got {}"),
        ("<= 1", [1, -1e9], [1.5], "expected <= 1, got {}"),
        ("> 1", [1.1], [1], "expected > 1, got {}"),
        ("<1e2", [99], [100], "expected < 100.0, got {}"),
        ("!= 1", [2, "1", True], [1], "expected != 1, got {}"),
        ("!= x", ["y", 1], ["x"], "expected != 'x', got {}"),
        ('== "1"', ["1"], [1], "expected '1', got {}"),
        ("== exists", ["exists"], ["x"], "expected 'exists', got {}"),
        ("== true", [True], ["true"], "expected true, got {}"),
        ("a > b", ["a > b"], ["a"], "expected 'a > b', got {}"),
        ("exists", [None, 0, "x"], [], ""),
    ],
)
def test_a_scalar(written: Scalar, right: list[Any], wrong: list[Any], message: str) -> None:
    condition = (parse_scalar(written),)
    assert [problem(TOTAL, condition, [value]) for value in right] == [None] * len(right)
    for value in wrong:
        assert problem(TOTAL, condition, [value]) == f"$.total: {message.format(shown(value))}"


def problem(subject: str, condition: Condition, values: list[Any], *, typed: bool = True) -> str | None:
    return violation(subject, compile_condition(condition, typed=typed), values, shown)


def shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else json.dumps(value)


def test_what_is_expected_must_be_there_unless_it_is_to_be_absent() -> None:
    assert problem(TOTAL, (parse_scalar("exists"),), []) == "$.total not found"
    assert problem(TOTAL, (parse_scalar(">= 1"),), []) == "$.total: expected >= 1, got nothing"
    assert problem(TOTAL, (parse_type("array"),), []) == "$.total: expected type array, got nothing"
    assert problem(TOTAL, (parse_scalar("absent"),), []) is None
    assert problem(TOTAL, (parse_scalar("absent"),), [None]) == "$.total: expected nothing, got null"


def test_each_of_several_values_has_to_satisfy_it() -> None:
    condition = (parse_scalar("> 0"),)
    assert problem("$..id", condition, [1, 2, 3]) is None
    assert problem("$..id", condition, [1, 0, 3]) == "$..id: expected > 0, got 0 (2 of 3)"


@pytest.mark.parametrize(
    ("requirement", "right", "wrong", "message"),
    [
        (parse_type("integer"), [1, 1.0, 10**30], 1.5, ": expected type integer, got 1.5"),
        (parse_type("number"), [1, 1.5], True, ": expected type number, got true"),
        (parse_type("array"), [[]], None, ": expected type array, got null"),
        (parse_type("object"), [{}], [], ": expected type object, got []"),
        (parse_type("boolean"), [False], 0, ": expected type boolean, got 0"),
        (parse_type("null"), [None], "", ": expected type null, got ''"),
        (parse_type("string"), [""], 1, ": expected type string, got 1"),
        (parse_length(2), [[1, 2], "ab", {"a": 1, "b": 2}], [1], ": expected length 2, got 1"),
        (parse_length(">= 1"), ["a"], "", ": expected length >= 1, got 0"),
        (parse_length("!= 0"), [[1]], [], ": expected length != 0, got 0"),
        (parse_length(">= 0"), [[]], 5, ": expected length >= 0, got 5"),
        (Requirement(Operator.CONTAINS, "a"), ["bad", ["b", "a"]], "b", " does not contain 'a', got 'b'"),
        (Requirement(Operator.CONTAINS, 2), [[1, 2], "x2"], [True], " does not contain 2, got [true]"),
        (Requirement(Operator.CONTAINS, "a"), ["a"], {"a": 1}, " does not contain 'a', got {\"a\": 1}"),
        (parse_pattern("^a+$"), ["aa"], "ab", " does not match '^a+$', got 'ab'"),
        (parse_pattern("1"), ["1"], 1, " does not match '1', got 1"),
    ],
)
def test_a_part_of_a_mapping(requirement: Requirement, right: list[Any], wrong: Any, message: str) -> None:
    assert [problem("$.a", (requirement,), [value]) for value in right] == [None] * len(right)
    assert problem("$.a", (requirement,), [wrong]) == f"$.a{message}"


@pytest.mark.parametrize(
    ("written", "right", "wrong"),
    [(">= 1", "12", "0"), (">= 1", " 1.5\n", "many"), ("== 1", "1", "1.0"), ("!= x", "y", "x\n"), ("200", "200", "20")],
)
def test_text_is_compared_as_text_or_as_the_number_that_it_is(written: str, right: str, wrong: str) -> None:
    condition = (parse_scalar(written, typed=False),)
    assert problem("header A", condition, [right], typed=False) is None
    assert problem("header A", condition, [wrong], typed=False) is not None


def test_the_body_is_not_shown_where_a_part_of_it_is_missing() -> None:
    condition = (parse_scalar("Love", typed=False, plain=Operator.CONTAINS),)
    assert problem("the body", condition, ["Hate"], typed=False) == "the body does not contain 'Love'"
    assert problem("the body", (parse_scalar("exists"),), [], typed=False) == "the body is empty"


@pytest.mark.parametrize("text", [">=", ">", "==", ">= x", "< 01", "> 1,5", ">= " + "1" * 400])
def test_a_comparison_needs_something_to_compare_with(text: str) -> None:
    with pytest.raises(WrongValueError, match="compare") as caught:
        parse_scalar(text)
    assert caught.value.remedy == "write a number behind it, for example '>= 1'"


@pytest.mark.parametrize("value", ["x", "exists", None, True, "== x", [1]])
def test_what_is_no_length(value: Any) -> None:
    with pytest.raises(WrongValueError, match="is not a length"):
        parse_length(value)


@pytest.mark.parametrize(
    ("word", "remedy"),
    [("list", "did you mean 'array'?"), ("arry", "did you mean 'array'?"), ("set", "the types are: null, boolean,")],
)
def test_an_unknown_type(word: str, remedy: str) -> None:
    with pytest.raises(WrongValueError, match=f"unknown type '{word}'") as caught:
        parse_type(word)
    assert (caught.value.remedy or "").startswith(remedy)


def test_a_wrong_regular_expression() -> None:
    with pytest.raises(WrongValueError, match=r"'\(a' is not a regular expression: missing \), .* at position 0"):
        parse_pattern("(a")
