"""Runs a command until standard input ends, then ends all that it started, and exits with the code of the command.

A script, which imports nothing of the package: ``python -I -S supervisor.py GRACE_S COMMAND``. Standard input is a pipe
from the process that wants the command: when that closes it, or dies in whatever way, it ends. SIGTERM ends everything
at once.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress

_PR_SET_CHILD_SUBREAPER = 36
_CHILDREN = f"/proc/self/task/{os.getpid()}/children"
_POLL_S = 0.02
_GIVE_UP_S = 5.0  # after the first SIGKILL: a process of another user, such as that of sudo, gets none
_SIGNALLED = 128  # added to the number of the signal that ended a command, as shells do
_NOT_FOUND = 127


class _Supervisor:
    def __init__(self, command: str, grace_s: float) -> None:
        self._grace_s = grace_s
        self._adopts = _adopt_orphans()
        self._is_impatient = False
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        self._group = _start(command)  # also the process id of the command
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._terminated)

    def run(self) -> int:
        """The exit code of the command; 0 where it was ended."""
        code = self._exit_code()
        while code is None and not self._is_impatient:
            ready, _, _ = select.select([0, self._woken], [], [])
            if 0 in ready:
                break
            os.read(self._woken, 4096)
            code = self._exit_code()
        self._end_all()
        return code or 0

    def _terminated(self, *_: object) -> None:
        self._is_impatient = True

    def _exit_code(self) -> int | None:
        """Of the command, which is reaped only after its group got a signal: so nobody else has its number by then."""
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            ended, status = os.waitpid(self._group, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status)
            return (code if code >= 0 else _SIGNALLED - code) if ended else None
        while child := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if child.si_pid == self._group:
                return child.si_status + (0 if child.si_code == os.CLD_EXITED else _SIGNALLED)
            os.waitpid(child.si_pid, 0)  # adopted
        return None

    def _end_all(self) -> None:
        """SIGTERM once for every process, SIGKILL when the grace is over, until none is left."""
        deadline_s = time.monotonic() + self._grace_s
        self._signal_group(signal.SIGTERM)
        terminated = {child for child in self._children() if _group_of(child) == self._group}
        while self._are_any_left() and time.monotonic() < deadline_s + _GIVE_UP_S:
            if self._is_impatient:
                deadline_s = min(deadline_s, time.monotonic())
            is_over = time.monotonic() >= deadline_s
            # Those of other groups, whose parents have ended, and with them those that go on without a parent.
            for child in self._children() - (set() if is_over else terminated):
                with suppress(OSError):
                    os.kill(child, signal.SIGKILL if is_over else signal.SIGTERM)
                terminated.add(child)
            if is_over and not self._adopts:
                self._signal_group(signal.SIGKILL)
            time.sleep(_POLL_S)

    def _signal_group(self, number: int) -> bool:
        """Whether there was a process to get it."""
        try:
            os.killpg(self._group, number)
        except OSError:
            return False
        return True

    def _children(self) -> set[int]:
        """Our children, which keep their numbers until they are reaped; empty where the system does not list them."""
        if not self._adopts:
            return set()
        with open(_CHILDREN, encoding="ascii") as file:  # noqa: PTH123 - pathlib takes longer to import than all else
            return set(map(int, file.read().split()))

    def _are_any_left(self) -> bool:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return not self._adopts and self._signal_group(0)
        return True


def _adopt_orphans() -> bool:
    """Whether a process below us becomes our child when its parent ends, so that we find and reap it: on Linux."""
    if sys.platform != "linux" or not os.path.exists(_CHILDREN):  # noqa: PTH110
        return False
    try:
        import ctypes  # noqa: PLC0415 - not in every Python

        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def _start(command: str) -> int:
    """The process id of the command, which is its own process group."""
    child = os.fork()
    if child:
        with suppress(OSError):  # it has done so itself, and is another program by now
            os.setpgid(child, child)
        return child
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execvp("sh", ["sh", "-c", command])  # noqa: S606, S607 - the user's own
    except OSError as error:
        os.write(2, f"sh: {error.strerror}\n".encode())
    os._exit(_NOT_FOUND)


def _group_of(process: int) -> int | None:
    with suppress(OSError):
        return os.getpgid(process)
    return None


if __name__ == "__main__":
    sys.exit(_Supervisor(sys.argv[2], float(sys.argv[1])).run())
