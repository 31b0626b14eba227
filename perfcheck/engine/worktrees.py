"""Temporary git worktrees: a commit in a folder of its own, which is gone afterwards, whatever happens.

Each is ``perfcheck-*/before`` or ``after`` in a folder for temporary files, not in the repository. perfcheck locks
``perfcheck-*`` while it uses it. The system drops the lock of a process that was killed: the next call finds its
worktrees in git's list, and removes them.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from perfcheck.errors import CouldNotMeasureError
from perfcheck.git import GitError, git
from perfcheck.words import short_commit

_PREFIX, _NAMES = "perfcheck-", {"before", "after"}
_KEY = "setup-key"  # next to the worktree, and empty unless it is kept for the next call with this key
_MOST_KEPT, _LONGEST_KEPT_S = 4, 7 * 86_400.0
_TIMEOUT_S = 600.0  # a checkout of a large repository, or from LFS


@dataclass(frozen=True, slots=True)
class Worktree:
    """``is_set_up``: an earlier call has run the setup of this key in it."""

    folder: Path
    is_set_up: bool = False

    @property
    def is_left(self) -> bool:
        """Once the block has ended: whether it is there, though it is not kept."""
        return self.folder.exists() and not _key_of(self.folder)

    def keep(self, key: str) -> None:
        """It stays, for the next call with this key."""
        (self.folder.parent / _KEY).write_text(key, encoding="ascii")


@contextmanager
def worktree(repository: Path, commit: str, name: str, key: str | None = None) -> Iterator[Worktree]:
    """The ``commit``, checked out in a folder called ``name`` (before or after) during the block.

    With a ``key``, in the worktree that was kept with it if there is one: tracked files are those of the commit, others
    as they were left. Raises CouldNotMeasureError when git cannot check it out.
    """
    for kept in _registered(repository) if key else ():
        with _locked(kept.parent) as is_ours:
            if is_ours and kept.name == name and _key_of(kept) == key and _moved_to(commit, kept):
                os.utime(kept.parent / _KEY)
                yield Worktree(kept, is_set_up=True)
                return
    folder = Path(os.path.realpath(_folder_for_temporary_files()), f"{_PREFIX}{secrets.token_hex(4)}", name)
    try:
        folder.parent.mkdir(mode=0o700)
        (folder.parent / _KEY).touch()
        with _locked(folder.parent):
            _add(repository, commit, folder)
            yield Worktree(folder)
    finally:
        if not _key_of(folder):
            _remove(repository, folder)


def remove_abandoned(repository: Path) -> None:
    """The worktrees of calls that were killed, and kept ones that are too old or too many."""
    kept: set[str] = set()
    for folder in sorted(_registered(repository), key=_last_used_s, reverse=True):
        key, is_recent = _key_of(folder), time.time() - _last_used_s(folder) < _LONGEST_KEPT_S
        if key and key not in kept and is_recent and len(kept) < _MOST_KEPT:
            kept.add(key)
            continue
        with _locked(folder.parent) as is_ours:
            if is_ours:
                _remove(repository, folder)


def _folder_for_temporary_files() -> str:
    """Not /tmp, which is in memory on many systems, unless there is no other."""
    usual, on_disk = tempfile.gettempdir(), "/var/tmp"  # noqa: S108 - only what nobody else can read goes there
    return on_disk if usual == "/tmp" and os.access(on_disk, os.W_OK | os.X_OK) else usual  # noqa: S108


# --- Those that git knows ------------------------------------------------------------------------------------------


def _registered(repository: Path) -> list[Path]:
    """The worktrees that were made here, in use or not."""
    lines = os.fsdecode(git(repository, "worktree", "list", "--porcelain")).splitlines()
    folders = [Path(line.removeprefix("worktree ")) for line in lines if line.startswith("worktree ")]
    named = [folder for folder in folders if folder.name in _NAMES and folder.parent.name.startswith(_PREFIX)]
    # os.access, since Path.exists raises for a folder of another user, which is left alone.
    return [folder for folder in named if os.access(folder.parent / _KEY, os.F_OK) or not os.access(folder, os.F_OK)]


def _key_of(folder: Path) -> str:
    with suppress(OSError):
        return (folder.parent / _KEY).read_text(encoding="ascii")
    return ""


def _last_used_s(folder: Path) -> float:
    """0 for one that is not kept."""
    with suppress(OSError):
        return (folder.parent / _KEY).stat().st_mtime if _key_of(folder) else 0.0
    return 0.0


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether it is locked for the block: not while another process uses it. One that is gone needs no lock."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        yield isinstance(error, FileNotFoundError)
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _add(repository: Path, commit: str, folder: Path) -> None:
    try:
        git(repository, "worktree", "add", "--quiet", "--detach", str(folder), commit, timeout_s=_TIMEOUT_S)
    except GitError as error:
        remedy = error.remedy or "'git worktree add --detach FOLDER COMMIT' shows more"
        message = f"git cannot check out {short_commit(commit)}: {error}"
        raise CouldNotMeasureError(message, remedy, is_down=False) from error


def _moved_to(commit: str, folder: Path) -> bool:
    """Check the commit out in it. False where that fails: it stays for ``remove_abandoned``, without its key."""
    own = "--git-dir", str(folder / ".git"), "--work-tree", str(folder)  # also in a hook, which has others set
    try:
        git(folder, *own, "checkout", "--quiet", "--force", "--detach", commit, timeout_s=_TIMEOUT_S)
    except GitError:
        (folder.parent / _KEY).write_text("", encoding="ascii")
        return False
    return True


def _remove(repository: Path, folder: Path) -> None:
    """As far as possible. What cannot be deleted, such as files of another user, is tried again by the next call."""
    shutil.rmtree(folder, ignore_errors=True)
    for path, _, _ in os.walk(folder):  # a cache of modules is read-only
        with suppress(OSError):
            os.chmod(path, 0o700)  # noqa: PTH101
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        return
    shutil.rmtree(folder.parent, ignore_errors=True)
    with suppress(GitError):
        git(repository, "worktree", "remove", "--force", "--force", str(folder))
