"""One browser for all tests: each load has a context of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.browser import browser_path
from support.page_loads import Loads

from perfcheck.browser.program import VARIABLE


@pytest.fixture(scope="session")
def loads() -> Iterator[Loads]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, browser_path())
        running = Loads()
    with running:
        yield running
