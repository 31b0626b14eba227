"""What reading a value needs: the variables of the environment, the folder of the file, and a collector of errors.

Variables are written as in a shell: ``${VAR}``, ``${VAR:-default}``, ``${VAR:?message}``, and ``$$`` for a dollar sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from yaml import Node, ScalarNode, SequenceNode

from perfcheck.baseline.file_errors import ErrorCollector, Location
from perfcheck.baseline.tree import is_null, location
from perfcheck.model import Secret
from perfcheck.text import MASK, clean

_TOKEN = re.compile(r"\$\$|\$\{([^}]*)\}|\$\{")
_PLACEHOLDER = "unset"  # for a variable whose value is not known
_INNER = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:-|:\?)(.*))?", re.DOTALL)


@dataclass(slots=True)
class Entry:
    """One key that was given. A value of None is wrong, and its error has been collected."""

    value: Any
    line: int
    node: Node


Entries = dict[str, Entry]


@dataclass(slots=True)
class Context:
    errors: ErrorCollector
    env: Mapping[str, str]
    folder: Path  # of the baseline
    base_url: str | None = None  # replaces the one in the file
    port: int | None = None  # of this machine: replaces the host and port in the file
    secrets: set[str] = field(default_factory=set)
    sections: Mapping[str, str] = field(default_factory=dict)  # key -> the section where it belongs
    allow_unset: bool = False  # a variable without a value is not an error, and what depends on it is not checked
    unset: set[str] = field(default_factory=set)  # the variables without a value

    def error(self, where: Node | Location, message: str, remedy: str) -> None:
        self.errors.add(where if isinstance(where, Location) else location(where), message, remedy)

    def type_error(self, node: Node, name: str, expected: str, remedy: str) -> None:
        if is_null(node):
            self.error(node, f"{name} is empty", f"{remedy}, or remove it")
        else:
            self.error(node, f"{name}: expected {expected}, not {_kind_of(node)}", remedy)

    def scalar(self, node: Node, name: str, expected: str, remedy: str) -> Interpolated | None:
        """The text of a scalar with its variables expanded; None after collecting the error."""
        if not isinstance(node, ScalarNode):
            self.type_error(node, name, expected, remedy)
            return None
        if is_null(node):
            self.error(node, f"{name} has no value", f"{remedy}, or remove it")
            return None
        text = Interpolated(node.value, node.value)
        if "$" in node.value:
            try:
                text = interpolate(node.value, self.env, allow_unset=self.allow_unset)
            except VariableError as error:
                self.error(self.errors.within(location(node), error.part), error.message, error.remedy)
                return None
            self.unset.update(text.unset)
        if has_surrogates(text.value):
            self.error(node, f"{name}: the value is not valid Unicode", "write it as UTF-8 text")
            return None
        return text

    def request_text(self, node: Node, name: str) -> str | Secret | None:
        """A value that is sent: a Secret when it contains a variable of the environment."""
        text = self.scalar(node, name, "text", "write a text ('' for an empty one)")
        if text is None:
            return None
        if not text.secrets:
            return text.value
        self.secrets.update(text.secrets)
        return Secret(text.value, text.shown)


def _kind_of(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return "text"
    return "a list" if isinstance(node, SequenceNode) else "a mapping"


def has_surrogates(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


def shown(text: Interpolated) -> str:
    """A wrong value in a message: never the value of a variable."""
    return "the value with its variables expanded" if text.has_variable else f"'{clean(text.value, 60)}'"


# --- Variables -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interpolated:
    """``value`` is for requests, ``shown`` for people; ``secrets`` are the values that came from the environment.

    ``unset`` are the variables whose value is not known; a placeholder is in their place.
    """

    value: str
    shown: str
    secrets: tuple[str, ...] = ()
    has_variable: bool = False
    unset: tuple[str, ...] = ()


@dataclass(eq=False)
class VariableError(Exception):
    """A variable that cannot be expanded. ``part`` is how it is written in the text."""

    part: str
    message: str
    remedy: str


class _Expansion(NamedTuple):
    value: str
    is_secret: bool = False
    unset: str | None = None  # the name of a variable that has no value


def interpolate(text: str, env: Mapping[str, str], *, allow_unset: bool = False) -> Interpolated:
    """``text`` with its variables expanded. A default is not a secret: it is written in the file.

    As in a shell, ``:-`` and ``:?`` treat an empty variable as unset. Raises VariableError; with ``allow_unset`` not
    for a variable that has no value.
    """
    tokens = list(_TOKEN.finditer(text))
    expansions = [_expand(token, env, allow_unset=allow_unset) for token in tokens]
    values = iter([expansion.value for expansion in expansions])
    masked = iter([MASK if expansion.is_secret else expansion.value for expansion in expansions])
    return Interpolated(
        value=_TOKEN.sub(lambda _: next(values), text),
        shown=_TOKEN.sub(lambda _: next(masked), text),
        secrets=tuple(expansion.value for expansion in expansions if expansion.is_secret),
        has_variable=any(token.group() != "$$" for token in tokens),
        unset=tuple(expansion.unset for expansion in expansions if expansion.unset),
    )


def unset_variables(text: str) -> tuple[str, ...]:
    """The variables that ``text`` needs; none where it has an error, which is reported when it is expanded."""
    try:
        return interpolate(text, {}, allow_unset=True).unset
    except VariableError:
        return ()


def _expand(token: re.Match[str], env: Mapping[str, str], *, allow_unset: bool) -> _Expansion:
    part, inner = token.group(), token.group(1)
    if part == "$$":
        return _Expansion("$")
    if inner is None:
        raise VariableError(part, "'${' without a closing '}'", "close it, or write '$${' for a literal '${'")
    match = _INNER.fullmatch(inner)
    if match is None:
        remedy = "write ${NAME}, ${NAME:-default} or ${NAME:?message}; '$$' is a dollar sign"
        raise VariableError(part, f"'{clean(part, 60)}' is not a variable", remedy)
    name, operator, argument = match.groups()
    if argument and "${" in argument:
        raise VariableError(part, "a variable inside a variable is not supported", "write the default out")
    value = env.get(name)
    if operator == ":-":
        return _Expansion(value, is_secret=True) if value else _Expansion(argument)
    if value or (value is not None and operator is None):
        return _Expansion(value, is_secret=bool(value))
    if allow_unset:
        return _Expansion(_PLACEHOLDER, unset=name)
    reason, remedy = "", f"set it: export {name}=..."
    if operator is None:
        remedy += f", or give it a default: ${{{name}:-...}}"
    elif argument:
        reason = f": {clean(argument)}"
    raise VariableError(part, f"the variable {name} is not set{reason}", remedy)
