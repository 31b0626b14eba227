"""The text of an OpenAPI document, JSON or YAML, in time and memory that its length bounds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentEndEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from perfcheck.text import clean

LARGEST = 32_000_000  # bytes
_DEEPEST = 200  # of brackets in brackets
_MOST_VALUES = 3_000_000  # of YAML, with aliases repeated
_PARSER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MERGE = "<<"
_TOO_DEEP = f"nested more than {_DEEPEST} levels deep"


class UnreadableError(Exception):
    """As text: ``not valid JSON: ...``, ``larger than 32 MB``."""


def parse_openapi(content: bytes) -> dict[str, Any]:
    """Raises UnreadableError."""
    parsed = parse_document(content)
    if not is_openapi(parsed):
        raise UnreadableError("it has neither 'openapi' nor 'swagger' with a version")
    return dict(parsed)


def is_openapi(parsed: object) -> bool:
    """Not: a list of links, one of them with the name 'openapi'."""
    return isinstance(parsed, dict) and any(str(parsed.get(key))[:1].isdigit() for key in ("openapi", "swagger"))


def parse_document(content: bytes) -> Any:
    """Raises UnreadableError."""
    if len(content) > LARGEST:
        raise UnreadableError(f"larger than {LARGEST // 1_000_000} MB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableError("not text in UTF-8") from None
    try:
        return json.loads(text)
    except RecursionError:
        raise UnreadableError(_TOO_DEEP) from None
    except ValueError as error:
        if text.lstrip().startswith(("{", "[")):
            raise UnreadableError(f"not valid JSON: {clean(str(error))}") from None
    try:
        return _Builder().build(text)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # escapes beyond Unicode, in the parser without C
        raise UnreadableError(f"not valid YAML: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), clean(str(getattr(error, "problem", None) or error))
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else problem


# --- YAML ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Collection:
    """A list or a mapping that is not complete."""

    content: Any
    anchor: str | None
    size: int = 1  # values in it, with aliases repeated
    key: str | None = None  # of a mapping, whose value is next
    merged: list[Any] = field(default_factory=list)

    @property
    def expects_key(self) -> bool:
        return self.key is None and isinstance(self.content, dict)

    def add(self, value: Any, size: int) -> None:
        self.size += size
        if isinstance(self.content, list):
            self.content.append(value)
        elif self.expects_key:
            if not isinstance(value, str):
                raise UnreadableError("not valid for OpenAPI: it has a key that is not text")
            self.key = value
        elif self.key == _MERGE:
            self.merged += value if isinstance(value, list) else [value]
            self.key = None
        else:
            self.content[self.key] = value
            self.key = None

    def complete(self) -> Any:
        for source in self.merged:
            if isinstance(source, dict):
                self.content = {**source, **self.content}
        return self.content


class _Builder:
    """Values from the events of the parser, whose tree of nodes would take ten times the memory.

    An alias is the object that it repeats and not a copy, so that only a walk through all values could take long.
    """

    def __init__(self) -> None:
        self._open = [_Collection([], None)]
        self._anchors: dict[str, tuple[Any, int]] = {}

    def build(self, text: str) -> Any:
        """The first document in ``text``."""
        for event in yaml.parse(text, Loader=_PARSER):
            if isinstance(event, DocumentEndEvent):
                break
            self._add(event)
        return next(iter(self._open[0].content), None)

    def _add(self, event: Event) -> None:
        if isinstance(event, ScalarEvent):
            self._add_value(event.value if self._open[-1].expects_key else _scalar(event), 1, event.anchor)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._open.append(_Collection({} if isinstance(event, MappingStartEvent) else [], event.anchor))
            if len(self._open) > _DEEPEST:
                raise UnreadableError(_TOO_DEEP)
        elif isinstance(event, CollectionEndEvent):
            collection = self._open.pop()
            self._add_value(collection.complete(), collection.size, collection.anchor)
        elif isinstance(event, AliasEvent):
            known = self._anchors.get(event.anchor or "")  # of what is above, and complete
            if known is None:
                raise UnreadableError(f"not valid YAML: the alias *{clean(event.anchor or '')} has no value")
            self._add_value(*known, None)

    def _add_value(self, value: Any, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = value, size
        self._open[-1].add(value, size)
        if self._open[-1].size > _MOST_VALUES:
            raise UnreadableError(f"more than {_MOST_VALUES:,} values with aliases repeated")


def _scalar(event: ScalarEvent) -> Any:
    """As YAML 1.2 defines it, so that no, 12:30 and 2024-01-01 are text, as in JSON."""
    text = event.value
    if not event.implicit[0]:  # in quotes, or with a tag
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
