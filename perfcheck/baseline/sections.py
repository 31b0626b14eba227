"""Mappings with known keys, and mappings of names to such mappings."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yaml import MappingNode, Node, ScalarNode

from perfcheck.baseline.context import Context, Entries, Entry
from perfcheck.baseline.tree import line_of
from perfcheck.baseline.value_types import ValueType
from perfcheck.text import clean
from perfcheck.words import did_you_mean

_LONGEST_NAME = 200
_REMEDY = "write its keys below it, indented, without '- ' in front"
# The key of another tool -> the key here.
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
    "headers": "header",  # under 'expect'
    "body": "text",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the file. The validator, the JSON Schema and the test of the reference all read this."""

    type: ValueType
    description: str
    default: str | None = None

    def schema(self) -> dict[str, Any]:
        default = "" if self.default is None else f" Default: {self.default}."
        return {"description": self.description + default, **self.type.schema()}


@dataclass(frozen=True, slots=True)
class SectionType:
    """A mapping with these keys; ``either``: one of these is required, ``any_of``: at least one.

    ``extensible``: ``x-...`` keys are ignored.
    """

    keys: Mapping[str, Key]
    required: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    extensible: bool = False

    def read(self, context: Context, node: Node, name: str) -> Entries | None:
        """None when it is not a mapping. A key with a wrong value is there, with None."""
        if not isinstance(node, MappingNode):
            context.type_error(node, name or "the file", "a mapping", _REMEDY)
            return None
        entries: Entries = {}
        prefix = f"{name}." if name in {"sampling", "compare", "capacity", "tls", "error_rate", "expect"} else ""
        for key, value in node.value:
            known = self.keys.get(key.value)
            if known is not None:
                entries[key.value] = Entry(known.type.read(context, value, prefix + key.value), line_of(key), value)
            elif not (self.extensible and key.value.startswith("x-")):
                where = f" in {name}" if name else ""
                message = f"unknown key '{clean(key.value, 60)}'{where}"
                context.error(key, message, self._remedy_for_unknown(context, key.value))
        return entries

    def _remedy_for_unknown(self, context: Context, key: str) -> str:
        if key not in context.sections and (meant := _SYNONYMS.get(key.lower())) in self.keys:
            return f"did you mean '{meant}'?"
        if key not in context.sections and (hint := did_you_mean(key, self.keys)):
            return hint
        if section := context.sections.get(key):
            return f"'{key}' belongs {section}"
        return f"the keys are: {', '.join(self.keys)}"

    def schema(self) -> dict[str, Any]:
        properties = {name: key.schema() for name, key in self.keys.items()}
        schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        if self.required:
            schema["required"] = list(self.required)
        if self.either:
            schema["oneOf"] = [{"required": [key]} for key in self.either]
        if self.any_of:
            schema["anyOf"] = [{"required": [key]} for key in self.any_of]
        if self.extensible:
            schema["patternProperties"] = {"^x-": {}}
        return schema


@dataclass(slots=True)
class NamedSection:
    """One endpoint, group or request as it is written: its name, and its keys (None: not a mapping)."""

    name: ScalarNode
    entries: Entries | None

    @property
    def line(self) -> int:
        return line_of(self.name)


@dataclass(frozen=True, slots=True)
class NamedSectionsType:
    """A mapping of names to sections: the endpoints, the groups, or the requests of a workflow."""

    noun: str
    section: SectionType

    def read(self, context: Context, node: Node, name: str) -> dict[str, NamedSection] | None:
        if not isinstance(node, MappingNode):
            remedy = f"write each {self.noun} as its name and ':', then its keys, indented"
            context.type_error(node, name, "a mapping", remedy)
            return None
        sections: dict[str, NamedSection] = {}
        for key, value in node.value:
            if self._is_name_valid(context, key):
                entries = self.section.read(context, value, f"{self.noun} '{key.value}'")
                sections[key.value] = NamedSection(key, entries)
        return sections

    def _is_name_valid(self, context: Context, key: ScalarNode) -> bool:
        name = key.value
        if not name.strip():
            context.error(key, f"the {self.noun} has no name", "name it, for example, videos.list")
        elif len(name) > _LONGEST_NAME:
            context.error(key, f"the name of the {self.noun} is longer than {_LONGEST_NAME} characters", "shorten it")
        elif any(not char.isprintable() and unicodedata.category(char) != "Zs" for char in name):
            message = f"the name of the {self.noun} contains characters that cannot be shown"
            context.error(key, message, "use visible characters only")
        else:
            return True
        return False

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "propertyNames": {"minLength": 1, "maxLength": _LONGEST_NAME},
            "additionalProperties": self.section.schema(),
        }
