"""Processes that a test starts only indirectly, found by a file in which each of them writes its number."""

from __future__ import annotations

import os
from pathlib import Path

from support.waiting import eventually

# Below the command: a child, a grandchild, one with a process group of its own, one with a session of its own.
FAMILY = """
sleep 1000 & echo $! >> pids
(sleep 1000 & echo $! >> pids; wait) &
timeout 1000 sh -c 'echo $$ >> pids; sleep 1000' &
setsid sh -c 'echo $$ >> pids; sleep 1000; echo' &
echo $$ >> pids
wait
"""
FAMILY_SIZE = 5


def written_pids(folder: Path, count: int) -> list[int]:
    """The numbers in the file ``pids``, once there are so many."""
    file = folder / "pids"

    def numbers() -> list[int] | None:
        found = file.read_text(encoding="ascii").split() if file.exists() else []
        return list(map(int, found)) if len(found) >= count else None

    return eventually(numbers)


def is_running(pid: int) -> bool:
    """Not a process that has ended, which init has not noticed yet."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
