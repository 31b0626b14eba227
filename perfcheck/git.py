"""git, without the programs that a repository's configuration names, except the filters of a checkout (such as LFS).

Nothing is written to a repository but worktrees, by ``engine/worktrees.py``, which removes them again.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Self

from perfcheck.text import clean

_TIMEOUT_S = 20.0
_GIT = (
    *("git", "--no-optional-locks", "--literal-pathspecs", "--no-replace-objects", "-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null", "-c", "log.showSignature=false"),
)
# A hook of git has these set for its own repository and index; a program in another worktree must not use them.
HOOK_VARIABLES = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})
_REMEDY = re.compile(r"^\s+(git .+)$", re.MULTILINE)  # a command, in the lines after the error


def repository_root(folder: Path) -> Path | None:
    """The nearest folder that has a ``.git``."""
    return next((path for path in (folder, *folder.absolute().parents) if (path / ".git").exists()), None)


class GitError(Exception):
    """git has no answer, and the message gives the reason. ``remedy``: the command that git recommends."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


def git(folder: Path, *arguments: str, timeout_s: float = _TIMEOUT_S) -> bytes:
    """What git prints in ``folder``. Raises GitError."""
    with GitProcess(folder, *arguments) as process:
        return process.output(timeout_s)


class GitProcess:
    """git in ``folder``, which runs from now on. A context manager: whatever happens, git does not outlive it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._error = ""
        env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "", "LC_ALL": "C"}
        env.pop("GIT_INDEX_FILE", None)  # a worktree that is added would get this index, and spoil it
        try:
            self._process = subprocess.Popen(  # noqa: S603 - no shell, and what the user named comes after -- or a commit
                [*_GIT, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=env,
                start_new_session=True,  # Ctrl-C is for us
            )
        except OSError as error:
            is_missing = error.filename == _GIT[0]  # else it is the folder, or not executable
            self._error = (
                "git is not installed, or not on PATH" if is_missing else f"git cannot be run: {error.strerror}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """With its children, one of which may hold the pipe open; and without waiting for the rest of it."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with process, contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)  # its own session, so its own group
            else:
                process.kill()

    def output(self, timeout_s: float) -> bytes:
        """All of it, once git has finished. Raises GitError."""
        if self._process is None:
            raise GitError(self._error)
        try:
            output, errors = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.stop()
            raise GitError(f"git did not finish within {timeout_s:.0f} s") from None
        if not self._process.returncode:
            return output
        message = errors.decode("utf-8", "replace").strip()
        if message.startswith("fatal: not a git repository (or any"):  # of its parents
            raise GitError("not in a git repository")
        remedy = _REMEDY.search(message)
        reason = clean(message.partition("\n")[0].removeprefix("fatal: "))
        raise GitError(reason, clean(remedy[1]) if remedy else None)
