"""The operations of a document under the prefix at which the service really has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from urllib.parse import urlsplit

from perfcheck.discover.actions import action_word
from perfcheck.discover.fallback import FallbackPage, Fetch
from perfcheck.discover.openapi.documents import OpenApiDocument
from perfcheck.discover.openapi.operations import read_openapi
from perfcheck.discover.openapi.prefixes import prefixes
from perfcheck.discover.openapi.references import Object, as_object
from perfcheck.model import Endpoint, Fetched, Service
from perfcheck.model.operation import Operation

_MOST_TRIED = 3  # operations, under each prefix
_TIMEOUT_S = 5.0
_NO_SUCH_PATH = {404, 405}


def mounted_operations(
    documents: Iterable[OpenApiDocument], service: Service, fetch: Fetch, fallback: FallbackPage
) -> Iterator[list[Operation]]:
    """Of each document; one that is found at several paths, as that of a mounted application is, counts once."""
    base_path = urlsplit(service.base_url).path
    copies: dict[tuple[str, ...], list[OpenApiDocument]] = {}
    for document in documents:
        copies.setdefault(tuple(as_object(document.content.get("paths"))), []).append(document)
    for same in copies.values():
        ranked = [prefixes(each.content, location=each.path, base_path=base_path) for each in same]
        yield _under_the_right(same[0].content, dict.fromkeys(chain(*ranked)), service, fetch, fallback)


def _under_the_right(
    content: Object, candidates: Iterable[str], service: Service, fetch: Fetch, fallback: FallbackPage
) -> list[Operation]:
    """Those of the first prefix under which one of them responds; of the one that the document states, if none does."""
    found = [read_openapi(content, prefix) for prefix in candidates]
    if len(found) == 1:
        return found[0]
    responded: list[Operation] | None = None
    for operations in found:
        for operation in islice(_simple(operations), _MOST_TRIED):
            path = operation.template
            response = fetch(Endpoint(path, path, line=0, headers=service.headers, timeout_s=_TIMEOUT_S))
            if _is_answer(response) and not fallback.is_in(response):
                return operations
            if response.status is not None and response.status not in _NO_SUCH_PATH:
                responded = responded or operations
    return responded or found[0]


def _simple(operations: list[Operation]) -> Iterator[Operation]:
    for operation in operations:
        needs_values = any(each.required for each in operation.parameters)
        is_read = operation.method == "GET" and operation.reason is None
        if is_read and not needs_values and not action_word(operation.template):
            yield operation


def _is_answer(response: Fetched) -> bool:
    """Any page may be returned where no route is, by a front end; hardly JSON."""
    return response.failure is None and "html" not in response.content_type
