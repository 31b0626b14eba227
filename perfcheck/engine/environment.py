"""Where a run took place: the machine, the CI system, the state of the repository."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import signal
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

from perfcheck.engine.ci import read_ci_build
from perfcheck.history import repository_root
from perfcheck.history.git import GitError, git
from perfcheck.model import Environment, Finding, Rule
from perfcheck.text import clean

_GIT_TIMEOUT_S = 2.0
_REMEDY_BY_GIT = re.compile(r"^\s+(git .+)$", re.MULTILINE)  # a command, in the lines after the error


class EnvironmentProbe:
    """Runs git while the service is waited for. A context manager: whatever happens, git does not outlive it."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._env = env
        self.findings: tuple[Finding, ...] = ()  # once it has finished
        self._error = ""  # of git
        command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
        try:
            self._git: subprocess.Popen[str] | None = subprocess.Popen(  # noqa: S603 - a fixed command
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,  # Ctrl-C is for us
            )
        except FileNotFoundError:
            self._git, self._error = None, "git is not installed, or not on PATH"
        except OSError as error:
            self._git, self._error = None, f"git cannot be run: {error.strerror}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._git is not None and self._git.returncode is None:
            self._kill()

    def finish(self) -> Environment:
        """Before the first request, which git would disturb."""
        output = self._git_output()
        commit, branch, dirty = _parse_git_status(output)
        ci = read_ci_build(self._env)
        if ci is not None and (commit or not output):  # not in a repository without commits, which is another one
            commit, branch = ci.commit_and_branch(commit, branch, _parents_of_head)
        if commit is None and self._error and repository_root(Path.cwd()):
            self.findings = (_unknown_commit(self._error),)
        return Environment(
            platform=f"{platform.system()} {platform.release()} {platform.machine()}",
            cpus=_usable_cpus(),
            ci=ci.system if ci else None,
            commit=commit,
            branch=branch,
            dirty=dirty,
        )

    def _git_output(self) -> str:
        if self._git is None:
            return ""
        try:
            output, self._error = self._git.communicate(timeout=_GIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._kill()
            self._error = f"git did not finish within {_GIT_TIMEOUT_S:.0f} s"
            return ""
        return output if self._git.returncode == 0 else ""

    def _kill(self) -> None:
        """With its children, one of which may hold the pipe open; and without waiting for the rest of it."""
        if self._git is None:
            return
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._git.pid, signal.SIGKILL)  # its own session, so its own group
            else:
                self._git.kill()
        self._git.wait()
        for pipe in filter(None, (self._git.stdout, self._git.stderr)):
            pipe.close()


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _parents_of_head() -> Collection[str]:
    """As the commit itself has them, so also in a shallow clone."""
    try:
        headers = git(Path.cwd(), "cat-file", "commit", "HEAD", timeout_s=_GIT_TIMEOUT_S).partition(b"\n\n")[0]
    except GitError:
        return ()
    return [line.split()[1].decode() for line in headers.splitlines() if line.startswith(b"parent ")]


def _unknown_commit(error: str) -> Finding:
    remedy = _REMEDY_BY_GIT.search(error)
    reason = clean(error.strip().partition("\n")[0].removeprefix("fatal: "))
    message = f"the commit and the branch of this run are not known: {reason}"
    return Finding.note(Rule.COMMIT, message, remedy=clean(remedy[1]) if remedy else None)


def _parse_git_status(output: str) -> tuple[str | None, str | None, bool | None]:
    """Commit, branch and whether tracked files were changed, from ``git status --porcelain=v2 --branch``."""
    if not output:
        return None, None, None
    lines = output.splitlines()
    headers = dict(line[2:].partition(" ")[::2] for line in lines if line.startswith("# "))
    dirty = any(line and not line.startswith("# ") for line in lines)
    commit, branch = headers.get("branch.oid"), headers.get("branch.head")
    return (
        commit if commit and commit != "(initial)" else None,
        clean(branch) if branch and branch != "(detached)" else None,
        dirty,
    )
