"""Who uses a value or a mapping of the file: anchors, aliases and merges let one text stand in several places."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from perfcheck.baseline.layout import Layout
from perfcheck.baseline.nodes import Mapping, Node, Scalar, Sequence

EDITABLE = ("target", "ideal")


class Use(NamedTuple):
    """A key of an endpoint; or, with no endpoint, ``key`` says which other part of the file."""

    endpoint: str | None
    key: str

    def __str__(self) -> str:
        return self.key if self.endpoint is None else f"the {self.key} of {self.endpoint}"


class Sharing:
    """Of the tree of a right baseline, composed with ``layout``."""

    def __init__(self, root: Mapping, layout: Layout) -> None:
        self._layout = layout
        self._of_scalar: dict[int, set[Use]] = defaultdict(set)
        self._of_mapping: dict[int, set[str | None]] = defaultdict(set)
        self._seen: set[int] = set()
        self.sections = {key.text: value for key, value in root.pairs}
        self.endpoints = _mappings(self.sections.get("endpoints"))
        self.groups = _mappings(self.sections.get("groups"))
        for name, mapping in self.endpoints.items():
            self._add_endpoint(name, mapping)
        for name, section in self.sections.items():
            if name != "endpoints" and not name.startswith("x-"):
                self._add_elsewhere(section, f"'{name}'")

    def uses(self, scalar: Scalar) -> set[Use]:
        """All places where it is in force, or lies below a key of an endpoint that overrides nothing."""
        return self._of_scalar[id(scalar)]

    def users(self, mapping: Mapping) -> set[str | None]:
        """The endpoints that are this mapping, or merge it; None among them for any other part of the file."""
        return self._of_mapping[id(mapping)]

    def in_force(self, endpoint: str, group: str | None, key: str) -> Scalar | None:
        """The value that the endpoint has, its own or an inherited one."""
        for section in (self.endpoints[endpoint], self.groups.get(group or ""), self.sections.get("defaults")):
            pairs = section.pairs if isinstance(section, Mapping) else []
            found = next((value for name, value in pairs if name.text == key), None)
            if isinstance(found, Scalar):
                return found
        return None

    def _add_endpoint(self, name: str, mapping: Mapping) -> None:
        for used in (mapping, *self._layout.merged(mapping)):
            self._of_mapping[id(used)].add(name)
        for key, value in mapping.pairs:
            if key.text in EDITABLE:
                self._of_scalar[id(value)].add(Use(name, key.text))
            else:
                self._add_elsewhere(value, f"'{key.text}' of {name}")

    def _add_elsewhere(self, node: Node, where: str) -> None:
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if id(node) in self._seen:
                continue
            self._seen.add(id(node))
            if isinstance(node, Scalar):
                self._of_scalar[id(node)].add(Use(None, where))
            elif isinstance(node, Sequence):
                waiting += node.items
            else:
                for used in (node, *self._layout.merged(node)):
                    self._of_mapping[id(used)].add(None)
                waiting += [part for pair in node.pairs for part in pair]


def _mappings(section: Node | None) -> dict[str, Mapping]:
    pairs = section.pairs if isinstance(section, Mapping) else []
    return {key.text: value for key, value in pairs if isinstance(value, Mapping)}
