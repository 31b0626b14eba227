"""What the measuring will take, in a line on stderr."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Protocol

from perfcheck.model import EndpointProgress, Forecast
from perfcheck.units import format_about, format_rate
from perfcheck.words import plural

_LEAST_ANNOUNCED_S = 10.0
_MUCH_LONGER = 3.0  # than announced
_AMPLE = 1.2  # of the forecast, for the budget that is suggested


class HasProgress(Protocol):
    def progress(self) -> Sequence[EndpointProgress]: ...
    def forecast(self) -> Forecast: ...


class Announcement:
    """A line on stderr on what the measuring will take: a log has no live display.

    Once it is known; and again where it will take much longer than announced, since the service became slow. And one
    for each long wait that the service requests.
    """

    def __init__(self) -> None:
        self._least_s = _LEAST_ANNOUNCED_S
        self._is_limited = False

    def __call__(self, source: HasProgress) -> None:
        forecast = source.forecast()
        if forecast.limited_s >= _LEAST_ANNOUNCED_S and not self._is_limited:
            sys.stderr.write(f"the service limits requests (429): waiting {format_about(forecast.limited_s)}\n")
        self._is_limited = forecast.limited_s > 0
        if forecast.is_known and forecast.left_s >= self._least_s:
            self._least_s = _MUCH_LONGER * forecast.left_s
            # Not through click, which would write past a live display.
            sys.stderr.write(announcement(len(source.progress()), forecast) + "\n")


def announcement(endpoints: int, forecast: Forecast) -> str:
    """``300 endpoints, about 35 s over 8 connections``, and what to do where the time does not suffice."""
    over = f" over {forecast.connections} connections" if forecast.connections > 1 else ", one request at a time"
    rate = f", at most {format_rate(forecast.rate_per_s)}" if forecast.rate_per_s else ""
    line = f"{plural(endpoints, 'endpoint')}, about {format_about(forecast.left_s)}{over}{rate}"
    if forecast.left_s <= forecast.budget_left_s:
        return line
    needed_s = forecast.budget_s + _AMPLE * (forecast.left_s - forecast.budget_left_s)
    return (
        f"{line}; the budget of {format_about(forecast.budget_s)} ends before all are decided, "
        f"--budget {math.ceil(needed_s / 60)}m would do"
    )
