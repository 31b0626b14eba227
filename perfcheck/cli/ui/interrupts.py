"""Ctrl-C, and the SIGTERM that a cancelled CI job gets, have the same effect."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While measuring, a signal raises KeyboardInterrupt. Once held back, only the second one does.

    What was measured is worth a second of waiting, but a report that cannot be written must not hold the user.
    """

    def __init__(self) -> None:
        self._held = False
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self._before = [signal.signal(number, self._handle) for number in _SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)

    def hold(self) -> None:
        """From now on, something has been measured."""
        self._held = True

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self._held:
            raise KeyboardInterrupt
        self._held = False
