"""The default location of the history: a folder at the root of the repository, which git ignores."""

from __future__ import annotations

from pathlib import Path

_FOLDER = ".perfcheck"
_HISTORY = "history.sqlite"


def default_file(cwd: Path) -> Path:
    """In the root of the repository around ``cwd``, or in ``cwd`` outside one."""
    folders = [cwd, *cwd.absolute().parents]
    root = next((folder for folder in folders if (folder / ".git").exists()), cwd)
    return root / _FOLDER / _HISTORY


def make_folder(file: Path) -> None:
    """The folder of ``default_file``, ignored by git. Raises OSError."""
    file.parent.mkdir(exist_ok=True)
    ignore = file.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
