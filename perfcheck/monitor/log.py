"""The monitor's own log, which may fail (a full disk, a handler with a defect) without a request noticing."""

from __future__ import annotations

import contextlib
import logging

NAME = "perfcheck.monitor"
_log = logging.getLogger(NAME)


def tell(level: int, message: str, *arguments: object, exc_info: BaseException | bool | None = None) -> None:
    """As ``Logger.log``, and raises nothing."""
    with contextlib.suppress(Exception):
        _log.log(level, message, *arguments, exc_info=exc_info, stacklevel=2)
