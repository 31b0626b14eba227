"""The value that is made up for a schema, and what it is based on."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.discover.openapi.references import References
from perfcheck.discover.openapi.schema_values import SchemaValue, SchemaValues
from perfcheck.model.operation import Basis

COMPONENTS = {
    "Colour": {"type": "string", "enum": ["red", "blue"]},
    "Alias": {"$ref": "#/components/schemas/Colour"},
    "Size": {"type": "object", "required": ["width"], "properties": {"width": {"type": "integer", "default": 3}}},
    "Endless": {
        "type": "object",
        "required": ["next"],
        "properties": {"next": {"$ref": "#/components/schemas/Endless"}},
    },
    "Tree": {"type": "object", "properties": {"children": {"items": {"$ref": "#/components/schemas/Tree"}}}},
    "Circle": {"$ref": "#/components/schemas/Other"},
    "Other": {"$ref": "#/components/schemas/Circle"},
    "a/b~c d": {"const": "escaped"},
}


def value_of(schema: Any, components: Any = COMPONENTS) -> SchemaValue | None:
    return SchemaValues(References({"components": {"schemas": components}})).of_schema(schema)


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


@pytest.mark.parametrize(
    ("schema", "value", "basis"),
    [
        ({"type": "string", "example": "love", "default": "x"}, "love", Basis.EXAMPLE),
        ({"type": "string", "examples": ["love", "peace"]}, "love", Basis.EXAMPLE),
        ({"type": "string", "x-example": "love"}, "love", Basis.EXAMPLE),
        ({"type": "integer", "default": 0}, 0, Basis.DEFAULT),
        ({"type": "boolean", "default": False}, False, Basis.DEFAULT),
        ({"type": ["null", "string"], "default": None, "enum": [None, "asc"]}, "asc", Basis.ENUM),
        ({"const": "v1"}, "v1", Basis.ENUM),
        (ref("Colour"), "red", Basis.ENUM),
        (ref("Alias"), "red", Basis.ENUM),
        ({**ref("Colour"), "default": "blue"}, "blue", Basis.DEFAULT),
        (ref("a~1b~0c%20d"), "escaped", Basis.ENUM),
        ({"anyOf": [{"type": "null"}, ref("Colour")]}, "red", Basis.ENUM),
        ({"oneOf": [{"type": "string", "pattern": "^x"}, {"type": "integer"}]}, 1, Basis.GUESS),
        ({"allOf": [ref("Colour")], "description": "a colour"}, "red", Basis.ENUM),
        ({"allOf": [{"description": "a colour"}, ref("Colour")]}, "red", Basis.ENUM),
        ({"type": "array", "items": ref("Colour")}, ["red"], Basis.ENUM),
        ({"items": {"type": "integer"}, "minItems": 2}, [1, 1], Basis.GUESS),
        (ref("Size"), {"width": 3}, Basis.DEFAULT),
        (
            {"allOf": [ref("Size"), {"type": "object", "required": ["q"], "properties": {"q": {"type": "string"}}}]},
            {"width": 3, "q": "a"},
            Basis.GUESS,
        ),
        (
            {"type": "object", "required": ["q"], "properties": {"q": {"const": 7}}, "allOf": [ref("Size")]},
            {"width": 3, "q": 7},
            Basis.ENUM,
        ),
        (ref("Tree"), {}, Basis.GUESS),
        ({"type": "string", "minLength": 3}, "aaa", Basis.GUESS),
        ({"type": "string", "format": "date"}, "2024-01-01", Basis.GUESS),
        ({"type": "string", "format": "something-of-theirs"}, "a", Basis.GUESS),
        ({"type": "integer", "minimum": 10}, 10, Basis.GUESS),
        ({"type": "integer", "exclusiveMinimum": 10}, 11, Basis.GUESS),
        ({"type": "integer", "minimum": 10, "exclusiveMinimum": True}, 11, Basis.GUESS),
        ({"type": "integer", "maximum": 0}, 0, Basis.GUESS),
        ({"type": "integer", "minimum": 6, "multipleOf": 5}, 10, Basis.GUESS),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5, Basis.GUESS),
        ({"type": "int"}, 1, Basis.GUESS),
        ({}, 1, Basis.GUESS),
        (True, 1, Basis.GUESS),
        ({"description": "anything", "type": {"a": "mistake"}}, 1, Basis.GUESS),
    ],
    ids=str,
)
def test_value(schema: Any, value: Any, basis: Basis) -> None:
    assert value_of(schema) == SchemaValue(value, basis)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"},
        {"pattern": "^[A-Z]+$"},
        {"type": "string", "format": "binary"},
        {"type": "string", "minLength": 10**9},
        {"type": "file"},
        {"type": "null"},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "pattern": "x"}}},
        False,
        None,
        "string",
        ref("Endless"),
        ref("Circle"),
        ref("Missing"),
        {"$ref": "other.yaml#/Pet"},
        {"$ref": "#/components/schemas/0"},
    ],
    ids=str,
)
def test_no_value_where_none_can_be_made_up(schema: Any) -> None:
    assert value_of(schema) is None


def test_references_that_multiply_take_bounded_time() -> None:
    """Each schema requires two of the next: 2^60 values."""
    levels = {
        f"Level{level}": {
            "required": ["a", "b"],
            "properties": dict.fromkeys("ab", ref(f"Level{level + 1}")),
        }
        for level in range(60)
    }
    assert value_of(ref("Level0"), levels) is None
    wide = {"anyOf": [{"anyOf": [{"anyOf": [{"pattern": "x"}] * 100}] * 100}] * 100}
    assert value_of(wide) is None


BOUNDS = st.integers(-20, 20) | st.floats(-20, 20, allow_nan=False)


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": BOUNDS,
            "maximum": BOUNDS,
            "exclusiveMinimum": BOUNDS,
            "exclusiveMaximum": BOUNDS,
            "multipleOf": st.integers(1, 7),
        },
    )
)
def test_a_number_is_within_its_bounds(schema: dict[str, Any]) -> None:
    value = value_of(schema)
    if value is not None:
        jsonschema.Draft202012Validator(schema).validate(value.value)
