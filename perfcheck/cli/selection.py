"""Which endpoints of a baseline a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from perfcheck.errors import UsageError
from perfcheck.model import Baseline, Endpoint


def select_endpoints(baseline: Baseline, names: Sequence[str], groups: Sequence[str]) -> tuple[Endpoint, ...]:
    """The endpoints with one of these names (or patterns) or in one of these groups; all of them when neither is given.

    Raises UsageError, with the nearest name, for one that the baseline does not have.
    """
    if not names and not groups:
        return baseline.endpoints
    wanted: set[str] = set()
    known = [endpoint.name for endpoint in baseline.endpoints]
    for name in names:
        matches = [name] if name in known else [other for other in known if fnmatchcase(other, name)]
        if not matches:
            raise _unknown("endpoint", name, known, baseline.file)
        wanted.update(matches)
    for group in groups:
        members = [endpoint.name for endpoint in baseline.endpoints if endpoint.group == group]
        if not members:
            raise _unknown("group", group, [group.name for group in baseline.groups], baseline.file)
        wanted.update(members)
    return tuple(endpoint for endpoint in baseline.endpoints if endpoint.name in wanted)


def _unknown(what: str, name: str, known: Sequence[str], file: str) -> UsageError:
    near = get_close_matches(name, known, n=1)
    if not known:
        return UsageError(f"{file} has no {what} '{name}'", f"it has no {what}s at all")
    remedy = f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(known[:10])}{', ...' * (len(known) > 10)}"  # noqa: PLR2004
    return UsageError(f"{file} has no {what} '{name}'", remedy)
