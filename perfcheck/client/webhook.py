"""A message is delivered to a webhook. Its address is a secret: no error shows any of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from perfcheck.errors import UsageError

_TIMEOUT_S = 10.0
_PAUSES_S = (1.0, 3.0)  # before the second and the third attempt
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
_KINDS = {  # httpx's exceptions, the narrowest first
    httpx.TimeoutException: f"no response within {_TIMEOUT_S:.0f} s",
    httpx.ConnectError: "it cannot be reached",
    httpx.HTTPError: "the connection broke",
}


def check_address(url: str, option: str) -> str:
    """``url``. Raises UsageError, which does not show it."""
    remedy = "an http:// or https:// address, such as the one that Slack, Teams or Discord made for the channel"
    try:
        parts = urlsplit(url)
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"{option}: not the address of a webhook", remedy)
    return url


def deliver(url: str, body: Mapping[str, Any], *, sleep: Callable[[float], None] = time.sleep) -> str | None:
    """Send ``body`` as JSON; tries again twice where that may help. Why it was not accepted, or None."""
    failure, may_help = _attempt(url, body)
    for pause_s in _PAUSES_S:
        if failure is None or not may_help:
            break
        sleep(pause_s)
        failure, may_help = _attempt(url, body)
    return failure


def _attempt(url: str, body: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Why it failed, and whether another attempt may help."""
    try:
        response = httpx.post(url, json=body, timeout=_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001 - of any kind: its text may hold the address
        return next((text for kind, text in _KINDS.items() if isinstance(error, kind)), "it cannot be sent"), True
    if response.is_success:
        return None, False
    is_temporary = response.status_code == _TOO_MANY_REQUESTS or response.status_code >= _SERVER_ERROR
    return f"its status is {response.status_code}", is_temporary
