"""The process that drives the browser: ``python -m perfcheck.browser.worker DESCRIPTOR PROGRAM [ARGUMENT...]``.

Visits arrive as lines of JSON on a socket, and what came of each is sent back. It ends with the socket. ``PROGRAM`` is
that of the browser, "" for the one that Playwright installed.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, Request, Response, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from perfcheck.browser.visit import Visit, Visited, VisitedStep, VisitStep
from perfcheck.model import Failure

_FIGURES = Path(__file__).with_name("figures.js").read_text(encoding="utf-8")
_NOTE_CLICK = "addEventListener('click', (event) => { window.perfcheckClick = event.timeStamp }, {capture: true})"
_QUIET_S = 0.5  # without a request in flight: nothing more is to come
_LONGEST_UNQUIET_S = 5.0  # of pages that never are
_POLL_MS = 25
_ARGUMENTS = ("--disable-quic", "--no-first-run", "--disable-component-update", "--disable-sync")
# How Chromium calls what the client of requests calls otherwise (net/base/net_error_list.h).
_FAILURES = {
    "ERR_CONNECTION_REFUSED": Failure.REFUSED,
    "ERR_CONNECTION_RESET": Failure.RESET,
    "ERR_CONNECTION_CLOSED": Failure.RESET,
    "ERR_EMPTY_RESPONSE": Failure.RESET,
    "ERR_SOCKET_NOT_CONNECTED": Failure.RESET,
    "ERR_NAME_NOT_RESOLVED": Failure.NAME,
    "ERR_CERT": Failure.TLS,
    "ERR_SSL": Failure.TLS,
    "ERR_TOO_MANY_REDIRECTS": Failure.REDIRECTS,
    "ERR_CONTENT_LENGTH_MISMATCH": Failure.TRUNCATED,
    "ERR_INCOMPLETE_CHUNKED_ENCODING": Failure.TRUNCATED,
    "ERR_CONTENT_DECODING_FAILED": Failure.DECODING,
    "ERR_CONNECTION_TIMED_OUT": Failure.TIMEOUT,
    "ERR_TIMED_OUT": Failure.TIMEOUT,
    "ERR_ADDRESS_UNREACHABLE": Failure.CONNECT,
    "ERR_": Failure.PROTOCOL,
}


class _StepFailedError(Exception):
    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


class _Watch:
    """The requests of a page, as they come and go."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._in_flight: set[Request] = set()
        self.begin()
        page.on("request", self._started)
        page.on("response", self._answered)
        page.on("requestfinished", self._finished)
        page.on("requestfailed", self._failed)

    def begin(self) -> None:
        """What came before no longer counts."""
        self._changed_s = time.monotonic()
        self._ended: list[Request] = []
        self.requests = 0
        self.document: Response | None = None
        self.document_error: str | None = None

    def _started(self, request: Request) -> None:
        self._in_flight.add(request)
        self.requests += 1
        self._changed_s = time.monotonic()

    def _answered(self, response: Response) -> None:
        if self._is_document(response.request):
            self.document = response

    def _finished(self, request: Request) -> None:
        self._end(request)
        self._ended.append(request)

    def _failed(self, request: Request) -> None:
        self._end(request)
        if self._is_document(request):
            self.document_error = request.failure

    def _end(self, request: Request) -> None:
        self._in_flight.discard(request)
        self._changed_s = time.monotonic()

    def _is_document(self, request: Request) -> bool:
        return request.is_navigation_request() and request.frame == self._page.main_frame

    def wait_until_quiet(self, deadline_s: float) -> None:
        """Until nothing has been in flight for a while; a page that never stops is taken as it is."""
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


class _StepRun:
    """One step on a page: ``run`` does it, and finds out what came of it."""

    def __init__(self, page: Page, watch: _Watch, step: VisitStep) -> None:
        self._page = page
        self._watch = watch
        self._step = step
        self._began_s = time.monotonic()
        self._deadline_s = self._began_s + step.timeout_s

    def run(self) -> VisitedStep:
        figures: dict[str, Any] = {"figures": {}, "blocking": []}
        failure, detail = None, None
        try:
            figures = self._figures(*self._act())
        except _StepFailedError as error:
            failure, detail = error.failure, error.detail
        except PlaywrightTimeoutError:
            failure, detail = Failure.TIMEOUT, f"not loaded within {self._step.timeout_s:g} s"
        except Error as error:
            failure, detail = _failure_of(error.message)
        document = self._watch.document
        return VisitedStep(
            status=document.status if document else None,
            server_timing=document.headers.get("server-timing") if document else None,
            figures={name: value for name, value in figures["figures"].items() if value is not None},
            blocking=tuple(map(tuple, figures["blocking"])),
            failure=failure,
            detail=detail,
            took_s=time.monotonic() - self._began_s,
        )

    @property
    def _left_ms(self) -> float:
        return max(1000 * (self._deadline_s - time.monotonic()), 1.0)  # 0 is no limit

    def _act(self) -> tuple[float, float | None]:
        """When its figures begin, after a click that loaded no document; and when ``until`` was visible."""
        page, step, since_ms = self._page, self._step, 0.0
        self._watch.begin()
        if step.url is not None:
            page.goto(step.url, wait_until="load", timeout=self._left_ms)
        for selector, text in step.fill:
            with self._finding(selector):
                page.fill(selector, text, timeout=self._left_ms)
        if step.click is not None:
            since_ms = self._click(step.click)
        self._check_document()
        visible_ms = None
        if step.until is not None:
            with self._finding(step.until):
                page.wait_for_selector(step.until, state="visible", timeout=self._left_ms)
            visible_ms = page.evaluate("performance.now()")
            self._watch.wait_until_quiet(self._deadline_s)
        return since_ms, visible_ms

    def _click(self, selector: str) -> float:
        """Click, and wait for what that leads to. The time of the click where that is no document, else 0."""
        page = self._page
        if self._step.url is not None:
            self._watch.wait_until_quiet(self._deadline_s)
            self._check_document()
        origin = page.evaluate(f"{_NOTE_CLICK}; performance.timeOrigin")
        self._watch.begin()
        with self._finding(selector):
            page.click(selector, timeout=self._left_ms)
        self._watch.wait_until_quiet(self._deadline_s)
        page.wait_for_load_state("load", timeout=self._left_ms)
        clicked_ms, now = page.evaluate("[window.perfcheckClick ?? 0, performance.timeOrigin]")
        return float(clicked_ms) if now == origin else 0.0

    def _check_document(self) -> None:
        """Raises _StepFailedError."""
        if self._watch.document_error and (self._watch.document is None or self._page.url.startswith("chrome-error")):
            raise _StepFailedError(*_failure_of(self._watch.document_error))
        status = self._watch.document.status if self._watch.document else None
        if status is not None and not any(low <= status <= high for low, high in self._step.expect):
            raise _StepFailedError(Failure.STATUS, f"status {status}")

    def _figures(self, since_ms: float, visible_ms: float | None) -> dict[str, Any]:
        self._watch.wait_until_quiet(self._deadline_s)
        ends_ms = visible_ms if since_ms else None
        found: dict[str, Any] = self._page.evaluate(_FIGURES, {"since": since_ms, "ends": ends_ms})
        found["figures"] |= {"bytes": self._watch.transferred(), "requests": self._watch.requests}
        return found

    @contextmanager
    def _finding(self, selector: str) -> Iterator[None]:
        """An element that does not come is a wrong answer."""
        try:
            yield
        except PlaywrightTimeoutError:
            detail = f"no visible element for '{selector}' within {self._step.timeout_s:g} s"
            raise _StepFailedError(Failure.WRONG_ANSWER, detail) from None


class _Visitor:
    """Makes visits, each in a context of its own. A browser that has ended is started anew."""

    def __init__(self, playwright: Playwright, program: str, arguments: Sequence[str]) -> None:
        self._chromium = playwright.chromium
        self._program = program or None
        self._arguments = [*_ARGUMENTS, *arguments]
        self._browser: Browser | None = None

    def start(self) -> Browser:
        """Raises Error."""
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._chromium.launch(executable_path=self._program, args=self._arguments)
        return self._browser

    def visit(self, visit: Visit) -> Visited:
        try:
            with self._context(visit) as context:
                if visit.is_warm:
                    self._load(context, visit, files=None)
                    context.clear_cookies()
                    _add_cookies(context, visit)
                return Visited(self._load(context, visit, files=visit.files))
        except Error as error:
            failure, detail = _failure_of(error.message)
            return Visited((VisitedStep(failure=failure, detail=detail),))

    @contextmanager
    def _context(self, visit: Visit) -> Iterator[BrowserContext]:
        """Raises Error."""
        user, password = visit.credentials or ("", "")
        login = {"username": user, "password": password, "origin": visit.origin}
        context = self.start().new_context(
            ignore_https_errors=not visit.verifies_tls,
            http_credentials=login if user else None,  # type: ignore[arg-type]
            record_har_path=f"{visit.files}.har" if visit.files else None,
            record_har_content="omit",
        )
        try:
            _add_cookies(context, visit)
            yield context
        finally:
            with suppress(Error):  # of a browser that has crashed
                context.close()

    def _load(self, context: BrowserContext, visit: Visit, *, files: str | None) -> tuple[VisitedStep, ...]:
        """The steps up to the first that fails. Raises Error."""
        page, results = context.new_page(), []
        if visit.headers:
            _send_headers(context, page, visit)
        watch = _Watch(page)
        for step in visit.steps:
            results.append(_StepRun(page, watch, step).run())
            if results[-1].failure:
                break
            page.wait_for_timeout(1000 * step.think_s)
        if files:
            with suppress(Error):
                page.screenshot(path=f"{files}.png")
        with suppress(Error):
            page.close()
        return tuple(results)


def _add_cookies(context: BrowserContext, visit: Visit) -> None:
    cookies = [{"name": name, "value": value, "url": visit.origin} for name, value in visit.cookies.items()]
    context.add_cookies(cookies)  # type: ignore[arg-type]


def _send_headers(context: BrowserContext, page: Page, visit: Visit) -> None:
    """Of requests to the service, and to nobody else. Playwright's own routes would turn the cache off."""
    session = context.new_cdp_session(page)

    def add(event: dict[str, Any]) -> None:
        names = {name.lower() for name in visit.headers}
        kept = {name: text for name, text in event["request"]["headers"].items() if name.lower() not in names}
        headers = [{"name": name, "value": text} for name, text in {**kept, **visit.headers}.items()]
        with suppress(Error):  # of a page that has been closed
            session.send("Fetch.continueRequest", {"requestId": event["requestId"], "headers": headers})

    session.on("Fetch.requestPaused", add)
    session.send("Fetch.enable", {"patterns": [{"urlPattern": f"{visit.origin}/*"}]})


def _failure_of(message: str) -> tuple[Failure, str]:
    """What an error of Playwright says: of the network, or of the browser itself."""
    line = message.partition("\n")[0].removeprefix("Page.goto: ").strip()
    if "net::ERR_" in line:
        code = line[line.index("ERR_") :].split(" ")[0]
        return next(kind for start, kind in _FAILURES.items() if code.startswith(start)), f"net::{code}"
    return Failure.BROWSER, f"the browser failed: {line}"


def _serve(sock: socket.socket, visitor: _Visitor) -> None:
    with sock, sock.makefile("rwb") as lines:

        def reply(visited: Visited) -> None:
            lines.write(msgspec.json.encode(visited) + b"\n")
            lines.flush()

        try:
            visitor.start()
        except Error as error:
            reply(Visited(error=error.message))
            return
        reply(Visited())
        for line in lines:
            reply(visitor.visit(msgspec.json.decode(line, type=Visit)))


def main() -> None:
    descriptor, program, *arguments = sys.argv[1:]
    with suppress(BrokenPipeError, ConnectionError), sync_playwright() as playwright:
        _serve(socket.socket(fileno=int(descriptor)), _Visitor(playwright, program, arguments))


if __name__ == "__main__":
    main()
