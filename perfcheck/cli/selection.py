"""Which endpoints of a baseline a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from perfcheck.errors import UsageError
from perfcheck.model import Baseline, Endpoint


def select_endpoints(baseline: Baseline, names: Sequence[str], groups: Sequence[str]) -> tuple[Endpoint, ...]:
    """The endpoints of these groups that have one of these names, or match one as a pattern. Neither given: all.

    Raises UsageError, with the nearest name, for one that the baseline does not have.
    """
    wanted: set[str] = set()
    known = [endpoint.name for endpoint in baseline.endpoints]
    for name in names:
        matches = [name] if name in known else [other for other in known if fnmatchcase(other, name)]
        if not matches:
            raise _unknown("endpoint", name, known, baseline.file)
        wanted.update(matches)
    for group in groups:
        if not any(endpoint.group == group for endpoint in baseline.endpoints):
            if any(known_group.name == group for known_group in baseline.groups):
                raise UsageError(f"the group '{group}' of {baseline.file} has no endpoints")
            raise _unknown("group", group, [group.name for group in baseline.groups], baseline.file)
    chosen = tuple(
        endpoint
        for endpoint in baseline.endpoints
        if (not names or endpoint.name in wanted) and (not groups or endpoint.group in groups)
    )
    if not chosen:
        raise UsageError(f"no endpoint of {baseline.file} is in these groups and has one of these names")
    return chosen


def _unknown(what: str, name: str, known: Sequence[str], file: str) -> UsageError:
    if name.endswith((".yaml", ".yml")):
        return UsageError(f"{file} has no {what} '{name}'", f"did you mean '-f {name}'?")
    near = get_close_matches(name, known, n=1)
    if not known:
        return UsageError(f"{file} has no {what} '{name}'", f"it has no {what}s at all")
    remedy = f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(known[:10])}{', ...' * (len(known) > 10)}"  # noqa: PLR2004
    return UsageError(f"{file} has no {what} '{name}'", remedy)
