"""The parts of a request: headers, query and body."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Container, Iterator
from typing import Any
from urllib.parse import urlencode

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from perfcheck.baseline.addresses import PATH, check_path
from perfcheck.baseline.context import Context, has_surrogates
from perfcheck.baseline.tree import is_null
from perfcheck.baseline.value_types import CustomType
from perfcheck.model import (
    Encoding,
    JsonSecret,
    Marks,
    Placeholder,
    RequestText,
    Secret,
    Template,
    TextOf,
    displayed,
    sent,
)
from perfcheck.text import clean
from perfcheck.units import WrongValueError

_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a field name, RFC 9110 section 5.6.2
_FRAMING = {"content-length", "transfer-encoding"}
_QUOTE = "quote it, to send it as text"
_LONGEST_INTEGER = 300  # digits; JSON has no limit, and Python refuses thousands

Pairs = tuple[tuple[str, RequestText], ...]


def _combined(value: str, masked: str) -> str | Secret:
    return value if value == masked else Secret(value, masked)


def _built(build: Callable[[TextOf], str], encoding: Encoding) -> RequestText:
    """The text that ``build`` makes of texts: with what is sent of them, with what is shown, and with their values."""
    marks = Marks()

    def parts(of: TextOf) -> Iterator[str | Placeholder | JsonSecret]:
        return marks.split(build(lambda text: marks.text_of(text, of, encoding)))

    whole = Template(
        tuple(
            each
            if isinstance(each, Placeholder) or isinstance(masked, Placeholder)
            else _combined(sent(each), displayed(masked))
            for each, masked in zip(parts(sent), parts(displayed), strict=True)
            if each != ""
        )
    )
    if any(isinstance(part, Placeholder) for part in whole.parts):
        return whole
    return _combined(sent(whole), displayed(whole))


# --- Headers ---------------------------------------------------------------------------------------------------------


def _read_headers(context: Context, node: Node, name: str) -> dict[str, tuple[str, RequestText]] | None:
    """As ``{lower-case name: (name, value)}``, so that layers merge by name."""
    if not isinstance(node, MappingNode):
        context.type_error(node, name, "a mapping", "write, for example, 'headers: {Accept: application/json}'")
        return None
    headers: dict[str, tuple[str, RequestText]] = {}
    for key, value in node.value:
        if not _is_header_name(context, key, headers):
            continue
        text = context.request_text(value, f"{name}.{clean(key.value, 60)}")
        if text is not None and _is_header_value(context, value, key.value, _without_values(text)):
            # Surrounding spaces are not part of a field value (RFC 9110 section 5.5).
            text = _built(lambda text_of, text=text: text_of(text).strip(), Encoding.HEADER)  # type: ignore[misc]
            headers[key.value.lower()] = (key.value, text)
    return headers


def _without_values(text: RequestText) -> str:
    if isinstance(text, Template):
        return "".join(sent(part) for part in text.parts if not isinstance(part, Placeholder))
    return sent(text)


def _is_header_name(context: Context, key: ScalarNode, known: Container[str]) -> bool:
    lower = key.value.lower()
    if not HEADER_NAME.fullmatch(key.value):
        context.error(key, "not a valid header name", "use letters, digits and '-' only")
    elif lower in known:
        context.error(key, f"duplicate header '{key.value}'", "keep one: header names are case-insensitive")
    elif lower in _FRAMING:
        context.error(key, f"'{key.value}' is set by perfcheck, to match the body", "remove it")
    else:
        return True
    return False


def _is_header_value(context: Context, node: Node, name: str, value: str) -> bool:
    if value.isascii() and value.replace("\t", " ").isprintable():
        return True
    context.error(
        node,
        f"the value of the header '{name}' contains line breaks, control or non-ASCII characters",
        "remove them; a variable filled from a file often ends with a line break",
    )
    return False


HEADERS = CustomType(_read_headers, {"type": "object", "additionalProperties": _SCALAR})


# --- The path, the query and the body --------------------------------------------------------------------------------


def _read_path(context: Context, node: Node, name: str) -> str | Template | None:
    text = context.request_text(node, name) if isinstance(node, ScalarNode) and "${" in node.value else ""
    if not isinstance(text, Template):
        path: str | None = None if text is None else PATH.read(context, node, name)
        return path
    parts = tuple(
        part._replace(encoding=Encoding.PATH) if isinstance(part, Placeholder) else sent(part) for part in text.parts
    )
    try:
        check_path("".join("0" if isinstance(part, Placeholder) else part for part in parts))
    except WrongValueError as error:
        context.error(node, f"{name}: {error.message}", error.remedy or "write, for example, /api/videos/${id}")
        return None
    return Template(parts)


def _read_query(context: Context, node: Node, name: str) -> Pairs | None:
    """Pairs in the order of the file; a list repeats its name."""
    if not isinstance(node, MappingNode):
        context.type_error(node, name, "a mapping", f"write, for example, '{name}: {{q: love, limit: 20}}'")
        return None
    pairs: list[tuple[str, RequestText]] = []
    for key, value in node.value:
        if _is_unicode(context, key):
            for item in value.value if isinstance(value, SequenceNode) else [value]:
                text = context.request_text(item, f"{name}.{clean(key.value, 60)}")
                if text is not None:
                    pairs.append((key.value, text))
    return tuple(pairs)


def _is_unicode(context: Context, key: ScalarNode) -> bool:
    if has_surrogates(key.value):
        context.error(key, "the name is not valid Unicode", "write it as UTF-8 text")
        return False
    return True


def _read_form(context: Context, node: Node, name: str) -> RequestText | None:
    """Written like a query, and sent as the body."""
    pairs = _read_query(context, node, name)
    if pairs is None:
        return None
    return _built(lambda text_of: urlencode([(key, text_of(text)) for key, text in pairs], safe="*"), Encoding.FORM)


def _read_json(context: Context, node: Node, name: str) -> RequestText | None:
    """Any YAML, as JSON. Plain scalars get their type from YAML's core schema; one with a variable is a string.

    A number that JSON writes in another way, such as 007 or 1.10, may be a text: it is an error.
    """
    before = len(context.errors)
    _json_value(context, node, name, displayed)
    if len(context.errors) > before:
        return None
    return _built(
        lambda text_of: json.dumps(_json_value(context, node, name, text_of), ensure_ascii=False), Encoding.JSON
    )


def _json_value(context: Context, node: Node, name: str, text_of: TextOf) -> Any:
    if isinstance(node, MappingNode):
        return {
            key.value: _json_value(context, value, name, text_of)
            for key, value in node.value
            if _is_unicode(context, key)
        }
    if isinstance(node, SequenceNode):
        return [_json_value(context, item, name, text_of) for item in node.value]
    if is_null(node):
        return None
    if isinstance(node, ScalarNode) and not node.style and "$" not in node.value:
        try:
            return core_schema(node.value)
        except WrongValueError as error:
            context.error(node, f"{name}: {error.message}", error.remedy or _QUOTE)
            return None
    text = context.request_text(node, name, in_json=True) if node.value else ""
    return None if text is None else text_of(text)


def core_schema(text: str) -> Any:
    """A plain scalar by the core schema of YAML 1.2 (section 10.3.2); null is handled before."""
    if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        return text.lower() == "true"
    if len(text) <= _LONGEST_INTEGER:
        if re.fullmatch(r"[-+]?[0-9]+", text):
            return _as_written(text, int(text))
        if re.fullmatch(r"0o[0-7]+|0x[0-9a-fA-F]+", text):
            return _as_written(text, int(text, 0))
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
        number = float(text)
        if math.isfinite(number):
            return _as_written(text, number)
        raise WrongValueError("the number is too large for JSON")
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
        raise WrongValueError("JSON has neither infinity nor NaN")
    return text


def _as_written(text: str, number: float) -> float:
    """Raises WrongValueError for a number that would not be sent as it is written."""
    in_json = json.dumps(number)
    if in_json != text:
        raise WrongValueError(
            f"'{clean(text, 60)}' would be sent as {clean(in_json, 60)}", f"{_QUOTE}, or write {in_json}"
        )
    return number


_QUERY_VALUE = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}
REQUEST_PATH = CustomType(_read_path, PATH.schema())
QUERY = CustomType(_read_query, {"type": "object", "additionalProperties": _QUERY_VALUE})
FORM = CustomType(_read_form, QUERY.json)
BODY = CustomType(Context.request_text, _SCALAR)
JSON = CustomType(_read_json, {})
