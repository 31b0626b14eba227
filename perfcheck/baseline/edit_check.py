"""Whether a file that was edited means what it is to mean, and nothing else has become different."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isclose
from pathlib import Path

from perfcheck.baseline.changes import Change
from perfcheck.baseline.load import read_for_editing
from perfcheck.baseline.problems import BaselineError
from perfcheck.model import Baseline, Endpoint
from perfcheck.units import parse_duration_ms

_FOLLOWING = ("warning_ms", "critical_ms")  # the limits that may be multiples of the target


def difference(
    before: Baseline, content: bytes, made: Sequence[Change], path: Path, env: Mapping[str, str]
) -> str | None:
    """What is wrong with ``content``, which is to be ``before`` with these changes. None: nothing."""
    try:
        after = read_for_editing(content, path, env)
    except BaselineError as error:
        return error.problems[0].message
    old = {endpoint.name: endpoint for endpoint in before.endpoints}
    expected = dict(old)
    for change in made:
        expected[change.endpoint] = _with(expected[change.endpoint], change)
    found = tuple(_with_limits_of(old.get(endpoint.name), endpoint) for endpoint in after.endpoints)
    if _meaning(after, found) == _meaning(before, tuple(expected.values())):
        return None
    return "more than that would become different"


def _with(endpoint: Endpoint, change: Change) -> Endpoint:
    value_ms = parse_duration_ms(change.text)
    lines = {**endpoint.lines, change.key: 0}
    if change.key == "target":
        return replace(endpoint, target_ms=value_ms, lines=lines)
    return replace(endpoint, ideal_ms=value_ms, lines=lines)


def _with_limits_of(old: Endpoint | None, after: Endpoint) -> Endpoint:
    """With the old limits in place of its own, as far as these are what a new target makes of the old ones."""
    if old is None or after.target_ms == old.target_ms:
        return after
    return replace(after, **{name: getattr(old, name) for name in _FOLLOWING if _follows(old, after, name)})


def _follows(old: Endpoint, after: Endpoint, name: str) -> bool:
    was, became = getattr(old, name), getattr(after, name)
    if was is None or old.target_ms is None:
        return True  # there was no target, and so there were no limits
    return became is not None and (was == became or isclose(was * (after.target_ms or 0), became * old.target_ms))


def _meaning(baseline: Baseline, endpoints: tuple[Endpoint, ...]) -> Baseline:
    """Without the lines, which move, and without what tells one file from another."""
    return replace(
        baseline,
        sha256="",
        groups=tuple(replace(group, line=0) for group in baseline.groups),
        endpoints=tuple(replace(one, line=0, lines=dict.fromkeys(one.lines, 0)) for one in endpoints),
    )
