"""The targets in a baseline as it once was, as far as it can be read, and what changed from one to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from perfcheck.baseline.build import EndpointBuilder, build_sampling, value_of
from perfcheck.baseline.context import Context, Entries
from perfcheck.baseline.keys import PLACES, TOP
from perfcheck.baseline.problems import Problems, StopReading
from perfcheck.baseline.reading import UnreadableError, decode
from perfcheck.baseline.sections import Named
from perfcheck.baseline.tree import compose, is_null
from perfcheck.model import Metric
from perfcheck.periods.model import TargetChange, TargetKey


@dataclass(frozen=True, slots=True)
class Targets:
    target_ms: float | None
    ideal_ms: float | None
    metric: Metric


AllTargets = Mapping[str, Targets | None]  # by endpoint; None: it is there, and cannot be read


def targets_in(content: bytes, folder: Path) -> AllTargets | None:
    """None when this is no baseline. ``folder`` is where the file lies.

    Tolerant: an old revision may have errors of which nobody needs to hear now. Variables have no values.
    """
    try:
        text = decode(content)
    except UnreadableError:
        return None
    context = Context(Problems(text), {}, folder, "http://localhost", places=PLACES, allow_unset=True)
    with suppress(StopReading):
        return _read(context, text)
    return None


def _read(context: Context, text: str) -> AllTargets | None:
    tree = compose(text, context.problems)
    top = None if tree is None or is_null(tree) else TOP.read(context, tree, "")
    if not top:
        return None
    groups: dict[str, Named] = value_of(top, "groups", {})
    defaults: Entries = value_of(top, "defaults", {})
    service: Entries = value_of(top, "service", {})
    requests = build_sampling(value_of(top, "sampling", {})).min_requests
    builder = EndpointBuilder(context, service=service, defaults=defaults, groups=groups, requests=requests)
    found: dict[str, Targets | None] = {}
    for name, named in value_of(top, "endpoints", {}).items():
        one = None if _is_unclear(named) else builder.build(named)
        found[name] = None if one is None else Targets(one.target_ms, one.ideal_ms, one.metric)
    return found


def _is_unclear(named: Named) -> bool:
    """Whether a promise was written that cannot be read, which is not the same as none."""
    entries = named.entries or {}
    return any(key in entries and entries[key].value is None for key in ("target", "ideal", "metric"))


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
