"""Headers that the service gets, and nobody else."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page


class OwnHeaders:
    """Those of the requests of a page to ``origin``. Playwright's own routes would turn the cache off."""

    def __init__(self, context: BrowserContext, page: Page, origin: str) -> None:
        self._session = context.new_cdp_session(page)
        self._pattern = f"{origin}/*"
        self._headers: dict[str, str] = {}
        self._session.on("Fetch.requestPaused", self._continue)

    def set(self, headers: dict[str, str]) -> None:
        """Of the requests from now on."""
        if headers and not self._headers:
            self._session.send("Fetch.enable", {"patterns": [{"urlPattern": self._pattern}]})
        self._headers = headers

    def _continue(self, event: dict[str, Any]) -> None:
        names = {name.lower() for name in self._headers}
        kept = {name: text for name, text in event["request"]["headers"].items() if name.lower() not in names}
        headers = [{"name": name, "value": text} for name, text in {**kept, **self._headers}.items()]
        with suppress(Error):  # of a page that has been closed
            self._session.send("Fetch.continueRequest", {"requestId": event["requestId"], "headers": headers})
