"""The operations of a document under the prefix that the service has them under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from urllib.parse import urlsplit

from perfcheck.discover.actions import action_word
from perfcheck.discover.foreign_json import as_object
from perfcheck.discover.lenient import Fetch
from perfcheck.discover.openapi.documents import OpenApiDocument
from perfcheck.discover.openapi.operations import read_openapi
from perfcheck.discover.openapi.prefixes import prefixes
from perfcheck.model import Endpoint, Fetched, Service
from perfcheck.model.operation import Operation

_MOST_PROBES = 5  # of one prefix
_MOST_PREFIXES = 20  # of those that the document states
_USUAL = ("/api", "/api/v1", "/v1")  # of a document at the root that knows nothing of them
_TIMEOUT_S = 5.0
_NOT_FOUND = 404


def located_operations(
    documents: Iterable[OpenApiDocument], service: Service, fetch: Fetch
) -> Iterator[list[Operation]]:
    """Of each document; one that is at several paths, as that of a mounted application is, counts once.

    Under the prefix for which the most of a few requests find something; under the stated one where none does.
    """
    base_path = urlsplit(service.base_url).path
    copies: dict[tuple[str, ...], list[OpenApiDocument]] = {}
    for document in documents:
        copies.setdefault(tuple(as_object(document.content.get("paths"))), []).append(document)
    for same in copies.values():
        each_stated = [prefixes(each.content, location=each.path or "/", base_path=base_path) for each in same]
        stated = list(dict.fromkeys(chain(*each_stated)))[:_MOST_PREFIXES]
        operations = read_openapi(same[0].content, "")
        prefix = _best_prefix(list(dict.fromkeys((*stated, *_USUAL))), _probes(operations), service, fetch)
        yield [replace(each, template=f"{prefix}{each.template}") for each in operations]


def _best_prefix(candidates: Sequence[str], paths: Sequence[str], service: Service, fetch: Fetch) -> str:
    best, most_found = candidates[0], 0
    for prefix in candidates:
        probes = [f"{prefix}{path}" for path in paths if action_word(f"{prefix}{path}") is None]
        found = sum(_is_found(fetch(_endpoint(path, service))) for path in probes)
        if found > most_found:
            best, most_found = prefix, found
        if found == len(probes):
            break
    return best


def _probes(operations: list[Operation]) -> list[str]:
    plain = (
        operation.template
        for operation in operations
        if operation.method == "GET"
        and operation.reason is None
        and not any(parameter.required for parameter in operation.parameters)
        and action_word(operation.template) is None
    )
    return list(dict.fromkeys(plain))[:_MOST_PROBES]


def _endpoint(path: str, service: Service) -> Endpoint:
    return Endpoint(path, path, 0, headers=service.headers, timeout_s=_TIMEOUT_S)


def _is_found(response: Fetched) -> bool:
    """A page may be what a single-page application returns for any path."""
    return response.status not in {None, _NOT_FOUND} and "html" not in response.content_type
