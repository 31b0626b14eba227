"""Finding a baseline file and reading its text."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from perfcheck.baseline.file_errors import BaselineError, FileError, Location
from perfcheck.errors import UsageError

NAME = "baselines.yaml"
VARIABLE = "PERFCHECK_BASELINE"
MOST_BYTES = 16_000_000
_OTHER_SPELLINGS = ("baselines.yml", "baseline.yaml", "baseline.yml")
_UTF16_OR_32 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def find_baseline(explicit: str | None, env: Mapping[str, str], cwd: Path) -> Path:
    """The file that was named, else the one in PERFCHECK_BASELINE, else ``baselines.yaml`` in ``cwd`` or above.

    Above ends at the root of the repository (the folder with ``.git``); outside a repository only ``cwd`` is searched.
    A file that was named is not opened here. Raises UsageError when there is none.
    """
    named = explicit or env.get(VARIABLE)
    if named:
        return Path(named)
    for folder in _folders(cwd):
        if (folder / NAME).exists():
            return _shortest(folder / NAME, cwd)
    raise _not_found(cwd)


def _folders(cwd: Path) -> Iterator[Path]:
    """``cwd`` and its parents up to the root of its repository."""
    folders = [cwd, *cwd.absolute().parents]
    root = next((index for index, folder in enumerate(folders) if (folder / ".git").exists()), 0)
    yield from folders[: root + 1]


def _shortest(file: Path, cwd: Path) -> Path:
    """Relative to ``cwd``, when that is the folder of this process: messages show the path as a user would write it."""
    if cwd.absolute() != Path.cwd():
        return file
    return Path(os.path.relpath(file, cwd))


def _not_found(cwd: Path) -> UsageError:
    for folder in _folders(cwd):
        for name in _OTHER_SPELLINGS:
            if (folder / name).exists():
                other = _shortest(folder / name, cwd)
                return UsageError(f"{NAME} not found, but {other} exists", f"use it with -f {other}")
    return UsageError(
        f"{NAME} not found in this folder or its parents, up to the root of the repository",
        f"name the file with -f FILE or in {VARIABLE}",
    )


def read_bytes(path: Path, shown_as: str | None = None) -> bytes:
    """All of the file. Raises BaselineError, also for one over 16 MB, of which no more is read than that."""
    file = shown_as or str(path)
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size <= MOST_BYTES:
                content = stream.read(MOST_BYTES + 1)
                if len(content) <= MOST_BYTES:
                    return content
    except FileNotFoundError:
        remedy = "check its name, or create one: it needs only version, service and endpoints"
        raise _whole_file(file, "file not found", remedy) from None
    except IsADirectoryError:
        raise _whole_file(file, "this is a folder", "name the file in it, such as baselines.yaml") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _whole_file(file, f"cannot be read: {reason}", "check its name and permissions") from None
    raise _whole_file(file, "larger than 16 MB", "split it, and run perfcheck once for each part")


def decode(content: bytes, file: str) -> str:
    """As UTF-8; a byte order mark is left out. Raises BaselineError with the line and column of a wrong byte."""
    if content.startswith(_UTF16_OR_32):
        raise _whole_file(file, "encoded in UTF-16 or UTF-32", "save it as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        line = before.count("\n") + 1
        location = Location(line, len(before) - before.rfind("\n"))
        message = f"the byte 0x{content[error.start]:02x} is not valid UTF-8"
        source = content.split(b"\n")[line - 1].decode(errors="replace")
        raise BaselineError(file, (FileError(location, message, "save the file as UTF-8", source),)) from None


def _whole_file(file: str, message: str, remedy: str) -> BaselineError:
    return BaselineError(file, (FileError(None, message, remedy),))
