"""Whether a baseline that was edited has its intended meaning, and nothing else has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isclose
from pathlib import Path

from perfcheck.baseline.file_errors import BaselineError
from perfcheck.baseline.load import read_for_editing
from perfcheck.model import Baseline, Endpoint


def unintended_change(
    before: Baseline, content: bytes, new_values: Mapping[tuple[str, str], float], path: Path, env: Mapping[str, str]
) -> str | None:
    """What is wrong with ``content``, which is to be ``before`` with these values of (endpoint, key). None: nothing."""
    try:
        after = read_for_editing(content, path, env)
    except BaselineError as error:
        return error.errors[0].message
    old = {endpoint.name: endpoint for endpoint in before.endpoints}
    expected = dict(old)
    for (name, key), value_ms in new_values.items():
        lines = {**expected[name].lines, key: 0}
        target, ideal = expected[name].target_ms, expected[name].ideal_ms
        target, ideal = (value_ms, ideal) if key == "target" else (target, value_ms)
        expected[name] = replace(expected[name], target_ms=target, ideal_ms=ideal, lines=lines)
    actual = tuple(_with_limits_of(old.get(endpoint.name), endpoint) for endpoint in after.endpoints)
    if _meaning(after, actual) == _meaning(before, tuple(expected.values())):
        return None
    return "other values would change with it"


def _with_limits_of(old: Endpoint | None, after: Endpoint) -> Endpoint:
    """With the old limits in place of its own, where these are the old ones for a new target."""
    if old is None or after.target_ms == old.target_ms:
        return after
    names = ("warning_ms", "critical_ms")  # they may be multiples of the target
    return replace(after, **{name: getattr(old, name) for name in names if _follows(old, after, name)})


def _follows(old: Endpoint, after: Endpoint, name: str) -> bool:
    was, became = getattr(old, name), getattr(after, name)
    if was is None or old.target_ms is None:
        return True  # there was no target, and so there were no limits
    return became is not None and (was == became or isclose(was * (after.target_ms or 0), became * old.target_ms))


def _meaning(baseline: Baseline, endpoints: tuple[Endpoint, ...]) -> Baseline:
    """Without the lines, which move, and without the hash of the file."""
    return replace(
        baseline,
        sha256="",
        groups=tuple(replace(group, line=0) for group in baseline.groups),
        endpoints=tuple(replace(endpoint, line=0, lines=dict.fromkeys(endpoint.lines, 0)) for endpoint in endpoints),
    )
