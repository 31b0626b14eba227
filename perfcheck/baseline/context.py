"""What reading a value needs: the variables of the environment, the folder of the file, and a collector of errors.

Variables are written as in a shell: ``${VAR}``, ``${VAR:-default}``, ``${VAR:?message}``, and ``$$`` for a dollar sign.
In a request, ``${token}`` is also a value that was captured from a response, ``${uuid}`` one that each request
generates, and ``${data.email}`` one of a row of data. ``${ID:int}`` has a type, in JSON.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from yaml import Node, ScalarNode, SequenceNode

from perfcheck.baseline.file_errors import ErrorCollector, Location
from perfcheck.baseline.tree import is_null, location
from perfcheck.model import (
    JSON_TYPES,
    Encoding,
    JsonSecret,
    Placeholder,
    RequestText,
    Secret,
    Template,
    as_json,
    displayed,
    sent,
)
from perfcheck.text import MASK, clean
from perfcheck.words import did_you_mean

_TOKEN = re.compile(r"\$\$|\$\{([^}]*)\}|\$\{")
EXAMPLE_OF_CAPTURE = "write, for example, 'capture: {token: {json: $.access_token}}'"
_PLACEHOLDER = "unset"  # for a variable whose value is not known
_INNER = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:-|:\?)(.*))?", re.DOTALL)
_GENERATED = re.compile(r"uuid|counter|random:[1-9][0-9]?|now:(?:iso|unix)|data\.[^{}]+")
_KINDS = {  # of generated values, and what to write
    "uuid": "write ${uuid}",
    "counter": "write ${counter}",
    "random": "write how many letters and digits, from 1 to 99, for example ${random:8}",
    "now": "write ${now:iso} or ${now:unix}",
    "data": "write the name of a column, for example ${data.email}",
}
_EXAMPLES = ("${uuid}", "${counter}")
_LIKE_A_TYPE = re.compile(r"\w+:[a-z]+")
_OPERATOR = re.compile(":[-?]")
_TYPED = re.compile(f"(.+):({'|'.join(encoding.value for encoding in JSON_TYPES)})", re.DOTALL)


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
    captured: Mapping[str, Any] = field(default_factory=dict)  # what is captured anywhere in the file, by name

    def error(self, where: Node | Location, message: str, remedy: str) -> None:
        self.errors.add(where if isinstance(where, Location) else location(where), message, remedy)

    def error_at_variable(self, node: Node, name: str, message: str, remedy: str) -> None:
        self.error(self.errors.within(location(node), f"${{{name}"), message, remedy)

    def type_error(self, node: Node, name: str, expected: str, remedy: str) -> None:
        if is_null(node):
            self.error(node, f"{name} is empty", f"{remedy}, or remove it")
        else:
            self.error(node, f"{name}: expected {expected}, not {_kind_of(node)}", remedy)

    def scalar(
        self, node: Node, name: str, expected: str, remedy: str, *, in_request: bool = False
    ) -> Interpolated | None:
        """The text of a scalar with its variables expanded; None after collecting the error.

        ``in_request``: it may have values that are known only when it is sent.
        """
        if not isinstance(node, ScalarNode):
            self.type_error(node, name, expected, remedy)
            return None
        if is_null(node):
            self.error(node, f"{name} has no value", f"{remedy}, or remove it")
            return None
        text = self._interpolated(node)
        if text is None:
            return None
        if text.values and not in_request:
            value = text.values[0].name
            message = f"{name}: ${{{value}}} is known only when a request is sent"
            self.error_at_variable(node, value, message, "use it in a path, a query, a header or a body")
            return None
        if has_surrogates(text.value):
            self.error(node, f"{name}: the value is not valid Unicode", "write it as UTF-8 text")
            return None
        return text

    def _interpolated(self, node: ScalarNode) -> Interpolated | None:
        """None after collecting the error."""
        if "$" not in node.value:
            return Interpolated((node.value,))
        try:
            text = interpolate(node.value, self.env, allow_unset=self.allow_unset, captured=self.captured)
        except VariableError as error:
            self.error(self.errors.within(location(node), error.part), error.message, error.remedy)
            return None
        self.unset.update(text.unset)
        return text

    def request_text(self, node: Node, name: str, *, in_json: bool = False) -> RequestText | None:
        """A text that is sent: a Secret when it contains a variable of the environment, or a Template."""
        text = self.scalar(node, name, "text", "write a text ('' for an empty one)", in_request=True)
        if text is None:
            return None
        self.secrets.update(text.secrets)
        if text.typed and not in_json:
            self.error(
                node, f"{name}: {text.typed} has a type, which only JSON has", "leave the type out: it is sent as text"
            )
            return None
        if text.typed and isinstance(text.parts[0], JsonSecret):
            return text.parts[0]
        if text.values:
            return Template(text.parts)
        return Secret(text.value, text.shown) if text.secrets else text.value


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
    """A text with its variables expanded: those of the environment are the Secrets among its ``parts``.

    ``unset`` are the variables whose value is not known; a placeholder is in their place.
    """

    parts: tuple[str | Secret | Placeholder, ...]
    has_variable: bool = False
    unset: tuple[str, ...] = ()
    typed: str = ""  # ``${ID:int}``, where that is all

    @property
    def value(self) -> str:
        """For requests, where it has no ``values``."""
        return "".join(sent(part) for part in self.parts if not isinstance(part, Placeholder))

    @property
    def shown(self) -> str:
        """For people."""
        return displayed(Template(self.parts))

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(part.value for part in self.parts if isinstance(part, Secret) and part.value != part.shown)

    @property
    def values(self) -> tuple[Placeholder, ...]:
        """What is known only when a request is sent."""
        return tuple(part for part in self.parts if isinstance(part, Placeholder))


@dataclass(eq=False)
class VariableError(Exception):
    """A variable that cannot be expanded. ``part`` is how it is written in the text."""

    part: str
    message: str
    remedy: str


class _Expansion(NamedTuple):
    part: str | Secret | Placeholder
    unset: str | None = None  # the name of a variable that has no value
    is_typed: bool = False


def interpolate(
    text: str, env: Mapping[str, str], *, allow_unset: bool = False, captured: Collection[str] = ()
) -> Interpolated:
    """``text`` with its variables expanded. A default is not a secret: it is written in the file.

    As in a shell, ``:-`` and ``:?`` treat an empty variable as unset. A name in ``captured`` is no variable of the
    environment. Raises VariableError; with ``allow_unset`` not for a variable that has no value.
    """
    parts: list[str | Secret | Placeholder] = []
    unset, end, has_variable = [], 0, False
    for token in _TOKEN.finditer(text):
        expansion = _expand(token, env, allow_unset=allow_unset, captured=captured)
        parts += [part for part in (text[end : token.start()], expansion.part) if part != ""]
        unset += [expansion.unset] if expansion.unset else []
        has_variable = has_variable or token.group() != "$$"
        end = token.end()
        if expansion.is_typed:
            if token.group() != text:
                remedy = "write nothing else in this value, or leave the type out: it is sent as text"
                raise VariableError(token.group(), "a variable that has a type is not alone", remedy)
            return Interpolated((expansion.part,), has_variable, tuple(unset), typed=text)
    parts += [text[end:]] if text[end:] else []
    return Interpolated(tuple(parts), has_variable, tuple(unset))


def variables_in(text: str) -> list[str]:
    """The names in ``${...}``, whatever they are, without their types."""
    return [_TYPED.sub(r"\1", name) for name in _TOKEN.findall(text) if name]


def unset_variables(text: str) -> tuple[str, ...]:
    """The variables that ``text`` needs; none where it has an error, which is reported when it is expanded."""
    try:
        return interpolate(text, {}, allow_unset=True).unset
    except VariableError:
        return ()


def _expand(
    token: re.Match[str], env: Mapping[str, str], *, allow_unset: bool, captured: Collection[str]
) -> _Expansion:
    part, inner = token.group(), token.group(1)
    if part == "$$":
        return _Expansion("$")
    if inner is None:
        raise VariableError(part, "'${' without a closing '}'", "close it, or write '$${' for a literal '${'")
    if inner in captured or (_GENERATED.fullmatch(inner) and not _TYPED.fullmatch(inner)):
        return _Expansion(Placeholder(inner))
    match = _INNER.fullmatch(inner)
    if match is None and (typed := _TYPED.fullmatch(inner)):
        untyped = _TOKEN.fullmatch(f"${{{typed[1]}}}")
        if untyped is not None and not _OPERATOR.search(typed[1]):
            expansion = _expand(untyped, env, allow_unset=allow_unset, captured=captured)
            return expansion._replace(part=_with_type(part, expansion, Encoding(typed[2])), is_typed=True)
    if match is None or (match[0] in _KINDS and match[0] not in env):
        kind = inner.partition(":")[0].partition(".")[0]
        remedy = _KINDS.get(kind, "write ${NAME}, ${NAME:-default} or ${NAME:?message}; '$$' is a dollar sign")
        noun = "a generated value" if kind in _KINDS else "a variable"
        if kind not in _KINDS and _LIKE_A_TYPE.fullmatch(inner):
            remedy = "the types of values in json are int, number, bool and json"
        raise VariableError(part, f"'{clean(part, 60)}' is not {noun}", remedy)
    name, operator, argument = match.groups()
    if argument and "${" in argument:
        raise VariableError(part, "a variable inside a variable is not supported", "write the default out")
    if name in captured:
        message = f"${{{name}}} is a captured value, which has neither a default nor a message"
        raise VariableError(part, message, f"write ${{{name}}}, or give the variable of the environment another name")
    value = env.get(name)
    if operator == ":-":
        return _Expansion(Secret(value, MASK) if value else argument)
    if value or (value is not None and operator is None):
        return _Expansion(Secret(value, MASK) if value else "")
    if allow_unset:
        return _Expansion(_PLACEHOLDER, unset=name)
    reason, remedy = "", f"set it: export {name}=..."
    if operator is None and (
        hint := did_you_mean(f"${{{name}}}", [*_EXAMPLES, *(f"${{{each}}}" for each in captured)], similarity=0.8)
    ):
        remedy = hint
    elif operator is None:
        remedy += f", or give it a default: ${{{name}:-...}}"
        remedy += f"; or is it a value to capture? {EXAMPLE_OF_CAPTURE}" if name.islower() else ""
    elif argument:
        reason = f": {clean(argument)}"
    raise VariableError(part, f"the variable {name} is not set{reason}", remedy)


def _with_type(part: str, expansion: _Expansion, encoding: Encoding) -> JsonSecret | Placeholder:
    """Raises VariableError for a variable of the environment whose value is not of that type."""
    value = expansion.part
    if isinstance(value, Placeholder):
        if value.name.startswith(("uuid", "random:", "now:iso")) and not value.is_captured:
            raise VariableError(
                part, f"${{{value.name}}} is text", "leave the type out, or use ${counter} or ${now:unix}"
            )
        return value._replace(encoding=encoding)
    if expansion.unset is not None:
        return JsonSecret("null", "null")
    try:
        text = as_json(sent(value), encoding, "the value of the variable")
    except ValueError as error:
        raise VariableError(
            part, str(error), "correct the variable, or leave the type out: it is sent as text"
        ) from None
    return JsonSecret(text, text if encoding is Encoding.JSON_BOOL else MASK)
