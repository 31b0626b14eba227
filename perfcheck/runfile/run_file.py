"""The run file: one run as JSON, readable for ever.

History of the format (a file of each version stands in tests/record/, and must always be readable):

- perfcheck.run/1 (0.1.0): the first.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from perfcheck.errors import UsageError
from perfcheck.model import Run
from perfcheck.runfile.plausible import implausible
from perfcheck.text import clean

FORMAT = "perfcheck.run/1"
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Header(msgspec.Struct):
    format: str


def encode_run(run: Run) -> bytes:
    """The run as UTF-8 JSON with a final newline. Infinities cannot occur in a run; absent values are null."""
    return msgspec.json.encode(run) + b"\n"


def read_run(path: Path) -> Run:
    """Read a run file of any version. Raises UsageError, naming the file and what is wrong with it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return decode_run(content, str(path))


def decode_run(content: bytes, name: str) -> Run:
    """The run in a run file's content, of any version. Raises UsageError with ``name`` as that of the file."""
    try:
        header = msgspec.json.decode(content, type=_Header)
    except _UNREADABLE as error:
        raise UsageError(
            f"{name} is not a run file: {clean(str(error))}", "a run file is written by 'perfcheck run -o FILE'"
        ) from error
    if header.format != FORMAT:
        raise UsageError(
            f"{name} has the format '{clean(header.format)}'; this perfcheck reads {FORMAT}",
            "was it written by a newer version? Then upgrade perfcheck",
        )
    try:
        run = msgspec.json.decode(content, type=Run)
    except _UNREADABLE as error:
        raise UsageError(f"{name} is a damaged run file: {clean(str(error))}") from error
    if problem := implausible(run):
        raise UsageError(f"{name} is a damaged run file: {problem}")
    return run
