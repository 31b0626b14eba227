"""How the targets of a baseline changed in a period, read from the commits of the file as far as that is possible."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from perfcheck.baseline import find_baseline
from perfcheck.baseline.load import read_past_endpoints
from perfcheck.errors import UsageError
from perfcheck.git import GitError, git
from perfcheck.model import Endpoint
from perfcheck.periods.model import BaselineHistory, Period, TargetChange, TargetKey
from perfcheck.text import clean
from perfcheck.times import parse_time, rfc3339

_MAX_COMMITS = 1000  # of the file that are read
_MAX_BYTES = 16_000_000  # of one revision, as of a baseline
_COMMIT = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True, slots=True)
class Revision:
    commit: str
    committed_at: str  # UTC, RFC 3339
    subject: str  # one clean line
    content: bytes | None = None  # None: the commit removed the file, or it is over 16 MB
    is_boundary: bool = False  # of a shallow clone: whether this commit changed the file is not known


Endpoints = Mapping[str, Endpoint | None]  # by name; None: it exists, and its targets cannot be read


def baseline_history(named: str | None, period: Period) -> BaselineHistory:
    """The targets that changed in the period. Raises UsageError for a named file that does not exist."""
    try:
        file = find_baseline(named, os.environ, Path.cwd())
    except UsageError as error:
        return BaselineHistory("", message=error.message)
    if named and not file.exists():
        raise UsageError(f"no such baseline: {named}", "name an existing file with -f, or leave it out")
    try:
        return _changes(file, list(revisions(file, period.since, period.until)), period)
    except GitError as error:
        return BaselineHistory(clean(str(file)), message=str(error))


def _changes(file: Path, all_revisions: Sequence[Revision], period: Period) -> BaselineHistory:
    changes: list[TargetChange] = []
    before: Endpoints = {}
    commits = unreadable = 0
    for revision in all_revisions:
        is_within = revision.committed_at >= period.since and not revision.is_boundary
        commits += is_within
        after = {} if revision.content is None else read_past_endpoints(revision.content, file.parent)
        if after is None:
            unreadable += is_within
            continue
        if is_within:
            changes += changed_targets(before, after, revision)
        before = after
    boundaries = [revision.committed_at for revision in all_revisions if revision.is_boundary]
    known_since = max((time for time in boundaries if time >= period.since), default=None)
    return BaselineHistory(clean(str(file)), tuple(changes), commits, unreadable, known_since)


def changed_targets(before: Endpoints, after: Endpoints, revision: Revision) -> Iterator[TargetChange]:
    """The targets that this commit changed, added or removed, in the order of the newer file."""
    for name in dict.fromkeys([*after, *before]):
        old, new = before.get(name), after.get(name)
        is_unclear = (name in before and old is None) or (name in after and new is None)
        endpoint = new or old
        if endpoint is None or is_unclear:
            continue
        values = {
            TargetKey.TARGET: (old.target_ms if old else None, new.target_ms if new else None),
            TargetKey.IDEAL: (old.ideal_ms if old else None, new.ideal_ms if new else None),
        }
        for key, (old_ms, new_ms) in values.items():
            if old_ms != new_ms:
                commit = (revision.commit, revision.committed_at, revision.subject)
                yield TargetChange(name, key, endpoint.metric_name, old_ms, new_ms, *commit)


# --- The revisions of a file in git, read only and bounded ---------------------------------------------------------


def revisions(file: Path, since: str, until: str) -> Iterator[Revision]:
    """The last revision before ``since``, if there is one, then all from there to before ``until``, oldest first.

    The boundary of a shallow clone is among them also where it is later. Raises GitError where git or a repository is
    missing, or has no commit of the file.
    """
    log = _log(file)
    earlier = [revision for revision in log if revision.committed_at < since][-1:]
    later = [revision for revision in log if since <= revision.committed_at]
    for revision in earlier + [revision for revision in later if revision.committed_at < until or revision.is_boundary]:
        content: bytes | None = None
        with suppress(GitError):  # the commit removed the file
            content = git(file.absolute().parent, "cat-file", "blob", f"{revision.commit}:./{file.name}")
        yield replace(revision, content=content if len(content or b"") <= _MAX_BYTES else None)


def _log(file: Path) -> list[Revision]:
    """Every commit that changed the file, in the order of time, without its content.

    Of a merge, what it changed in its first parent: next to each other, commits of two branches would undo each other.
    """
    arguments = ["log", "--first-parent", f"--max-count={_MAX_COMMITS}", "--no-color", "--format=%H%x09%cI%x09%s", "-z"]
    arguments += ["--", file.name]
    output = git(file.absolute().parent, *arguments).decode("utf-8", "replace")
    log, boundary = [], _boundary(file.absolute().parent)
    for line in output.split("\0"):
        commit, _, rest = line.strip("\n").partition("\t")
        committed_at, _, subject = rest.partition("\t")
        if _COMMIT.fullmatch(commit) and (time := parse_time(committed_at)):
            log.append(Revision(commit, rfc3339(time), clean(subject), is_boundary=commit in boundary))
    if not log:
        raise GitError(f"git has no commit of {clean(file.name)}")
    log.reverse()  # git has the newest first; in the order of time, and of the log where times are equal
    return sorted(log, key=lambda revision: revision.committed_at)


def _boundary(folder: Path) -> Collection[str]:
    """The commits whose parents a shallow clone lacks: to git they seem to add every file."""
    file = folder / os.fsdecode(git(folder, "rev-parse", "--git-path", "shallow").rstrip(b"\n"))
    return file.read_text(encoding="ascii").split() if file.is_file() else ()
