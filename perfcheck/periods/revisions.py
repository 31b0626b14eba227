"""The revisions of a file in git: which commits changed it, and what it held then. Read only, and bounded."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from perfcheck.text import clean
from perfcheck.times import parse_time, rfc3339

MOST_COMMITS = 1000  # of the file that are looked through
_MOST_BYTES = 16_000_000  # of one revision, as of a baseline
_PATIENCE_S = 20.0
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
# Nothing of the repository's own configuration is to run a program, and nothing is to be written to it.
_GIT = (
    "git",
    "--no-optional-locks",
    "--literal-pathspecs",
    "--no-replace-objects",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "log.showSignature=false",
)


class NoRevisionsError(Exception):
    """There is nothing to read, and the message says why."""


@dataclass(frozen=True, slots=True)
class Revision:
    commit: str
    committed_at: str  # UTC, RFC 3339
    subject: str  # one clean line
    content: bytes | None  # None: the commit removed the file, or it is over 16 MB


def revisions(file: Path, since: str, until: str) -> Iterator[Revision]:
    """The last revision before ``since``, if there is one, then all from there to before ``until``, oldest first.

    Raises NoRevisionsError where git or a repository is missing, or has never seen the file.
    """
    log = _log(file)
    earlier = [one for one in log if one[1] < since][-1:]
    for commit, committed_at, subject in earlier + [one for one in log if since <= one[1] < until]:
        yield Revision(commit, committed_at, subject, _content(file, commit))


def _log(file: Path) -> list[tuple[str, str, str]]:
    """Commit, time and subject of every commit that changed the file, in the order of time."""
    arguments = ["log", f"--max-count={MOST_COMMITS}", "--no-color", "--format=%H%x09%cI%x09%s", "-z", "--", file.name]
    output = _git(file.absolute().parent, *arguments).decode("utf-8", "replace")
    found = []
    for line in output.split("\0"):
        commit, _, rest = line.strip("\n").partition("\t")
        time, _, subject = rest.partition("\t")
        if _COMMIT.fullmatch(commit) and (at := _utc(time)):
            found.append((commit, at, clean(subject)))
    if not found:
        raise NoRevisionsError(f"git has no commit of {clean(file.name)}")
    found.reverse()  # git tells the newest first; in the order of time, and of the log where times are alike
    return sorted(found, key=lambda one: one[1])


def _content(file: Path, commit: str) -> bytes | None:
    try:
        content = _git(file.absolute().parent, "cat-file", "blob", f"{commit}:./{file.name}")
    except NoRevisionsError:
        return None
    return content if len(content) <= _MOST_BYTES else None


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and what the user named stands behind -- or a commit
            [*_GIT, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "", "LC_ALL": "C"},
            timeout=_PATIENCE_S,
            check=False,
            start_new_session=True,  # Ctrl-C is for us
        )
    except subprocess.TimeoutExpired:
        raise NoRevisionsError(f"git did not answer within {_PATIENCE_S:.0f} s") from None
    except OSError as error:
        raise NoRevisionsError(f"git cannot be run: {error.strerror}") from None
    if done.returncode:
        said = clean(done.stderr.decode("utf-8", "replace").removeprefix("fatal: "))
        raise NoRevisionsError("not in a git repository" if "not a git repository" in said else f"git says: {said}")
    return done.stdout


def _utc(text: str) -> str | None:
    time = parse_time(text)
    return None if time is None else rfc3339(time)
