"""A value that a schema allows, from what the document states about it where it states something."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from perfcheck.discover.foreign_json import Object, as_list, as_object
from perfcheck.discover.openapi.references import References
from perfcheck.model.operation import Basis

_DEEPEST = 12  # of schemas in schemas; one that requires itself ends here
_MOST_SCHEMAS = 1000  # for one value, however often schemas refer to each other
_LONGEST_TEXT = 200
_MOST_ITEMS = 10
_LARGEST = 1e15
_BY_FORMAT = {
    "byte": "YQ==",
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "duration": "P1D",
    "email": "user@example.com",
    "hostname": "localhost",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "time": "00:00:00Z",
    "uri": "http://localhost/",
    "url": "http://localhost/",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
_RESTRICTIONS = {"pattern", "format", "oneOf", "anyOf", "not", "$ref"}  # on a value of any type
_NOT_TO_BE_GUESSED = {"binary", "password"}
_TYPES = {
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "str": "string",
    "bool": "boolean",
}


@dataclass(frozen=True, slots=True)
class SchemaValue:
    value: Any  # of JSON
    basis: Basis


class SchemaValues:
    def __init__(self, references: References) -> None:
        self._references = references
        self._schemas_left = 0

    def of_schema(self, schema: object) -> SchemaValue | None:
        """None where only somebody who knows the service can make up a value."""
        self._schemas_left = _MOST_SCHEMAS
        return self._value(schema, 0)

    def stated(self, node: Object) -> SchemaValue | None:
        """The example, default or first allowed value of a parameter, a schema or a media type."""
        for value, basis in self._all_stated(node):
            if value is not None:
                return SchemaValue(value, basis)
        return None

    def _all_stated(self, node: Object) -> Iterator[tuple[object, Basis]]:
        for key in ("example", "x-example"):
            yield node.get(key), Basis.EXAMPLE
        examples = node.get("examples")
        if isinstance(examples, dict):
            for example in map(self._references.object_at, examples.values()):
                for key in ("value", "dataValue", "serializedValue"):
                    yield example.get(key), Basis.EXAMPLE
        for example in as_list(examples):
            yield example, Basis.EXAMPLE
        yield node.get("default"), Basis.DEFAULT
        yield node.get("const"), Basis.ENUM
        for allowed in as_list(node.get("enum")):
            yield allowed, Basis.ENUM

    def _value(self, node: object, depth: int) -> SchemaValue | None:
        self._schemas_left -= 1
        if depth > _DEEPEST or self._schemas_left < 0:
            return None
        schema = self._references.resolve(node)
        if schema is True:
            schema = {}
        if not isinstance(schema, dict):
            return None
        stated = self.stated(as_object(node)) or self.stated(schema)  # from version 3.1 on also next to a reference
        return stated or self._alternative(schema, depth + 1) or self._guess(schema, depth + 1)

    def _alternative(self, schema: Object, depth: int) -> SchemaValue | None:
        for part in (*as_list(schema.get("oneOf")), *as_list(schema.get("anyOf"))):
            if self._references.object_at(part).get("type") != "null" and (value := self._value(part, depth)):
                return value
        return None

    def _guess(self, schema: Object, depth: int) -> SchemaValue | None:
        parts = as_list(schema.get("allOf"))
        if parts:
            own = {key: value for key, value in schema.items() if key != "allOf"}
            return self._joined(parts + [own] * ("properties" in own), depth)
        match _type_of(schema):
            case "integer" | "number" as kind:
                return _guessed(_number(schema, is_integer=kind == "integer"))
            case "boolean":
                return _guessed(value=True)
            case "string":
                return _guessed(_text(schema))
            case "array":
                item = self._value(schema.get("items", {}), depth)
                return item and SchemaValue(
                    [item.value] * max(1, min(_count(schema.get("minItems")), _MOST_ITEMS)), item.basis
                )
            case "object":
                return self._object(schema, depth)
            case "any":
                return _guessed(1)
        return None

    def _object(self, schema: Object, depth: int) -> SchemaValue | None:
        properties = as_object(schema.get("properties"))
        values = {}
        for name in as_list(schema.get("required")):
            value = self._value(properties.get(name, {}), depth) if isinstance(name, str) else None
            if value is None:
                return None
            values[name] = value
        return SchemaValue({name: value.value for name, value in values.items()}, _worst(values.values()))

    def _joined(self, schemas: list[object], depth: int) -> SchemaValue | None:
        """A value that all of them allow, where they are objects; else that of the first which has any."""
        values = [value for schema in schemas if (value := self._value(schema, depth)) and not _is_any(schema)]
        objects = [value for value in values if isinstance(value.value, dict)]
        if not objects or len(objects) < len(values):
            return values[0] if values else None
        return SchemaValue({k: v for value in objects for k, v in value.value.items()}, _worst(objects))


def _guessed(value: object) -> SchemaValue | None:
    return None if value is None else SchemaValue(value, Basis.GUESS)


def _worst(values: Iterable[SchemaValue]) -> Basis:
    return max((value.basis for value in values), key=lambda basis: basis.rank, default=Basis.GUESS)


def _is_any(schema: object) -> bool:
    return isinstance(schema, dict) and _type_of(schema) == "any"


def _type_of(schema: Object) -> str | None:
    kind = schema.get("type")
    if isinstance(kind, list):  # from version 3.1 on
        kind = next((name for name in kind if name != "null"), None)
    if isinstance(kind, str):
        return _TYPES.get(kind, kind)
    if "properties" in schema or as_list(schema.get("required")):
        return "object"
    if "items" in schema:
        return "array"
    return "any" if _RESTRICTIONS.isdisjoint(schema) else None


def _text(schema: Object) -> str | None:
    known = str(schema.get("format"))
    if known in _BY_FORMAT:
        return _BY_FORMAT[known]
    length = max(1, _count(schema.get("minLength")))
    if "pattern" in schema or known in _NOT_TO_BE_GUESSED or length > _LONGEST_TEXT:
        return None
    return "a" * length


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _number(schema: Object, *, is_integer: bool) -> float | None:
    """1, or a number near a bound where 1 is out of bounds."""
    least, most, over, under = (
        _finite(schema.get(key)) for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    )
    over = least if schema.get("exclusiveMinimum") is True else over  # up to version 3.0
    under = most if schema.get("exclusiveMaximum") is True else under
    step = abs(_finite(schema.get("multipleOf")) or is_integer)
    bounds = [bound for bound in (least, over, most, under) if bound is not None]
    near = [bound + shift for bound in bounds for shift in (0, 1, -1)]
    if bounds:
        near.append(sum(bounds) / len(bounds))
    rounded = [math.ceil(number / step) * step for number in (1, *near)] if step else []
    for number in (1, *near, *rounded):
        if (
            (least is None or number >= least)
            and (most is None or number <= most)
            and (over is None or number > over)
            and (under is None or number < under)
            and (not step or number % step == 0)
        ):
            return int(number) if number == int(number) else number
    return None


def _finite(value: object) -> float | None:
    """A number that arithmetic is safe with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < _LARGEST else None
