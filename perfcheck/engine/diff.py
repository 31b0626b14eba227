"""The changes of a file as a unified diff."""

from __future__ import annotations

import difflib
import re

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as YAML counts lines


def unified_diff(before: str, after: str, name: str) -> list[str]:
    """Lines without their ends, so that a change of those would not show; empty when nothing is different."""
    return list(difflib.unified_diff(_lines(before), _lines(after), name, name, lineterm=""))


def _lines(text: str) -> list[str]:
    lines = _BREAK.split(text)
    return lines if lines[-1] else lines[:-1]
