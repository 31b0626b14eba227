"""Processes that a test starts only indirectly, found by a file in which each of them writes its number."""

from __future__ import annotations

import os
from contextlib import suppress
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


def descendants(pid: int) -> dict[int, str]:
    """The processes below one, with their command lines; on Linux."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {child: _command_line(child) for child in found - {pid}}


def _command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
