"""Texts of a request: as written, with secrets in them, or with values that are known only when it is sent."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias
from urllib.parse import quote, quote_plus

BOUNDARY = "perfcheck-part-"  # how the boundary of every multipart body begins
_TO_JSON = json.JSONEncoder(ensure_ascii=False).encode
_LONGEST_NUMBER = 300  # characters; Python refuses thousands of digits
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")  # RFC 8259 section 6


@dataclass(frozen=True, slots=True)
class Secret:
    """A request value that comes from a variable, entirely or in part: used in requests, never shown."""

    value: str
    shown: str  # the same text with *** in place of the variable's value


class JsonSecret(Secret):
    """One whose value is JSON: inserted there as it is, and not as a string."""

    __slots__ = ()


class Encoding(Enum):
    """How a value is written where it is inserted: as text, or in JSON as something else than text."""

    PLAIN = "plain"
    HEADER = "header"
    PATH = "path"  # percent-encoded, so that it stays one segment
    QUERY = "query"
    FORM = "form"
    PART = "part"  # of a multipart body
    JSON = "text"  # inside a string of JSON
    JSON_INT = "int"
    JSON_NUMBER = "number"
    JSON_BOOL = "bool"
    JSON_ANY = "json"


JSON_TYPES = {
    Encoding.JSON_INT: "a whole number",
    Encoding.JSON_NUMBER: "a number as JSON writes it",
    Encoding.JSON_BOOL: "true or false",
    Encoding.JSON_ANY: "JSON",
}


class Placeholder(NamedTuple):
    """``${name}``: captured from a response (``token``), generated (``uuid``), or of a row of data (``data.email``)."""

    name: str
    encoding: Encoding = Encoding.PLAIN

    @property
    def is_captured(self) -> bool:
        return self.name.isidentifier() and self.name not in {"uuid", "counter"}

    def encoded(self, text: str) -> str:
        """Raises ValueError, whose message does not show ``text``, when it cannot be inserted there."""
        return ENCODERS[self.encoding](text, self.name)


def _in_header(text: str, name: str) -> str:
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        raise ValueError(f"${{{name}}} has characters that a header cannot have")
    return text


def _in_path(text: str, name: str) -> str:
    if text in {"", ".", ".."}:
        raise ValueError(f"${{{name}}} is empty, '.' or '..', which cannot be part of a path")
    return quote(text, safe="")


def _in_part(text: str, name: str) -> str:
    if BOUNDARY in text:
        raise ValueError(f"${{{name}}} contains the boundary of the multipart body")
    return text


def as_json(text: str, encoding: Encoding, noun: str) -> str:
    """``text`` as JSON of that type. Raises ValueError, whose message does not show it."""
    text = text.strip()
    number = _NUMBER.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    match encoding:
        case Encoding.JSON_INT if number and not number[1]:
            return text
        case Encoding.JSON_NUMBER if number:
            return text
        case Encoding.JSON_BOOL if text.lower() in {"true", "false"}:
            return text.lower()
        case Encoding.JSON_ANY:
            try:
                json.loads(text, parse_constant=_refuse)
            except (ValueError, RecursionError):
                pass
            else:
                return text
    raise ValueError(f"{noun} is not {JSON_TYPES[encoding]}")


def _refuse(constant: str) -> None:
    raise ValueError(constant)


ENCODERS: Mapping[Encoding, Callable[[str, str], str]] = {  # of a text, for a value of that name
    Encoding.PLAIN: lambda text, _: text,
    Encoding.HEADER: _in_header,
    Encoding.PATH: _in_path,
    Encoding.QUERY: lambda text, _: quote(text, safe=""),
    Encoding.FORM: lambda text, _: quote_plus(text),
    Encoding.PART: _in_part,
    Encoding.JSON: lambda text, _: _TO_JSON(text)[1:-1],
    **{each: lambda text, name, each=each: as_json(text, each, f"${{{name}}}") for each in JSON_TYPES},  # type: ignore[misc]
}


@dataclass(frozen=True, slots=True)
class Template:
    """A text with values in it that each request inserts."""

    parts: tuple[str | Secret | Placeholder, ...]


RequestText: TypeAlias = str | Secret | Template
TextOf: TypeAlias = Callable[[RequestText], str]
_NO_VALUES: Mapping[str, str] = {}


class Part(NamedTuple):
    """Of a multipart body: a text, or a file."""

    name: str
    content: RequestText | bytes
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Multipart:
    """A body of multipart/form-data (RFC 7578)."""

    parts: tuple[Part, ...]

    @property
    def boundary(self) -> str:
        """The same for the same parts, and in none of them."""
        digest = hashlib.sha256()
        for field in (field for part in self.parts for field in part):
            digest.update(field if isinstance(field, bytes) else repr(field).encode("utf-8", "replace"))
        return BOUNDARY + digest.hexdigest()[:32]


Content: TypeAlias = RequestText | bytes | Multipart


def sent(text: RequestText, values: Mapping[str, str] = _NO_VALUES) -> str:
    """The text that is sent. Raises KeyError for a value that ``values`` does not have, ValueError for an unfit one."""
    if isinstance(text, Template):
        parts = (p.encoded(values[p.name]) if isinstance(p, Placeholder) else sent(p) for p in text.parts)
        return "".join(parts)
    return text.value if isinstance(text, Secret) else text


def displayed(text: RequestText) -> str:
    """The text that may be shown."""
    if isinstance(text, Template):
        return "".join(f"${{{p.name}}}" if isinstance(p, Placeholder) else displayed(p) for p in text.parts)
    return text.shown if isinstance(text, Secret) else text


def values_in(content: Content | None) -> Iterator[Placeholder]:
    if isinstance(content, Template):
        yield from (part for part in content.parts if isinstance(part, Placeholder))
    elif isinstance(content, Multipart):
        for part in content.parts:
            yield from values_in(part.content)


class Marks:
    """Stand-ins of letters and digits, which every encoding leaves as they are, for what is inserted afterwards."""

    def __init__(self) -> None:
        token = secrets.token_hex(8)
        self.token = token.encode()  # in all of them
        self._marked: list[Placeholder | JsonSecret] = []
        self._mark = re.compile(f'"?{token}x([0-9]+)x"?|{token}y([0-9]+)y')

    def text_of(self, text: RequestText, of: TextOf = sent, encoding: Encoding | None = None) -> str:
        """``of(text)`` with marks for its values, which get ``encoding`` unless they have a type."""
        parts = text.parts if isinstance(text, Template) else (text,)
        return "".join(
            self._marked_as(part, encoding) if isinstance(part, (Placeholder, JsonSecret)) else of(part)
            for part in parts
        )

    def _marked_as(self, part: Placeholder | JsonSecret, encoding: Encoding | None) -> str:
        is_text = isinstance(part, Placeholder) and part.encoding not in JSON_TYPES
        if isinstance(part, Placeholder) and is_text and encoding is not None:
            part = part._replace(encoding=encoding)
        self._marked.append(part)
        kind = "y" if is_text else "x"  # which JSON has in quotes, that go with it
        return f"{self.token.decode()}{kind}{len(self._marked) - 1}{kind}"

    def split(self, text: str) -> Iterator[str | Placeholder | JsonSecret]:
        """The text between the marks, and what these stand for."""
        end = 0
        for mark in self._mark.finditer(text):
            yield text[end : mark.start()]
            yield self._marked[int(mark[1] or mark[2])]
            end = mark.end()
        yield text[end:]
