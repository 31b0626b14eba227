"""How the targets of a baseline changed in a period, read from the commits of the file as far as that is possible."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from perfcheck.baseline import find_baseline
from perfcheck.baseline.load import read_past_endpoints
from perfcheck.errors import UsageError
from perfcheck.history import repository_root
from perfcheck.model import Endpoint
from perfcheck.periods.model import BaselineHistory, Period, TargetChange, TargetKey
from perfcheck.text import clean
from perfcheck.times import parse_time, rfc3339

_MAX_COMMITS = 1000  # of the file that are read
_MAX_BYTES = 16_000_000  # of one revision, as of a baseline
_TIMEOUT_S = 20.0
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
# The repository's configuration must not run a program, and nothing must be written to it.
_GIT = (
    *("git", "--no-optional-locks", "--literal-pathspecs", "--no-replace-objects", "-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null", "-c", "log.showSignature=false"),
)


class NoRevisionsError(Exception):
    """There is nothing to read, and the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Revision:
    commit: str
    committed_at: str  # UTC, RFC 3339
    subject: str  # one clean line
    content: bytes | None = None  # None: the commit removed the file, or it is over 16 MB


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
    except NoRevisionsError as error:
        return BaselineHistory(clean(str(file)), message=str(error))


def _changes(file: Path, all_revisions: Sequence[Revision], period: Period) -> BaselineHistory:
    changes: list[TargetChange] = []
    before: Endpoints = {}
    commits = unreadable = 0
    for revision in all_revisions:
        is_within = revision.committed_at >= period.since
        commits += is_within
        after = {} if revision.content is None else read_past_endpoints(revision.content, file.parent)
        if after is None:
            unreadable += is_within
            continue
        if is_within:
            changes += changed_targets(before, after, revision)
        before = after
    return BaselineHistory(clean(str(file)), tuple(changes), commits, unreadable)


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
                yield TargetChange(name, key, endpoint.metric, old_ms, new_ms, *commit)


# --- The revisions of a file in git, read only and bounded ---------------------------------------------------------


def revisions(file: Path, since: str, until: str) -> Iterator[Revision]:
    """The last revision before ``since``, if there is one, then all from there to before ``until``, oldest first.

    Raises NoRevisionsError where git or a repository is missing, or has no commit of the file.
    """
    log = _log(file)
    earlier = [revision for revision in log if revision.committed_at < since][-1:]
    for revision in earlier + [revision for revision in log if since <= revision.committed_at < until]:
        content: bytes | None = None
        with suppress(NoRevisionsError):  # the commit removed the file
            content = _git(file.absolute().parent, "cat-file", "blob", f"{revision.commit}:./{file.name}")
        yield replace(revision, content=content if len(content or b"") <= _MAX_BYTES else None)


def _log(file: Path) -> list[Revision]:
    """Every commit that changed the file, in the order of time, without its content."""
    arguments = ["log", f"--max-count={_MAX_COMMITS}", "--no-color", "--format=%H%x09%cI%x09%s", "-z", "--", file.name]
    output = _git(file.absolute().parent, *arguments).decode("utf-8", "replace")
    log = []
    for line in output.split("\0"):
        commit, _, rest = line.strip("\n").partition("\t")
        committed_at, _, subject = rest.partition("\t")
        if _COMMIT.fullmatch(commit) and (time := parse_time(committed_at)):
            log.append(Revision(commit, rfc3339(time), clean(subject)))
    if not log:
        raise NoRevisionsError(f"git has no commit of {clean(file.name)}")
    log.reverse()  # git has the newest first; in the order of time, and of the log where times are equal
    return sorted(log, key=lambda revision: revision.committed_at)


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        process = subprocess.run(  # noqa: S603 - no shell, and what the user named comes after -- or a commit
            [*_GIT, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "", "LC_ALL": "C"},
            timeout=_TIMEOUT_S,
            check=False,
            start_new_session=True,  # Ctrl-C is for us
        )
    except subprocess.TimeoutExpired:
        raise NoRevisionsError(f"git did not finish within {_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise NoRevisionsError(f"git cannot be run: {error.strerror}") from None
    if process.returncode and repository_root(folder) is None and "GIT_DIR" not in os.environ:
        raise NoRevisionsError("not in a git repository")  # git exits with 128 for this as for all else
    if process.returncode:
        message = clean(process.stderr.decode("utf-8", "replace").removeprefix("fatal: "))
        raise NoRevisionsError(f"git failed: {message}")
    return process.stdout
