"""The database statement that made an endpoint slow, as the monitor inside the service names it in Server-Timing."""

from __future__ import annotations

from collections.abc import Mapping

from perfcheck.model import STATEMENT, EndpointResult
from perfcheck.report.causes import NOTABLE_SHARE, increase_of, increased, subject_of
from perfcheck.text import clean
from perfcheck.units import format_from_to, format_ms

_MOST = 2
_LONGEST = 300


def slow_statements(result: EndpointResult) -> list[str]:
    """``statement 12 -> 48 ms: SELECT name FROM labels, from shop/views.py:47``.

    Those that increased since before; else, where the endpoint is slow, its slowest.
    """
    comparison = increase_of(result)
    subject = subject_of(result)
    result = subject or result
    details = result.server_timing_details
    now = {name: ms for name, ms in result.server_timing.items() if name.startswith(STATEMENT) and name in details}
    names = increased(now.items(), comparison)[:_MOST] if comparison is not None else _slowest(now, subject)
    before = comparison.before_server_timing if comparison is not None else {}
    changes = ((_change(name, before, now), clean(details[name], _LONGEST)) for name in names)
    return [f"statement {change}: {statement}" for change, statement in changes]


def _slowest(now: Mapping[str, float], slow: EndpointResult | None) -> list[str]:
    slowest = max(now, key=now.__getitem__, default="")
    is_notable = slow is not None and now.get(slowest, 0.0) > NOTABLE_SHARE * (slow.value_ms or 0.0)
    return [slowest] if is_notable else []


def _change(name: str, before: Mapping[str, float], now: Mapping[str, float]) -> str:
    if name in before:
        return format_from_to(before[name], now[name])
    is_new = any(other.startswith(STATEMENT) for other in before)  # of some services only the totals are known
    return f"{format_ms(now[name])}{', new among the slowest' if is_new else ''}"
