"""YAML text to a tree of PyYAML's nodes, checked, in bounded time, memory and depth.

Scalars stay text: their meaning depends on what is expected at their location, so that ``no`` is a country and ``1.10``
a release.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from perfcheck.baseline.file_errors import ErrorCollector, Location, StopReading
from perfcheck.text import clean
from perfcheck.words import did_you_mean

# The parser in C, where PyYAML was built with it, is seven times as fast.
_PARSER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST = 50
MOST_NODES = 1_000_000  # with aliases expanded: about 40,000 endpoints
_TOO_DEEP = (f"nested more than {DEEPEST} levels deep", "look for brackets that are never closed")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ANCHOR = re.compile(r"&([^\s,\[\]{}]+)")
_TO_LINE_END = 10_000  # a length that is cut to the line where it is shown

Pair = tuple[ScalarNode, Node]


def compose(text: str, errors: ErrorCollector, *, merge: bool = True) -> Node | None:
    """The one document in ``text``; None when it is empty. Duplicate keys are errors, and the first one counts.

    Without ``merge`` the merge keys (``<<``) stay as they are written, before the other keys of their mapping. Raises
    StopReading after adding the error of a text that is not YAML, too deep, too large, or cyclic.
    """
    _refuse_forbidden_characters(text, errors)
    root = _composed(text, errors)
    if root is not None:
        _Checker(text, errors, merge=merge).check(root, root, 0)
    return root


def location(node: Node) -> Location:
    start, end = node.start_mark, node.end_mark
    length = 1
    if isinstance(node, ScalarNode):
        length = end.column - start.column if start.line == end.line else _TO_LINE_END
    return Location(start.line + 1, start.column + 1, length)


def line_of(node: Node) -> int:
    line: int = node.start_mark.line
    return line + 1


def is_null(node: Node) -> bool:
    """An empty value, or ``null``."""
    return isinstance(node, ScalarNode) and not node.style and node.value in {"", "~", "null", "Null", "NULL"}


def is_merge(key: Node) -> bool:
    return key.value == "<<" and isinstance(key, ScalarNode) and not key.style


def merge_sources(value: Node) -> list[Node]:
    """What ``<<: value`` merges: one mapping, or a list of them."""
    return value.value if isinstance(value, SequenceNode) else [value]


def alias_of(node: Node, text: str) -> str:
    """How an alias refers to ``node``, by the anchor in front of it."""
    anchor = _ANCHOR.match(text, node.start_mark.index)
    return f"*{anchor.group(1)}" if anchor else "*"


def names_in_section(text: str, section: str) -> list[str]:
    """The keys of a section at the top of a baseline that may have errors. Raises StopReading for no YAML."""
    root = compose(text, ErrorCollector(text))
    pairs = root.value if isinstance(root, MappingNode) else []
    found = next((value for key, value in pairs if key.value == section), None)
    return [key.value for key, _ in found.value] if isinstance(found, MappingNode) else []


# --- PyYAML ----------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _TooDeepError(Exception):
    node: Node


class _Hooks:
    """Methods that PyYAML's composer, in C or not, calls for every node, before it recurses into the node.

    They count the levels, so that a file of nothing but brackets does not overflow the stack. A scalar without a tag
    gets none: it stays text.
    """

    _levels = 0

    def descend_resolver(self, parent: Node | None, index: object) -> None:  # noqa: ARG002 - PyYAML's signature
        if self._levels > DEEPEST and parent is not None:
            raise _TooDeepError(parent)
        self._levels += 1

    def ascend_resolver(self) -> None:
        self._levels -= 1

    def resolve(self, kind: type[Node], value: object, implicit: object) -> None:
        """The tag of a node that has none in the file."""


def _refuse_forbidden_characters(text: str, errors: ErrorCollector) -> None:
    if bad := _FORBIDDEN.search(text):
        message = f"the character U+{ord(bad.group()):04X} is not allowed in YAML"
        remedy = 'remove it, or write it as an escape such as "\\x07"'
        raise errors.fatal(errors.location_at(bad.start(), 1), message, remedy)


def _composed(text: str, errors: ErrorCollector) -> Node | None:
    try:
        root: Node | None = yaml.compose(text, Loader=type("_Loader", (_Hooks, _PARSER), {}))
    except _TooDeepError as error:
        raise errors.fatal(location(error.node), *_TOO_DEEP) from None
    except yaml.composer.ComposerError as error:
        raise _composer_error(error, text, errors) from error
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, errors) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # escapes beyond Unicode, in the parser without C
        raise errors.fatal(None, "not valid YAML", "look for a wrong escape in a quoted text") from error
    return root


def _composer_error(error: yaml.MarkedYAMLError, text: str, errors: ErrorCollector) -> StopReading:
    mark = error.problem_mark
    assert mark is not None  # noqa: S101 - all of them have one
    line, column = mark.line + 1, mark.column + 1
    if "another document" in (error.problem or ""):
        message = "a second YAML document begins here"
        return errors.fatal(Location(line, column, 3), message, "remove the line '---': a baseline is one document")
    word = re.match(r"[*&]([^\s,\[\]{}]*)", text[mark.index :])
    name = word.group(1) if word else ""
    where = Location(line, column, len(name) + 1)
    if "duplicate anchor" in (error.context or "") and error.context_mark:
        remedy = f"the first is on line {error.context_mark.line + 1}: give this one another name"
        return errors.fatal(where, f"the anchor '&{clean(name)}' is defined twice", remedy)
    known = _ANCHOR.findall(text[: mark.index])
    remedy = did_you_mean(name, known) or f"mark the value to be repeated with '&{name}'"
    return errors.fatal(where, f"the anchor '&{clean(name)}' is not defined above this line", remedy)


def _syntax_error(error: yaml.MarkedYAMLError, errors: ErrorCollector) -> StopReading:
    mark = error.problem_mark or error.context_mark
    if "end of stream" in str(error.problem) and error.context_mark:
        mark = error.context_mark  # where the quote was opened
    where = Location(mark.line + 1, mark.column + 1) if mark else None
    problem = clean(error.problem or error.context or "it cannot be read")
    if "nesting depth" in problem:  # newer parsers in C look ahead, and have a limit of their own
        return errors.fatal(where, *_TOO_DEEP)
    remedy = _remedy_for(problem, errors.source(where.line) if where else "")
    return errors.fatal(where, f"not valid YAML: {problem}", remedy)


# A part of a parser's message (the one in C, the one without) -> the remedy for its usual cause.
_REMEDIES = {
    "that cannot start any token": "indent with spaces, and quote a value that begins with @, ` or %",
    "mapping values are not allowed": "quote a value that contains ': ', or check the indentation",
    "could not find expected ':'": "check this line and the one before: a key is followed by ': '",
    "did not find expected key": "check the indentation of this line against the lines above",
    "did not find expected ',' or": "close the bracket, and separate the items with commas",
    "expected ',' or": "close the bracket, and separate the items with commas",
    "did not find expected '-' indicator": "check the indentation of this line against the lines above",
    "expected <block end>": "check the indentation of this line against the lines above",
    "block sequence entries are not allowed": "begin the list on its own line, or write it as [a, b]",
    "unexpected end of stream": "close the quote",
    "unexpected document separator": "close the quote",
    "escape": "double the backslash, or use single quotes",
    "expected alphabetic": "quote a value that begins with * or &",
    "tag": "quote a value that begins with !",
}


def _remedy_for(problem: str, source: str) -> str:
    """PyYAML reports what it stumbled over, not why. ``source`` is the line."""
    if "${" in source and ("'}'" in problem or "']'" in problem):
        return "quote a value with '${...}' between braces or brackets"
    return next((remedy for part, remedy in _REMEDIES.items() if part in problem), "check the syntax of this line")


# --- The checks ------------------------------------------------------------------------------------------------------


class _Checker:
    """Checks each node once. Its recursion is as deep as the text is nested: an alias repeats a node above it."""

    def __init__(self, text: str, errors: ErrorCollector, *, merge: bool) -> None:
        self._text = text
        self._errors = errors
        self._merge = merge
        self._open: set[int] = set()  # collections by their identity
        self._sizes: dict[int, tuple[int, int]] = {}  # nodes and levels, with aliases expanded

    def check(self, node: Node, parent: Node, depth: int) -> tuple[int, int]:
        """How many nodes and levels there are from ``node`` on, which is inside of ``depth`` collections."""
        if isinstance(node, ScalarNode):
            self._check_tag(node)
            return 1, 0
        if id(node) in self._open:
            raise self._cycle(node)
        if id(node) not in self._sizes:
            self._open.add(id(node))
            self._sizes[id(node)] = self._check_collection(node, depth + 1)
            self._open.remove(id(node))
        nodes, levels = self._sizes[id(node)]
        if depth + levels > DEEPEST:
            raise self._errors.fatal(location(parent), *_TOO_DEEP)
        return nodes, levels

    def _check_collection(self, node: Node, depth: int) -> tuple[int, int]:
        self._check_tag(node)
        nodes, levels = 1, 0
        for child in self._children(node):
            child_nodes, child_levels = self.check(child, node, depth)
            nodes += child_nodes
            levels = max(levels, child_levels)
        if nodes > MOST_NODES:
            message = f"more than {MOST_NODES:,} values with aliases expanded"
            raise self._errors.fatal(location(node), message, "split the baseline, or use fewer aliases")
        if isinstance(node, MappingNode):
            self._tidy(node)
        return nodes, levels + 1

    def _children(self, node: Node) -> Iterator[Node]:
        if isinstance(node, SequenceNode):
            yield from node.value
            return
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                remedy = "quote a value that begins with '{' or '['"
                raise self._errors.fatal(location(key), "a key must be text", remedy)
            yield key
            yield value

    def _check_tag(self, node: Node) -> None:
        if node.tag is not None:
            message = f"the tag '{clean(node.tag)}' has no meaning in a baseline"
            self._errors.add(location(node), message, "remove it; to make a value text, quote it")

    def _cycle(self, node: Node) -> StopReading:
        """An alias inside of the collection that it repeats. Its location is not in the tree, but in the text."""
        alias = alias_of(node, self._text)
        at = max(self._text.find(alias, node.start_mark.index), 0)
        where = self._errors.location_at(at, len(alias))
        remedy = "an alias can only repeat a value that is complete"
        return self._errors.fatal(where, f"the value of '{clean(alias)}' contains itself", remedy)

    def _tidy(self, mapping: MappingNode) -> None:
        """Without duplicate keys, and with what is merged, or with the merge keys first."""
        pairs: list[Pair] = mapping.value
        merges = [pair for pair in pairs if is_merge(pair[0])]
        own = [pair for pair in pairs if not is_merge(pair[0])] if merges else pairs
        if len({key.value for key, _ in own}) < len(own):
            own = self._without_duplicates(own)
        mapping.value = self._merged(own, merges) if self._merge else [*merges, *own]

    def _without_duplicates(self, pairs: list[Pair]) -> list[Pair]:
        first: dict[str, Pair] = {}
        for key, value in pairs:
            earlier, _ = first.setdefault(key.value, (key, value))
            if earlier is not key:
                message = f"duplicate key '{clean(key.value)}'"
                self._errors.add(location(key), message, f"the first is on line {line_of(earlier)}: keep one of them")
        return list(first.values())

    def _merged(self, own: list[Pair], merges: list[Pair]) -> list[Pair]:
        """The mapping's own keys come first, then the merged ones in their order, as the YAML merge key is defined."""
        pairs, known = list(own), {key.value for key, _ in own}
        for merge_key, value in merges:
            for source in merge_sources(value):
                if not isinstance(source, MappingNode):
                    remedy = "name one with an alias: '<<: *common'"
                    self._errors.add(location(merge_key), "'<<' can only merge mappings", remedy)
                    continue
                pairs += [pair for pair in source.value if pair[0].value not in known]
                known.update(key.value for key, _ in source.value)
        return pairs
