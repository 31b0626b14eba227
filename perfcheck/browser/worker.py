"""The process that drives the browser: ``python -m perfcheck.browser.worker DESCRIPTOR PROGRAM [ARGUMENT...]``.

Visits arrive as lines of JSON on a socket, and what came of each is sent back. It ends with the socket. ``PROGRAM`` is
that of the browser, "" for the one that Playwright installed.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec
from playwright.sync_api import Browser, BrowserContext, Error, Playwright, sync_playwright

from perfcheck.browser.failures import failure_of
from perfcheck.browser.own_headers import OwnHeaders
from perfcheck.browser.step_run import StepRun
from perfcheck.browser.visit import Visit, Visited, VisitedStep
from perfcheck.browser.watch import PageWatch

# The popups of the address bar: Chromium prepares two for each new window, with up to a second of CPU while the page
# is loaded. This list replaces that of Playwright, so what that one turns off is here as well.
_FEATURES_OFF = (
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
    "msForceBrowserSignIn",
)
_ARGUMENTS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(_FEATURES_OFF)}",
)
_SCREENSHOT_MS = 5000


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
            failed = failure_of(error.message)
            return Visited((VisitedStep(failure=failed.failure, detail=failed.detail),))

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
        headers, watch = OwnHeaders(context, page, visit.origin), PageWatch(page)
        for step in visit.steps:
            if step.headers is not None:
                headers.set(step.headers)
            results.append(StepRun(page, watch, step).run())
            if results[-1].failure or step is visit.steps[-1]:
                break
            page.wait_for_timeout(1000 * step.think_s)
        if files:
            with suppress(Error):
                page.screenshot(path=f"{files}.png", timeout=_SCREENSHOT_MS)
        with suppress(Error):
            page.close()
        return tuple(results)


def _add_cookies(context: BrowserContext, visit: Visit) -> None:
    cookies = [{"name": name, "value": value, "url": visit.origin} for name, value in visit.cookies.items()]
    context.add_cookies(cookies)  # type: ignore[arg-type]


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
