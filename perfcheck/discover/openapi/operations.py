"""An OpenAPI document, of version 2.0 to 3.2, as operations.

Documents of the world are rarely right in every line: what makes no sense is ignored, and nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice, zip_longest
from urllib.parse import parse_qsl

from perfcheck.discover.foreign_json import Object, as_list, as_object
from perfcheck.discover.openapi.bodies import Bodies
from perfcheck.discover.openapi.parameters import ParameterReader
from perfcheck.discover.openapi.prefixes import encoded, prefixes
from perfcheck.discover.openapi.references import References
from perfcheck.model.operation import PARAMETER, Basis, FoundIn, Operation, Parameter, ParameterLocation
from perfcheck.text import clean
from perfcheck.words import and_more

_METHODS = ("get", "head", "query", "options", "trace", "post", "put", "patch", "delete")
_RARELY_WITH_BODY = {"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"}
# {id}, and as routers write it: {id:[0-9]+}, {path*}
_PLACEHOLDER = re.compile(r"\{[+/.;]?([^{}:*+?/]+)[^{}]*\}")
_LONGEST_NAME = 100
_MOST_NAMED = 3
_MOST_OPERATIONS = 50_000


def read_openapi(document: object, prefix: str | None = None) -> list[Operation]:
    """All operations of all methods, in the order of the document.

    ``prefix`` is in front of their paths, in place of the one that the document states: one of ``prefixes``.
    """
    return list(islice(_Reader(as_object(document), prefix).operations(), _MOST_OPERATIONS))


class _Reader:
    def __init__(self, document: Object, prefix: str | None) -> None:
        self._document = document
        self._prefix = prefixes(document)[0] if prefix is None else prefix
        self._references = References(document)
        self._parameters = ParameterReader(self._references)
        self._bodies = Bodies(document, self._references)

    def operations(self) -> Iterator[Operation]:
        for path, node in as_object(self._document.get("paths")).items():
            if path.startswith("x-"):
                continue
            self._references.elsewhere.clear()
            item = {**self._references.object_at(node), **as_object(node)}
            if self._references.elsewhere:
                yield self._operation("GET", path, {}, {})
            for method, described in _methods(item):
                self._references.elsewhere.clear()
                yield self._operation(method, path, item, self._references.object_at(described))

    def _operation(self, method: str, path: str, item: Object, operation: Object) -> Operation:
        template, fixed = _template(path)
        nodes = self._parameters.nodes(item, operation)
        parameters = (*fixed, *_in_template(template, self._parameters.read(nodes)))
        body = self._bodies.of_request(operation, nodes)
        accepted = self._bodies.accepted(operation)
        has_body = body.content is not None and (body.is_required or method not in _RARELY_WITH_BODY)
        return Operation(
            method=method,
            template=self._prefix + template,
            found_in=(FoundIn.OPENAPI,),
            group=next(
                (clean(tag, _LONGEST_NAME) for tag in as_list(operation.get("tags")) if isinstance(tag, str)), None
            ),
            parameters=parameters,
            headers=(
                *([("Accept", accepted)] if accepted else []),
                *([("Content-Type", body.media_type)] if has_body and body.media_type else []),
            ),
            content=body.content if has_body else None,
            reason=self._reason(operation, parameters, lacks_body=body.is_required and not has_body),
        )

    def _reason(self, operation: Object, parameters: tuple[Parameter, ...], *, lacks_body: bool) -> str | None:
        elsewhere = [clean(reference) for reference in dict.fromkeys(self._references.elsewhere)]
        if operation.get("deprecated") is True:
            return "deprecated"
        if self._bodies.is_stream(operation):
            return "a stream"
        lacks_value = any(parameter.required and parameter.value is None for parameter in parameters)
        if elsewhere and (lacks_body or lacks_value or not operation):
            return f"described in another document: {and_more(elsewhere, _MOST_NAMED)}"
        return "needs a body" if lacks_body else None


def _methods(item: Object) -> Iterator[tuple[str, Object]]:
    named = {method: item[method] for method in _METHODS if method in item}
    for method, operation in {**named, **as_object(item.get("additionalOperations"))}.items():
        if isinstance(operation, dict) and method.isascii() and method.isalpha():
            yield method.upper(), operation


def _template(path: str) -> tuple[str, list[Parameter]]:
    """The path with plain placeholders, and what of a query is written in it."""
    bare, _, query = path.partition("#")[0].partition("?")
    literals = _PLACEHOLDER.split(bare)[::2]
    names = [f"{{{clean(name)}}}" for name in _PLACEHOLDER.findall(bare)]
    template = "".join(chain(*zip_longest(map(encoded, literals), names, fillvalue="")))
    pairs = parse_qsl(query, keep_blank_values=True) if "{" not in query else []
    fixed = [Parameter(name, ParameterLocation.QUERY, value=value, basis=Basis.ENUM) for name, value in pairs]
    return f"/{template.lstrip('/')}", fixed


def _in_template(template: str, parameters: Iterable[Parameter]) -> Iterator[Parameter]:
    """Those of the path as the template has them, declared or not; and all others."""
    by_name = {}
    for parameter in parameters:
        if parameter.location is ParameterLocation.PATH:
            by_name[parameter.name] = parameter
        else:
            yield parameter
    for name in dict.fromkeys(PARAMETER.findall(template)):
        yield by_name.get(name) or Parameter(name, ParameterLocation.PATH, value="1")
