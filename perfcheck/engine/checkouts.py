"""The two sides of a comparison made ready to run: checked out, with their files copied, and set up."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from perfcheck.engine.sides import Side, git_errors_reported
from perfcheck.engine.worktrees import Worktree, remove_abandoned, worktree
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.git import git, repository_root
from perfcheck.service_process import ShellCommand
from perfcheck.text import clean, without_credentials
from perfcheck.units import format_ms


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a side needs before its service can start."""

    setup: str | None = None  # a command
    setup_inputs: tuple[str, ...] = ()  # patterns of the files that decide whether an earlier setup is used again
    copied: tuple[str, ...] = ()  # files and folders that git ignores


@dataclass(frozen=True, slots=True)
class Checkout:
    """``folder`` is where the commands of this side run: in its tree what the current folder is in the repository."""

    side: Side
    folder: Path
    worktree: Worktree | None = None  # None: in place
    key: str | None = None  # under which a setup is kept

    @property
    def env(self) -> dict[str, str]:
        return {"PERFCHECK_SIDE": self.side.name}

    def set_up(self, recipe: Recipe, report: Callable[[str], None]) -> None:
        """Run the command of the recipe if it has one, unless an earlier call has. Raises CouldNotMeasureError."""
        command = recipe.setup
        if command is None:
            return
        if self.worktree and self.worktree.is_set_up:
            report(f"{self.side.name}: the setup of an earlier comparison is used again")
            return
        shown = clean(without_credentials(command))
        report(f"{self.side.name}: setting up: {shown}")
        started_s = time.monotonic()
        with ShellCommand() as process:
            process.start(command, cwd=self.folder, env=self.env)
            if code := process.wait():
                message = f"the setup of {self.side.name} failed with exit code {code}: {shown}"
                remedy = (
                    f"correct it; it was run in a checkout of {self.side.shown}, which has no file that git ignores"
                )
                raise CouldNotMeasureError(message, remedy, output=process.output())
        report(f"{self.side.name}: set up in {format_ms((time.monotonic() - started_s) * 1000)}")
        if self.worktree and self.key:
            self.worktree.keep(self.key)


@contextmanager
def checked_out(
    folder: Path, sides: Sequence[Side], recipe: Recipe, report: Callable[[str], None]
) -> Iterator[list[Checkout]]:
    """Each of the ``sides`` in a tree of its own, which is gone afterwards unless its setup is kept.

    ``report`` is called with what cannot be removed. Raises UsageError for a file to copy, an input or a folder that
    does not exist.
    """
    copied = [_within(folder, name) for name in recipe.copied]
    with git_errors_reported():
        remove_abandoned(folder)
        prefix = os.fsdecode(git(folder, "rev-parse", "--show-prefix")).rstrip("\n")
        keys = _keys(folder, sides, recipe, prefix)
    with ExitStack() as stack:
        checkouts: list[Checkout] = []
        stack.callback(_report_left, checkouts, report)
        for side, key in zip(sides, keys, strict=True):
            if side.in_place or side.commit is None:
                checkouts.append(Checkout(side, folder))
                continue
            tree = stack.enter_context(worktree(folder, side.commit, side.name, key))
            own = tree.folder / prefix
            if not own.is_dir():
                message = f"{side.shown} has no folder {clean(prefix.rstrip('/'))}"
                raise UsageError(message, "run it in a folder that both sides have, such as the repository's root")
            for name in copied:
                _copy(folder / name, own / name)
            checkouts.append(Checkout(side, own, tree, key))
        yield checkouts


def _report_left(checkouts: Sequence[Checkout], report: Callable[[str], None]) -> None:
    for each in checkouts:
        if each.worktree and each.worktree.is_left:
            folder = each.worktree.folder.parent
            report(f"{folder} could not be removed, since it has files of another user: sudo rm -r {folder}")


# --- Files that git ignores ----------------------------------------------------------------------------------------


def _within(folder: Path, name: str) -> str:
    """The path from ``folder`` to a file of the working tree that exists."""
    path = Path(os.path.abspath(folder / name))  # noqa: PTH100 - a link is copied as such
    if not os.path.lexists(path):
        raise UsageError(f"--copy: {clean(name)} does not exist", "name a file or folder of the working tree")
    if not path.is_relative_to(repository_root(folder) or folder):
        raise UsageError(f"--copy: {clean(name)} is not in the working tree", "copy it in --setup, from its full path")
    return os.path.relpath(path, folder)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


# --- A setup that an earlier call has run --------------------------------------------------------------------------


def _keys(folder: Path, sides: Sequence[Side], recipe: Recipe, prefix: str) -> list[str | None]:
    """Under which the setup of each side is kept; None where it is not.

    Raises UsageError for a pattern that matches no file of either side: misspelt, it would never change.
    """
    if not recipe.setup or not recipe.setup_inputs:
        return [None for _ in sides]
    contents = [{**_tracked(folder, side, prefix), **_copied(folder, recipe.copied)} for side in sides]
    for pattern in recipe.setup_inputs:
        if not any(fnmatchcase(name, pattern) for names in contents for name in names):
            message = f"--setup-inputs: neither side has a file that matches {clean(pattern)}"
            raise UsageError(message, "a pattern is relative to the current folder; '*' matches every file")
    keys = []
    for side, files in zip(sides, contents, strict=True):
        inputs = sorted(name for name in files if any(fnmatchcase(name, pattern) for pattern in recipe.setup_inputs))
        parts = [side.name, prefix, recipe.setup, *(f"{name} {files[name]}" for name in inputs)]
        key = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
        keys.append(None if side.in_place else key)
    return keys


def _tracked(folder: Path, side: Side, prefix: str) -> dict[str, str]:
    """The files of a commit, by their path from the current folder, with their hashes."""
    if not side.commit:
        return {}
    entries = os.fsdecode(git(folder, "ls-tree", "-r", "-z", "--full-tree", side.commit)).split("\0")
    paths = (entry.partition("\t") for entry in entries if entry)
    return {os.path.relpath(path, prefix or "."): facts for facts, _, path in paths}


def _copied(folder: Path, names: Sequence[str]) -> dict[str, str]:
    files = (name for name in names if (folder / name).is_file())
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}
