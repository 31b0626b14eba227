"""Which branch a series is of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support.repositories import git

from perfcheck.engine.default_branch import default_branch
from perfcheck.errors import UsageError
from perfcheck.history.branches import choose_branch, with_options
from perfcheck.history.model import BranchRuns

GITLAB = {"GITLAB_CI": "true", "CI_DEFAULT_BRANCH": "develop"}


def branches(*names: str | None) -> list[BranchRuns]:
    """Those with the most runs first, as a history has them."""
    return [BranchRuns(name, 20 - i) for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ("known", "wanted", "default", "chosen"),
    [
        ([], None, "main", ""),
        ([None], None, "main", ""),  # as before there were branches
        (["feature", "main"], None, None, "main"),
        (["feature", "master", "main"], None, None, "main"),
        (["feature", "master"], None, None, "master"),
        (["feature", "main", "trunk"], None, "trunk", "trunk"),
        (["feature", None], None, "main", "main"),  # of which there are no runs yet
        ([None, "trunk", "feature"], None, None, "trunk"),
        (["main", "feature", None], "feature", "main", "feature"),
        (["main", None], "", "main", ""),
    ],
)
def test_the_branch_of_a_series(
    known: Sequence[str | None], wanted: str | None, default: str | None, chosen: str
) -> None:
    assert choose_branch(branches(*known), wanted, lambda: default) == chosen


@pytest.mark.parametrize(("wanted", "message"), [("featrue", "of branch featrue"), ("", "without a branch")])
def test_a_branch_without_runs(wanted: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"no runs {message} in the history"):
        choose_branch(branches("main", "feature"), wanted, lambda: "main")


def test_the_options_that_show_other_branches() -> None:
    others = branches("fix/a b", None, "main", "\x1b[31mred", "five")
    assert with_options(others) == (
        "20 runs of branch fix/a b (--branch 'fix/a b'), 19 runs without a branch (--branch -), "
        "18 runs of branch main (--branch main) and 2 more"
    )


def test_the_default_branch_is_that_of_the_clone_or_else_of_the_ci_system(tmp_path: Path) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    git(origin, "init", "-q", "-b", "release/1.4")
    git(origin, "commit", "-q", "--allow-empty", "-m", "one")
    git(tmp_path, "clone", "-q", str(origin), str(clone))
    git(clone, "checkout", "-q", "-b", "feature")
    assert default_branch(clone, GITLAB) == "release/1.4"
    assert default_branch(origin, GITLAB) == "develop"  # no remote, as where a job fetches a commit alone
    assert default_branch(tmp_path, GITLAB) == "develop"
    assert default_branch(origin, {}) is None
