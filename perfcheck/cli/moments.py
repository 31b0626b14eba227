"""Times as they are typed: ``2026-11-01``, ``2026-11-01T09:30``, or how long ago, ``7d``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from perfcheck.cli.options import option

_AGO = re.compile(r"(\d{1,6})\s*([hdwmy])", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24}  # a month and a year as people round them
_EXPECTED = "expected a date such as 2026-11-01, or how long ago: 12h, 7d, 4w, 6m, 1y"


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """Given to the command as RFC 3339 in UTC, with milliseconds; a date without a zone is in UTC, as runs are."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return moment(str(value), datetime.now(UTC))
        except ValueError as error:
            return self.fail(str(error), param, ctx)


def moment(text: str, now: datetime) -> str:
    """``7d`` -> the time a week before ``now``. Raises ValueError with a sentence that says what is expected."""
    if ago := _AGO.fullmatch(text.strip()):
        number, unit = ago.groups()
        try:
            return rfc3339(now - timedelta(hours=int(number) * _HOURS[unit]))
        except OverflowError:
            raise ValueError(f"{text} ago is before all calendars: {_EXPECTED}") from None
    try:
        return rfc3339(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no date: {_EXPECTED}") from None


def rfc3339(time: datetime) -> str:
    utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


since_option = option("--since", type=Moment(), help="Only runs from then on: 2026-11-01, or 7d or 4w ago.")
until_option = option("--until", type=Moment(), help="Only runs before then: 2026-11-01, or 7d or 4w ago.")
