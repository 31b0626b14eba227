"""The characters to change in a YAML text for a value that is replaced, or for keys that are added."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import yaml
from yaml import MappingNode, ScalarNode

from perfcheck.baseline.tree import Pair, is_merge

_BREAK = "\r\n|[\r\n\x85\u2028\u2029]"
_REST_OF_LINE = re.compile("[ \t]*(?:#[^\r\n\x85\u2028\u2029]*)?(?=[\r\n\x85\u2028\u2029]|$)")
_LINE_END = re.compile("\r\n|\r|\n")
_BLOCK = ("|", ">")


class Splice(NamedTuple):
    """``text`` replaces what is between two offsets."""

    start: int
    end: int
    text: str


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """``text`` with the splices applied. They do not overlap."""
    parts, end = [], 0
    for splice in sorted(splices):
        parts += [text[end : splice.start], splice.text]
        end = splice.end
    return "".join([*parts, text[end:]])


def replacement(text: str, scalar: ScalarNode, value: str) -> Splice:
    """Of the value alone: quotes, an anchor, the spaces around it and the header of a block stay."""
    start, end = scalar.start_mark.index, scalar.end_mark.index
    if text[start] in "&!":
        # Spaces, line breaks and comments may be between an anchor and its scalar.
        tokens = yaml.scan(text[start:end])
        start += next(token.start_mark.index for token in tokens if isinstance(token, yaml.ScalarToken))
    if scalar.style in _BLOCK:
        header = re.search(_BREAK, text[start:end])
        start += header.end() if header else 0
    elif scalar.style:
        start, end = start + 1, end - 1
    inner = text[start:end]
    start += len(inner) - len(inner.lstrip())
    return Splice(start, start + len(inner.strip()), value)


def insertion(text: str, mapping: MappingNode, additions: Mapping[str, str]) -> Splice | None:
    """Of keys that the mapping does not have yet, with their values; None where no place is certain to be right.

    In braces they follow a related key or the last one, in block style they get lines of their own.
    """
    pairs = _written_pairs(mapping)
    if mapping.flow_style:
        return _into_braces(pairs, additions)
    return _below(text, pairs, additions) or _above(text, pairs, additions)


def _written_pairs(mapping: MappingNode) -> list[Pair]:
    """Those with their key and value written in the mapping itself: without merge keys and aliases."""
    start = mapping.start_mark.index
    return [
        (key, value)
        for key, value in mapping.value
        if not is_merge(key) and start <= key.start_mark.index < value.start_mark.index
    ]


def _into_braces(pairs: Sequence[Pair], additions: Mapping[str, str]) -> Splice | None:
    neighbour = _neighbour([pair for pair in pairs if pair[1].start_mark.index < pair[1].end_mark.index])
    if neighbour is None:
        return None
    end = neighbour[1].end_mark.index
    return Splice(end, end, "".join(f", {pair}" for pair in _like(neighbour, additions)))


def _below(text: str, pairs: Sequence[Pair], additions: Mapping[str, str]) -> Splice | None:
    neighbour = _neighbour([pair for pair in pairs if _has_own_line(text, pair)])
    rest = neighbour and _REST_OF_LINE.match(text, neighbour[1].end_mark.index)
    if neighbour is None or rest is None:
        return None
    indent, line_end = _indent(text, neighbour), _line_end(text, neighbour)
    return Splice(rest.end(), rest.end(), "".join(f"{line_end}{indent}{pair}" for pair in _like(neighbour, additions)))


def _above(text: str, pairs: Sequence[Pair], additions: Mapping[str, str]) -> Splice | None:
    """Before the first key, where every value takes several lines."""
    if not pairs or _indent(text, pairs[0]).strip(" "):
        return None
    start, indent, line_end = pairs[0][0].start_mark.index, _indent(text, pairs[0]), _line_end(text, pairs[0])
    return Splice(start, start, "".join(f"{key}: {value}{line_end}{indent}" for key, value in additions.items()))


def _has_own_line(text: str, pair: Pair) -> bool:
    key, value = pair
    is_block = isinstance(value, ScalarNode) and value.style in _BLOCK
    if key.start_mark.line != value.end_mark.line or is_block or _indent(text, pair).strip(" "):
        return False
    return _REST_OF_LINE.match(text, value.end_mark.index) is not None


def _neighbour(pairs: Sequence[Pair]) -> Pair | None:
    """The pair to insert after: the target or the ideal, else the last scalar, else the last one."""
    scalars = [pair for pair in pairs if isinstance(pair[1], ScalarNode)]
    related = [pair for pair in scalars if pair[0].value in {"target", "ideal"}]
    return next((candidates[-1] for candidates in (related, scalars, pairs) if candidates), None)


def _like(neighbour: Pair, additions: Mapping[str, str]) -> list[str]:
    """Written as the neighbour is: in a file that is JSON, with all the quotes of JSON."""
    key, value = neighbour
    key_quote = value_quote = key.style or ""
    if not key_quote and key.value in {"target", "ideal"} and isinstance(value, ScalarNode):
        value_quote = value.style or ""
    return [f"{key_quote}{name}{key_quote}: {value_quote}{new}{value_quote}" for name, new in additions.items()]


def _indent(text: str, pair: Pair) -> str:
    """What is before a key on its line."""
    start = pair[0].start_mark
    return text[start.index - start.column : start.index]


def _line_end(text: str, pair: Pair) -> str:
    """As lines end from there on; at the end of the file as they do before."""
    line_end = _LINE_END.search(text, pair[0].start_mark.index) or _LINE_END.search(text)
    return line_end.group() if line_end else "\n"
