"""What reading a value needs beside the value: the environment, the folder, and where to tell what is wrong."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfcheck.baseline.nodes import Node, Scalar, Sequence
from perfcheck.baseline.problems import Place, Problems
from perfcheck.baseline.tree import is_null
from perfcheck.baseline.variables import Interpolated, VariableError, interpolate
from perfcheck.model import Secret
from perfcheck.text import clean


@dataclass(slots=True)
class Entry:
    """One key that was given. A value of None: it was given and is wrong, which has been told."""

    value: Any
    line: int
    node: Node


Entries = dict[str, Entry]


@dataclass(slots=True)
class Context:
    problems: Problems
    env: AnyMapping[str, str]
    folder: Path  # of the baseline
    base_url: str | None = None  # takes the place of the one in the file
    secrets: set[str] = field(default_factory=set)
    places: AnyMapping[str, str] = field(default_factory=dict)  # key -> the section where it belongs
    allow_unset: bool = False  # a variable without a value is no error: what depends on it is not judged
    unset: set[str] = field(default_factory=set)  # the variables that were found to be so

    def wrong(self, place: Place, message: str, remedy: str) -> None:
        self.problems.add(place, message, remedy)

    def wrong_type(self, node: Node, name: str, expected: str, remedy: str) -> None:
        if is_null(node):
            self.wrong(node, f"{name} is empty", f"{remedy}, or remove it")
        else:
            self.wrong(node, f"{name}: expected {expected}, not {kind_of(node)}", remedy)

    def scalar(self, node: Node, name: str, expected: str, remedy: str) -> Interpolated | None:
        """The text of a scalar, its variables filled in; None after telling why there is none."""
        if not isinstance(node, Scalar):
            self.wrong_type(node, name, expected, remedy)
            return None
        if is_null(node):
            self.wrong(node, f"{name} has no value", f"{remedy}, or remove it")
            return None
        if "$" not in node.text:
            found = Interpolated(node.text, node.text)
        else:
            try:
                found = interpolate(node.text, self.env, allow_unset=self.allow_unset)
            except VariableError as error:
                self.wrong(self.problems.within(node, error.part), error.message, error.remedy)
                return None
            self.unset.update(found.unset)
        if not found.value.isascii() and any("\ud800" <= char <= "\udfff" for char in found.value):
            self.wrong(node, f"{name}: the value is not valid Unicode", "write it as UTF-8 text")
            return None
        return found

    def request_text(self, node: Node, name: str) -> str | Secret | None:
        """A value that is sent: a Secret when a variable of the environment is in it."""
        found = self.scalar(node, name, "text", "give it a text ('' for an empty one)")
        return None if found is None else self.as_sent(found)

    def as_sent(self, found: Interpolated) -> str | Secret:
        if not found.secrets:
            return found.value
        self.secrets.update(found.secrets)
        return Secret(found.value, found.shown)


def kind_of(node: Node) -> str:
    if isinstance(node, Scalar):
        return "text"
    return "a list" if isinstance(node, Sequence) else "a mapping"


def shown(found: Interpolated, limit: int = 60) -> str:
    """A wrong value in a message: never what a variable brought in."""
    return "the value with its variables" if found.has_variable else f"'{clean(found.value, limit)}'"
