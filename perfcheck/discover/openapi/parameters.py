"""The parameters of an operation, each as it is sent: name and text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from perfcheck.discover.foreign_json import Object, as_list, as_object
from perfcheck.discover.openapi.references import References
from perfcheck.discover.openapi.schema_values import SchemaValue, SchemaValues
from perfcheck.discover.recorded_secrets import HEADER_NAME
from perfcheck.model.operation import Basis, Parameter, ParameterLocation

_MOST_PARAMETERS = 500  # of one operation
_LONGEST_TEXT = 2000  # of a parameter, which is a part of an address
_LOCATIONS = {location.value: location for location in ParameterLocation}
_CREDENTIALS = re.compile(r"(?i)authorization|cookie|api[-_]?key|token|secret|password|session")
_NEGOTIATION = {"accept", "content-type"}
_DELIMITERS = {
    "csv": ",",
    "ssv": " ",
    "tsv": "\t",
    "pipes": "|",
    "form": ",",
    "spaceDelimited": " ",
    "pipeDelimited": "|",
}


class ParameterReader:
    def __init__(self, references: References) -> None:
        self._references = references
        self._values = SchemaValues(references)

    def nodes(self, path_item: Object, operation: Object) -> list[Object]:
        """The parameters of the path item, and of the operation in their place."""
        parameters = [*as_list(path_item.get("parameters")), *as_list(operation.get("parameters"))]
        nodes = map(self._references.object_at, parameters[:_MOST_PARAMETERS])
        named = (node for node in nodes if isinstance(node.get("name"), str) and isinstance(node.get("in"), str))
        return list({(node["in"], node["name"]): node for node in named}.values())

    def read(self, nodes: Iterable[Object]) -> Iterator[Parameter]:
        """Those in path, query and header, without any whose name cannot be sent.

        Cookies and other credentials are the service's own, in the baseline: one that is made up would replace them.
        """
        for node in nodes:
            location = _LOCATIONS.get(node["in"])
            if node["in"] == "querystring":
                yield from self._query_string(node)
            elif location is ParameterLocation.HEADER:
                if HEADER_NAME.fullmatch(node["name"]) and not _CREDENTIALS.search(node["name"]):
                    yield from self._as_sent(node, location)
            elif location and node["name"].isprintable():
                yield from self._as_sent(node, location)

    def _value(self, node: Object) -> SchemaValue | None:
        """Of a parameter with a schema (version 3), with a media type instead, or that is the schema (version 2)."""
        media_type = next(iter(as_object(node.get("content")).values()), None)
        for owner in (node, self._references.object_at(media_type)):
            if value := self._values.stated(owner):
                return value
            if "schema" in owner:
                return self._values.of_schema(owner["schema"])
        return None if media_type is not None else self._values.of_schema(node)

    def _as_sent(self, node: Object, location: ParameterLocation) -> Iterator[Parameter]:
        name = node["name"]
        is_path, is_header = location is ParameterLocation.PATH, location is ParameterLocation.HEADER
        required = is_path or node.get("required") is True
        value = self._value(node)
        if is_header and name.lower() in _NEGOTIATION and (value is None or value.basis is Basis.GUESS):
            return  # what is not meant is refused
        if value is None:
            yield Parameter(name, location, required)
            return
        pairs = [(name, _text(value.value))] if "content" in node else _pairs(name, value.value, node, location)
        for sent_name, text in pairs:
            known = text.strip() if text and is_header else text
            known = known or (None if is_path else known)  # an empty segment is another path
            yield Parameter(sent_name, location, required, known, value.basis)

    def _query_string(self, node: Object) -> Iterator[Parameter]:
        """All of the query in one (version 3.2)."""
        if value := self._value(node):
            for name, item in as_object(value.value).items():
                yield Parameter(name, ParameterLocation.QUERY, node.get("required") is True, _text(item), value.basis)


def _pairs(name: str, value: object, node: Object, location: ParameterLocation) -> list[tuple[str, str | None]]:
    """An object in a query may be several parameters, and a list as many as it has items, of which one is enough."""
    style = str(node.get("style", node.get("collectionFormat", "form" if "schema" in node else "csv")))
    explodes = node.get("explode", style in {"form", "multi"})
    is_query = location is ParameterLocation.QUERY
    if isinstance(value, dict):
        if is_query and style == "deepObject":
            return [(f"{name}[{key}]", _text(item)) for key, item in value.items()]
        if is_query and explodes:
            return [(key, _text(item)) for key, item in value.items()]
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, list):
        texts = [_text(item) for item in value]
        if is_query and explodes:
            return [(name, text) for text in texts[:1]]
        return [(name, None if None in texts else _text(_DELIMITERS.get(style, ",").join(filter(None, texts))))]
    return [(name, _text(value))]


def _text(value: object) -> str | None:
    """As it is sent, before it is encoded; None for what no address can have."""
    text = value if isinstance(value, str) else json_text(value)
    if text is None or len(text) > _LONGEST_TEXT or not text.isprintable():
        return None
    return text


def json_text(value: object) -> str | None:
    """None for what is nested too deep, or not a number."""
    try:
        return json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return None
