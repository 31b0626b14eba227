"""The branch that a series is of unless another one is named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from perfcheck.engine.ci import read_ci_build
from perfcheck.git import GitError, git
from perfcheck.history.branches import choose_branch
from perfcheck.text import clean

if TYPE_CHECKING:
    from perfcheck.history.store import History

_ORIGIN_HEAD = "refs/remotes/origin/HEAD"
_TIMEOUT_S = 2.0


def branch_of_series(store: History, wanted: str | None = None) -> str:
    """As ``choose_branch``, of the history and the repository around the current folder. Raises UsageError."""
    return choose_branch(store.branches(), wanted, lambda: default_branch(Path.cwd(), os.environ))


def default_branch(folder: Path, env: Mapping[str, str]) -> str | None:
    """As the clone has it, or else the CI system; None where neither does."""
    try:
        head = git(folder, "symbolic-ref", "--quiet", _ORIGIN_HEAD, timeout_s=_TIMEOUT_S).decode("utf-8", "replace")
    except GitError:
        build = read_ci_build(env)
        return build.default_branch if build else None
    return clean(head.removeprefix(_ORIGIN_HEAD.removesuffix("HEAD")))
