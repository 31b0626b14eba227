"""The characters to change for a value that is replaced, or for keys that are added. Knows layout, and no meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import yaml

from perfcheck.baseline.layout import Layout, Part, Written
from perfcheck.baseline.nodes import Mapping, Scalar

_BREAK = "\r\n|[\r\n\x85\u2028\u2029]"
_REST_OF_LINE = re.compile("[ \t]*(?:#[^\r\n\x85\u2028\u2029]*)?(?=[\r\n\x85\u2028\u2029]|$)")
_LINE_END = re.compile("\r\n|\r|\n")
_BLOCK = ("|", ">")


class Splice(NamedTuple):
    """``text`` takes the place of what stands between two offsets."""

    start: int
    end: int
    text: str


class Addition(NamedTuple):
    key: str
    value: str


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """``text`` with the splices in place. They do not overlap."""
    parts, end = [], 0
    for splice in sorted(splices):
        parts += [text[end : splice.start], splice.text]
        end = splice.end
    return "".join([*parts, text[end:]])


def replacement(text: str, written: Written, value: str) -> Splice:
    """Of what a scalar says: quotes, an anchor, the spaces around it and the header of a block stay."""
    start, end = written.start, written.end
    if written.has_anchor:
        start += _behind_anchor(text[start:end])
    if written.style in _BLOCK:
        header = re.search(_BREAK, text[start:end])
        start += header.end() if header else 0
    elif written.style:
        start, end = start + 1, end - 1
    inner = text[start:end]
    start += len(inner) - len(inner.lstrip())
    return Splice(start, start + len(inner.strip()), value)


def _behind_anchor(text: str) -> int:
    """Where the scalar itself begins: spaces, line breaks and comments may lie between."""
    return next(int(token.start_mark.index) for token in yaml.scan(text) if isinstance(token, yaml.ScalarToken))


def insertion(text: str, mapping: Mapping, layout: Layout, additions: Sequence[Addition]) -> Splice | None:
    """Of keys that the mapping does not have yet; None where no place for them is sure to be right.

    In braces they come behind what they belong to or behind the last key, in block style on lines of their own.
    """
    if layout.is_flow(mapping):
        return _into_braces(layout.parts(mapping), layout, additions)
    return _below(text, layout.parts(mapping), layout, additions) or _above(text, layout.parts(mapping), additions)


def _into_braces(parts: Sequence[Part], layout: Layout, additions: Sequence[Addition]) -> Splice | None:
    neighbour = _neighbour([part for part in parts if not part.is_empty])
    if neighbour is None:
        return None
    added = "".join(f", {_pair(addition, neighbour, layout)}" for addition in additions)
    return Splice(neighbour.end, neighbour.end, added)


def _below(text: str, parts: Sequence[Part], layout: Layout, additions: Sequence[Addition]) -> Splice | None:
    neighbour = _neighbour([part for part in parts if _has_line_of_its_own(text, part, layout)])
    if neighbour is None:
        return None
    rest = _REST_OF_LINE.match(text, neighbour.end)
    assert rest is not None  # noqa: S101 - it has a line of its own
    indent, line_end = _indent(text, neighbour), _line_end(text, neighbour.start)
    added = "".join(f"{line_end}{indent}{_pair(addition, neighbour, layout)}" for addition in additions)
    return Splice(rest.end(), rest.end(), added)


def _above(text: str, parts: Sequence[Part], additions: Sequence[Addition]) -> Splice | None:
    """Before the first key, where every value takes several lines."""
    if not parts or _indent(text, parts[0]).strip(" "):
        return None
    start, indent, line_end = parts[0].start, _indent(text, parts[0]), _line_end(text, parts[0].start)
    return Splice(start, start, "".join(f"{key}: {value}{line_end}{indent}" for key, value in additions))


def _has_line_of_its_own(text: str, part: Part, layout: Layout) -> bool:
    is_block = isinstance(part.value, Scalar) and not part.alias and layout.written(part.value).style in _BLOCK
    if not part.on_one_line or is_block or _indent(text, part).strip(" "):
        return False
    return _REST_OF_LINE.match(text, part.end) is not None


def _neighbour(parts: Sequence[Part]) -> Part | None:
    """What to stand behind: the target or the ideal, else the last plain value, else the last that there is."""
    scalars = [part for part in parts if isinstance(part.value, Scalar)]
    kin = [part for part in scalars if part.key.text in {"target", "ideal"}]
    return next((found[-1] for found in (kin, scalars, parts) if found), None)


def _pair(addition: Addition, neighbour: Part, layout: Layout) -> str:
    """As its neighbour is written: in a file that is JSON, with all the quotes of JSON."""
    of_key = layout.written(neighbour.key).style
    value = neighbour.value
    of_value = ""
    if isinstance(value, Scalar) and not neighbour.alias and (of_key or neighbour.key.text in {"target", "ideal"}):
        of_value = layout.written(value).style
    of_value = of_key or of_value
    return f"{of_key}{addition.key}{of_key}: {of_value}{addition.value}{of_value}"


def _indent(text: str, part: Part) -> str:
    """What stands before a key on its line."""
    return text[part.start - part.column : part.start]


def _line_end(text: str, at: int) -> str:
    """As lines end from there on; at the end of the file as they do before."""
    found = _LINE_END.search(text, at) or _LINE_END.search(text)
    return found.group() if found else "\n"
