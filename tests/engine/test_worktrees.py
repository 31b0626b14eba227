"""Temporary worktrees of real repositories, and what is left of them: nothing, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.repositories import commit, git, repository
from support.waiting import eventually

from perfcheck.engine import worktrees
from perfcheck.engine.checkouts import Recipe, checked_out
from perfcheck.engine.sides import find_sides
from perfcheck.engine.worktrees import remove_abandoned, worktree
from perfcheck.errors import CouldNotMeasureError


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the worktrees are."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "source", {"sub/app.py": "1"})


def trees(source: Path) -> int:
    return len(git(source, "worktree", "list").splitlines()) - 1


HOLD = """
import signal, sys
from pathlib import Path
from perfcheck.engine.worktrees import worktree
signal.signal(signal.SIGINT, signal.default_int_handler)
source, entered, key = sys.argv[1:]
with worktree(Path(source), "HEAD", "before", key or None):
    Path(entered).touch()
    signal.pause()
"""


@contextmanager
def held(source: Path, entered: Path, key: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process that uses a worktree until it gets a signal."""
    assert tempfile.tempdir
    command = [sys.executable, "-c", HOLD, str(source), str(entered), key]
    env = {**os.environ, "TMPDIR": tempfile.tempdir}
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(entered.exists)
            yield process
        finally:
            process.kill()


def killed(source: Path, entered: Path, key: str = "") -> None:
    """The same, and then a kill that nothing can be done about."""
    with held(source, entered, key):
        pass


def test_a_commit_has_a_folder_of_its_own_and_nothing_is_left(source: Path, temporary: Path) -> None:
    first = git(source, "rev-parse", "HEAD")
    commit(source, {"sub/app.py": "2"})
    with worktree(source, first, "before") as before, worktree(source, "HEAD", "after") as after:
        assert (before.folder / "sub" / "app.py").read_text() == "1"
        assert (after.folder / "sub" / "app.py").read_text() == "2"
        assert (before.folder.name, after.folder.name) == ("before", "after")
        assert not any(part.startswith(".") for part in before.folder.relative_to(temporary).parts)
        assert before.folder.parent.stat().st_mode & 0o77 == 0
        assert trees(source) == 2
    assert trees(source) == 0
    assert not list(temporary.iterdir())
    assert not git(source, "status", "--porcelain")
    assert git(source, "branch", "--format=%(refname)") == "refs/heads/main"


def test_nothing_is_left_after_an_error_nor_of_read_only_folders(source: Path, temporary: Path) -> None:
    def interrupted() -> None:
        with worktree(source, "HEAD", "before") as before:
            cache = before.folder / "go" / "mod"
            cache.mkdir(parents=True)
            (cache / "file").touch()
            cache.chmod(0o500)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert trees(source) == 0
    assert not list(temporary.iterdir())


def test_what_cannot_be_deleted_is_named_and_tried_again(
    source: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_, **__: None)  # as for files of another user
        with checked_out(source, find_sides(source, "HEAD", "HEAD"), Recipe(), reported.append):
            pass
    assert len(reported) == trees(source) == 2
    for folder in temporary.iterdir():
        assert any(line.endswith(f"sudo rm -r {folder}") for line in reported)
    remove_abandoned(source)
    assert trees(source) == 0
    assert not list(temporary.iterdir())


def test_no_hook_of_the_repository_runs(source: Path, tmp_path: Path) -> None:
    hook = source / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    with worktree(source, "HEAD", "before"):
        pass
    assert not (tmp_path / "ran").exists()


def test_it_works_within_a_hook(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which has variables of git set that would make it use the index of the repository for the worktree."""
    other = commit(source, {"sub/other.py": "2"})
    git(source, "checkout", "-q", "--detach", "HEAD~1")
    monkeypatch.setenv("GIT_DIR", str(source / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(source / ".git" / "index"))
    for _ in "new", "kept":
        with worktree(source, other, "before", "0123") as before:
            before.keep("0123")
            assert not git(before.folder, "status", "--porcelain")
            assert git(before.folder, "rev-parse", "HEAD") == other
    assert not git(source, "status", "--porcelain")
    assert git(source, "rev-parse", "HEAD") != other


def test_a_checkout_that_fails_has_a_message(source: Path, temporary: Path) -> None:
    (source / ".gitattributes").write_text("*.py filter=broken\n")
    commit(source)
    git(source, "config", "filter.broken.smudge", "false")
    git(source, "config", "filter.broken.required", "true")
    with pytest.raises(
        CouldNotMeasureError, match="git cannot check out HEAD: error: external filter 'false' failed"
    ) as caught:
        worktree(source, "HEAD", "before").__enter__()
    assert "git worktree add" in str(caught.value.remedy)
    assert trees(source) == 0
    assert not list(temporary.iterdir())


# --- What a killed call leaves -------------------------------------------------------------------------------------


def test_what_a_killed_call_left_is_removed_by_the_next_one(source: Path, temporary: Path, tmp_path: Path) -> None:
    killed(source, tmp_path / "entered")
    assert trees(source) == 1
    remove_abandoned(source)
    assert trees(source) == 0
    assert not list(temporary.iterdir())


def test_what_another_call_uses_is_left_alone(source: Path, tmp_path: Path) -> None:
    with held(source, tmp_path / "entered", "0123") as process:
        remove_abandoned(source)
        assert trees(source) == 1
        with worktree(source, "HEAD", "before", "0123") as mine:
            assert not mine.is_set_up
            assert trees(source) == 2
        process.send_signal(signal.SIGINT)
        process.wait()
    assert trees(source) == 0


def test_a_folder_that_was_deleted_leaves_no_entry_in_git(source: Path, temporary: Path, tmp_path: Path) -> None:
    killed(source, tmp_path / "entered")
    (left,) = temporary.iterdir()
    left.rename(tmp_path / "gone")
    remove_abandoned(source)
    assert trees(source) == 0


def test_worktrees_of_the_user_are_left_alone(source: Path, tmp_path: Path) -> None:
    for folder in ("perfcheck-mine/before", "perfcheck-mine/feature", "elsewhere/before"):
        git(source, "worktree", "add", "-q", "--detach", str(tmp_path / folder))
    (tmp_path / "elsewhere" / "before" / ".git").unlink()
    remove_abandoned(source)
    assert trees(source) == 3


# --- Kept for the next call ----------------------------------------------------------------------------------------


def test_a_setup_is_kept_under_its_key_and_name(source: Path) -> None:
    with worktree(source, "HEAD", "before", "0123") as first:
        assert not first.is_set_up
        (first.folder / "installed").touch()
        (first.folder / "sub" / "app.py").write_text("changed by the service")
        first.keep("0123")
    other = commit(source, {"sub/app.py": "2"})
    for name, key in (("before", "4567"), ("after", "0123"), ("before", None)):
        with worktree(source, "HEAD", name, key) as new:
            assert not new.is_set_up
            assert new.folder != first.folder
    with worktree(source, other, "before", "0123") as again:
        assert again.is_set_up
        assert again.folder == first.folder
        assert (again.folder / "installed").exists()
        assert (again.folder / "sub" / "app.py").read_text() == "2"
    assert trees(source) == 1


def test_a_setup_that_did_not_come_to_its_end_is_not_kept(source: Path) -> None:
    with worktree(source, "HEAD", "before", "0123"):
        pass
    assert trees(source) == 0


def test_a_kept_one_that_is_broken_is_replaced(source: Path) -> None:
    with worktree(source, "HEAD", "before", "0123") as first:
        first.keep("0123")
    (first.folder / ".git").write_text("gitdir: /nowhere\n")
    with worktree(source, "HEAD", "before", "0123") as second:
        assert not second.is_set_up
        second.keep("0123")
    remove_abandoned(source)
    assert trees(source) == 1
    with worktree(source, "HEAD", "before", "0123") as third:
        assert third.folder == second.folder


def test_a_kept_one_whose_user_was_killed_can_be_used_again(source: Path, tmp_path: Path) -> None:
    with worktree(source, "HEAD", "before", "0123") as first:
        first.keep("0123")
    killed(source, tmp_path / "entered", "0123")
    remove_abandoned(source)
    with worktree(source, "HEAD", "before", "0123") as again:
        assert again.is_set_up


def test_of_two_with_one_key_the_later_one_is_kept(source: Path) -> None:
    """As two comparisons at one time leave them."""
    with worktree(source, "HEAD", "before", "0123") as first, worktree(source, "HEAD", "before", "0123") as second:
        first.keep("0123")
        second.keep("0123")
        os.utime(first.folder.parent / worktrees._KEY, (time.time() - 60,) * 2)
    remove_abandoned(source)
    assert (first.folder.exists(), second.folder.exists()) == (False, True)


def test_only_the_latest_few_are_kept_and_for_a_week(source: Path) -> None:
    kept = []
    for number in range(6):
        with worktree(source, "HEAD", "before", f"{number:04x}") as one:
            one.keep(f"{number:04x}")
        kept.append(one.folder)
        used = time.time() - 3600 * (6 - number)
        os.utime(one.folder.parent / worktrees._KEY, (used, used))
    remove_abandoned(source)
    assert [folder.exists() for folder in kept] == [False, False, True, True, True, True]
    old = time.time() - 8 * 86_400
    os.utime(kept[-1].parent / worktrees._KEY, (old, old))
    remove_abandoned(source)
    assert [folder.exists() for folder in kept] == [False, False, True, True, True, False]
    assert trees(source) == 3
