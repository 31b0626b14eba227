"""Ids and names harvested from the responses of lists, kept by the collection that they are of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from perfcheck.discover.recorded_secrets import is_secret

_MOST_VALUES = 3  # of one field of one collection
_LONGEST_VALUE = 200
_MOST_FIELDS = 100  # of one row
_LISTS = ("items", "results", "data", "rows", "records", "objects", "content", "value", "features", "entries", "hits")
_KEYS = ("id", "uuid", "key", "name", "slug", "identifier", "code", "")  # "": a list of texts, or the keys of an object
_GENERAL = set(_KEYS)  # without their collection they say nothing
_STEM = re.compile(r"[-_]?(ids?|uuid|names?|key|slug|code|pk)$")


class Harvest:
    """What to fill the parameters of other operations with: ``/things`` lists what ``/things/{thing_id}`` takes."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[str]] = {}  # (path of the collection, field) -> values

    def add(self, path: str, body: Any) -> None:
        """Harvest from the JSON ``body`` of ``path``, with or without values in place of its parameters."""
        collection = path.rstrip("/")
        for row in _rows(body, collection):
            fields = list(row.items())[:_MOST_FIELDS] if isinstance(row, dict) else [("", row)]
            for field, value in fields:
                text = _as_value(value)
                if text is not None:
                    known = self._values.setdefault((collection, str(field).lower()), [])
                    if text not in known and len(known) < _MOST_VALUES:
                        known.append(text)

    def path_values(self, prefix: str, name: str) -> list[str]:
        """Values for the parameter ``name`` that follows ``prefix`` in a path, the likeliest first."""
        return self._of_collection(prefix.rstrip("/"), name.lower()) or self._of_any(name.lower())

    def query_values(self, name: str) -> list[str]:
        """Those of a field that has the very name; a general one, such as ``id``, may be of anything."""
        return [] if name.lower() in _GENERAL else self._named(name.lower())

    def _of_collection(self, prefix: str, name: str) -> list[str]:
        """Those of the rows of the collection itself."""
        parent, _, last = prefix.rpartition("/")
        if last.lower() == name or last.lower() in _KEYS:  # /flows/name/{name}
            return self._values.get((parent, last.lower()), [])
        short = name.removeprefix(singular(last.lower())).lstrip("_-")
        for field in dict.fromkeys((name, short, *_KEYS)):
            if values := self._values.get((prefix, field)):
                return values
        return []

    def _of_any(self, name: str) -> list[str]:
        """Of a field of that name, else of a collection that the parameter is named after: ``{user_id}``."""
        if name not in _GENERAL and (values := self._named(name)):
            return values
        stem = _STEM.sub("", name)
        if not stem:
            return []
        wanted = ("id", "uuid") if re.search(r"(id|uuid|pk)$", name) else ("name", "slug", "key", "code", "id")
        for field in (*wanted, ""):
            for (collection, known), values in self._values.items():
                if known == field and singular(collection.rpartition("/")[2].lower()) == stem:
                    return values
        return []

    def _named(self, name: str) -> list[str]:
        return next((values for (_, field), values in self._values.items() if field == name), [])


def singular(noun: str) -> str:
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun


def _rows(body: Any, collection: str) -> Iterator[Any]:
    """The first rows of a list, wherever in ``body`` it is; a single object is a row itself."""
    if isinstance(body, dict):
        body = body.get("_embedded", body)
    if isinstance(body, dict):
        own = collection.rpartition("/")[2]
        named = next((body[key] for key in (own, *_LISTS) if isinstance(body.get(key), list)), None)
        lists = [value for value in body.values() if isinstance(value, list) and value]
        objects = [value for value in body.values() if isinstance(value, dict)]
        if named is not None:
            body = named
        elif len(lists) == 1 and isinstance(lists[0][0], dict | str):
            yield body
            body = lists[0]
        elif len(objects) == len(body) > 0:  # by key: {"a": {...}, "b": {...}}
            body = [{"": key, **value} for key, value in list(body.items())[:_MOST_VALUES]]
        else:
            body = [body]
    if isinstance(body, list):
        yield from body[:_MOST_VALUES]


def _as_value(value: Any) -> str | None:
    """What may stand in a path: a text or a whole number, and no secret."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    is_usable = 0 < len(text) <= _LONGEST_VALUE and text.isprintable() and not is_secret("", text)
    return text if is_usable else None
