"""Which endpoints of a baseline a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from perfcheck.errors import UsageError
from perfcheck.model import Baseline, Endpoint, EndpointResult, Run
from perfcheck.text import clean


class Named(Protocol):
    """An endpoint of a baseline, or its result in a run."""

    @property
    def name(self) -> str: ...
    @property
    def group(self) -> str | None: ...


T = TypeVar("T", bound=Named)


def select_endpoints(baseline: Baseline, names: Sequence[str], groups: Sequence[str]) -> tuple[Endpoint, ...]:
    """The endpoints of these groups that have one of these names, or match one as a pattern. Neither given: all.

    Raises UsageError, with the nearest name, for one that the baseline does not have.
    """
    return _select(baseline.endpoints, names, groups, [group.name for group in baseline.groups], baseline.file)


def select_results(run: Run, names: Sequence[str], groups: Sequence[str]) -> tuple[EndpointResult, ...]:
    """The same of a run that was saved."""
    known = dict.fromkeys(result.group for result in run.endpoints if result.group is not None)
    what = f"the run {clean(run.label) if run.label else run.id[:8]}"
    return _select(run.endpoints, names, groups, list(known), what)


def _select(
    endpoints: Sequence[T], names: Sequence[str], groups: Sequence[str], known_groups: Sequence[str], where: str
) -> tuple[T, ...]:
    wanted: set[str] = set()
    known = [endpoint.name for endpoint in endpoints]
    for name in names:
        matches = [name] if name in known else [other for other in known if fnmatchcase(other, name)]
        if not matches:
            raise _unknown("endpoint", name, known, where)
        wanted.update(matches)
    for group in groups:
        if not any(endpoint.group == group for endpoint in endpoints):
            if group in known_groups:
                raise UsageError(f"the group '{group}' of {where} has no endpoints")
            raise _unknown("group", group, known_groups, where)
    chosen = tuple(
        endpoint
        for endpoint in endpoints
        if (not names or endpoint.name in wanted) and (not groups or endpoint.group in groups)
    )
    if not chosen:
        raise UsageError(f"no endpoint of {where} is in these groups and has one of these names")
    return chosen


def _unknown(what: str, name: str, known: Sequence[str], file: str) -> UsageError:
    if name.endswith((".yaml", ".yml")):
        return UsageError(f"{file} has no {what} '{name}'", f"did you mean '-f {name}'?")
    near = get_close_matches(name, known, n=1)
    if not known:
        return UsageError(f"{file} has no {what} '{name}'", f"it has no {what}s at all")
    remedy = f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(known[:10])}{', ...' * (len(known) > 10)}"  # noqa: PLR2004
    return UsageError(f"{file} has no {what} '{name}'", remedy)
