"""Waiting for what another thread or process will have done in a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeVar

_T = TypeVar("_T")
_PATIENCE_S = 20.0


def eventually(look: Callable[[], _T | Literal[False] | None]) -> _T:
    """What ``look`` returns as soon as it is true; fails when it never is."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"it never came: {found!r}"
        time.sleep(0.01)
