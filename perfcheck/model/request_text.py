"""Texts of a request: as written, with secrets in them, or with values that are known only when it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias
from urllib.parse import quote, quote_plus


@dataclass(frozen=True, slots=True)
class Secret:
    """A request value that comes from a variable, entirely or in part: used in requests, never shown."""

    value: str
    shown: str  # the same text with *** in place of the variable's value


class Encoding(Enum):
    """How a value is written where it is inserted."""

    PLAIN = "plain"
    PATH = "path"  # percent-encoded, so that it stays one segment
    FORM = "form"
    JSON = "json"  # inside a string of JSON


class Value(NamedTuple):
    """``${name}``: captured from a response (``token``), generated (``uuid``), or of a row of data (``data.email``)."""

    name: str
    encoding: Encoding = Encoding.PLAIN

    def encoded(self, text: str) -> str:
        match self.encoding:
            case Encoding.PATH:
                return quote(text, safe="")
            case Encoding.FORM:
                return quote_plus(text)
            case Encoding.JSON:
                return json.dumps(text, ensure_ascii=False)[1:-1]
            case Encoding.PLAIN:
                return text


@dataclass(frozen=True, slots=True)
class Template:
    """A text with values in it that each request inserts."""

    parts: tuple[str | Secret | Value, ...]


RequestText: TypeAlias = str | Secret | Template
_NO_VALUES: Mapping[str, str] = {}


def sent(text: RequestText, values: Mapping[str, str] = _NO_VALUES) -> str:
    """The text that is sent. Raises KeyError for a value that ``values`` does not have."""
    if isinstance(text, Template):
        parts = (p.encoded(values[p.name]) if isinstance(p, Value) else sent(p) for p in text.parts)
        return "".join(parts)
    return text.value if isinstance(text, Secret) else text


def displayed(text: RequestText) -> str:
    """The text that may be shown."""
    if isinstance(text, Template):
        return "".join(f"${{{p.name}}}" if isinstance(p, Value) else displayed(p) for p in text.parts)
    return text.shown if isinstance(text, Secret) else text


def value_names(text: RequestText | None) -> Iterator[str]:
    """The names of the values in it."""
    if isinstance(text, Template):
        yield from (part.name for part in text.parts if isinstance(part, Value))
