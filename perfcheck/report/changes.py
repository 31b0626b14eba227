"""What changed since an earlier run, endpoint by endpoint: two figures side by side, and no verdict on them."""

from __future__ import annotations

from dataclasses import dataclass

from perfcheck.model import EndpointResult, Run
from perfcheck.units import format_change


@dataclass(frozen=True, slots=True)
class Change:
    """The metric of one endpoint, then and now."""

    before_ms: float
    now_ms: float
    clear: bool  # the two intervals do not overlap; two runs of the same service seldom show that

    @property
    def ratio(self) -> float:
        """1.1 is 10 % slower than before."""
        return self.now_ms / self.before_ms

    @property
    def text(self) -> str:
        """``+27 %``, ``-5 %``, ``3.4x``; ``no clear change`` where the intervals overlap."""
        if not self.clear:
            return "no clear change"
        return format_change(self.ratio)


def changes(run: Run, previous: Run | None) -> dict[str, Change]:
    """By name, for the endpoints that both runs measured by the same metric; none without a previous run."""
    before = {result.name: result for result in previous.endpoints} if previous else {}
    found = {result.name: _change(result, before[result.name]) for result in run.endpoints if result.name in before}
    return {name: change for name, change in found.items() if change is not None}


def _change(now: EndpointResult, before: EndpointResult) -> Change | None:
    if now.value_ms is None or not before.value_ms or now.metric is not before.metric:
        return None
    if now.over_timeout or before.over_timeout:
        return None
    return Change(before.value_ms, now.value_ms, clear=_apart(now.interval_ms, before.interval_ms))


def _apart(one: tuple[float | None, float | None], other: tuple[float | None, float | None]) -> bool:
    return _below(one, other) or _below(other, one)


def _below(one: tuple[float | None, float | None], other: tuple[float | None, float | None]) -> bool:
    return one[1] is not None and other[0] is not None and one[1] < other[0]
