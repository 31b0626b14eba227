"""Timestamps as text: RFC 3339 in UTC, as in run files, and as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d{1,6})\s*([hdwmy])", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24}  # a month is 30 days, a year 365
_EXPECTED = "expected a date such as 2026-11-01, or how long ago: 12h, 7d, 4w, 6m, 1y"


def rfc3339(time: datetime) -> str:
    """In UTC, with milliseconds, which sorts as text; a time without a zone is taken as UTC."""
    utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def parse_time(text: str) -> datetime | None:
    """An RFC 3339 time from a file or a service, in UTC; None for anything else. Without a zone it is in UTC."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def typed_time(text: str, now: datetime) -> str:
    """``2026-11-01T09:30`` or, before ``now``, ``7d``: as RFC 3339. Raises ValueError that states what is expected."""
    if ago := _AGO.fullmatch(text.strip()):
        number, unit = ago.groups()
        try:
            return rfc3339(now - timedelta(hours=int(number) * _HOURS[unit]))
        except OverflowError:
            raise ValueError(f"{text} ago is too long ago: {_EXPECTED}") from None
    if (time := parse_time(text.strip())) is None:
        raise ValueError(f"'{text}' is not a date: {_EXPECTED}")
    return rfc3339(time)
