"""Requests that were seen, merged into operations by route: ``/things/7`` and ``/things/9`` are ``/things/{id}``.

A value is found by its looks (numbers, UUIDs, dates, digests), or because there are so many at one place in a path: no
list of words is that long. Memory is bounded, whatever is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from perfcheck.discover.path_segments import is_id, is_slug, split_path, template_of
from perfcheck.discover.seen_request import SeenRequest, operation_of
from perfcheck.model.operation import FoundIn, Operation

Names = tuple[str, ...]
Segments = tuple[str | None, ...]

_MOST_VALUES = 100  # at one place in a path; more are no list of words
_MOST_AT_ROOT = 1000  # where words are more likely than values
_MOST_SLUGS = 20  # of those that look like titles or names
_OWN_SHARE = 0.1  # one with so much of the requests is a route of its own, such as /users/me
_MOST_NODES = 50_000
_MOST_KNOWN = 50_000
_MOST_VARIANTS = 20


@dataclass(slots=True)
class _Variant:
    """The requests of a route that have parameters of the same names in their query."""

    latest: SeenRequest  # what it names is most likely still there
    segments: list[str]
    requests: int = 1


@dataclass(slots=True)
class _Leaf:
    """One method of one route."""

    requests: int = 0
    variants: dict[Names, _Variant] = field(default_factory=dict)

    def add(self, names: Names, variant: _Variant) -> None:
        self.requests += variant.requests
        known = self.variants.get(names)
        if known is not None or len(self.variants) < _MOST_VARIANTS:
            variant.requests += known.requests if known else 0
            self.variants[names] = variant

    def absorb(self, other: _Leaf) -> None:
        rest = other.requests - sum(variant.requests for variant in other.variants.values())
        for names, variant in other.variants.items():
            self.add(names, variant)
        self.requests += rest


@dataclass(slots=True)
class _Node:
    words: dict[str, _Node] = field(default_factory=dict)
    value: _Node | None = None
    leaves: dict[str, _Leaf] = field(default_factory=dict)
    is_open: bool = False  # it had so many words that a new one is a value

    @property
    def requests(self) -> int:
        below = [*self.words.values(), *([self.value] if self.value else [])]
        return sum(leaf.requests for leaf in self.leaves.values()) + sum(node.requests for node in below)

    def absorb(self, other: _Node) -> None:
        for method, leaf in other.leaves.items():
            self.leaves.setdefault(method, _Leaf()).absorb(leaf)
        for word, node in other.words.items():
            self.words.setdefault(word, _Node()).absorb(node)
        if other.value is not None:
            self.value = self.value or _Node()
            self.value.absorb(other.value)
        if len(self.words) > _MOST_VALUES:
            self.generalise(list(self.words))

    def generalise(self, words: Iterable[str]) -> None:
        """Make one value of these words, but for collections and for those with many of the requests."""
        self.is_open = True
        many = max(_OWN_SHARE * self.requests, 2)
        for word in words:
            node = self.words[word]
            if node.value is None and node.requests < many:
                self.value = self.value or _Node()
                self.value.absorb(self.words.pop(word))


class RouteShapes:
    """The operations of the requests that are added."""

    def __init__(self, found_in: FoundIn) -> None:
        self._found_in = found_in
        self._root = _Node()
        self._nodes = 0
        self._known: dict[tuple[str, str], tuple[_Leaf, list[str]]] = {}
        self.left_out = 0  # requests whose paths are no paths, or whose routes are too many

    def add(self, seen: SeenRequest) -> None:
        known = self._known.get((seen.method, seen.path)) or self._placed(seen)
        if known is None:
            self.left_out += 1
            return
        leaf, segments = known
        leaf.add(tuple(sorted({name for name, _ in seen.query})), _Variant(seen, segments))

    def operations(self) -> tuple[Operation, ...]:
        """By the number of requests, most first."""
        found = list(self._walk(self._root, ()))
        return tuple(sorted(found, key=lambda each: (-(each.requests or 0), each.template, each.method)))

    def _placed(self, seen: SeenRequest) -> tuple[_Leaf, list[str]] | None:
        segments = split_path(seen.path)
        node: _Node | None = self._root
        for segment in segments or ():
            node = node and (node.words.get(segment) or self._following(node, segment))
        if segments is None or node is None:
            return None
        known = node.leaves.setdefault(seen.method, _Leaf()), segments
        if len(self._known) < _MOST_KNOWN:
            self._known[seen.method, seen.path] = known
        return known

    def _following(self, node: _Node, segment: str) -> _Node | None:
        is_value = is_id(unquote(segment))
        most = _MOST_AT_ROOT if node is self._root else _MOST_VALUES
        if not (is_value or node.is_open) and len(node.words) >= most:
            node.generalise(list(node.words))
            self._known.clear()  # some of its leaves are part of others by now
        is_value = is_value or node.is_open
        if is_value and node.value is not None:
            return node.value
        if self._nodes >= _MOST_NODES:
            return None
        self._nodes += 1
        new = _Node()
        if is_value:
            node.value = new
        else:
            node.words[segment] = new
        return new

    def _walk(self, node: _Node, above: Segments) -> Iterator[Operation]:
        slugs = [word for word in node.words if is_slug(unquote(word))]
        if len(slugs) > _MOST_SLUGS:
            node.generalise(slugs)
        for leaf in node.leaves.values():
            yield self._operation(leaf, above)
        for word, below in node.words.items():
            yield from self._walk(below, (*above, word))
        if node.value is not None:
            yield from self._walk(node.value, (*above, None))

    def _operation(self, leaf: _Leaf, segments: Segments) -> Operation:
        """As most requests were, or with the fewest parameters of a link; rather one without a secret."""
        are_links = self._found_in is FoundIn.LINK
        order = sorted(
            leaf.variants.items(), key=lambda pair: (0 if are_links else -pair[1].requests, len(pair[0]), pair[0])
        )
        template, names = template_of(segments)
        requests = None if are_links else leaf.requests
        operations = []
        for _, variant in order:
            values = [unquote(each) for each, word in zip(variant.segments, segments, strict=True) if word is None]
            in_path = zip(names, values, strict=True)
            operations.append(operation_of(variant.latest, template, in_path, self._found_in, requests))
        return next((each for each in operations if each.reason is None), operations[0])
