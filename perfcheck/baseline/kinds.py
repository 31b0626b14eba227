"""What the value of a key may be: how it is read, and how JSON Schema says it. One object for both."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from perfcheck.baseline.context import Context, shown
from perfcheck.baseline.nodes import Node
from perfcheck.baseline.problems import did_you_mean
from perfcheck.text import clean
from perfcheck.units import parse_duration_ms, parse_multiple, parse_percentage, parse_size

_VARIABLE = {"type": "string", "pattern": r"\$\{"}
_DAY_MS = 86_400_000.0
_MOST_DIGITS = 9
_LIKELY_MULTIPLE = 10  # a bare number below this
_LIKELY_MS = 1000  # a bare number from here on, where people think in seconds
_BARE_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*")


class Kind(Protocol):
    def read(self, context: Context, node: Node, name: str) -> Any:
        """The value, or None after telling ``context`` what is wrong with it."""

    def schema(self) -> dict[str, Any]:
        """As JSON Schema (draft 2020-12)."""


class WrongValueError(ValueError):
    """What is wrong, and the nearest thing that would be right."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar. ``parse`` raises ValueError for a text that is not ``expected``."""

    expected: str
    example: str
    parse: Callable[[str], Any]
    json: Mapping[str, Any]
    secret: bool = False  # the value stays text and is shown: what a variable brings in has to be masked

    def read(self, context: Context, node: Node, name: str) -> Any:
        remedy = f"write it as in '{name.rpartition('.')[2]}: {self.example}'"
        found = context.scalar(node, name, self.expected, remedy)
        if found is None or found.unset:  # what is not known is not held against the rest, like what is wrong
            return None
        if self.secret:
            context.secrets.update(found.secrets)
        try:
            return self.parse(found.value)
        except ValueError as error:
            if found.has_variable:
                context.wrong(node, f"{name}: {shown(found)} is not {self.expected}", remedy)
            elif isinstance(error, WrongValueError):
                context.wrong(node, f"{name}: {error}", error.remedy)
            else:
                what, _, hint = str(error).partition(": ")
                message = f"{shown(found)} is not {self.expected}" if what.startswith("expected") else what
                context.wrong(node, f"{name}: {message}", hint or remedy)
            return None

    def schema(self) -> dict[str, Any]:
        plain = dict(self.json)
        return plain if plain == {"type": "string"} else {"anyOf": [plain, _VARIABLE]}


# --- Durations, sizes, rates -----------------------------------------------------------------------------------------


class Limit(NamedTuple):
    """A multiple of the target, or milliseconds."""

    amount: float
    of_target: bool

    def ms(self, target_ms: float) -> float:
        """Exact in decimals: 1.1x of 300 ms is 330 ms, not 330.00000000000006."""
        return round(target_ms * self.amount, 9) if self.of_target else self.amount


def _number(text: str) -> float | None:
    """A number without a unit."""
    return float(text) if len(text) <= _MOST_DIGITS and _BARE_NUMBER.fullmatch(text) else None


def _timeout(text: str) -> float:
    number = _number(text)
    if number is not None:
        raise WrongValueError("a duration needs a unit", f"did you mean {text}{'s' if number < _LIKELY_MS else 'ms'}?")
    return _duration(text)


def _duration(text: str) -> float:
    value = parse_duration_ms(text)
    if value <= 0:
        raise WrongValueError("a duration must be above 0", "write it as in 300ms or 1.5s")
    if value > _DAY_MS:
        raise WrongValueError("a duration over a day", "write one of at most 24h")
    return value


def _size(text: str) -> int:
    number = _number(text)
    if number is not None:
        raise WrongValueError("a size needs a unit", f"did you mean {text}{'MB' if number < _LIKELY_MS else 'B'}?")
    value = parse_size(text)
    if value <= 0:
        raise WrongValueError("a size must be above 0", "write it as in 1MB or 500KiB")
    return value


def _limit(text: str) -> Limit:
    number = _number(text)
    if number is not None:
        unit = "x" if number < _LIKELY_MULTIPLE else "ms"
        raise WrongValueError("a limit needs a unit", f"did you mean {text}{unit}?")
    if not text.strip().lower().endswith("x"):
        return Limit(_duration(text), of_target=False)
    factor = parse_multiple(text)
    if factor <= 1:
        raise WrongValueError("a multiple of the target must be above 1x", "write it as in 1.5x")
    return Limit(factor, of_target=True)


def _pattern(units: str) -> dict[str, Any]:
    return {"type": "string", "pattern": rf"^\s*([0-9]+(\.[0-9]+)?|\.[0-9]+)\s*({units})\s*$"}


_DURATION_UNITS = "us|µs|ms|s|m|min|h"
DURATION = Text("a duration", "300ms", _duration, _pattern(_DURATION_UNITS))
TIMEOUT = Text("a duration", "30s", _timeout, _pattern(_DURATION_UNITS))
LIMIT = Text("a multiple of the target or a duration", "1.5x", _limit, _pattern(f"x|{_DURATION_UNITS}"))
SIZE = Text("a size", "1MB", _size, _pattern("B|kB|KB|MB|GB|KiB|MiB|GiB"))
PERCENTAGE = Text("a percentage", "5%", parse_percentage, _pattern("%"))


# --- Words and numbers -----------------------------------------------------------------------------------------------


def _boolean(text: str) -> bool:
    if text in {"true", "True", "TRUE"}:
        return True
    if text in {"false", "False", "FALSE"}:
        return False
    meant = {"yes": "true", "on": "true", "y": "true", "1": "true"}.get(text.lower())
    meant = meant or {"no": "false", "off": "false", "n": "false", "0": "false"}.get(text.lower())
    if meant:
        raise WrongValueError(f"'{text}' is not true or false", f"did you mean {meant}?")
    raise ValueError("expected true or false")


BOOLEAN = Text("true or false", "true", _boolean, {"type": "boolean"})


def integer(low: int, high: int) -> Text:
    expected = f"a whole number from {low} to {high}"

    def parse(text: str) -> int:
        digits = text.strip()
        if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS and low <= int(digits) <= high:
            return int(digits)
        raise ValueError("expected a whole number")

    return Text(expected, str(low), parse, {"type": "integer", "minimum": low, "maximum": high})


def choice(words: Sequence[str], synonyms: Mapping[str, str] | None = None) -> Text:
    """One of ``words``; a synonym is an error that names the word."""
    known = f"one of {', '.join(words)}"

    def parse(text: str) -> str:
        if text in words:
            return text
        meant = (synonyms or {}).get(text.lower())
        hint = f"did you mean '{meant}'?" if meant else did_you_mean(text, words)
        if hint is None:
            raise ValueError("expected " + known)
        raise WrongValueError(f"'{clean(text, 60)}' is not {known}", hint)

    return Text(known, words[0], parse, {"enum": list(words)})


def _version(text: str) -> int:
    if text != "1":
        raise WrongValueError(
            "this version of the format is not supported", "write 'version: 1', or use a newer perfcheck"
        )
    return 1


VERSION = Text("1", "1", _version, {"const": 1})


def _words(text: str) -> str:
    if not text.strip() or any(not char.isprintable() for char in text):
        raise WrongValueError("the text is empty, or has characters that cannot be shown", "write it as plain text")
    return text


TEXT = Text("text", "some text", _words, {"type": "string"}, secret=True)
REFERENCE = Text("the name of a group", "core", _words, {"type": "string"})  # names are keys, and keys are no secrets
