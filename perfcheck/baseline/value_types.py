"""The types of values: how each is read, and its JSON Schema. One object for both."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

from yaml import Node, ScalarNode

from perfcheck.baseline.context import Context, has_surrogates, shown
from perfcheck.baseline.tree import is_null
from perfcheck.model import MOST_CONNECTIONS, Unit
from perfcheck.text import clean
from perfcheck.units import WrongValueError, parse_duration_ms, parse_multiple, parse_percentage, parse_rate, parse_size
from perfcheck.words import did_you_mean

_VARIABLE = {"type": "string", "pattern": r"\$\{"}
_DAY_MS = 86_400_000.0
_MOST_DIGITS = 9
_LIKELY_MULTIPLE = 10  # a bare number below this
_LIKELY_MS = 1000  # a bare number from here on, where seconds are usual
_BARE_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*")


class ValueType(Protocol):
    def read(self, context: Context, node: Node, name: str) -> Any:
        """The value, or None after adding its error to ``context``."""

    def schema(self) -> dict[str, Any]:
        """As JSON Schema (draft 2020-12)."""


@dataclass(frozen=True, slots=True)
class ScalarType:
    """``parse`` raises ValueError for a text that is not ``expected``."""

    expected: str
    example: str
    parse: Callable[[str], Any]
    json: Mapping[str, Any]
    secret: bool = False  # the value stays text and is shown: what comes from a variable has to be masked

    def read(self, context: Context, node: Node, name: str) -> Any:
        remedy = f"write, for example, '{name.rpartition('.')[2]}: {self.example}'"
        text = context.scalar(node, name, self.expected, remedy)
        if text is None or text.unset:  # an unknown value, like a wrong one, is not compared with the others
            return None
        if self.secret:
            context.secrets.update(text.secrets)
        try:
            return self.parse(text.value)
        except ValueError as error:
            if isinstance(error, WrongValueError) and not text.has_variable:
                context.error(node, f"{name}: {error.message}", error.remedy or remedy)
            else:
                context.error(node, f"{name}: {shown(text)} is not {self.expected}", remedy)
            return None

    def schema(self) -> dict[str, Any]:
        plain = dict(self.json)
        return plain if plain == {"type": "string"} else {"anyOf": [plain, _VARIABLE]}


@dataclass(frozen=True, slots=True)
class CustomType:
    """Read by a function of its own."""

    read: Callable[[Context, Node, str], Any]
    json: Mapping[str, Any]

    def schema(self) -> dict[str, Any]:
        return dict(self.json)


# --- Durations, sizes, rates -----------------------------------------------------------------------------------------


class Limit(NamedTuple):
    """A multiple of the target, or milliseconds."""

    amount: float
    of_target: bool

    def ms(self, target_ms: float) -> float:
        """Exact in decimals: 1.1x of 300 ms is 330 ms, not 330.00000000000006."""
        return round(target_ms * self.amount, 9) if self.of_target else self.amount


def _require_unit(text: str, noun: str, likely: str, from_there: str, threshold: int) -> None:
    """Refuses a bare number: below ``threshold`` the ``likely`` unit is meant, from there on the other."""
    if len(text) <= _MOST_DIGITS and _BARE_NUMBER.fullmatch(text):
        unit = likely if float(text) < threshold else from_there
        raise WrongValueError(f"{noun} needs a unit", f"did you mean {text}{unit}?")


def _timeout(text: str) -> float:
    """In seconds."""
    _require_unit(text, "a duration", "s", "ms", _LIKELY_MS)
    return _duration(text) / 1000


def _duration(text: str) -> float:
    value = parse_duration_ms(text)
    if value <= 0:
        raise WrongValueError("a duration must be more than 0", "write, for example, 300ms or 1.5s")
    if value > _DAY_MS:
        raise WrongValueError("the duration is longer than a day", "write at most 24h")
    return value


def _size(text: str) -> int:
    _require_unit(text, "a size", "MB", "B", _LIKELY_MS)
    value = parse_size(text)
    if value <= 0:
        raise WrongValueError("a size must be more than 0", "write, for example, 1MB or 500KiB")
    return value


def _number(text: str) -> float:
    value = float(text) if len(text) <= _MOST_DIGITS and _BARE_NUMBER.fullmatch(text) else 0.0
    if value <= 0:
        raise ValueError(text)
    return value


def _limit(text: str) -> Limit:
    _require_unit(text, "a limit", "x", "ms", _LIKELY_MULTIPLE)
    if not text.strip().lower().endswith("x"):
        return Limit(_duration(text), of_target=False)
    return _multiple(text)


def _multiple(text: str) -> Limit:
    factor = parse_multiple(text)
    if factor <= 1:
        raise WrongValueError("a multiple of the target must be more than 1x", "write, for example, 1.5x")
    return Limit(factor, of_target=True)


def _limit_or(parse: Callable[[str], float]) -> Callable[[str], Limit]:
    return lambda text: _multiple(text) if text.strip().endswith("x") else Limit(parse(text), of_target=False)


def _pattern(units: str) -> dict[str, Any]:
    return {"type": "string", "pattern": rf"^\s*([0-9]+(\.[0-9]+)?|\.[0-9]+)\s*({units})\s*$"}


_DURATION_UNITS = "us|µs|ms|s|m|min|h"
_SIZE_UNITS = "B|kB|KB|MB|GB|KiB|MiB|GiB"
DURATION = ScalarType("a duration", "300ms", _duration, _pattern(_DURATION_UNITS))
TIMEOUT = ScalarType("a duration", "30s", _timeout, _pattern(_DURATION_UNITS))
LIMIT = ScalarType("a multiple of the target or a duration", "1.5x", _limit, _pattern(f"x|{_DURATION_UNITS}"))
SIZE = ScalarType("a size", "1MB", _size, _pattern(_SIZE_UNITS))
PERCENTAGE = ScalarType("a percentage", "5%", parse_percentage, _pattern("%"))
NUMBER = ScalarType("a number above 0 without a unit", "0.1", _number, {"type": "number", "exclusiveMinimum": 0})
RATE = ScalarType("a rate", "10/s", parse_rate, _pattern(r"/\s*(s|min|h)"))


class OfUnit:
    """A value whose unit depends on another key of its section: ``in_unit`` reads it."""

    def __init__(self, types: Mapping[Unit, ScalarType], context: Context, node: Node, name: str) -> None:
        self._types = types
        self._where = context, node, name

    def in_unit(self, unit: Unit) -> Any:
        """The value, or None after collecting its error."""
        return self._types[unit].read(*self._where)


FIGURE_TYPES = {Unit.TIME: DURATION, Unit.SIZE: SIZE, Unit.NUMBER: NUMBER}
_LIMITS = {
    Unit.TIME: LIMIT,
    Unit.SIZE: ScalarType("a multiple of the target or a size", "1.5x", _limit_or(_size), {}),
    Unit.NUMBER: ScalarType("a multiple of the target or a number", "1.5x", _limit_or(_number), {}),
}


def _figure_schema(*more: str) -> dict[str, Any]:
    return {"anyOf": [_pattern("|".join((_DURATION_UNITS, _SIZE_UNITS, *more))), NUMBER.json, _VARIABLE]}


FIGURE = CustomType(partial(OfUnit, FIGURE_TYPES), _figure_schema())
FIGURE_LIMIT = CustomType(partial(OfUnit, _LIMITS), _figure_schema("x"))


# --- Words and numbers -----------------------------------------------------------------------------------------------


def _boolean(text: str) -> bool:
    if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        return text.lower() == "true"
    for meant, synonyms in (("true", {"yes", "on", "y", "1"}), ("false", {"no", "off", "n", "0"})):
        if text.lower() in synonyms:
            raise WrongValueError(f"'{text}' is not true or false", f"did you mean {meant}?")
    raise ValueError(text)


BOOLEAN = ScalarType("true or false", "true", _boolean, {"type": "boolean"})


def integer(low: int, high: int) -> ScalarType:
    expected = f"a whole number from {low} to {high}"

    def parse(text: str) -> int:
        digits = text.strip()
        if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS and low <= int(digits) <= high:
            return int(digits)
        raise ValueError(text)

    return ScalarType(expected, str(low), parse, {"type": "integer", "minimum": low, "maximum": high})


def _connections(text: str) -> int | None:
    return None if text == "auto" else _WHOLE_CONNECTIONS.parse(text)


_WHOLE_CONNECTIONS = integer(1, MOST_CONNECTIONS)
CONNECTIONS = ScalarType(
    f"auto or {_WHOLE_CONNECTIONS.expected}",
    "auto",
    _connections,
    {"anyOf": [{"const": "auto"}, _WHOLE_CONNECTIONS.json]},
)


def choice(words: Sequence[str], synonyms: Mapping[str, str] | None = None) -> ScalarType:
    """One of ``words``, which may be the members of a StrEnum; a synonym is an error that names the word."""
    expected = f"one of {', '.join(words)}"

    def parse(text: str) -> str:
        if text in words:
            return words[words.index(text)]
        meant = (synonyms or {}).get(text.lower())
        hint = f"did you mean '{meant}'?" if meant else did_you_mean(text, words)
        if hint is None:
            raise ValueError(expected)
        raise WrongValueError(f"'{clean(text, 60)}' is not {expected}", hint)

    return ScalarType(expected, words[0], parse, {"enum": list(words)})


def _version(text: str) -> int:
    if text != "1":
        raise WrongValueError("this version is not supported", "write 'version: 1', or upgrade perfcheck")
    return 1


VERSION = ScalarType("1", "1", _version, {"const": 1})


def _visible_text(text: str) -> str:
    if not text.strip() or any(not char.isprintable() for char in text):
        raise WrongValueError("the text is empty or contains characters that cannot be shown", "write it as plain text")
    return text


def _read_command(context: Context, node: Node, name: str) -> str | None:
    """As it is written: the shell expands its variables, so that no value of them is ever shown."""
    remedy = f"write, for example, '{name}: flask run --port $PORT'"
    if not isinstance(node, ScalarNode) or is_null(node):
        context.type_error(node, name, "a shell command", remedy)
    elif not node.value.strip():
        context.error(node, f"{name} is empty", remedy)
    elif "\0" in node.value or has_surrogates(node.value):
        context.error(node, f"{name} contains characters that no command can have", remedy)
    else:
        return str(node.value)
    return None


SELECTOR = ScalarType("a selector", ".results a", _visible_text, {"type": "string"}, secret=True)
TEXT = ScalarType("text", "some text", _visible_text, {"type": "string"}, secret=True)
COMMAND = CustomType(_read_command, {"type": "string"})
REFERENCE = ScalarType("the name of a group", "core", _visible_text, {"type": "string"})  # not a secret
