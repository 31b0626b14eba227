"""How long this thread was ready to run and had no CPU, where the kernel tells."""

from __future__ import annotations

import os


class RunQueue:
    """The scheduler's account of the thread that opens it (Linux, Documentation/scheduler/sched-stats)."""

    def __init__(self, path: str = "/proc/thread-self/schedstat") -> None:
        try:
            self._file: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, AttributeError):
            self._file = None
        if self.waited_ns() is None:
            self.close()

    def waited_ns(self) -> int | None:
        """Total so far, in nanoseconds; None where the system does not tell."""
        if self._file is None:
            return None
        try:
            return int(os.pread(self._file, 100, 0).split()[1])
        except (OSError, ValueError, IndexError):
            return None

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
