"""The two sides of a comparison of commits: what each ref is, in the repository around the current folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.git import GitError, git
from perfcheck.model import Finding, Rule
from perfcheck.text import clean
from perfcheck.words import and_more, did_you_mean, label_and_commit, plural, short_commit

WORKING_TREE = "."  # in place of a ref: the working tree as it is, with uncommitted changes
_HASH = re.compile(r"[0-9a-f]{7,64}")
_OF_HISTORY = re.compile(r"[~^]")
_MOST_NAMES = 5
_BRANCH, _REMOTE_BRANCH = "refs/heads/", "refs/remotes/origin/"


@dataclass(frozen=True, slots=True)
class Side:
    """``name`` is before or after. ``commit`` is None for a working tree without one, ``branch`` without a branch."""

    name: str
    ref: str
    commit: str | None
    branch: str | None = None
    in_place: bool = False  # the working tree: nothing is checked out
    dirty: bool | None = None
    ahead: int = 0  # commits that the other side lacks

    @property
    def shown(self) -> str:
        """``main (1a2b3c4d5e)``."""
        changes = " with uncommitted changes" if self.dirty else ""
        return label_and_commit(self.ref, self.commit, changes)


@contextmanager
def git_errors_reported() -> Iterator[None]:
    """As a UsageError."""
    try:
        yield
    except GitError as error:
        remedy = "run it in the repository of the service, in the folder in which its commands are run"
        raise UsageError(f"the commits cannot be compared: {error}", error.remedy or remedy) from error


def find_sides(folder: Path, before: str, after: str) -> tuple[Side, Side]:
    """Raises UsageError for a ref that is no commit, or outside of a repository."""
    with git_errors_reported():
        git(folder, "rev-parse", "--git-dir")
        sides = _find_side(folder, "before", before), _find_side(folder, "after", after)
        return replace(sides[0], ahead=_ahead(folder, *sides)), sides[1]


def what_sides_are(before: Side, after: Side) -> Iterator[Finding]:
    """Notes on a comparison that may not be the one that was meant."""
    if before.commit and before.commit == after.commit and not before.dirty and not after.dirty:
        yield Finding.note(Rule.COMMIT, f"both sides are commit {short_commit(before.commit)}: any difference is noise")
    if before.ahead:
        names = clean(before.ref), clean(after.ref)
        message = f"{names[0]} has {plural(before.ahead, 'commit')} that {names[1]} lacks: what they changed counts too"
        remedy = "compare with the common ancestor, which 'git merge-base {} {}' prints".format(*names)
        yield Finding.note(Rule.COMMIT, message, remedy=remedy)


def of_side(side: Side | None, error: CouldNotMeasureError | None) -> CouldNotMeasureError | None:
    """``error`` of the service of ``side``, if it has one."""
    if side and error:
        error.message = f"{side.shown}: {error.message}"
        if error.output and not side.in_place:
            error.remedy = f"{error.remedy}; a checkout has no file that git ignores: bring it with --copy or --setup"
    return error


def _find_side(folder: Path, name: str, ref: str) -> Side:
    if ref == WORKING_TREE:
        dirty = bool(git(folder, "status", "--porcelain", "--untracked-files=no"))
        commit = _commit(folder, "HEAD")
        return Side(name, "working tree", commit, _branch(folder, "HEAD"), in_place=True, dirty=dirty and bool(commit))
    for candidate in (ref, f"origin/{ref}"):  # a clone in CI has the branches of its remote, and none of its own
        if commit := _commit(folder, candidate):
            return Side(name, candidate, commit, _branch(folder, candidate))
    raise _unknown(folder, ref)


def _commit(folder: Path, ref: str) -> str | None:
    if ref.startswith("-"):  # no ref does, and git would take it for an option
        return None
    try:
        return git(folder, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").decode().strip()
    except GitError:
        return None


def _branch(folder: Path, ref: str) -> str | None:
    """Of a ref that names one, or of a HEAD that is on one."""
    try:
        full = git(folder, "rev-parse", "--symbolic-full-name", ref).decode("utf-8", "replace").strip()
    except GitError:
        return None
    return next((clean(full.removeprefix(p)) for p in (_BRANCH, _REMOTE_BRANCH) if full.startswith(p)), None)


def _ahead(folder: Path, before: Side, after: Side) -> int:
    """0 where it is not known: a shallow clone does not have the commits before."""
    if not before.commit or not after.commit or _is_shallow(folder):
        return 0
    try:
        return int(git(folder, "rev-list", "--count", f"{after.commit}..{before.commit}"))
    except GitError:  # as in a repository of millions of commits
        return 0


def _is_shallow(folder: Path) -> bool:
    return git(folder, "rev-parse", "--is-shallow-repository").strip() == b"true"


def _unknown(folder: Path, ref: str) -> UsageError:
    message = f"'{clean(ref)}' is not a commit of this repository"
    if _is_shallow(folder):
        return UsageError(f"{message}, which is a shallow clone", _how_to_fetch(clean(ref)))
    names = list(dict.fromkeys(names_of_commits(folder)))
    known = f"its branches and tags are: {and_more([clean(name) for name in names], _MOST_NAMES)}"
    return UsageError(message, did_you_mean(ref, names) or (known if names else "it has no commits yet"))


def _how_to_fetch(ref: str) -> str:
    if _OF_HISTORY.search(ref):  # no remote has such a name
        return "fetch its history: 'git fetch --unshallow'; in actions/checkout fetch-depth: 0, or 2 for HEAD^1"
    name = ref.removeprefix("origin/")
    what = name if _HASH.fullmatch(name) else f"{name}:{_REMOTE_BRANCH}{name}"
    return f"fetch it: 'git fetch --depth 1 origin {what}'; or clone all: fetch-depth: 0 in actions/checkout"


def names_of_commits(folder: Path) -> Iterator[str]:
    """Branches and tags, those of the remote without its name. Raises GitError."""
    for line in git(folder, "for-each-ref", "--format=%(refname:short)").decode("utf-8", "replace").splitlines():
        yield line.removeprefix("origin/")
