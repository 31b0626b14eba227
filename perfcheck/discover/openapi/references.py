"""The ``$ref`` of an OpenAPI document, followed where it is needed and no earlier: documents refer in circles."""

from __future__ import annotations

from urllib.parse import unquote

from perfcheck.discover.foreign_json import Object, as_object

_LONGEST_CHAIN = 20  # of references to references; a circle ends here


class References:
    """``elsewhere`` collects the references to other documents, which are not followed."""

    def __init__(self, document: object) -> None:
        self._document = document
        self.elsewhere: list[str] = []

    def resolve(self, node: object) -> object:
        """``node``, or what its reference leads to; None where that is nothing, a circle or another document."""
        for _ in range(_LONGEST_CHAIN):
            reference = node.get("$ref") if isinstance(node, dict) else None
            if not isinstance(reference, str):
                return node
            if not reference.startswith("#"):
                self.elsewhere.append(reference)
                return None
            node = self._at(reference[1:])
        return None

    def object_at(self, node: object) -> Object:
        """As ``resolve``; an empty object for anything else."""
        return as_object(self.resolve(node))

    def _at(self, pointer: str) -> object:
        """What a JSON pointer in a fragment leads to (RFC 6901, section 6)."""
        node = self._document
        for part in pointer.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict):
                node = node.get(key)
            elif isinstance(node, list) and key.isdecimal() and key.isascii():
                node = node[int(key)] if len(key) < 10 and int(key) < len(node) else None  # noqa: PLR2004 - no huge number
            else:
                return None
        return node
