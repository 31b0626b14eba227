"""What to work on next: the endpoints that lost headroom, ranked by what their callers lost where that is known."""

from __future__ import annotations

from collections.abc import Iterable

from perfcheck.model import Changed, Source, Verdict
from perfcheck.periods.model import EndpointSummary, Focus, RankedBy

_MOST = 10
_SLOW = (Verdict.WARNING, Verdict.CRITICAL)


def rank(summaries: Iterable[EndpointSummary]) -> tuple[tuple[Focus, ...], RankedBy]:
    """The first ten, and by what they were ranked.

    An endpoint lost what it is slower than at the beginning, as far as a change was found; or what it is over its
    target, when that is more. Where the monitor counted the requests of all of them, that times the requests ranks
    them; else that as a share of the target.
    """
    found = [one for one in map(_focus, _one_of_each(summaries)) if one is not None]
    known = bool(found) and all(one.lost_time_s is not None for one in found)
    by = RankedBy.TIME if known else RankedBy.SHARE
    return tuple(sorted(found, key=lambda one: _key(one, by))[:_MOST]), by


def _one_of_each(summaries: Iterable[EndpointSummary]) -> list[EndpointSummary]:
    """What was measured before what the monitor tells, and then what is newest."""
    best: dict[str, EndpointSummary] = {}
    for one in summaries:
        known = best.get(one.name)
        if one.is_current and one.end_ms and (known is None or _worth(one) > _worth(known)):
            best[one.name] = one
    return list(best.values())


def _worth(one: EndpointSummary) -> tuple[bool, str]:
    return one.source is Source.MEASURED, one.last.started_at


def _focus(one: EndpointSummary) -> Focus | None:
    slower = one.end_ms - one.begin_ms if one.changed is Changed.SLOWER and one.end_ms and one.begin_ms else 0.0
    over = one.end_ms - one.target_ms if one.end_ms and one.target_ms else 0.0
    lost = max(slower, over, 0.0)
    if one.end_ms is None or (not lost and one.verdict not in _SLOW):
        return None
    return Focus(
        endpoint=one.name,
        machine=one.machine,
        source=one.source,
        end_ms=one.end_ms,
        target_ms=one.target_ms,
        end_headroom=one.end_headroom,
        lost_ms=lost,
        lost_share=lost / one.target_ms if one.target_ms else None,
        traffic=one.traffic,
        lost_time_s=lost * one.traffic / 1000 if one.traffic is not None else None,
        verdict=one.verdict,
        changed=one.changed,
        critical_path=one.critical_path,
    )


def _key(one: Focus, by: RankedBy) -> tuple[bool, float, float]:
    """What has lost nothing and is slow all the same, by its errors say, comes before all that can be weighed."""
    share = one.lost_share or 0.0
    weight = (one.lost_time_s or 0.0) if by is RankedBy.TIME else share
    return bool(one.lost_ms), -weight, -share
