"""Mappings with known keys, and mappings of names to such mappings."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from typing import Any

from perfcheck.baseline.context import Context, Entries, Entry
from perfcheck.baseline.kinds import Kind
from perfcheck.baseline.nodes import Mapping, Node, Scalar
from perfcheck.baseline.problems import did_you_mean
from perfcheck.text import clean

_LONGEST_NAME = 200
# What people write who come from another tool -> the key here.
_SYNONYMS = {
    "url": "path",
    "uri": "path",
    "params": "query",
    "data": "form",
    "status": "expect",
    "latency": "target",
    "percentile": "metric",
    "statistic": "metric",
    "threshold": "target",
    "max_size": "body_limit",
    "retries": "confirm",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the file: the validator, the JSON Schema and the test of the reference all read this."""

    kind: Kind
    doc: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping with these keys. ``extensible``: keys that begin with ``x-`` are left alone."""

    keys: AnyMapping[str, Key]
    required: tuple[str, ...] = ()
    extensible: bool = False

    def read(self, context: Context, node: Node, name: str) -> Entries | None:
        """None: it is no mapping. A key with a wrong value is there, with None."""
        if not isinstance(node, Mapping):
            _tell_no_mapping(context, node, name or "the file")
            return None
        entries: Entries = {}
        prefix = f"{name}." if name in {"sampling", "compare", "tls", "error_rate"} else ""
        for key, value in node.pairs:
            known = self.keys.get(key.text)
            if known is not None:
                read = known.kind.read(context, value, prefix + key.text)
                entries[key.text] = Entry(read, key.line, value)
            elif not (self.extensible and key.text.startswith("x-")):
                self._tell_unknown(context, key, name)
        return entries

    def _tell_unknown(self, context: Context, key: Scalar, name: str) -> None:
        where = f" in {name}" if name else ""
        context.wrong(key, f"unknown key '{clean(key.text, 60)}'{where}", self._hint(context, key.text))

    def _hint(self, context: Context, word: str) -> str:
        if (meant := _SYNONYMS.get(word.lower())) in self.keys:
            return f"did you mean '{meant}'?"
        if word not in context.places and (hint := did_you_mean(word, self.keys)):
            return hint
        if place := context.places.get(word):
            return f"'{word}' belongs under {place}"
        return f"known are: {', '.join(self.keys)}"

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object", "properties": properties(self.keys), "additionalProperties": False}
        if self.required:
            schema["required"] = list(self.required)
        if self.extensible:
            schema["patternProperties"] = {"^x-": {}}
        return schema


def properties(keys: AnyMapping[str, Key]) -> dict[str, Any]:
    return {name: {"description": _description(key), **key.kind.schema()} for name, key in keys.items()}


def _description(key: Key) -> str:
    return key.doc if key.default is None else f"{key.doc} Default: {key.default}."


@dataclass(slots=True)
class Named:
    """One endpoint or group as it is written: its name, and its keys (None: they are no mapping)."""

    name: Scalar
    entries: Entries | None


@dataclass(frozen=True, slots=True)
class NamedSections:
    """A mapping of names to sections: the endpoints, or the groups."""

    what: str
    section: Section

    def read(self, context: Context, node: Node, name: str) -> dict[str, Named] | None:
        if not isinstance(node, Mapping):
            _tell_no_mapping(
                context, node, name, f"write each {self.what} as its name and ':', then its keys, indented"
            )
            return None
        found: dict[str, Named] = {}
        for key, value in node.pairs:
            if _name_is_right(context, key, self.what):
                entries = self.section.read(context, value, f"{self.what} '{key.text}'")
                found[key.text] = Named(key, entries)
        return found

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "propertyNames": {"minLength": 1, "maxLength": _LONGEST_NAME},
            "additionalProperties": self.section.schema(),
        }


def _tell_no_mapping(
    context: Context,
    node: Node,
    name: str,
    remedy: str = "write its keys below it, indented, without '- ' in front",
) -> None:
    context.wrong_type(node, name, "a mapping", remedy)


def _name_is_right(context: Context, key: Scalar, what: str) -> bool:
    name = key.text
    if not name.strip():
        context.wrong(key, f"the {what} has no name", "give it one, such as videos.list")
    elif len(name) > _LONGEST_NAME:
        context.wrong(key, f"the name of the {what} has over {_LONGEST_NAME} characters", "shorten it")
    elif not name.isprintable() and any(_cannot_be_shown(char) for char in name):
        context.wrong(key, f"the name of the {what} has characters that cannot be shown", "use visible ones only")
    else:
        return True
    return False


def _cannot_be_shown(char: str) -> bool:
    return not char.isprintable() and unicodedata.category(char) != "Zs"
