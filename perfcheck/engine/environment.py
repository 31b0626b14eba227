"""Where a run took place: the machine, the CI system, the state of the repository."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from perfcheck.engine.ci import CiBuild, read_ci_build
from perfcheck.git import GitError, GitProcess, git, repository_root
from perfcheck.model import Environment, Finding, Rule
from perfcheck.text import clean

_GIT_TIMEOUT_S = 2.0


class EnvironmentProbe:
    """Runs git while the service is waited for. A context manager: whatever happens, git does not outlive it."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._env = env
        self.findings: tuple[Finding, ...] = ()  # once it has finished
        self._git = GitProcess(Path.cwd(), "status", "--porcelain=v2", "--branch", "--untracked-files=no")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._git.stop()

    def finish(self) -> Environment:
        """Before the first request, which git would disturb."""
        output, failure = "", None
        try:
            output = self._git.output(_GIT_TIMEOUT_S).decode("utf-8", "replace")
        except GitError as error:
            failure = error
        commit, branch, dirty = _parse_git_status(output)
        ci = read_ci_build(self._env)
        if ci is not None and (commit or not output):  # not in a repository without commits, which is another one
            commit, branch = ci.commit_and_branch(commit, branch, _parents_of_head)
        if commit is None and failure is not None and repository_root(Path.cwd()):
            message = f"the commit and the branch of this run are not known: {failure}"
            self.findings = (Finding.note(Rule.COMMIT, message, remedy=failure.remedy),)
        return replace(runner_environment(ci), commit=commit, branch=branch, dirty=dirty)


def runner_environment(ci: CiBuild | None) -> Environment:
    """Of a run that is of no commit."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Environment(system, _usable_cpus(), ci.system if ci else None, commit=None, branch=None, dirty=None)


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
