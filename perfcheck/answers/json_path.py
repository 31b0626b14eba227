"""JSONPath (RFC 9535): a path as text, compiled, and what it finds in a document."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from perfcheck.text import clean
from perfcheck.units import WrongValueError

_EXAMPLE = "write, for example, $.items[0].id"
_LONGEST_SHOWN = 60
# Names, indices and wildcards: most paths. Python-jsonpath takes 10 us for each value that it finds, and 50 ms for its
# import; these are walked here, and tests compare both.
_STEP = re.compile(
    r"""\.([A-Za-z_][A-Za-z0-9_]*)|\[(['"])([ !#-&(-\[\]-~]*)\2\]|\[(0|-?[1-9][0-9]{0,8})\]|\.\*|\[\*\]""", re.ASCII
)
_PLAIN = re.compile(rf"\$(?:{_STEP.pattern})*", re.ASCII)
_REWORDED = {  # by a part of python-jsonpath's message
    "expected 'TOKEN_ROOT'": "it does not begin with '$'",
    "shorthand selector": "a name is missing",
    "token in bracketed selection": "only names, indices and filters stand between brackets",
    "recursion": "nested too deep",
    "incomplete escape": "an incomplete escape",
}


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A compiled path. ``find`` returns the values it matches in a document, in order; empty where there are none.

    The document is what a JSON parser returns. ``find`` raises WrongValueError for one that is nested too deep.
    """

    text: str
    find: Callable[[Any], list[Any]]


def compile_json_path(text: str) -> JsonPath:
    """Raises WrongValueError with what is wrong, and at which character."""
    if _PLAIN.fullmatch(text):
        steps = [_step(*match.groups()) for match in _STEP.finditer(text)]
        return JsonPath(text, lambda document: _walk(steps, document))
    return JsonPath(text, _compiled(text))


def _step(name: str | None, _quote: str | None, quoted: str | None, index: str | None) -> str | int | None:
    """A name, an index, or None for a wildcard."""
    if index is not None:
        return int(index)
    return quoted if name is None else name


def _walk(steps: list[str | int | None], document: Any) -> list[Any]:
    nodes = [document]
    for step in steps:
        if step is None:
            nodes = [child for node in nodes for child in _children(node)]
        elif isinstance(step, str):
            nodes = [node[step] for node in nodes if isinstance(node, dict) and step in node]
        else:
            nodes = [node[step] for node in nodes if isinstance(node, list) and -len(node) <= step < len(node)]
    return nodes


def _children(node: Any) -> Any:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _compiled(text: str) -> Callable[[Any], list[Any]]:
    """By python-jsonpath, in its strict mode."""
    from jsonpath import JSONPathEnvironment, JSONPathError  # noqa: PLC0415 - 50 ms, for paths that need it

    try:
        path = JSONPathEnvironment(strict=True).compile(text)
    except JSONPathError as error:
        raise _wrong(text, str(error.message), error.token.index if error.token else None) from None

    def find(document: Any) -> list[Any]:
        if not isinstance(document, (dict, list)):  # python-jsonpath would parse a text as JSON
            return []
        try:
            return list(path.findall(document))
        except (JSONPathError, RecursionError):
            raise WrongValueError(f"the document is nested too deep for {clean(text, _LONGEST_SHOWN)}") from None

    return find


def _wrong(text: str, problem: str, index: int | None) -> WrongValueError:
    reason = next((words for part, words in _REWORDED.items() if part in problem), clean(problem))
    if index is not None and text.startswith("$"):
        reason += f" at character {index + 1}" if 0 <= index < len(text) else " at its end"
    return WrongValueError(f"'{clean(text, _LONGEST_SHOWN)}' is not a JSONPath: {reason}", _EXAMPLE)
