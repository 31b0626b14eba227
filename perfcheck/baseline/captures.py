"""Values that are captured from responses: how they are written, and where in the file they are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import NamedTuple

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from perfcheck.answers.json_path import compile_json_path
from perfcheck.baseline.context import Context, variables_in
from perfcheck.baseline.tree import line_of
from perfcheck.baseline.value_types import CustomType
from perfcheck.model import Capture, CaptureFrom
from perfcheck.text import clean
from perfcheck.units import WrongValueError
from perfcheck.words import did_you_mean

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GENERATED = {"uuid", "counter"}
_EXAMPLE = "write, for example, 'capture: {token: {json: $.access_token}}'"
_SOURCES = [str(source) for source in CaptureFrom]


class Origin(NamedTuple):
    """Where a value is captured."""

    section: str  # of the file: setup, or the name of a workflow
    request: str
    line: int


# --- How they are written --------------------------------------------------------------------------------------------


def _read_captures(context: Context, node: Node, name: str) -> tuple[Capture, ...] | None:
    if not isinstance(node, MappingNode):
        context.type_error(node, name, "a mapping", _EXAMPLE)
        return None
    captures = [_capture(context, key, value) for key, value in node.value]
    return None if None in captures else tuple(capture for capture in captures if capture)


def _capture(context: Context, key: ScalarNode, node: Node) -> Capture | None:
    if not _NAME.fullmatch(key.value) or key.value in _GENERATED:
        why = "perfcheck generates that value" if key.value in _GENERATED else "use letters, digits and '_'"
        context.error(key, f"'{clean(key.value, 60)}' cannot be the name of a captured value: {why}", _EXAMPLE)
        return None
    if not isinstance(node, MappingNode) or len(node.value) != 1:
        context.error(node, f"{key.value}: expected one of {', '.join(_SOURCES)}, with what to look for", _EXAMPLE)
        return None
    ((source, where),) = node.value
    if source.value not in _SOURCES:
        remedy = did_you_mean(source.value, _SOURCES) or f"one of {', '.join(_SOURCES)}"
        context.error(source, f"unknown source '{clean(source.value, 60)}' of a captured value", remedy)
        return None
    text = context.scalar(where, f"{key.value}.{source.value}", "text", _EXAMPLE)
    if text is None:
        return None
    try:
        _CHECKS.get(source.value, str)(text.value)
    except WrongValueError as error:
        context.error(where, error.message, error.remedy or _EXAMPLE)
        return None
    return Capture(key.value, CaptureFrom(source.value), text.value, line_of(key))


def _check_pattern(text: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        raise WrongValueError(f"not a regular expression: {error}", "put what is captured into parentheses") from None


_CHECKS: dict[str, Callable[[str], object]] = {CaptureFrom.TEXT: _check_pattern, CaptureFrom.JSON: compile_json_path}
_WHERE = {"type": "object", "minProperties": 1, "maxProperties": 1, "propertyNames": {"enum": _SOURCES}}
CAPTURE = CustomType(_read_captures, {"type": "object", "additionalProperties": _WHERE})


# --- Where they are known --------------------------------------------------------------------------------------------


def captured_values(tree: Node) -> dict[str, list[Origin]]:
    """All that the file captures, by name: found before anything is read, since its place in the file is free."""
    found: dict[str, list[Origin]] = {}
    for request, node in _pairs(_child(tree, "setup")):
        _collect(found, "setup", request, node)
    for endpoint, node in _pairs(_child(tree, "endpoints")):
        for request, step in _pairs(_child(node, "steps")):
            _collect(found, endpoint.value, request, step)
    return found


def _collect(found: dict[str, list[Origin]], section: str, request: ScalarNode, node: Node) -> None:
    for key, _ in _pairs(_child(node, "capture")):
        found.setdefault(key.value, []).append(Origin(section, request.value, line_of(key)))


def _pairs(node: Node | None) -> list[tuple[ScalarNode, Node]]:
    return node.value if isinstance(node, MappingNode) else []


def _child(node: Node | None, name: str) -> Node | None:
    return next((value for key, value in _pairs(node) if key.value == name), None)


def check_known(context: Context, node: Node, known: Container[str]) -> None:
    """An error for each captured value in ``node`` that is not known there."""
    captured: Mapping[str, list[Origin]] = context.captured
    for scalar, name in uses(node):
        if name in captured and name not in known:
            origin = captured[name][0]
            where = "setup" if origin.section == "setup" else f"the workflow '{clean(origin.section, 60)}'"
            message = f"${{{name}}} is not known here: '{clean(origin.request, 60)}' of {where} captures it"
            remedy = "a value is known to later requests only: move one of them, or capture it in 'setup'"
            context.error_at_variable(scalar, name, f"{message} (line {origin.line})", remedy)


def uses(node: Node) -> Iterator[tuple[ScalarNode, str]]:
    """The names in ``${...}`` anywhere in ``node``, each with its scalar."""
    if isinstance(node, ScalarNode):
        yield from ((node, name) for name in variables_in(node.value))
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from uses(item)
    elif isinstance(node, MappingNode):
        for _, value in node.value:
            yield from uses(value)
