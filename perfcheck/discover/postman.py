"""Postman collections, version 2.0 and 2.1, as Postman, Insomnia and others export them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from perfcheck.discover.foreign_json import Object, as_list, as_object, read_json
from perfcheck.discover.path_segments import is_variable
from perfcheck.discover.seen_request import SeenRequest, below_base_url, operation_by_itself
from perfcheck.errors import UsageError
from perfcheck.model.operation import Discovered, FoundIn, Operation

_HOW = "export the collection from Postman as 'Collection v2.1'"
_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_VALUE = re.compile(r"\A:.|\{\{.*\}\}", re.DOTALL)
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?[^/?#]*", re.IGNORECASE)
_MOST_ITEMS = 50_000
_DEEPEST_VARIABLE = 5  # variables in the values of variables
_LONGEST_VALUE = 10_000


@dataclass(frozen=True, slots=True)
class _Item:
    """A request of the collection, the folder it is in, and the variables that hold there."""

    group: str | None
    request: Object
    variables: Mapping[str, str]


def read_postman(file: str, base_url: str) -> Discovered:
    """The operations of a collection; of any host, since that is most often a variable. Raises UsageError."""
    collection = read_json(file, "a Postman collection", _HOW)
    collection = as_object(as_object(collection).get("collection", collection))  # as Postman's API returns it
    if "requests" in collection and "item" not in collection:
        raise UsageError(f"{file}: a collection of version 1 cannot be read", _HOW)
    if not isinstance(collection.get("item"), list):
        raise UsageError(f"{file}: expected a Postman collection, with 'item' in it", _HOW)
    operations = [operation for item in _items(collection) if (operation := _operation(item)) is not None]
    notes = () if operations else (f"{file}: no request in this collection",)
    return Discovered(tuple(below_base_url(operations, base_url)), notes)


def _items(collection: Object) -> Iterator[_Item]:
    waiting: list[tuple[Any, str | None, Mapping[str, str]]] = [(collection, None, {})]
    for _ in range(_MOST_ITEMS):
        if not waiting:
            return
        value, group, variables = waiting.pop()
        item = as_object(value)
        inside = {**variables, **_values(item.get("variable"))}
        name = item.get("name") if isinstance(item.get("name"), str) and item is not collection else None
        waiting += [
            (each, group or name, inside) for each in reversed(as_list(item.get("item")))
        ]  # the outermost folder
        if isinstance(url := item.get("request"), str | dict):
            yield _Item(group, {"url": url} if isinstance(url, str) else url, inside)


def _values(variables: Any) -> dict[str, str]:
    """Of a list of objects with ``key`` (or ``id``) and ``value``; without those that are disabled."""
    items = (each for each in map(as_object, as_list(variables)) if not each.get("disabled"))
    pairs = ((each.get("key", each.get("id")), each.get("value")) for each in items)
    return {name: str(value) for name, value in pairs if isinstance(name, str) and isinstance(value, str | int | float)}


def _operation(item: _Item) -> Operation | None:
    url = item.request.get("url")
    parts: Object = url if isinstance(url, dict) else {"raw": url}
    raw = _raw(parts)
    host = match[0] if (match := _HOST.match(raw)) else ""  # which may be a variable that has a path in it
    below = _HOST.sub("", _with_values(host, item.variables), count=1).rstrip("/")
    path, _, query = f"{below}{raw[len(host) :]}".partition("#")[0].partition("?")
    in_path = {**item.variables, **_values(parts.get("variable"))}
    method = item.request.get("method")
    seen = SeenRequest(
        method=method.upper() if isinstance(method, str) and method.isalpha() else "GET",
        path=f"/{path.removeprefix('/')}",
        query=tuple(_query(parts.get("query"), query, item.variables)),
        headers=tuple(_headers(item.request.get("header"), item.variables)),
        content=_content(as_object(item.request.get("body")), item.variables),
        group=item.group,
    )
    return operation_by_itself(seen, FoundIn.POSTMAN, lambda text: _in_path(text, in_path))


def _raw(parts: Object) -> str:
    """The address as it is written, else put together from its parts."""
    raw = parts.get("raw")
    if isinstance(raw, str) and raw:
        return raw
    return f"{'.'.join(_texts(parts.get('host')))}/{'/'.join(_texts(parts.get('path')))}"


def _texts(value: Any) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        text = each.get("value") if isinstance(each, dict) else each
        if isinstance(text, str):
            yield text.strip("/")


def _with_values(text: str, variables: Mapping[str, str]) -> str:
    """With the variables of the collection in place; one that it does not have, or that has no end, stays as it is."""
    filled = text
    for _ in range(_DEEPEST_VARIABLE):
        if len(filled) <= _LONGEST_VALUE:
            filled = _VARIABLE.sub(lambda match: variables.get(match[1]) or match[0], filled)
    return filled if len(filled) <= _LONGEST_VALUE else text


def _known(text: str, variables: Mapping[str, str]) -> str | None:
    """None for a value with a variable that is not known, and for what stands for a value: ``<string>``."""
    value = _with_values(text, variables)
    return None if not value or _VARIABLE.search(value) or is_variable(value) else value


def _in_path(text: str, variables: Mapping[str, str]) -> tuple[str | None, str | None] | None:
    """Name and value of a segment with a variable: ``:id``, ``{{id}}``."""
    if not _VALUE.search(text):
        return None
    variable = text[1:] if text[:1] == ":" else match[1] if (match := _VARIABLE.fullmatch(text)) else None
    if variable is None:
        return None, _known(text, variables)
    return re.sub(r"\W", "_", variable), _known(variables.get(variable, ""), variables)


def _query(listed: Any, raw: str, variables: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """The list says which are disabled; without one, what the address has."""
    if isinstance(listed, list):
        pairs = [(name, value) for each in listed for name, value in _values([each]).items()]
    else:
        pairs = parse_qsl(raw, keep_blank_values=True)
    for name, value in pairs:
        yield name, "" if value == "" else _known(value, variables)


def _headers(listed: Any, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, text in _values(listed).items():
        if (value := _known(text, variables)) is not None:
            yield name, value


def _content(body: Object, variables: Mapping[str, str]) -> str | None:
    texts = {"raw": body.get("raw"), "urlencoded": urlencode(_values(body.get("urlencoded")), safe="{}")}
    text = None if body.get("disabled") else texts.get(str(body.get("mode")))
    return _known(text, variables) if isinstance(text, str) else None
