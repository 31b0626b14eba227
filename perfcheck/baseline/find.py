"""Which baseline file is meant."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from perfcheck.errors import UsageError

NAME = "baselines.yaml"
VARIABLE = "PERFCHECK_BASELINE"
_OTHER_SPELLINGS = ("baselines.yml", "baseline.yaml", "baseline.yml")


def find_baseline(explicit: str | None, env: Mapping[str, str], cwd: Path) -> Path:
    """The file that was named, else the one in PERFCHECK_BASELINE, else ``baselines.yaml`` in ``cwd`` or above.

    Above ends at the root of the repository (the folder with ``.git``); outside a repository only ``cwd`` is looked
    at. A file that was named is not opened here. Raises UsageError when there is none.
    """
    named = explicit or env.get(VARIABLE)
    if named:
        return Path(named)
    for folder in _folders(cwd):
        if (folder / NAME).exists():
            return _shortest(folder / NAME, cwd)
    raise _nothing_found(cwd)


def _folders(cwd: Path) -> Iterator[Path]:
    """``cwd``, and what lies above it up to the root of its repository."""
    folders = [cwd, *cwd.absolute().parents]
    root = next((index for index, folder in enumerate(folders) if (folder / ".git").exists()), 0)
    yield from folders[: root + 1]


def _shortest(found: Path, cwd: Path) -> Path:
    """As a user in ``cwd`` would write it, when that is where this process is: the path is shown in messages."""
    if cwd.absolute() != Path.cwd():
        return found
    return Path(os.path.relpath(found, cwd))


def _nothing_found(cwd: Path) -> UsageError:
    for folder in _folders(cwd):
        for name in _OTHER_SPELLINGS:
            if (folder / name).exists():
                other = _shortest(folder / name, cwd)
                return UsageError(f"no {NAME} here, but there is {other}", f"name it: -f {other}")
    return UsageError(
        f"no {NAME} here or in a folder above it, up to the root of the repository",
        f"name the file with -f FILE or in {VARIABLE}",
    )
