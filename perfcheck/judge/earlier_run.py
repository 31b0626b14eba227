"""What changed since an earlier run, by the figures alone: no verdict depends on it."""

from __future__ import annotations

from perfcheck.model import EarlierRun, EndpointChange, EndpointResult, Run

_Interval = tuple[float | None, float | None]


def changes_since(run: Run, previous: Run) -> EarlierRun:
    """The metric of each endpoint that both runs measured, and which changes are clear.

    A change is clear where the two intervals do not overlap, which two runs of an unchanged service seldom show.
    """
    before = {result.name: result for result in previous.endpoints}
    now = {result.name: result for result in run.endpoints}
    changes = {name: _change(result, before[name]) for name, result in now.items() if name in before}
    return EarlierRun(
        label=previous.label,
        started_at=previous.started_at,
        changes={name: change for name, change in changes.items() if change is not None},
        added=tuple(name for name in now if name not in before),
        removed=tuple(name for name in before if name not in now),
    )


def _change(now: EndpointResult, before: EndpointResult) -> EndpointChange | None:
    """None where the two have no figure of one kind."""
    if now.value_ms is None or not before.value_ms or now.metric is not before.metric:
        return None
    if now.over_timeout or before.over_timeout:
        return None
    apart = _is_below(now.interval_ms, before.interval_ms) or _is_below(before.interval_ms, now.interval_ms)
    return EndpointChange(before.value_ms, now.value_ms, clear=apart)


def _is_below(interval: _Interval, other: _Interval) -> bool:
    high, low = interval[1], other[0]
    return high is not None and low is not None and high < low
