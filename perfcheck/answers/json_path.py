"""JSONPath (RFC 9535): a path as text, compiled, and what it finds in a document."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from perfcheck.text import clean
from perfcheck.units import WrongValueError

_EXAMPLE = "write, for example, $.items[0].id"
_LONGEST_SHOWN = 60
# Names, indices, wildcards and descendants: most paths. Python-jsonpath takes 10 us for each value that it finds, and
# 50 ms for its import; these are walked here, and tests compare both.
_STEP = re.compile(
    r"""(\.(?=\.)|\.\.(?=\[))?  # of each descendant
    (?:\.(?:([A-Za-z_][A-Za-z0-9_]*)|\*) | \[(?:(['"])([ !#-&(-\[\]-~]*)\3|(0|-?[1-9][0-9]{0,8})|\*)\])""",
    re.ASCII | re.VERBOSE,
)
_PLAIN = re.compile(rf"\$(?:{_STEP.pattern})*", re.ASCII | re.VERBOSE)
_CONTAINERS = {dict, list}  # exactly what a parser returns
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
        steps = [_step(match) for match in _STEP.finditer(text)]
        return JsonPath(text, lambda document: _walk(steps, document))
    return JsonPath(text, _compiled(text))


class _Step(NamedTuple):
    of_descendants: bool
    selector: str | int | None  # a name, an index, or None for all


def _step(match: re.Match[str]) -> _Step:
    deep, name, _, quoted, index = match.groups()
    return _Step(bool(deep), int(index) if index is not None else quoted if name is None else name)


def _walk(steps: list[_Step], document: Any) -> list[Any]:
    nodes = [document]
    for deep, step in steps:
        if deep:
            nodes = _with_descendants(nodes)
        if step is None:
            nodes = [child for node in nodes for child in _children(node)]
        elif isinstance(step, str):
            nodes = [node[step] for node in nodes if type(node) is dict and step in node]
        else:
            nodes = [node[step] for node in nodes if isinstance(node, list) and -len(node) <= step < len(node)]
    return nodes


def _with_descendants(nodes: list[Any]) -> list[Any]:
    """The arrays and objects among them and in them, each before those in it."""
    found: list[Any] = []
    stack = [node for node in reversed(nodes) if type(node) in _CONTAINERS]
    take, keep, has_none = stack.pop, found.append, _CONTAINERS.isdisjoint  # looked up once, for thousands of nodes
    while stack:
        node = take()
        keep(node)
        children = node.values() if type(node) is dict else node
        if not has_none(map(type, children)):  # of most objects it has
            stack += [child for child in children if type(child) in _CONTAINERS][::-1]
    return found


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
