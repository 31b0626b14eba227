"""Where in the text each part of a tree is written, for changing a value and leaving every other byte as it is.

The tree says what a file means; aliases and merges are followed there, and one node may stand in several places.
This says how it is written. All places are offsets in characters from the beginning of the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from perfcheck.baseline.nodes import Mapping, Node, Scalar, Sequence


@dataclass(frozen=True, slots=True)
class Written:
    """A scalar as it is written: from its anchor, if it has one, to its end."""

    start: int
    end: int
    style: str  # '"', "'", '|', '>', or '' for a plain one
    has_anchor: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One key of a mapping, and its value; ``<<`` too."""

    key: Scalar
    value: Node
    start: int  # of the key
    column: int  # of the key, from 0
    end: int  # of the value; of a collection in block style, somewhere behind it
    on_one_line: bool
    is_empty: bool  # nothing stands there for the value
    alias: bool  # the value is an alias


class Layout:
    """Filled by ``compose``. What it is asked for belongs to the tree that was composed with it."""

    def __init__(self) -> None:
        self._scalars: dict[int, Written] = {}  # by the identity of the node, like all that follow
        self._parts: dict[int, list[Part]] = {}
        self._flow: set[int] = set()
        self._sources: dict[int, list[Mapping]] = {}
        self._keys: dict[int, Any] = {}  # the mark of the key whose value is to come
        self._nodes: list[Node] = []  # keeps them, so that no identity is used again

    # --- Asked -----------------------------------------------------------------------------------------------------

    def written(self, scalar: Scalar) -> Written:
        return self._scalars[id(scalar)]

    def parts(self, mapping: Mapping) -> list[Part]:
        """What the mapping says itself, in its order, without what it merges."""
        return self._parts.get(id(mapping), [])

    def part(self, mapping: Mapping, key: str) -> Part | None:
        return next((part for part in self.parts(mapping) if part.key.text == key), None)

    def is_flow(self, mapping: Mapping) -> bool:
        """Whether it is written in braces."""
        return id(mapping) in self._flow

    def merged(self, mapping: Mapping) -> Iterator[Mapping]:
        """The mappings that it merges, and those that they merge."""
        waiting, seen = [mapping], {id(mapping)}
        while waiting:
            for source in self._sources.get(id(waiting.pop()), []):
                if id(source) not in seen:
                    seen.add(id(source))
                    waiting.append(source)
                    yield source

    # --- Told, by the composer -------------------------------------------------------------------------------------

    def add_scalar(self, node: Scalar, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        self._scalars[id(node)] = Written(start, end, event.style or "", event.anchor is not None)
        self._nodes.append(node)

    def open(self, node: Mapping | Sequence, event: Any) -> None:
        if event.flow_style:
            self._flow.add(id(node))
        self._nodes.append(node)

    def add_part(self, mapping: Mapping, key: Scalar | None, node: Node, event: Any) -> None:
        """``key`` is None for a key, whose value comes next."""
        start, end = event.start_mark, event.end_mark
        if key is None:
            self._keys[id(mapping)] = start
            return
        begun = self._keys[id(mapping)]
        is_alias = isinstance(event, yaml.AliasEvent)
        is_empty = isinstance(node, Scalar) and not is_alias and start.index == end.index
        part = Part(key, node, begun.index, begun.column, end.index, begun.line == end.line, is_empty, is_alias)
        self._parts.setdefault(id(mapping), []).append(part)

    def merge(self, mapping: Mapping, source: Mapping) -> None:
        self._sources.setdefault(id(mapping), []).append(source)
