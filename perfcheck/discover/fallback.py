"""The page that some services return for any path, such as that of a single-page application: it proves no route."""

from __future__ import annotations

from collections.abc import Callable

from perfcheck.model import Endpoint, Fetched, Secret

Fetch = Callable[[Endpoint], Fetched]

_NOWHERE = "/perfcheck-finds-nothing-here"


class FallbackPage:
    """Requested once; most services have none."""

    def __init__(self, fetch: Fetch, headers: tuple[tuple[str, str | Secret], ...]) -> None:
        response = fetch(Endpoint(name=_NOWHERE, path=_NOWHERE, line=0, headers=headers))
        self._body = response.body if response.failure is None else b""

    def is_in(self, response: Fetched) -> bool:
        return bool(self._body) and response.failure is None and response.body == self._body
