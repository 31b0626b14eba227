"""Requests to addresses that others wrote: what cannot be sent is a failure of that request, not of the command."""

from __future__ import annotations

from collections.abc import Callable

from perfcheck.errors import UsageError
from perfcheck.model import Endpoint, Failure, Fetched

Fetch = Callable[[Endpoint], Fetched]


def lenient(fetch: Fetch) -> Fetch:
    """``fetch`` without the UsageError that it raises for what is no URL, or no header."""

    def fetched(endpoint: Endpoint) -> Fetched:
        try:
            return fetch(endpoint)
        except UsageError as error:
            return Fetched(failure=Failure.CONNECT, detail=error.message)

    return fetched
