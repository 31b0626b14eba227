"""Names as a file for machines holds them: safe, bounded, never two alike, and the same in every run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from perfcheck.text import clean

LONGEST_NAME = 200
_MARK = " ~"
_HASH_DIGITS = 8


def distinct(names: Iterable[str], limit: int = LONGEST_NAME, *, without: str = "") -> list[str]:
    """The names in their order, each cleaned to at most ``limit`` characters and unlike all others.

    A name that has to change for it carries a short hash of what it was: two names stay two, and one name stays the
    same from run to run whatever stands beside it, so that a test tab or a chart keeps its history. ``without`` are
    further characters that the format cannot hold; they become ``_``. Only names that were alike to begin with are
    numbered.
    """
    shown: list[str] = []
    taken: set[str] = set()
    for name in names:
        one = _shown(name, limit, without)
        number, numbered = 2, one
        while numbered in taken:
            numbered = f"{one} ({number})"
            number += 1
        taken.add(numbered)
        shown.append(numbered)
    return shown


def _shown(name: str, limit: int, without: str) -> str:
    safe = clean(name, limit)
    if safe == name and safe and not any(char in safe for char in without):
        return safe
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    short = clean(name, limit - len(_MARK) - _HASH_DIGITS).translate({ord(char): "_" for char in without})
    return f"{short or 'unnamed'}{_MARK}{digest}"
