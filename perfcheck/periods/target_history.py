"""The targets in a baseline as it once was, as far as it can be read, and what changed from one to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from perfcheck.baseline.load import read_past_endpoints
from perfcheck.model import Metric
from perfcheck.periods.model import TargetChange, TargetKey


@dataclass(frozen=True, slots=True)
class Targets:
    target_ms: float | None
    ideal_ms: float | None
    metric: Metric


AllTargets = Mapping[str, Targets | None]  # by endpoint; None: it is there, and cannot be read


def targets_in(content: bytes, folder: Path) -> AllTargets | None:
    """None when this is not a baseline. ``folder`` is that of the file."""
    endpoints = read_past_endpoints(content, folder)
    if endpoints is None:
        return None
    return {
        name: Targets(endpoint.target_ms, endpoint.ideal_ms, endpoint.metric) if endpoint else None
        for name, endpoint in endpoints.items()
    }


def changed_targets(
    before: AllTargets, after: AllTargets, commit: str, committed_at: str, subject: str
) -> Iterator[TargetChange]:
    """The promises that moved, came or went in this commit, in the order of the newer file."""
    none = Targets(None, None, Metric.MEDIAN)
    for name in dict.fromkeys([*after, *before]):
        old, new = before.get(name, none), after.get(name, none)
        if old is None or new is None:
            continue
        metric = new.metric if name in after else old.metric
        pairs = ((TargetKey.TARGET, old.target_ms, new.target_ms), (TargetKey.IDEAL, old.ideal_ms, new.ideal_ms))
        for key, old_ms, new_ms in pairs:
            if old_ms != new_ms:
                yield TargetChange(name, key, metric, old_ms, new_ms, commit, committed_at, subject)
