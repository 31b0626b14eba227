"""Golden files: what a program is expected to print, word for word."""

from __future__ import annotations

import os
from pathlib import Path


def check_golden(file: Path, actual: str) -> None:
    """Hold ``actual`` against the file; with UPDATE_GOLDEN=1 write the file, to be read in the diff before a commit."""
    if os.environ.get("UPDATE_GOLDEN") == "1":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(actual, encoding="utf-8")
    assert actual == file.read_text(encoding="utf-8")


def check_golden_bytes(file: Path, actual: bytes) -> None:
    """The same for what is not to be read as text: line ends and byte order marks count."""
    if os.environ.get("UPDATE_GOLDEN") == "1":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(actual)
    assert actual == file.read_bytes()
