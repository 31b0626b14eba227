"""One step of a visit on a page: it is done, and the browser reports what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from perfcheck.browser.failures import StepFailedError, failure_of
from perfcheck.browser.visit import VisitedStep, VisitStep
from perfcheck.browser.watch import PageWatch
from perfcheck.model import Failure

_FIGURES = Path(__file__).with_name("figures.js").read_text(encoding="utf-8")
# The click counts from when the page got it; one inside a frame, which the page does not notice, from just before.
_BEFORE_CLICK = """() => {
  window.perfcheckClick = performance.now();
  addEventListener("click", (event) => { window.perfcheckClick = event.timeStamp }, {capture: true, once: true});
  return performance.timeOrigin;
}"""
_AFTER_CLICK = "[window.perfcheckClick ?? 0, performance.timeOrigin]"
_NEWS_MS = 200
_ENDED = ("crash", "closed")  # in messages about a page or a browser that is no more


class StepRun:
    def __init__(self, page: Page, watch: PageWatch, step: VisitStep) -> None:
        self._page = page
        self._watch = watch
        self._step = step
        self._began_s = time.monotonic()
        self._deadline_s = self._began_s + step.timeout_s

    def run(self) -> VisitedStep:
        figures: dict[str, Any] = {"figures": {}, "blocking": []}
        failed: StepFailedError | None = None
        try:
            figures = self._figures(*self._act())
        except StepFailedError as error:
            failed = error
        except PlaywrightTimeoutError:
            failed = self._timeout()
        except Error as error:
            failed = failure_of(error.message)
        if failed and self._has_ended():  # whatever that led to
            failed = StepFailedError(Failure.BROWSER, "the page crashed, or the browser ended")
        document = self._watch.document
        return VisitedStep(
            status=document.status if document else None,
            server_timing=document.headers.get("server-timing") if document else None,
            figures={name: value for name, value in figures["figures"].items() if value is not None},
            blocking=tuple(map(tuple, figures["blocking"])),
            failure=failed.failure if failed else None,
            detail=failed.detail if failed else None,
            took_s=time.monotonic() - self._began_s,
        )

    def _has_ended(self) -> bool:
        """The page, or its browser: the news comes after that of the requests that ended with it."""
        with suppress(Error):
            self._page.wait_for_timeout(_NEWS_MS)
        return self._watch.has_ended

    @property
    def _left_ms(self) -> float:
        return max(1000 * (self._deadline_s - time.monotonic()), 1.0)  # 0 is no limit

    def _timeout(self) -> StepFailedError:
        return StepFailedError(Failure.TIMEOUT, f"not loaded within {self._step.timeout_s:g} s")

    def _evaluate(self, expression: str, argument: Any = None) -> Any:
        """The true value of ``expression``. Unlike Playwright's own, not for ever, where a script never ends."""
        return self._page.wait_for_function(expression, arg=argument, timeout=self._left_ms).json_value()

    def _act(self) -> tuple[float, float | None]:
        """When its figures begin, after a click that loaded no document; and when ``until`` was visible then."""
        page, step = self._page, self._step
        self._watch.begin()
        if step.url is not None:
            page.goto(step.url, wait_until="commit", timeout=self._left_ms)
            self._watch.wait_until_loaded(self._deadline_s)
            self._check_document()
        for selector, text in step.fill:
            with self._finding(selector):
                page.fill(selector, text, timeout=self._left_ms)
        if step.click is not None:
            return self._click(step.click)
        self._wait_for_until()
        return 0.0, None

    def _click(self, selector: str) -> tuple[float, float | None]:
        """Click, and wait for what that leads to."""
        if self._step.url is not None:
            self._watch.wait_until_quiet(self._deadline_s)
        origin = self._evaluate(_BEFORE_CLICK)
        self._watch.begin()
        with self._finding(selector):
            self._page.click(selector, timeout=self._left_ms)
        visible_ms = self._wait_for_until()
        self._watch.wait_until_quiet(self._deadline_s)
        self._check_document()
        if self._watch.has_opened_another:
            raise StepFailedError(Failure.WRONG_ANSWER, "the click opened another page, which is not measured")
        clicked_ms, origin_now = self._evaluate(_AFTER_CLICK)
        if origin_now == origin:
            return float(clicked_ms), visible_ms
        self._wait_for_until()  # of the document before, it may have been
        return 0.0, None

    def _wait_for_until(self) -> float | None:
        """When it was visible, by the clock of the document."""
        if self._step.until is None:
            return None
        with self._finding(self._step.until):
            self._page.wait_for_selector(self._step.until, state="visible", timeout=self._left_ms)
        return float(self._evaluate("performance.now()"))

    def _check_document(self) -> None:
        """Raises StepFailedError."""
        watch = self._watch
        if watch.is_navigating:
            raise self._timeout()
        if watch.document_error:
            raise failure_of(watch.document_error)
        status = watch.document.status if watch.document else None
        if status is not None and not any(low <= status <= high for low, high in self._step.expect):
            raise StepFailedError(Failure.STATUS, f"status {status}")

    def _figures(self, since_ms: float, visible_ms: float | None) -> dict[str, Any]:
        self._watch.wait_until_quiet(self._deadline_s)
        found: dict[str, Any] = self._evaluate(_FIGURES, {"since": since_ms, "ends": visible_ms})
        if since_ms and not found["figures"]["load"]:  # as after a click inside a frame: no time is known
            detail = "the click loaded nothing into the page: 'until' names what it shows"
            raise StepFailedError(Failure.WRONG_ANSWER, detail)
        found["figures"] |= {"bytes": self._watch.transferred(), "requests": self._watch.requests}
        return found

    @contextmanager
    def _finding(self, selector: str) -> Iterator[None]:
        """An element that does not come is a wrong answer, unless the document itself did not."""
        try:
            yield
        except PlaywrightTimeoutError:
            self._check_document()
            detail = f"no visible element for '{selector}' within {self._step.timeout_s:g} s"
            raise StepFailedError(Failure.WRONG_ANSWER, detail) from None
        except Error as error:
            if any(word in error.message for word in _ENDED):
                raise
            line = error.message.partition("\n")[0].partition(": ")[2].removeprefix("Error: ")
            raise StepFailedError(Failure.WRONG_ANSWER, f"'{selector}': {line}") from None
