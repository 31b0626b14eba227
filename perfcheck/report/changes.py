"""What changed since an earlier run, endpoint by endpoint, in the figures that reports show beside each.

Either two figures side by side, and no verdict on them (``--compare-to``); or what a comparison with an earlier release
came to (``--against``), which is in the run itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from perfcheck.model import Comparison, EndpointResult, Run
from perfcheck.report.comparison_words import change_in_words
from perfcheck.units import format_change


@dataclass(frozen=True, slots=True)
class Change:
    """The metric of one endpoint, then and now."""

    before_ms: float
    now_ms: float
    clear: bool  # shown by a comparison; or the two intervals do not overlap, which two runs alike seldom show
    said: str | None = None  # what a comparison came to: "+26%", "no change", "cannot tell"

    @property
    def ratio(self) -> float:
        """1.1 is 10% slower than before."""
        return self.now_ms / self.before_ms

    @property
    def text(self) -> str:
        """``+27%``, ``-5%``, ``3.4x``; ``no clear change`` where the intervals overlap."""
        if self.said is not None:
            return self.said
        return format_change(self.ratio) if self.clear else "no clear change"


@dataclass(frozen=True, slots=True)
class Since:
    """An earlier run, as far as a report tells of it."""

    label: str | None
    started_at: str
    changed: dict[str, Change]  # by name, for the endpoints that both runs measured by the same metric
    added: tuple[str, ...]  # endpoints that only this run has
    removed: tuple[str, ...]


def since(run: Run, previous: Run | None) -> Since | None:
    """What ``run`` is shown beside: an earlier run that was named, else the release that it was held against.

    None without either, and where the whole report is about the comparison.
    """
    if run.is_comparison:
        return None
    if previous is not None:
        known = {result.name: result for result in previous.endpoints}
        names = dict.fromkeys(result.name for result in run.endpoints)
        added, removed = (name for name in names if name not in known), (name for name in known if name not in names)
        changed = {one.name: _change(one, known[one.name]) for one in run.endpoints if one.name in known}
        return Since(previous.label, previous.started_at, _known(changed), tuple(added), tuple(removed))
    if run.against is not None:
        told = {one.name: _shown(one.comparison) for one in run.endpoints if one.comparison is not None}
        against = run.against
        return Since(against.label, against.started_at or "", _known(told), against.added, against.removed)
    return None


def figures(run: Run, previous: Run | None) -> dict[str, Change]:
    """By name, for reports that are tables of figures; of a comparison as well, which is told in words elsewhere."""
    if run.is_comparison:
        return _known({one.name: _shown(one.comparison) for one in run.endpoints if one.comparison is not None})
    return changes(run, previous)


def changes(run: Run, previous: Run | None) -> dict[str, Change]:
    """By name; none without an earlier run."""
    found = since(run, previous)
    return found.changed if found else {}


def _known(changed: dict[str, Change | None]) -> dict[str, Change]:
    return {name: change for name, change in changed.items() if change is not None}


def _shown(comparison: Comparison) -> Change | None:
    if not comparison.before_ms or comparison.after_ms is None:
        return None
    words = change_in_words(comparison)
    return Change(
        comparison.before_ms, comparison.after_ms, clear=words not in {"no change", "cannot tell"}, said=words
    )


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
