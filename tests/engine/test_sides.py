"""Which commit a ref is, in repositories and clones as they occur."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.repositories import commit, git, repository

from perfcheck.engine.sides import Side, find_sides, what_sides_are
from perfcheck.errors import UsageError


def test_a_branch_and_what_is_checked_out(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r", {"sub/a": "1"})
    before = git(folder, "rev-parse", "HEAD")
    git(folder, "switch", "-q", "-c", "feature")
    after = commit(folder, {"sub/a": "2"})
    sides = find_sides(folder / "sub", "main", "HEAD")
    assert sides == (Side("before", "main", before, "main"), Side("after", "HEAD", after, "feature"))
    assert sides[0].shown == f"main ({before[:10]})"
    git(folder, "switch", "-q", "--detach")
    _, detached = find_sides(folder, before[:10], "HEAD")
    assert (detached.commit, detached.branch) == (after, None)
    assert find_sides(folder, before[:10], "HEAD")[0].shown == before[:10]


def test_the_working_tree_may_have_uncommitted_changes(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r", {"a": "1"})
    (folder / "untracked").touch()
    before, after = find_sides(folder, ".", "HEAD")
    assert (before.in_place, before.dirty, before.branch) == (True, False, "main")
    assert before.commit == after.commit
    (folder / "a").write_text("2")
    before, _ = find_sides(folder, ".", "HEAD")
    assert before.shown == f"working tree ({after.commit[:10] if after.commit else ''} with uncommitted changes)"


def test_a_working_tree_without_a_commit_is_one_all_the_same(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    before, _ = find_sides(tmp_path, ".", ".")
    assert (before.commit, before.shown) == (None, "working tree")
    with pytest.raises(UsageError, match="'HEAD' is not a commit of this repository"):
        find_sides(tmp_path, ".", "HEAD")


def test_tags_and_revisions_are_refs_too(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r")
    first = git(folder, "rev-parse", "HEAD")
    git(folder, "tag", "-a", "-m", "a tag", "v1.0")
    second = commit(folder)
    before, after = find_sides(folder, "v1.0", "HEAD")
    assert (before.commit, after.commit) == (first, second)
    assert find_sides(folder, "HEAD~1", "main")[0].commit == first


@pytest.mark.parametrize("ref", ["nope", "HEAD:a", "-x", "--all", "", "a b", "\x1b[31m", "HEAD~5"])
def test_what_is_no_commit(ref: str, tmp_path: Path) -> None:
    folder = repository(tmp_path / "r", {"a": "1"})
    with pytest.raises(UsageError, match="is not a commit of this repository") as caught:
        find_sides(folder, ref, "HEAD")
    assert caught.value.remedy
    assert "\x1b" not in caught.value.message


def test_a_misspelt_branch_is_recognised(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r")
    git(folder, "branch", "release/1.4")
    with pytest.raises(UsageError) as caught:
        find_sides(folder, "relaese/1.4", "HEAD")
    assert caught.value.remedy == "did you mean 'release/1.4'?"
    with pytest.raises(UsageError) as caught:
        find_sides(folder, "trunk", "HEAD")
    assert caught.value.remedy == "its branches and tags are: main, release/1.4"


def test_a_clone_that_has_only_the_branch_of_its_remote(tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin")
    git(origin, "switch", "-q", "-c", "feature")
    git(tmp_path, "clone", "-q", str(origin), "clone")
    before, after = find_sides(tmp_path / "clone", "main", "HEAD")
    assert (before.ref, before.branch) == ("origin/main", "main")
    assert (after.ref, after.branch) == ("HEAD", "feature")


def test_a_shallow_clone_lacks_the_commit_and_the_remedy_fetches_it(tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin")
    git(origin, "switch", "-q", "-c", "feature")
    commit(origin)
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{origin}", "clone")
    with pytest.raises(UsageError, match="is a shallow clone") as caught:
        find_sides(tmp_path / "clone", "main", "HEAD")
    assert "'git fetch --depth 1 origin main:refs/remotes/origin/main'" in (caught.value.remedy or "")
    git(tmp_path / "clone", "fetch", "-q", "--depth", "1", "origin", "main:refs/remotes/origin/main")
    assert find_sides(tmp_path / "clone", "main", "HEAD")[0].ref == "origin/main"


@pytest.mark.parametrize("ref", ["HEAD^1", "main~2"])
def test_a_shallow_clone_lacks_the_parent_of_its_commit_and_the_remedy_fetches_it(tmp_path: Path, ref: str) -> None:
    origin = repository(tmp_path / "origin")
    commit(origin)
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{origin}", "clone")
    with pytest.raises(UsageError, match="is a shallow clone") as caught:
        find_sides(tmp_path / "clone", ref, "HEAD")
    assert "'git fetch --unshallow'" in (caught.value.remedy or "")
    git(tmp_path / "clone", "fetch", "-q", "--unshallow")
    assert find_sides(tmp_path / "clone", "HEAD^1", "HEAD")[0].commit


def test_outside_of_a_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in a git repository"):
        find_sides(tmp_path, "main", "HEAD")


def test_a_bare_repository_has_commits_and_no_working_tree(tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin")
    git(tmp_path, "clone", "-q", "--bare", str(origin), "bare")
    before, after = find_sides(tmp_path / "bare", "main", "HEAD")
    assert before.commit == after.commit
    with pytest.raises(UsageError, match="work tree"):
        find_sides(tmp_path / "bare", ".", "HEAD")


# --- A comparison that may not be the one that was meant ----------------------------------------------------------


def test_one_commit_on_both_sides_is_noted(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r", {"a": "1"})
    (note,) = what_sides_are(*find_sides(folder, "main", "HEAD"))
    assert note.message.startswith("both sides are commit ")
    assert list(what_sides_are(*find_sides(folder, "HEAD", "."))) == [note]
    (folder / "a").write_text("2")
    assert not list(what_sides_are(*find_sides(folder, "HEAD", ".")))


def test_a_branch_that_went_on_is_noted(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r")
    git(folder, "switch", "-q", "-c", "feature")
    commit(folder)
    assert not list(what_sides_are(*find_sides(folder, "main", "feature")))
    git(folder, "switch", "-q", "main")
    commit(folder)
    (note,) = what_sides_are(*find_sides(folder, "main", "feature"))
    assert note.message == "main has 1 commit that feature lacks: what they changed counts too"
    assert "'git merge-base main feature'" in (note.remedy or "")
    base = git(folder, "merge-base", "main", "feature")
    assert not list(what_sides_are(*find_sides(folder, base, "feature")))
