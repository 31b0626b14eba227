"""What ``perfcheck init`` prints when it is done. Imported then, since the engine takes its time."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from perfcheck.discover.left_out import ReasonGroup, by_reason
from perfcheck.engine.init import Draft, sources
from perfcheck.errors import CouldNotMeasureError
from perfcheck.words import and_more, plural

_MOST_REASONS = 6
_MOST_NAMED = 2


def require_endpoints(draft: Draft) -> None:
    """Raises CouldNotMeasureError where the file would have none."""
    if draft.kept:
        return
    found = len(draft.discovery.operations)
    groups = by_reason(draft.left_out)
    reasons = "; ".join(f"{each.reason} ({len(each.operations)})" for each in groups[:3])
    remedy = next((each.remedy for each in groups if each.remedy), "name operations with --openapi, --curl or --har")
    message = f"none of {plural(found, 'operation')} can be measured, so nothing was written: {reasons}"
    raise CouldNotMeasureError(message, remedy, is_down=False)


def summary(draft: Draft, file: Path, *, written: bool, quiet: bool) -> Iterator[str]:
    """What came of it, in at most some 20 lines, and the next step."""
    kept, operations = draft.kept, draft.discovery.operations
    left_out = draft.left_out
    if not quiet:
        yield f"found {plural(len(operations), 'operation')} ({sources(operations)})"
    unchecked = sum(result.lacked_time for result in draft.results.values())
    checked = (
        "all OK when checked" if not unchecked else f"OK when checked, but {unchecked} not checked, for want of time"
    )
    yield f"{'wrote' if written else 'would write'} {file}: {plural(len(kept), 'endpoint')}, {checked}"
    if quiet:
        return
    if left_out:
        yield f"left out {plural(len(left_out), 'operation')}, listed at the end of the file:"
        groups = by_reason(left_out)
        for group in groups[:_MOST_REASONS]:
            yield from _reason(group)
        if len(groups) > _MOST_REASONS:
            more = sum(len(group.operations) for group in groups[_MOST_REASONS:])
            yield f"{more:>5}  for {plural(len(groups) - _MOST_REASONS, 'other reason')}"
    if written:
        yield f"next: {shlex.join(_next_command(draft, file))}"


def _next_command(draft: Draft, file: Path) -> list[str]:
    """With what was given to this command, and is not in the file."""
    named = [] if str(file) == "baselines.yaml" else ["-f", str(file)]
    is_insecure = not draft.baseline.service.tls.verify
    return ["perfcheck", "run", *named, *["--insecure"] * is_insecure, *["--start"] * draft.service.has_own_port]


def _reason(group: ReasonGroup) -> Iterator[str]:
    yield f"{len(group.operations):>5}  {group.reason}: {and_more(group.names, _MOST_NAMED)}"
    if group.remedy:
        yield f"       {group.remedy}"
