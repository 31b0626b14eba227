"""Runs that are kept one beside the other, for trends: one file each, the oldest making room for the newest."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from perfcheck.model import Run
from perfcheck.record.files import write_atomically
from perfcheck.record.run_file import encode_run

MOST_KEPT = 400  # a daily check for over a year
_FOLDER = ".perfcheck"
_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}\.json", re.ASCII)


def keep_run(run: Run, kind: str, cwd: Path) -> tuple[Path, int]:
    """Write ``run`` to ``.perfcheck/KIND/<UTC time>-<id>.json``; returns the file, and how many are kept now.

    The folder lies at the root of the repository, or in ``cwd`` outside one, and git is told to ignore it. Over
    MOST_KEPT the oldest are removed; other files are left alone. Raises OSError.
    """
    top = _root(cwd) / _FOLDER
    folder = top / kind
    folder.mkdir(parents=True, exist_ok=True)
    ignore = top / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    # 2026-11-23T12:00:00.000Z: names in the order of time
    time = run.started_at.partition(".")[0].replace("-", "").replace(":", "")
    file = folder / f"{time}Z-{run.id.replace('-', '')[:8]}.json"
    write_atomically(file, encode_run(run))
    kept = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    for old in kept[:-MOST_KEPT]:
        with contextlib.suppress(OSError):  # another run removed it, or nobody may
            old.unlink()
    return file, min(len(kept), MOST_KEPT)


def _root(cwd: Path) -> Path:
    folders = [cwd, *cwd.absolute().parents]
    return next((folder for folder in folders if (folder / ".git").exists()), cwd)
