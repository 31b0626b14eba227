"""YAML text to a tree in which everything knows its line and column, in bounded time, memory and depth.

Scalars stay text: what they mean is decided by what is expected at their place, so that ``no`` is a country and
``1.10`` a release. The tree is built from the parser's events instead of its nodes: those are composed by recursion,
and a file of nothing but brackets would overflow the stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from perfcheck.baseline.layout import Layout
from perfcheck.baseline.nodes import Mapping, Node, Scalar, Sequence
from perfcheck.baseline.problems import Point, Problems, did_you_mean
from perfcheck.baseline.syntax import remedy_for
from perfcheck.text import clean

DEEPEST = 50
_TOO_DEEP = (f"nested more than {DEEPEST} levels deep", "look for brackets that are never closed")
MOST_NODES = 1_000_000  # as visited, aliases followed: about 40,000 endpoints
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def compose(
    text: str, problems: Problems, loader: type[Any] | None = None, layout: Layout | None = None
) -> Node | None:
    """The one document in ``text``; None when there is none. Duplicate keys are told, and the first one counts.

    ``layout`` is told where each part is written. Raises StopReading after telling ``problems`` of a text that is not
    YAML, too deep, too large, or cyclic.
    """
    _refuse_unreadable(text, problems)
    return _Composer(problems, layout).compose(_events(text, problems, loader or _parser()))


def _parser() -> type[Any]:
    """The parser in C where PyYAML was built with it: seven times as fast."""
    found: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return found


def _refuse_unreadable(text: str, problems: Problems) -> None:
    if bad := _UNREADABLE.search(text):
        before = text[: bad.start()]
        line = len(re.findall("\r\n|[\r\n\x85\u2028\u2029]", before)) + 1
        column = len(re.split("[\r\n\x85\u2028\u2029]", before)[-1]) + 1
        message = f"the character U+{ord(bad.group()):04X} is not allowed in YAML"
        raise problems.fatal(Point(line, column), message, 'remove it, or write it as an escape such as "\\x07"')


def _events(text: str, problems: Problems, loader: type[Any]) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if "end of stream" in str(error.problem) and error.context_mark:
            mark = error.context_mark  # where the quote was opened
        place = Point(mark.line + 1, mark.column + 1) if mark else None
        what = clean(error.problem or error.context or "it cannot be read")
        if "nesting depth" in what:  # newer parsers in C look ahead, and have a limit of their own
            raise problems.fatal(place, *_TOO_DEEP) from error
        raise problems.fatal(
            place, f"not valid YAML: {what}", remedy_for(what, problems.source(place.line) if place else "")
        ) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # escapes beyond Unicode, in the parser without C
        raise problems.fatal(None, "not valid YAML", "look for a wrong escape in a quoted text") from error


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence that is still open."""

    node: Mapping | Sequence
    anchor: str | None
    nodes_before: int
    height: int = 1
    key: Scalar | None = None  # waits for its value
    merges: list[tuple[Scalar, Node]] = field(default_factory=list)


@dataclass(slots=True)
class _Anchored:
    node: Node
    nodes: int
    height: int


class _Composer:
    def __init__(self, problems: Problems, layout: Layout | None) -> None:
        self._problems = problems
        self._layout = layout
        self._event: Any = None  # the one that is being handled
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0
        self._documents = 0
        self._root: Node | None = None

    def compose(self, events: Iterator[Any]) -> Node | None:
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open_mapping,
            yaml.SequenceStartEvent: self._open_sequence,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        for event in events:
            if handler := handlers.get(type(event)):
                self._event = event
                handler(event)
        return self._root

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._problems.fatal(
                _place(event), "a second YAML document begins here", "remove the line '---': a baseline is one document"
            )

    def _scalar(self, event: Any) -> None:
        start, end = event.start_mark, event.end_mark
        one_line = start.line == end.line
        length = end.column - start.column if one_line else 10_000  # cut to the line where it is shown
        node = Scalar(event.value, start.line + 1, start.column + 1, length, not event.style)
        if event.tag is not None:
            self._refuse_tag(event)
        if self._layout is not None:
            self._layout.add_scalar(node, event)
        self._add(node, 1, 0)
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(node, 1, 0)

    def _open_mapping(self, event: Any) -> None:
        self._open(Mapping([], event.start_mark.line + 1, event.start_mark.column + 1), event)

    def _open_sequence(self, event: Any) -> None:
        self._open(Sequence([], event.start_mark.line + 1, event.start_mark.column + 1), event)

    def _open(self, node: Mapping | Sequence, event: Any) -> None:
        if event.tag is not None:
            self._refuse_tag(event)
        if self._layout is not None:
            self._layout.open(node, event)
        self._stack.append(_Frame(node, event.anchor, self._nodes))
        self._check_depth(node, 0)
        if event.anchor:
            self._anchors.pop(event.anchor, None)  # what it named before is not meant from here on

    def _close(self, _event: Any) -> None:
        frame = self._stack.pop()
        node = frame.node
        if isinstance(node, Mapping):
            self._tell_duplicates(node)
            if frame.merges:
                self._merge(node, frame.merges)
        if frame.anchor:
            self._anchors[frame.anchor] = _Anchored(node, self._nodes - frame.nodes_before + 1, frame.height)
        self._add(node, 1, frame.height)

    def _alias(self, event: Any) -> None:
        place, anchored = _place(event), self._anchors.get(event.anchor)
        if anchored is None:
            if any(frame.anchor == event.anchor for frame in self._stack):
                remedy = "an alias may only repeat what is complete"
                raise self._problems.fatal(place, f"'*{event.anchor}' contains itself", remedy)
            remedy = did_you_mean(event.anchor, self._anchors) or f"mark what it is to repeat with '&{event.anchor}'"
            raise self._problems.fatal(place, f"nothing before this is marked '&{event.anchor}'", remedy)
        self._check_depth(place, anchored.height)
        self._add(anchored.node, anchored.nodes, anchored.height, place)

    def _add(self, node: Node, nodes: int, height: int, place: Point | None = None) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            message = f"more than {MOST_NODES:,} values, aliases followed"
            raise self._problems.fatal(place or node, message, "split the baseline, or repeat less with aliases")
        if not self._stack:
            self._root = node
            return
        frame = self._stack[-1]
        if height >= frame.height:
            frame.height = height + 1
        if isinstance(frame.node, Sequence):
            frame.node.items.append(node)
            return
        if self._layout is not None:
            self._layout.add_part(frame.node, frame.key, node, self._event)
        if frame.key is None:
            frame.key = self._key(node, place)
        elif frame.key.text == "<<" and frame.key.plain:
            frame.merges.append((frame.key, node))
            frame.key = None
        else:
            frame.node.pairs.append((frame.key, node))
            frame.key = None

    def _key(self, node: Node, place: Point | None) -> Scalar:
        if isinstance(node, Scalar):
            return node
        remedy = "quote a value that begins with '{' or '['"
        raise self._problems.fatal(place or node, "a key must be text", remedy)

    def _check_depth(self, place: Node | Point, height: int) -> None:
        if len(self._stack) + height > DEEPEST:
            raise self._problems.fatal(place, *_TOO_DEEP)

    def _refuse_tag(self, event: Any) -> None:
        message = f"the tag '{clean(event.tag)}' has no meaning here"
        self._problems.add(_place(event), message, "remove it; quotes make text of a value")

    def _tell_duplicates(self, mapping: Mapping) -> None:
        pairs = mapping.pairs
        if len({key.text for key, _ in pairs}) == len(pairs):
            return
        first: dict[str, tuple[Scalar, Node]] = {}
        for key, value in pairs:
            before = first.setdefault(key.text, (key, value))
            if before[0] is not key:
                message = f"'{clean(key.text)}' is given twice"
                self._problems.add(key, message, f"the first is on line {before[0].line}: keep one of them")
        mapping.pairs = list(first.values())

    def _merge(self, mapping: Mapping, merges: list[tuple[Scalar, Node]]) -> None:
        """YAML's merge key: what the mapping says itself comes first, then the merged ones in their order."""
        known = {key.text for key, _ in mapping.pairs}
        for merge, value in merges:
            for source in value.items if isinstance(value, Sequence) else [value]:
                if not isinstance(source, Mapping):
                    remedy = "name one with an alias: '<<: *common'"
                    self._problems.add(merge, "'<<' merges mappings, and this is none", remedy)
                    continue
                if self._layout is not None:
                    self._layout.merge(mapping, source)
                mapping.pairs += [pair for pair in source.pairs if pair[0].text not in known]
                known.update(key.text for key, _ in source.pairs)


def _place(event: Any) -> Point:
    start, end = event.start_mark, event.end_mark
    length = end.column - start.column if start.line == end.line else 1
    return Point(start.line + 1, start.column + 1, max(1, length))


def is_null(node: Node) -> bool:
    """Nothing stands there: an empty value, or ``null``."""
    return isinstance(node, Scalar) and node.plain and node.text in {"", "~", "null", "Null", "NULL"}
