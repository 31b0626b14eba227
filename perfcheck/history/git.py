"""git, which only reads here: a repository's configuration must not run a program, and nothing is written to it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from perfcheck.history import repository_root
from perfcheck.text import clean

_TIMEOUT_S = 20.0
_GIT = (
    *("git", "--no-optional-locks", "--literal-pathspecs", "--no-replace-objects", "-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null", "-c", "log.showSignature=false"),
)


class GitError(Exception):
    """git has no answer, and the message gives the reason."""


def git(folder: Path, *arguments: str, timeout_s: float = _TIMEOUT_S) -> bytes:
    """What git prints in ``folder``. Raises GitError."""
    try:
        process = subprocess.run(  # noqa: S603 - no shell, and what the user named comes after -- or a commit
            [*_GIT, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "", "LC_ALL": "C"},
            timeout=timeout_s,
            check=False,
            start_new_session=True,  # Ctrl-C is for us
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"git did not finish within {timeout_s:.0f} s") from None
    except OSError as error:
        raise GitError(f"git cannot be run: {error.strerror}") from None
    if process.returncode and repository_root(folder) is None and "GIT_DIR" not in os.environ:
        raise GitError("not in a git repository")  # git exits with 128 for this as for all else
    if process.returncode:
        message = clean(process.stderr.decode("utf-8", "replace").removeprefix("fatal: "))
        raise GitError(f"git failed: {message}")
    return process.stdout
