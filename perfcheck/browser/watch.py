"""The requests of a page, as they come and go."""

from __future__ import annotations

import time
from contextlib import suppress

from playwright.sync_api import Error, Page, Request, Response

_QUIET_S = 0.5  # without a request in flight: nothing more is to come
_LONGEST_UNQUIET_S = 5.0  # of pages that never are
_POLL_MS = 25


class PageWatch:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._in_flight: set[Request] = set()
        self.has_ended = False  # it crashed, or its browser did
        self.begin()
        page.on("request", self._started)
        page.on("response", self._answered)
        page.on("requestfinished", self._finished)
        page.on("requestfailed", self._end)
        page.on("load", self._loaded)
        page.on("crash", self._crashed)
        page.on("close", self._crashed)
        session = page.context.new_cdp_session(page)  # Playwright notices another page only once that has begun to load
        session.on("Page.windowOpen", self._opened)
        session.send("Page.enable")

    def begin(self) -> None:
        """What came before no longer counts."""
        self._changed_s = time.monotonic()
        self._ended: list[Request] = []
        self._navigation: Request | None = None  # of the document that was requested last
        self._is_loaded = False
        self.requests = 0
        self.document: Response | None = None
        self.has_opened_another = False

    def _started(self, request: Request) -> None:
        self._in_flight.add(request)
        self.requests += 1
        self._changed_s = time.monotonic()
        if request.is_navigation_request() and request.frame == self._page.main_frame:
            self._navigation = request
            self._is_loaded = False

    def _answered(self, response: Response) -> None:
        if response.request == self._navigation:
            self.document = response

    def _finished(self, request: Request) -> None:
        self._end(request)
        self._ended.append(request)

    def _end(self, request: Request) -> None:
        self._in_flight.discard(request)
        self._changed_s = time.monotonic()

    def _crashed(self, _: Page) -> None:
        self.has_ended = True

    def _loaded(self, _: Page) -> None:
        self._is_loaded = True

    def _opened(self, _: object) -> None:
        self.has_opened_another = True

    @property
    def is_navigating(self) -> bool:
        """Whether a document is to come, or its load event."""
        if self._navigation is None or self.document_error:
            return False
        return self._navigation in self._in_flight or not self._is_loaded

    @property
    def document_error(self) -> str | None:
        """Why the document that was requested last did not arrive, or not to its end."""
        return self._navigation.failure if self._navigation else None

    def wait_until_loaded(self, deadline_s: float) -> None:
        """Until the load event. Playwright's own wait has no end where a document breaks off."""
        while self.is_navigating and not self.has_ended and time.monotonic() < deadline_s:
            self._page.wait_for_timeout(_POLL_MS)

    def wait_until_quiet(self, deadline_s: float) -> None:
        """Until nothing has been in flight for a while; a page that never stops is taken as it is then."""
        self.wait_until_loaded(deadline_s)
        longest_s = min(time.monotonic() + _LONGEST_UNQUIET_S, deadline_s)
        while (now := time.monotonic()) < longest_s and (self._in_flight or now < self._changed_s + _QUIET_S):
            self._page.wait_for_timeout(_POLL_MS)

    def transferred(self) -> int:
        """Bytes of the responses that have ended, headers included."""
        total = 0
        for request in self._ended:
            with suppress(Error):  # of one that nothing was sent for
                sizes = request.sizes()
                total += sizes["responseHeadersSize"] + sizes["responseBodySize"]
        return total
