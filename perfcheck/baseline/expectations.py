"""What an endpoint expects of its answer: status codes, or a mapping with conditions on headers and body."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from perfcheck.answers.conditions import TYPES, parse_length, parse_pattern, parse_scalar, parse_type
from perfcheck.answers.json_path import compile_json_path
from perfcheck.answers.json_schema import compile_schema
from perfcheck.baseline.addresses import file_path
from perfcheck.baseline.context import Context, Interpolated, shown
from perfcheck.baseline.requests import HEADER_NAME, core_schema
from perfcheck.baseline.sections import Key, SectionType
from perfcheck.baseline.tree import is_null
from perfcheck.baseline.value_types import SIZE, CustomType, ScalarType
from perfcheck.model import Condition, Expectations, Operator, Requirement, Scalar
from perfcheck.text import clean
from perfcheck.units import WrongValueError
from perfcheck.words import did_you_mean

Ranges = tuple[tuple[int, int], ...]


class Expected(NamedTuple):
    """What a baseline has under ``expect``; without statuses 2xx is meant."""

    statuses: Ranges | None = None
    answer: Expectations | None = None


# --- Status codes ----------------------------------------------------------------------------------------------------

_STATUS_RANGE = re.compile(r"([2-5])[xX]{2}|([2-5][0-9]{2})(?:-([2-5][0-9]{2}))?", re.ASCII)
_STATUS_TEXT = {"type": "string", "pattern": r"^[2-5][xX]{2}$|^[2-5][0-9]{2}(-[2-5][0-9]{2})?$|\$\{"}
_STATUS = {"anyOf": [{"type": "integer", "minimum": 200, "maximum": 599}, _STATUS_TEXT]}


def _read_statuses(context: Context, node: Node, name: str) -> Ranges | None:
    """``2xx``, ``404``, ``200-204``, or a list of them: inclusive ranges of status codes."""
    items = node.value if isinstance(node, SequenceNode) else [node]
    if not items:
        context.error(node, f"{name} is empty", "write, for example, 'expect: [2xx, 404]'")
        return None
    ranges = [_status_range(context, item, name) for item in items]
    return tuple(pair for pair in ranges if pair) if all(ranges) else None


def _status_range(context: Context, node: Node, name: str) -> tuple[int, int] | None:
    remedy = "write, for example, 'expect: [2xx, 404]'"
    text = context.scalar(node, name, "a status code", remedy)
    if text is None or text.unset:
        return None
    match = _STATUS_RANGE.fullmatch(text.value)
    if match:
        hundreds, low, high = match.groups()
        pair = (int(f"{hundreds}00"), int(f"{hundreds}99")) if hundreds else (int(low), int(high or low))
        if pair[0] <= pair[1]:
            return pair
    context.error(node, f"{name}: {shown(text)} is not a status code from 200 to 599", remedy)
    return None


# --- Conditions ------------------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """Of conditions: on values of JSON, on the text of the body, on headers."""

    typed: bool = True
    plain: Operator = Operator.EQUAL  # what a value by itself means


_JSON, _TEXT, _HEADER = _Kind(), _Kind(typed=False, plain=Operator.CONTAINS), _Kind(typed=False)
_CORRECT = "correct it"
_MOST_DIGITS = 12
_PARTS = ("type", "length", "contains", "matches")
_PARTS_OF_TEXT = _PARTS[1:]


def _read_condition(context: Context, node: Node, name: str, kind: _Kind) -> Condition | None:
    if not isinstance(node, MappingNode):
        requirement = _requirement(
            context, node, name, lambda value: parse_scalar(value, typed=kind.typed, plain=kind.plain), typed=kind.typed
        )
        return None if requirement is None else (requirement,)
    parts = _PARTS if kind.typed else _PARTS_OF_TEXT
    requirements: list[Requirement | None] = []
    for key, value in node.value:
        if key.value not in parts:
            hint = did_you_mean(key.value, parts) or f"the keys are: {', '.join(parts)}"
            context.error(key, f"unknown key '{clean(key.value, 60)}' in {name}", hint)
            continue
        parse = {"type": parse_type, "length": parse_length, "contains": _contains, "matches": parse_pattern}[key.value]
        typed = key.value == "length" or (kind.typed and key.value == "contains")
        requirements.append(_requirement(context, value, f"{name}: {key.value}", parse, typed=typed))
    if not node.value:
        context.error(node, f"{name} is empty", f"the keys are: {', '.join(parts)}")
    return tuple(found for found in requirements if found is not None)


def _contains(value: Scalar) -> Requirement:
    return Requirement(Operator.CONTAINS, value)


def _requirement(
    context: Context, node: Node, name: str, parse: Callable[[Any], Requirement], *, typed: bool
) -> Requirement | None:
    """``typed``: a plain scalar gets its type from YAML's core schema; one with a variable is text."""
    value: Scalar = None
    text: Interpolated | None = None
    if not (typed and is_null(node) and node.value):
        text = context.scalar(node, name, "a value or a mapping", "write, for example, '\">= 1\"', or exists")
        if text is None or text.unset:
            return None
        context.secrets.update(text.secrets)
        value = text.value
        if typed and isinstance(node, ScalarNode) and not node.style and not text.has_variable:
            try:
                value = core_schema(text.value)
            except WrongValueError:
                message = f"{name}: JSON does not write the number '{clean(text.value, 60)}' like this"
                context.error(node, message, "quote it, if it is a text, or write it as JSON does")
                return None
    try:
        return parse(value)
    except WrongValueError as error:
        if text is not None and text.secrets:
            context.error(node, f"{name}: {shown(text)} is no condition", "check the value of the variable")
        else:
            context.error(node, f"{name}: {error.message}", error.remedy or _CORRECT)
        return None


def _read_json(context: Context, node: Node, name: str) -> tuple[tuple[str, Condition], ...] | None:
    return _conditions(context, node, name, _JSON, "$.items: {type: array}", _is_path)


def _read_headers(context: Context, node: Node, name: str) -> tuple[tuple[str, Condition], ...] | None:
    return _conditions(context, node, name, _HEADER, "Content-Type: {contains: json}", _is_header)


def _conditions(
    context: Context,
    node: Node,
    name: str,
    kind: _Kind,
    example: str,
    is_valid: Callable[[Context, ScalarNode], bool],
) -> tuple[tuple[str, Condition], ...] | None:
    remedy = f"write, for example, '{name.rpartition('.')[2]}: {{{example}}}'"
    if not isinstance(node, MappingNode):
        context.type_error(node, name, "a mapping", remedy)
        return None
    if not node.value:
        context.error(node, f"{name} is empty", remedy)
    found = []
    for key, value in node.value:
        condition = _read_condition(context, value, f"{name}: {clean(key.value, 60)}", kind)
        if is_valid(context, key) and condition:
            found.append((key.value, condition))
    return tuple(found)


def _is_path(context: Context, key: ScalarNode) -> bool:
    try:
        compile_json_path(key.value)
    except WrongValueError as error:
        context.error(key, error.message, error.remedy or _CORRECT)
        return False
    return True


def _is_header(context: Context, key: ScalarNode) -> bool:
    if HEADER_NAME.fullmatch(key.value):
        return True
    context.error(key, "not a valid header name", "use letters, digits and '-' only")
    return False


def _read_schema(context: Context, node: Node, name: str) -> str | None:
    file = _FILE.read(context, node, name)
    if file is None:
        return None
    try:
        compile_schema(Path(file))
    except WrongValueError as error:
        context.error(node, f"{name}: {error.message}", error.remedy or _CORRECT)
        return None
    return str(file)


def _bytes(text: str) -> int:
    is_bare = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_bare else int(SIZE.parse(text))


_MOST_BYTES = ScalarType("a size", "200kB", _bytes, {"anyOf": [{"type": "integer", "minimum": 0}, SIZE.json]})
_FILE = file_path(must_exist=True)
_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}
_PART_SCHEMAS: dict[str, dict[str, Any]] = {
    "type": {"description": "The JSON type of the value.", "enum": list(TYPES)},
    "length": {
        "description": "Of a text, an array or an object: a number, or a comparison such as '>= 1'.",
        "type": ["integer", "string"],
    },
    "contains": {"description": "A part of the text, or an element of the array.", **_SCALAR},
    "matches": {"description": "A regular expression that matches somewhere in the text.", "type": "string"},
}


def _condition_schema(parts: Iterable[str]) -> dict[str, Any]:
    properties = {key: _PART_SCHEMAS[key] for key in parts}
    mapping = {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
    return {"anyOf": [_SCALAR, mapping]}


_ON_JSON, _ON_TEXT = {"$ref": "#/$defs/condition"}, {"$ref": "#/$defs/condition_on_text"}


def _by_name(condition: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "minProperties": 1, "additionalProperties": condition}


STATUSES = CustomType(_read_statuses, {"anyOf": [_STATUS, {"type": "array", "items": _STATUS, "minItems": 1}]})
ANSWER = SectionType(
    {
        "status": Key(STATUSES, "The expected status codes: 2xx, 404, 200-204, or a list of them.", "2xx"),
        "json": Key(
            CustomType(_read_json, _by_name(_ON_JSON)),
            "Conditions on the body as JSON, by JSONPath (RFC 9535): {$.items: {type: array}}.",
        ),
        "text": Key(
            CustomType(lambda context, node, name: _read_condition(context, node, name, _TEXT), _ON_TEXT),
            "A condition on the body as text; a text by itself is what it contains.",
        ),
        "header": Key(CustomType(_read_headers, _by_name(_ON_TEXT)), "Conditions on headers, by name: {ETag: exists}."),
        "schema": Key(
            CustomType(_read_schema, {"type": "string"}), "File with a JSON Schema that the body is valid by."
        ),
        "max_bytes": Key(_MOST_BYTES, "A larger body, decoded, is a wrong answer. A bare number is bytes."),
    }
)


def _read_expect(context: Context, node: Node, name: str) -> Expected | None:
    if not isinstance(node, MappingNode):
        statuses = _read_statuses(context, node, name)
        return None if statuses is None else Expected(statuses)
    entries = ANSWER.read(context, node, name)
    if not entries:
        if not node.value:
            context.error(node, f"{name} is empty", f"the keys are: {', '.join(ANSWER.keys)}")
        return None
    values = {key: entry.value for key, entry in entries.items() if entry.value is not None}
    statuses = values.pop("status", None)
    if "header" in values:
        values["headers"] = values.pop("header")
    return Expected(statuses, Expectations(**values) if values else None)


# Once in the JSON Schema of a baseline, where many sections refer to it.
DEFINITIONS = {
    "condition": _condition_schema(_PARTS),
    "condition_on_text": _condition_schema(_PARTS_OF_TEXT),
    "expect": {"anyOf": [*STATUSES.json["anyOf"], ANSWER.schema()]},
}
EXPECT = CustomType(_read_expect, {"$ref": "#/$defs/expect"})
