"""Which operations a service has, from every source there is, and which of them can be measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from perfcheck.client.client import Client
from perfcheck.discover.merge import merge
from perfcheck.discover.survey import survey
from perfcheck.model import Service
from perfcheck.model.operation import Operation, Survey


@dataclass(frozen=True, slots=True)
class Discovery:
    """``operations`` are all that were found; each is in ``survey``, but those that every framework adds to a route."""

    operations: tuple[Operation, ...]
    survey: Survey


def discover(
    service: Service,
    client: Client,
    operations: Iterable[Operation] = (),
    *,
    allowed: Collection[str] = (),
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Discovery:
    """Find the operations of a running ``service``, and send one request to each that is safe to repeat.

    ``operations`` are those that are known already, from files that the user named. The service itself is searched for
    more: its monitor, its OpenAPI document, its links. ``allowed`` and ``progress`` as of ``survey``.
    """
    found = merge(operations)
    return Discovery(tuple(found), survey(found, service, client.fetch, allowed=allowed, progress=progress))
