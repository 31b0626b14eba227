"""The parts of a request: headers, query and body; and the expected status codes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from perfcheck.baseline.context import Context, has_surrogates, shown
from perfcheck.baseline.tree import is_null
from perfcheck.model import Secret
from perfcheck.text import clean
from perfcheck.units import WrongValueError

_SCALAR_SCHEMA: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a field name, RFC 9110 section 5.6.2
_FRAMING = {"content-length", "transfer-encoding"}
_LONGEST_INTEGER = 300  # digits; JSON has no limit, and Python refuses thousands

Pairs = tuple[tuple[str, "str | Secret"], ...]


def sent(value: str | Secret) -> str:
    return value.value if isinstance(value, Secret) else value


def displayed(value: str | Secret) -> str:
    return value.shown if isinstance(value, Secret) else value


def _combined(value: str, masked: str) -> str | Secret:
    return value if value == masked else Secret(value, masked)


class Headers:
    """Read as ``{lower-case name: (name, value)}``, so that layers merge by name."""

    def read(self, context: Context, node: Node, name: str) -> dict[str, tuple[str, str | Secret]] | None:
        if not isinstance(node, MappingNode):
            context.type_error(node, name, "a mapping", "write, for example, 'headers: {Accept: application/json}'")
            return None
        headers: dict[str, tuple[str, str | Secret]] = {}
        for key, value in node.value:
            if not self._is_name_valid(context, key, headers):
                continue
            text = context.request_text(value, f"{name}.{clean(key.value, 60)}")
            if text is not None and self._is_value_valid(context, value, key.value, sent(text)):
                headers[key.value.lower()] = (key.value, _stripped(text))
        return headers

    @staticmethod
    def _is_name_valid(context: Context, key: ScalarNode, known: dict[str, Any]) -> bool:
        lower = key.value.lower()
        if not _TOKEN.fullmatch(key.value):
            context.error(key, "not a valid header name", "use letters, digits and '-' only")
        elif lower in known:
            context.error(key, f"duplicate header '{key.value}'", "keep one: header names are case-insensitive")
        elif lower in _FRAMING:
            context.error(key, f"'{key.value}' is set by perfcheck, to match the body", "remove it")
        else:
            return True
        return False

    @staticmethod
    def _is_value_valid(context: Context, node: Node, name: str, value: str) -> bool:
        if value.isascii() and value.replace("\t", " ").isprintable():
            return True
        context.error(
            node,
            f"the value of the header '{name}' contains line breaks, control or non-ASCII characters",
            "remove them; a variable filled from a file often ends with a line break",
        )
        return False

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": _SCALAR_SCHEMA}


def _stripped(value: str | Secret) -> str | Secret:
    """Without the surrounding spaces, which are not part of a field value (RFC 9110 section 5.5)."""
    return Secret(value.value.strip(), value.shown.strip()) if isinstance(value, Secret) else value.strip()


class Query:
    """Pairs in the order of the file; a list repeats its name."""

    def read(self, context: Context, node: Node, name: str) -> Pairs | None:
        if not isinstance(node, MappingNode):
            context.type_error(node, name, "a mapping", f"write, for example, '{name}: {{q: love, limit: 20}}'")
            return None
        pairs: list[tuple[str, str | Secret]] = []
        for key, value in node.value:
            if has_surrogates(key.value):
                context.error(key, "the name is not valid Unicode", "write it as UTF-8 text")
                continue
            for item in value.value if isinstance(value, SequenceNode) else [value]:
                text = context.request_text(item, f"{name}.{clean(key.value, 60)}")
                if text is not None:
                    pairs.append((key.value, text))
        return tuple(pairs)

    def schema(self) -> dict[str, Any]:
        values = {"anyOf": [_SCALAR_SCHEMA, {"type": "array", "items": _SCALAR_SCHEMA}]}
        return {"type": "object", "additionalProperties": values}


class Form(Query):
    """Written like a query, and sent as the body."""

    def read(self, context: Context, node: Node, name: str) -> Any:
        pairs = super().read(context, node, name)
        if pairs is None:
            return None
        value = urlencode([(key, sent(text)) for key, text in pairs])
        return _combined(value, urlencode([(key, displayed(text)) for key, text in pairs], safe="*"))


class Body:
    def read(self, context: Context, node: Node, name: str) -> str | Secret | None:
        return context.request_text(node, name)

    def schema(self) -> dict[str, Any]:
        return _SCALAR_SCHEMA


class Json:
    """Any YAML, as JSON. Plain scalars get their type from YAML's core schema; one with a variable is a string."""

    def read(self, context: Context, node: Node, name: str) -> str | Secret | None:
        before = len(context.errors)
        value = self._value(context, node, name, sent)
        if len(context.errors) > before:
            return None
        masked = self._value(context, node, name, displayed)
        return _combined(*(json.dumps(tree, ensure_ascii=False) for tree in (value, masked)))

    def _value(self, context: Context, node: Node, name: str, text_of: Callable[[str | Secret], str]) -> Any:
        if isinstance(node, MappingNode):
            return {key.value: self._value(context, value, name, text_of) for key, value in self._pairs(context, node)}
        if isinstance(node, SequenceNode):
            return [self._value(context, item, name, text_of) for item in node.value]
        if is_null(node):
            return None
        if isinstance(node, ScalarNode) and not node.style and "$" not in node.value:
            try:
                return _core_schema(node.value)
            except WrongValueError as error:
                context.error(node, f"{name}: {error.message}", "quote it, to send it as text")
                return None
        text = context.request_text(node, name) if node.value else ""
        return None if text is None else text_of(text)

    @staticmethod
    def _pairs(context: Context, node: MappingNode) -> Iterator[tuple[ScalarNode, Node]]:
        for key, value in node.value:
            if has_surrogates(key.value):
                context.error(key, "the name is not valid Unicode", "write it as UTF-8 text")
            yield key, value

    def schema(self) -> dict[str, Any]:
        return {}


def _core_schema(text: str) -> Any:
    """A plain scalar by the core schema of YAML 1.2 (section 10.3.2); null is handled before."""
    if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        return text.lower() == "true"
    if len(text) <= _LONGEST_INTEGER:
        if re.fullmatch(r"[-+]?[0-9]+", text):
            return int(text)
        if re.fullmatch(r"0o[0-7]+|0x[0-9a-fA-F]+", text):
            return int(text, 0)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
        number = float(text)
        if math.isfinite(number):
            return number
        raise WrongValueError("the number is too large for JSON")
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
        raise WrongValueError("JSON has neither infinity nor NaN")
    return text


class Expect:
    """``2xx``, ``404``, ``200-204``, or a list of them: inclusive ranges of status codes."""

    _RANGE = re.compile(r"([2-5])[xX]{2}|([2-5][0-9]{2})(?:-([2-5][0-9]{2}))?", re.ASCII)

    def read(self, context: Context, node: Node, name: str) -> tuple[tuple[int, int], ...] | None:
        items = node.value if isinstance(node, SequenceNode) else [node]
        if not items:
            context.error(node, f"{name} is empty", "write, for example, 'expect: [2xx, 404]'")
            return None
        ranges = [self._range(context, item, name) for item in items]
        return tuple(pair for pair in ranges if pair) if all(ranges) else None

    def _range(self, context: Context, node: Node, name: str) -> tuple[int, int] | None:
        remedy = "write, for example, 'expect: [2xx, 404]'"
        text = context.scalar(node, name, "a status code", remedy)
        if text is None or text.unset:
            return None
        match = self._RANGE.fullmatch(text.value)
        if match:
            hundreds, low, high = match.groups()
            pair = (int(f"{hundreds}00"), int(f"{hundreds}99")) if hundreds else (int(low), int(high or low))
            if pair[0] <= pair[1]:
                return pair
        context.error(node, f"{name}: {shown(text)} is not a status code from 200 to 599", remedy)
        return None

    def schema(self) -> dict[str, Any]:
        text = {"type": "string", "pattern": r"^[2-5][xX]{2}$|^[2-5][0-9]{2}(-[2-5][0-9]{2})?$|\$\{"}
        status = {"anyOf": [{"type": "integer", "minimum": 200, "maximum": 599}, text]}
        return {"anyOf": [status, {"type": "array", "items": status, "minItems": 1}]}
