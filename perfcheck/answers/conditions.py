"""Conditions: read from texts and mappings, and checked against values."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from perfcheck.model import Condition, Operator, Requirement, Scalar
from perfcheck.text import clean
from perfcheck.units import WrongValueError
from perfcheck.words import did_you_mean


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# Those of JSON Schema.
TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_TYPE_SYNONYMS = {"text": "string", "str": "string", "bool": "boolean", "int": "integer", "float": "number"}
_TYPE_SYNONYMS |= {"list": "array", "dict": "object", "mapping": "object", "map": "object"}
_COMPARISON = re.compile(r"(>=|<=|==|!=|>|<)\s*(.*\S)\s*", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)  # as JSON has it
_LONGEST_NUMBER = 300
_ORDER: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.AT_LEAST: operator.ge,
    Operator.AT_MOST: operator.le,
    Operator.MORE: operator.gt,
    Operator.LESS: operator.lt,
}
_COMPARES_NUMBERS = "write a number behind it, for example '>= 1'"


# --- Reading ---------------------------------------------------------------------------------------------------------


def parse_scalar(value: Scalar, *, typed: bool = True, plain: Operator = Operator.EQUAL) -> Requirement:
    """``exists``, ``absent``, a comparison such as ``>= 1``, or a value, which is for the operator ``plain``.

    ``typed``: of JSON, where ``== 1`` is a number; otherwise all values are text. Raises WrongValueError.
    """
    if not isinstance(value, str):
        return Requirement(plain, value)
    if value in {Operator.EXISTS, Operator.ABSENT}:
        return Requirement(Operator(value))
    match = _COMPARISON.fullmatch(value)
    if match is None:
        if value.strip() in {*_ORDER, Operator.EQUAL, Operator.UNEQUAL}:
            raise WrongValueError(f"'{clean(value, 60)}' compares with nothing", _COMPARES_NUMBERS)
        return Requirement(plain, value)
    symbol, operand = match.groups()
    if symbol in _ORDER:
        number = number_in(operand)
        if number is None:
            raise WrongValueError(f"'{clean(value, 60)}' does not compare with a number", _COMPARES_NUMBERS)
        return Requirement(Operator(symbol), number)
    return Requirement(Operator(symbol), _json_scalar(operand) if typed else operand)


def parse_length(value: Scalar) -> Requirement:
    """``3``, ``>= 1``: of a text, an array or an object. Raises WrongValueError."""
    requirement = parse_scalar(value)
    number = requirement.operand
    if requirement.operator not in {*_ORDER, Operator.EQUAL, Operator.UNEQUAL} or not _is_number(number):
        shown = clean(json.dumps(value) if value is None else str(value), 60)
        raise WrongValueError(f"'{shown}' is not a length", "write a number, or a comparison such as '>= 1'")
    return Requirement(requirement.operator, number, of_length=True)


def parse_type(value: str) -> Requirement:
    """Raises WrongValueError."""
    if value not in TYPES:
        meant = _TYPE_SYNONYMS.get(value.lower())
        hint = f"did you mean '{meant}'?" if meant else did_you_mean(value, TYPES)
        raise WrongValueError(f"unknown type '{clean(value, 60)}'", hint or f"the types are: {', '.join(TYPES)}")
    return Requirement(Operator.TYPE, value)


def parse_pattern(value: str) -> Requirement:
    """Raises WrongValueError."""
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        message = f"'{clean(value, 60)}' is not a regular expression: {error}"
        raise WrongValueError(message, "see Python's module re; a backslash stays one in single quotes") from None
    return Requirement(Operator.MATCHES, value)


def number_in(text: str) -> int | float | None:
    """Of a text that is a number as JSON writes it, in range."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _json_scalar(text: str) -> Scalar:
    """A number, true, false, null or a quoted text as JSON writes them; any other text as it is."""
    try:
        value = json.loads(text) if len(text) <= _LONGEST_NUMBER or text.startswith('"') else text
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, (list, dict)) else value


# --- Checking --------------------------------------------------------------------------------------------------------

Show = Callable[[Any], str]  # makes a value safe to show
BODY = "the body"
_IN_TEXT = {Operator.CONTAINS: "contain", Operator.MATCHES: "match"}


class CompiledRequirement(NamedTuple):
    requirement: Requirement
    is_met: Callable[[Any], bool]  # by a value


Compiled = tuple[CompiledRequirement, ...]


def compile_condition(condition: Condition, *, typed: bool = True) -> Compiled:
    """Not ``typed``: the values are text, and may be numbers."""
    return tuple(CompiledRequirement(requirement, _predicate(requirement, typed=typed)) for requirement in condition)


def violation(
    subject: str,
    condition: Compiled,
    values: Sequence[Any],
    show: Show,
    show_value: Show | None = None,
) -> str | None:
    """What is wrong with the ``values`` of ``subject``, in a line; None where each is as it should be.

    At least one value is needed, unless it is to be absent. ``show`` is for what is expected, and for what came unless
    there is a ``show_value``.
    """
    show_value = show_value or show
    for requirement, is_met in condition:
        if requirement.operator is Operator.ABSENT:
            if values:
                return f"{subject}: expected nothing, got {show_value(values[0])}"
        elif not values:
            if requirement.operator is Operator.EXISTS:
                return f"{subject} is empty" if subject == BODY else f"{subject} not found"
            return f"{subject}{_expected(requirement, show)}, got nothing"
        elif requirement.operator is Operator.EXISTS or all(map(is_met, values)):
            continue
        for index, value in enumerate(values):
            if not is_met(value):
                which = f" ({index + 1:,} of {len(values):,})" if len(values) > 1 else ""
                is_long = subject == BODY and requirement.operator in _IN_TEXT
                got = "" if is_long else f", got {_got(requirement, value, show_value)}"
                return f"{subject}{_expected(requirement, show)}{got}{which}"
    return None


def _predicate(requirement: Requirement, *, typed: bool) -> Callable[[Any], bool]:
    kind, operand = requirement.operator, requirement.operand
    if requirement.of_length:
        of_size = _predicate(replace(requirement, of_length=False), typed=True)
        return lambda value: isinstance(value, (str, list, dict)) and of_size(len(value))
    if kind in _ORDER:
        compare = _ORDER[kind]
        if typed:
            return lambda value: _is_number(value) and compare(value, operand)
        return lambda text: (number := number_in(text.strip())) is not None and compare(number, operand)
    if kind in {Operator.EQUAL, Operator.UNEQUAL}:
        is_equal, is_bool = kind is Operator.EQUAL, isinstance(operand, bool)
        if not typed:
            return lambda text: (text.strip() == operand) is is_equal
        return lambda value: (value == operand and isinstance(value, bool) is is_bool) is is_equal
    if kind is Operator.TYPE:
        return TYPES[str(operand)]
    if kind is Operator.CONTAINS:
        part = operand if isinstance(operand, str) else json.dumps(operand)
        is_it = _predicate(Requirement(Operator.EQUAL, operand), typed=True)
        return lambda value: (
            part in value if isinstance(value, str) else isinstance(value, list) and any(map(is_it, value))
        )
    if kind is Operator.MATCHES:
        search = re.compile(str(operand)).search
        return lambda value: isinstance(value, str) and search(value) is not None
    return lambda _: True  # exists, absent: of what is there, or is not


def _expected(requirement: Requirement, show: Show) -> str:
    """Behind the subject: ``: expected >= 1``, ``: expected type array``, `` does not contain 'x'``."""
    kind, operand = requirement.operator, requirement.operand
    if kind in _IN_TEXT:
        return f" does not {_IN_TEXT[kind]} {show(operand)}"
    if kind is Operator.TYPE:
        return f": expected type {operand}"
    words = show(operand) if kind is Operator.EQUAL else f"{kind} {show(operand)}"
    return f": expected {'length ' if requirement.of_length else ''}{words}"


def _got(requirement: Requirement, value: Any, show: Show) -> str:
    has_length = requirement.of_length and isinstance(value, (str, list, dict))
    return str(len(value)) if has_length else show(value)
