"""``${VAR}``, ``${VAR:-default}``, ``${VAR:?message}`` and ``$$``, as a shell would read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from perfcheck.text import MASK, clean

_TOKEN = re.compile(r"\$\$|\$\{([^}]*)\}|\$\{")
_STAND_IN = "unset"
_INNER = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:-|:\?)(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Interpolated:
    """``value`` is for requests, ``shown`` for people; ``secrets`` are what came from the environment.

    ``unset`` are the variables whose value is not known, and for which some text stands in.
    """

    value: str
    shown: str
    secrets: tuple[str, ...] = ()
    has_variable: bool = False
    unset: tuple[str, ...] = ()


class VariableError(Exception):
    """A variable that cannot be filled in; ``part`` is how it stands in the text."""

    def __init__(self, part: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.part = part
        self.message = message
        self.remedy = remedy


class UnsetError(VariableError):
    """A variable that has no value, and no default in the file."""

    def __init__(self, name: str, part: str, message: str, remedy: str) -> None:
        super().__init__(part, message, remedy)
        self.name = name


def interpolate(text: str, env: Mapping[str, str], *, allow_unset: bool = False) -> Interpolated:
    """``text`` with its variables filled in. A default is not a secret: it stands in the file.

    As in a shell, ``:-`` and ``:?`` take an empty variable for an unset one. Raises VariableError, where
    ``allow_unset`` not for a variable that has no value: some text stands in for it.
    """
    value: list[str] = []
    shown: list[str] = []
    secrets: list[str] = []
    unset: list[str] = []
    has_variable = False
    end = 0
    for token in _TOKEN.finditer(text):
        literal = text[end : token.start()]
        end = token.end()
        if token.group() == "$$":
            found, secret = "$", False
        else:
            has_variable = True
            try:
                found, secret = _resolve(token, env)
            except UnsetError as error:
                if not allow_unset:
                    raise
                unset.append(error.name)
                found, secret = _STAND_IN, False
        value += [literal, found]
        shown += [literal, MASK if secret else found]
        if secret:
            secrets.append(found)
    value.append(text[end:])
    shown.append(text[end:])
    return Interpolated("".join(value), "".join(shown), tuple(secrets), has_variable, tuple(unset))


def _resolve(token: re.Match[str], env: Mapping[str, str]) -> tuple[str, bool]:
    """What stands in for one ``${...}``, and whether it is a secret."""
    part, inner = token.group(), token.group(1)
    if inner is None:
        raise VariableError(part, "'${' without its '}'", "close it, or write '$${' for the characters themselves")
    match = _INNER.fullmatch(inner)
    if match is None:
        remedy = "write ${NAME}, ${NAME:-default} or ${NAME:?message}; '$$' is a dollar sign"
        raise VariableError(part, f"'{clean(part, 60)}' does not name a variable", remedy)
    name, operator, argument = match.groups()
    if argument and "${" in argument:
        raise VariableError(part, "a variable inside a variable is not supported", "write the default out")
    found = env.get(name)
    if operator == ":-":
        return (found, True) if found else (argument, False)
    if operator == ":?" and not found:
        reason = f": {clean(argument)}" if argument else ""
        raise UnsetError(name, part, f"the variable {name} is not set{reason}", f"set it: export {name}=...")
    if found is None:
        remedy = f"set it: export {name}=..., or give it a default: ${{{name}:-...}}"
        raise UnsetError(name, part, f"the variable {name} is not set", remedy)
    return found, bool(found)
