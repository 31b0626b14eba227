"""The revisions of a file, from a real repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from simulation.year import commit_baseline

from perfcheck.git import GitError
from perfcheck.periods.baseline_history import Revision, baseline_history, revisions
from perfcheck.periods.model import BaselineHistory, Period, PeriodKind

ALL = ("2026-01-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for number, month in enumerate(("01", "03", "05", "07"), 1):
        commit_baseline(tmp_path, f"version {number}\n", f"2026-{month}-10T12:00:00+02:00", f"Number {number}")
    return tmp_path / "baselines.yaml"


def contents(found: list[Revision]) -> list[bytes | None]:
    return [one.content for one in found]


def run_git(folder: Path, *arguments: str, when: str = "") -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_COMMITTER_DATE": when}
    env |= {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True)


def test_all_of_a_while_and_the_one_before(file: Path) -> None:
    found = list(revisions(file, "2026-04-01T00:00:00.000Z", "2026-06-01T00:00:00.000Z"))
    assert contents(found) == [b"version 2\n", b"version 3\n"]
    assert [one.committed_at for one in found] == ["2026-03-10T10:00:00.000Z", "2026-05-10T10:00:00.000Z"]
    assert [one.subject for one in found] == ["Number 2", "Number 3"]
    assert len(found[0].commit) == 40


def test_from_another_folder_and_a_name_like_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit_baseline(tmp_path, "one\n", "2026-01-10T12:00:00Z", "One")
    os.rename(tmp_path / "baselines.yaml", tmp_path / "--output=x")  # noqa: PTH104
    monkeypatch.chdir("/")
    with pytest.raises(GitError, match="no commit of"):
        list(revisions(tmp_path / "--output=x", *ALL))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["--output=x", ".git"]


def test_a_file_that_was_removed_for_a_while(tmp_path: Path) -> None:
    commit_baseline(tmp_path, "one\n", "2026-01-10T12:00:00Z", "One")
    run_git(tmp_path, "rm", "-q", "baselines.yaml")
    run_git(tmp_path, "commit", "-q", "-m", "Remove", when="2026-02-10T12:00:00Z")
    commit_baseline(tmp_path, "two\n", "2026-03-10T12:00:00Z", "Two")
    assert contents(list(revisions(tmp_path / "baselines.yaml", *ALL))) == [b"one\n", None, b"two\n"]


def test_of_a_merge_what_it_brought_to_its_branch(file: Path) -> None:
    """By their times, commits of the two branches alternate, and next to each other seem to undo each other."""
    folder = file.parent
    run_git(folder, "checkout", "-q", "-b", "feature", "HEAD~1")
    commit_baseline(folder, "feature\n", "2026-06-10T12:00:00Z", "Feature")
    run_git(folder, "checkout", "-q", "-")
    run_git(folder, "merge", "-q", "-s", "ours", "--no-commit", "feature", when="2026-08-10T12:00:00Z")
    file.write_bytes(b"merged\n")
    run_git(folder, "commit", "-q", "-a", "-m", "Merge", when="2026-08-10T12:00:00Z")
    assert contents(list(revisions(file, *ALL))) == [*(b"version %d\n" % number for number in range(1, 5)), b"merged\n"]


def test_hostile_subjects_are_one_clean_line(tmp_path: Path) -> None:
    commit_baseline(tmp_path, "one\n", "2026-01-10T12:00:00Z", "\x1b[31mred\x1b[0m\ttab")
    (found,) = revisions(tmp_path / "baselines.yaml", *ALL)
    assert found.subject == "[31mred[0m tab"


def test_nothing_of_the_configuration_of_a_repository_is_run(file: Path) -> None:
    """Neither a pager, nor a filter for showing, nor a monitor of the file system."""
    folder, touched = file.parent, file.parent / "touched"
    program = folder / "program"
    program.write_text(f"#!/bin/sh\ntouch {touched}\ncat\n", encoding="utf-8")
    program.chmod(0o755)
    with (folder / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write(f"[core]\n\tfsmonitor = {program}\n\tpager = {program}\n")
        config.write(f'[diff "evil"]\n\ttextconv = {program}\n\tcommand = {program}\n')
        config.write(f"[gpg]\n\tprogram = {program}\n[log]\n\tshowSignature = true\n")
    (folder / ".gitattributes").write_text("baselines.yaml diff=evil filter=evil\n", encoding="utf-8")
    assert len(list(revisions(file, *ALL))) == 4
    assert not touched.exists()


@pytest.mark.parametrize("is_repository", [True, False])
def test_why_there_is_nothing(tmp_path: Path, is_repository: bool) -> None:  # noqa: FBT001
    if is_repository:
        commit_baseline(tmp_path, "one\n", "2026-01-10T12:00:00Z", "One")
    (tmp_path / "other.yaml").write_text("x", encoding="utf-8")
    expected = "git has no commit of other.yaml" if is_repository else "not in a git repository"
    with pytest.raises(GitError, match=expected):
        list(revisions(tmp_path / "other.yaml", *ALL))


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="git is not installed, or not on PATH"):
        list(revisions(tmp_path / "baselines.yaml", *ALL))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="git cannot be run: No such file"):
        list(revisions(tmp_path / "none" / "baselines.yaml", *ALL))


def test_a_shallow_clone_has_no_changes_at_its_boundary_and_is_known_to_be_incomplete(tmp_path: Path) -> None:
    """As actions/checkout makes it: the targets of January are not those of the first commit that it has."""
    full, clone = tmp_path / "full", tmp_path / "clone"
    full.mkdir()
    text = "version: 1\nendpoints:\n  a: {path: /, target: %dms}\n  b: {path: /, target: 100ms}\n"
    commit_baseline(full, text % 300, "2026-01-10T12:00:00Z", "Targets")
    run_git(full, "commit", "-q", "--allow-empty", "-m", "Code", when="2026-06-10T12:00:00Z")
    commit_baseline(full, text % 200, "2026-07-10T12:00:00Z", "Tighter")
    run_git(tmp_path, "clone", "-q", "--depth", "2", f"file://{full}", str(clone))

    def history(since: str, until: str = "2026-12-01") -> BaselineHistory:
        period = Period(PeriodKind.SPAN, *(f"{day}T00:00:00.000Z" for day in (since, until)))
        return baseline_history(str(clone / "baselines.yaml"), period)

    june = history("2026-06-01")
    assert [(change.endpoint, change.before_ms, change.after_ms) for change in june.changes] == [("a", 300.0, 200.0)]
    assert (june.commits, june.known_since) == (1, "2026-06-10T12:00:00.000Z")
    before_the_clone = history("2026-03-01", "2026-04-01")
    assert (before_the_clone.changes, before_the_clone.known_since) == ((), "2026-06-10T12:00:00.000Z")
    july = history("2026-07-01")
    assert (len(july.changes), july.known_since) == (1, None)
