"""A series is of one branch: which one, and words for the runs of others."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable

from perfcheck.errors import UsageError
from perfcheck.history.model import BranchRuns
from perfcheck.model import NO_BRANCH
from perfcheck.text import clean
from perfcheck.words import and_more, did_you_mean, plural

_USUAL_DEFAULTS = ("main", "master")
_MAX_SHOWN = 3


def choose_branch(known: Iterable[BranchRuns], wanted: str | None, default: Callable[[], str | None]) -> str:
    """The branch ``wanted``, or else the default branch of the repository; "" for the runs without a branch.

    ``known`` are the branches of the history, those with the most runs first. ``default`` returns None where neither
    the repository nor the CI system knows it: then it is the main or master of the history, or the first that it has.
    Raises UsageError for a wanted branch without runs.
    """
    names = [branch.branch or "" for branch in known]
    if wanted is not None:
        if names and wanted not in names:
            near = did_you_mean(wanted, filter(None, names), most=3, similarity=0.5)
            remedy = near or "'perfcheck history list' shows the branches"
            raise UsageError(f"no runs {of_branch(wanted)} in the history", remedy)
        return wanted
    named = [name for name in names if name]
    if not named:
        return ""
    return default() or next((name for name in _USUAL_DEFAULTS if name in named), named[0])


def of_branch(branch: str) -> str:
    """``of branch main``."""
    return f"of branch {clean(branch)}" if branch else "without a branch"


def other_branches(known: Iterable[BranchRuns], branch: str) -> tuple[BranchRuns, ...]:
    return tuple(other for other in known if (other.branch or "") != branch)


def with_options(branches: Iterable[BranchRuns]) -> str:
    """``12 runs of branch feature (--branch feature), 3 runs without a branch (--branch -) and 2 more``."""
    return and_more([_with_option(branch.branch or "", branch.runs) for branch in branches], _MAX_SHOWN)


def _with_option(branch: str, runs: int) -> str:
    return f"{plural(runs, 'run')} {of_branch(branch)} (--branch {shlex.quote(clean(branch)) if branch else NO_BRANCH})"
