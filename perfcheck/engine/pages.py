"""A browser for the endpoints that are pages, while they are measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perfcheck.client.client import Client
from perfcheck.client.http_client import HttpClient
from perfcheck.errors import UsageError
from perfcheck.model import Baseline, Endpoint
from perfcheck.text import Redactor


@contextmanager
def browser_for(
    endpoints: Sequence[Endpoint],
    clients: Sequence[HttpClient[Any]],
    baselines: Sequence[Baseline],
    redact: Redactor,
    *,
    keep_in: Path | None = None,
) -> Iterator[None]:
    """Give the clients, which share a loop, a browser if they need one; it ends here.

    ``keep_in`` as of PageLoader. Raises UsageError without one, CouldNotMeasureError where it does not start.
    """
    pages = [endpoint for endpoint in endpoints if endpoint.is_page]
    if not pages:
        yield
        return
    if not all(isinstance(client, Client) for client in clients):
        message = f"'{pages[0].name}' is a page, which a browser loads from a service on the network"
        raise UsageError(message, "check it with 'perfcheck run', or leave it out here")
    from perfcheck.browser.loader import PageLoader

    services = [baseline.service for baseline in baselines]
    with PageLoader(services, redact, clients[0].loop, keep_in=keep_in) as loader:
        for client in clients:
            client.pages = loader
        yield
