"""How the targets of a baseline changed in a period, read from the commits of the file as far as that is possible."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from perfcheck.baseline import find_baseline
from perfcheck.baseline.load import read_past_endpoints
from perfcheck.errors import UsageError
from perfcheck.model import Metric
from perfcheck.periods.model import BaselineHistory, Period, TargetChange, TargetKey
from perfcheck.periods.revisions import NoRevisionsError, Revision, revisions
from perfcheck.text import clean


@dataclass(frozen=True, slots=True)
class EndpointTargets:
    target_ms: float | None
    ideal_ms: float | None
    metric: Metric


AllTargets = Mapping[str, EndpointTargets | None]  # by endpoint; None: it exists, and its targets cannot be read


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
    before: AllTargets = {}
    commits = unreadable = 0
    for revision in all_revisions:
        is_within = revision.committed_at >= period.since
        commits += is_within
        after = {} if revision.content is None else targets_in(revision.content, file.parent)
        if after is None:
            unreadable += is_within
            continue
        if is_within:
            changes += changed_targets(before, after, revision)
        before = after
    return BaselineHistory(clean(str(file)), tuple(changes), commits, unreadable)


def targets_in(content: bytes, folder: Path) -> AllTargets | None:
    """None when this is not a baseline. ``folder`` is that of the file."""
    endpoints = read_past_endpoints(content, folder)
    if endpoints is None:
        return None
    return {
        name: EndpointTargets(endpoint.target_ms, endpoint.ideal_ms, endpoint.metric) if endpoint else None
        for name, endpoint in endpoints.items()
    }


def changed_targets(before: AllTargets, after: AllTargets, revision: Revision) -> Iterator[TargetChange]:
    """The targets that this commit changed, added or removed, in the order of the newer file."""
    none = EndpointTargets(None, None, Metric.MEDIAN)
    commit = (revision.commit, revision.committed_at, revision.subject)
    for name in dict.fromkeys([*after, *before]):
        old, new = before.get(name, none), after.get(name, none)
        if old is None or new is None:
            continue
        metric = new.metric if name in after else old.metric
        if old.target_ms != new.target_ms:
            yield TargetChange(name, TargetKey.TARGET, metric, old.target_ms, new.target_ms, *commit)
        if old.ideal_ms != new.ideal_ms:
            yield TargetChange(name, TargetKey.IDEAL, metric, old.ideal_ms, new.ideal_ms, *commit)
