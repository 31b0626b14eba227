"""Which browser loads the pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from importlib.util import find_spec

from perfcheck.errors import UsageError

VARIABLE = "PERFCHECK_BROWSER"
_SYSTEM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
_APPLICATIONS = (  # of macOS
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
NO_BROWSER = "install Chromium, or run 'playwright install chromium'; PERFCHECK_BROWSER names another"


def browser_program(names: Sequence[str] = _SYSTEM) -> str:
    """The path of the browser: that of the variable, or the system's; "" for the one that Playwright installed.

    Raises UsageError without Playwright, or with a variable that names no program.
    """
    if find_spec("playwright") is None:
        raise UsageError("pages are loaded by Playwright, which is not installed", "pip install 'perfcheck[browser]'")
    if named := os.environ.get(VARIABLE):
        if found := shutil.which(named):
            return found
        raise UsageError(f"{VARIABLE} names no program: {named}", NO_BROWSER)
    found = next(filter(None, map(shutil.which, names)), None)
    return found or next(filter(os.path.exists, _APPLICATIONS), "")
