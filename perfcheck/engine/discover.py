"""Which operations a service has, from every source there is, and which of them can be measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from perfcheck.client.client import Client
from perfcheck.client.monitor_api import DEFAULT_PATH, read_monitor
from perfcheck.discover.lenient import lenient
from perfcheck.discover.links import crawl
from perfcheck.discover.merge import merge
from perfcheck.discover.openapi.documents import OpenApiDocument, find_documents, named_documents
from perfcheck.discover.openapi.located import located_operations
from perfcheck.discover.path_segments import path_below
from perfcheck.discover.routes import monitored_operations
from perfcheck.discover.survey import survey
from perfcheck.model import Service
from perfcheck.model.operation import Discovered, Operation, Survey
from perfcheck.text import Redactor

_THRESHOLD_MS = 500.0


@dataclass(frozen=True, slots=True)
class Discovery:
    """``operations`` are all that were found; each is in ``survey``."""

    operations: tuple[Operation, ...]
    survey: Survey
    notes: tuple[str, ...] = ()  # what could not be read
    monitor: str | None = None  # path of the monitor's API, where there is one
    openapi: str | None = None  # path of the OpenAPI document that was found on the service


def discover(
    service: Service,
    client: Client,
    redact: Redactor,
    *,
    known: Collection[Discovered] = (),
    openapi: str | None = None,
    allowed: Collection[str] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Discovery:
    """Find the operations of a running ``service``, and send one request to each that is safe to repeat.

    ``known`` are those that files have which the user named; ``openapi`` a file, a URL, or a path of the service, by
    default ``service.openapi`` or the usual paths. The service is searched for more: its monitor, its document, its
    links. ``allowed`` as of ``survey``. ``progress`` is called with what is being done. Raises UsageError and
    CouldNotMeasureError for an ``openapi`` that cannot be read.
    """
    fetch = lenient(client.fetch)
    progress("reading the monitor")
    monitored = _monitored(service, client, redact)
    progress("looking for an OpenAPI document")
    source = openapi or service.openapi
    documents = named_documents(source, service, redact) if source else find_documents(service, redact)
    described = located_operations(documents, service, fetch)
    progress("following links")
    linked = crawl(fetch, service.base_url, headers=service.headers)
    discovered = (*([monitored] if monitored else []), *(Discovered(tuple(each)) for each in described), *known, linked)
    operations = merge(_without_documents(discovered, documents, service))
    found = survey(
        operations,
        service,
        fetch,
        allowed=allowed,
        progress=lambda done, total: progress(f"trying operation {done} of {total}"),
    )
    return Discovery(
        tuple(operations),
        found,
        notes=tuple(note for each in discovered for note in each.notes),
        monitor=(service.monitor or DEFAULT_PATH) if monitored else None,
        openapi=next(filter(None, (each.below(service) for each in documents)), None),
    )


def _monitored(service: Service, client: Client, redact: Redactor) -> Discovered | None:
    """By the monitor of the service, if it has one."""
    path = service.monitor or DEFAULT_PATH
    reading = read_monitor(
        replace(service, monitor=path),
        client.fetch,
        threshold_ms=_THRESHOLD_MS,
        redact=redact,
        shown=client.url_shown,
        routes=True,
    )
    return monitored_operations(reading, service.base_url, path) if reading.alive else None


def _without_documents(
    discovered: Collection[Discovered], documents: Collection[OpenApiDocument], service: Service
) -> Iterator[Operation]:
    """Without the documents themselves: nobody's users wait for those."""
    base_path = urlsplit(service.base_url).path
    paths = {path_below(base_path, each.path.partition("?")[0]) for each in documents if each.path}
    return (each for found in discovered for each in found.operations if each.template not in paths)
