"""Where a run took place: the machine, the CI system, the state of the repository."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import subprocess
from collections.abc import Mapping
from typing import Self

from perfcheck.model import Environment
from perfcheck.text import clean

# Each sets a variable of its own; the general CI=true comes last.
_CI_SYSTEMS = {
    "GITHUB_ACTIONS": "GitHub Actions",
    "GITLAB_CI": "GitLab CI",
    "JENKINS_URL": "Jenkins",
    "BUILDKITE": "Buildkite",
    "TF_BUILD": "Azure Pipelines",
    "CIRCLECI": "CircleCI",
    "TEAMCITY_VERSION": "TeamCity",
    "BITBUCKET_BUILD_NUMBER": "Bitbucket Pipelines",
    "CI": "CI",
}
_GIT_PATIENCE_S = 2.0


class EnvironmentProbe:
    """Asks git while the service is waited for. A context manager: whatever happens, git does not outlive it."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._env = env
        command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
        try:
            self._git: subprocess.Popen[str] | None = subprocess.Popen(  # noqa: S603 - a fixed command
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C is for us
            )
        except OSError:
            self._git = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._git is not None and self._git.returncode is None:
            self._kill()

    def finish(self) -> Environment:
        """Before the first request, which git would disturb."""
        commit, branch, dirty = _parse_git_status(self._git_output())
        return Environment(
            platform=f"{platform.system()} {platform.release()} {platform.machine()}",
            cpus=_usable_cpus(),
            ci=next((name for variable, name in _CI_SYSTEMS.items() if self._env.get(variable)), None),
            commit=commit,
            branch=branch,
            dirty=dirty,
        )

    def _git_output(self) -> str:
        if self._git is None:
            return ""
        try:
            output, _ = self._git.communicate(timeout=_GIT_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._kill()
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
        if self._git.stdout is not None:
            self._git.stdout.close()


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
