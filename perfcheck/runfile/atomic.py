"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path

_DESCRIPTOR = re.compile(r"/(?:dev/fd|proc/self/fd)/(\d+)")


def descriptor_of(path: Path) -> int | None:
    """The number of an open file that ``path`` is a name of: 1 of /dev/stdout, 3 of /dev/fd/3; None for others."""
    named = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}.get(str(path))
    if named is not None:
        return named
    match = _DESCRIPTOR.fullmatch(str(path))
    return int(match.group(1)) if match else None


def write_atomically(path: Path, content: bytes, *, keep_mode: bool = False) -> None:
    """Write to a temporary file next to ``path`` and rename it, so that no reader ever sees half a file.

    An open file (/dev/fd/3), a device and a named pipe are written to as they are, and a link is followed, since a
    rename would replace them. ``keep_mode``: who may read and write the file stays as it is. Raises OSError,
    with nothing left behind; also for a pipe that nobody reads.
    """
    descriptor = descriptor_of(path)
    real = Path(os.path.realpath(path))
    if descriptor is not None:
        _write_to(os.dup(descriptor), content)
    elif real.exists() and not real.is_file():
        handle = os.open(real, os.O_WRONLY | (os.O_NONBLOCK if stat.S_ISFIFO(real.stat().st_mode) else 0))
        os.set_blocking(handle, True)
        _write_to(handle, content)
    else:
        _replace(real, content, stat.S_IMODE(real.stat().st_mode) if keep_mode and real.exists() else None)


def _write_to(handle: int, content: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _replace(path: Path, content: bytes, mode: int | None) -> None:
    mode = 0o666 & ~_umask() if mode is None else mode
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".perfcheck-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)  # noqa: PTH101 - mkstemp gives 0600, which hides a report from others
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
