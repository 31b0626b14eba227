"""The default location of the history: a folder at the root of the repository, which git ignores."""

from __future__ import annotations

from pathlib import Path

from perfcheck.git import repository_root

_FOLDER = ".perfcheck"
_HISTORY = "history.sqlite"


def default_file(cwd: Path) -> Path:
    """In the root of the repository around ``cwd``, or in ``cwd`` outside one."""
    return (repository_root(cwd) or cwd) / _FOLDER / _HISTORY


def make_folder(file: Path) -> None:
    """The folder of ``default_file``, ignored by git. Raises OSError."""
    file.parent.mkdir(exist_ok=True)
    ignore = file.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
