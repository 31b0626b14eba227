"""A real browser, for what only a browser can show of a page: its width, what it loads, and its messages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_START_MS = 30_000


def browser_path() -> str:
    """PERFCHECK_TEST_BROWSER, else a browser on PATH. A test without one fails, since it would have shown nothing."""
    named = os.environ.get("PERFCHECK_TEST_BROWSER")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, _NAMES)), None)
    if found:
        return found
    looked_for = named or ", ".join(_NAMES)
    raise AssertionError(f"no browser: looked for {looked_for}. Install chromium, or set PERFCHECK_TEST_BROWSER to one")


@contextmanager
def browser() -> Iterator[Browser]:
    """Starts it, and ends it. As root chromium cannot use its sandbox; the pages here are our own, from a file."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=browser_path(), args=["--no-sandbox", "--disable-quic"], timeout=_START_MS
        )
        try:
            yield started
        finally:
            started.close()
