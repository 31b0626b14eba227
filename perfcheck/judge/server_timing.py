"""The Server-Timing header: durations and descriptions of what the service did."""

from __future__ import annotations

import re
from collections.abc import Iterator

# W3C Server Timing, section 3 (https://www.w3.org/TR/server-timing/). Like browsers, what cannot be parsed is ignored;
# the header never makes a request fail.
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - an RFC 9110 token, not a secret
_METRIC_NAME = re.compile(rf"\s*({_TOKEN})")
_PARAMETER = re.compile(rf'\s*;\s*({_TOKEN})\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^;,"]*)))?')
_LONGEST_MS = 86_400_000.0  # a day: what is longer is no duration of a request
_TO_NEXT_METRIC = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"|")*?(?:,|$)')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_server_timing(header: str) -> dict[str, float]:
    """``db;dur=812;desc="101 queries", app;dur=30`` -> {"db": 812.0, "app": 30.0}, in milliseconds.

    Metrics without a duration are left out; of a repeated parameter the first counts; a repeated metric adds up.
    """
    durations: dict[str, float] = {}
    for name, parameters in _metrics(header):
        duration = _number(parameters.get("dur", ""))
        if duration is not None:
            durations[name] = durations.get(name, 0.0) + duration
    return durations


def parse_descriptions(header: str) -> dict[str, str]:
    """``db;dur=812;desc="101 queries", cache;desc=hit`` -> {"db": "101 queries", "cache": "hit"}, with or without dur.

    Of a repeated metric the first description counts; empty ones are left out.
    """
    descriptions: dict[str, str] = {}
    for name, parameters in _metrics(header):
        if text := parameters.get("desc", "").strip():
            descriptions.setdefault(name, text)
    return descriptions


def _metrics(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each metric with its parameters, their names in lower case."""
    position = 0
    while position < len(header):
        match = _METRIC_NAME.match(header, position)
        if match:
            parameters, position = _parameters(header, match.end())
            yield match.group(1), parameters
        rest = _TO_NEXT_METRIC.match(header, position)
        if rest is None or rest.end() == position:
            break
        position = rest.end()


def _parameters(header: str, position: int) -> tuple[dict[str, str], int]:
    parameters: dict[str, str] = {}
    while match := _PARAMETER.match(header, position):
        position = match.end()
        key, quoted, plain = match.groups()
        value = _ESCAPED.sub(r"\1", quoted) if quoted is not None else (plain or "").strip()
        parameters.setdefault(key.lower(), value)
    return parameters, position


def _number(text: str) -> float | None:
    try:
        value = float(text.strip())
    except ValueError:
        return None
    return round(value, 6) if 0 <= value <= _LONGEST_MS else None
