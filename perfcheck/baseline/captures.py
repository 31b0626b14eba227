"""Values that are captured from responses: how they are written, and where in the file they are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import NamedTuple

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from perfcheck.answers.json_path import compile_json_path
from perfcheck.baseline.context import EXAMPLE_OF_CAPTURE, Context, variables_in
from perfcheck.baseline.tree import line_of
from perfcheck.baseline.value_types import CustomType
from perfcheck.model import Capture, CaptureFrom
from perfcheck.text import clean
from perfcheck.units import WrongValueError
from perfcheck.words import did_you_mean

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GENERATED = {"uuid", "counter"}
_SOURCES = [str(source) for source in CaptureFrom]


class CapturedBy(NamedTuple):
    """Where a value is captured."""

    section: str  # of the file: setup, or the name of a workflow
    request: str
    line: int
    needs: frozenset[str]  # the names in ${...} of that request, whatever they are


# --- How they are written --------------------------------------------------------------------------------------------


def _read_captures(context: Context, node: Node, name: str) -> tuple[Capture, ...] | None:
    if not isinstance(node, MappingNode):
        context.type_error(node, name, "a mapping", EXAMPLE_OF_CAPTURE)
        return None
    captures = [_capture(context, key, value) for key, value in node.value]
    return None if None in captures else tuple(capture for capture in captures if capture)


def _capture(context: Context, key: ScalarNode, node: Node) -> Capture | None:
    if not _NAME.fullmatch(key.value) or key.value in _GENERATED:
        why = "perfcheck generates that value" if key.value in _GENERATED else "use letters, digits and '_'"
        context.error(
            key, f"'{clean(key.value, 60)}' cannot be the name of a captured value: {why}", EXAMPLE_OF_CAPTURE
        )
        return None
    if not isinstance(node, MappingNode) or len(node.value) != 1:
        context.error(
            node, f"{key.value}: expected one of {', '.join(_SOURCES)}, with what to look for", EXAMPLE_OF_CAPTURE
        )
        return None
    ((source, where),) = node.value
    if source.value not in _SOURCES:
        remedy = did_you_mean(source.value, _SOURCES) or f"one of {', '.join(_SOURCES)}"
        context.error(source, f"unknown source '{clean(source.value, 60)}' of a captured value", remedy)
        return None
    text = context.scalar(where, f"{key.value}.{source.value}", "text", EXAMPLE_OF_CAPTURE)
    if text is None:
        return None
    try:
        _CHECKS.get(source.value, str)(text.value)
    except WrongValueError as error:
        context.error(where, error.message, error.remedy or EXAMPLE_OF_CAPTURE)
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


def captured_values(tree: Node) -> dict[str, list[CapturedBy]]:
    """All that the file captures, by name: found before anything is read, since its place in the file is free."""
    found: dict[str, list[CapturedBy]] = {}
    for request, node in _pairs(_child(tree, "setup")):
        _collect(found, "setup", request, node)
    for endpoint, node in _pairs(_child(tree, "endpoints")):
        for request, step in _pairs(_child(node, "steps")):
            _collect(found, endpoint.value, request, step)
    return found


def _collect(found: dict[str, list[CapturedBy]], section: str, request: ScalarNode, node: Node) -> None:
    needs = frozenset(name for _, name in uses(node))
    for key, _ in _pairs(_child(node, "capture")):
        found.setdefault(key.value, []).append(CapturedBy(section, request.value, line_of(key), needs))


def _pairs(node: Node | None) -> list[tuple[ScalarNode, Node]]:
    return node.value if isinstance(node, MappingNode) else []


def _child(node: Node | None, name: str) -> Node | None:
    return next((value for key, value in _pairs(node) if key.value == name), None)


def check_known(context: Context, node: Node, known: Container[str], request: tuple[str, str] | None = None) -> None:
    """An error for each captured value in ``node`` that is not known there.

    ``request``: the section of the request that ``node`` is a part of, as of CapturedBy, and its name.
    """
    captured: Mapping[str, list[CapturedBy]] = context.captured
    for scalar, name in uses(node):
        if name in known or name not in captured:
            continue
        origin = captured[name][0]
        circle = _circle(captured, name, *request) if request else []
        if len(circle) > 1:
            chain = " -> ".join(clean(each, 60) for each in (*circle, circle[0]))
            message, remedy = f"these captures need each other: {chain}", "one of them has to do without"
        elif circle:
            message, remedy = f"${{{name}}} is what this request captures", "it is known to later requests only"
        else:
            where = "setup" if origin.section == "setup" else f"the workflow '{clean(origin.section, 60)}'"
            message = f"${{{name}}} is not known here: '{clean(origin.request, 60)}' of {where} captures it"
            message += f" (line {origin.line})"
            remedy = "a value is known to later requests only: move one of them, or capture it in 'setup'"
        context.error_at_variable(scalar, name, message, remedy)


def _circle(captured: Mapping[str, list[CapturedBy]], name: str, section: str, request: str) -> list[str]:
    """The requests of a section from ``request``, which needs ``name``, back to it; empty where it is not needed."""
    chains, seen = [([request], name)], {request}
    for chain, needed in chains:
        origin = next((each for each in captured.get(needed, ()) if each.section == section), None)
        if origin is not None and origin.request == request:
            return chain
        if origin is not None and origin.request not in seen:
            seen.add(origin.request)
            chains += [([*chain, origin.request], each) for each in sorted(origin.needs)]
    return []


def uses(node: Node) -> Iterator[tuple[ScalarNode, str]]:
    """The names in ``${...}``, each with where it is."""
    if isinstance(node, ScalarNode):
        yield from ((node, name) for name in variables_in(node.value))
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from uses(item)
    elif isinstance(node, MappingNode):
        for _, value in node.value:
            yield from uses(value)


def key_of_capture(node: Node, name: str) -> Node:
    """Where in a ``capture`` a name is."""
    return next((key for key, _ in _pairs(node) if key.value == name), node)
