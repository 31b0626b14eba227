"""One browser for all tests of a module: each load has a context of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.browser import browser_path
from support.page_loads import Loads

from perfcheck.browser.program import VARIABLE


@pytest.fixture(scope="module")
def loads() -> Iterator[Loads]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, browser_path())
        with Loads() as running:
            yield running
