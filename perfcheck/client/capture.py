"""Values captured from responses."""

from __future__ import annotations

import functools
import json
import re
from http.cookies import CookieError, SimpleCookie

from perfcheck.answers.json_path import compile_json_path
from perfcheck.client.exchange import RequestFailedError
from perfcheck.client.response import Response
from perfcheck.model import Capture, CaptureFrom, Failure

_compiled = functools.lru_cache(compile_json_path)


def captured(capture: Capture, response: Response, body: bytes) -> str:
    """The value. Raises RequestFailedError where the response does not have it, or has one that cannot be sent."""
    value = _value(capture, response, body)
    if not value:
        raise _wrong(capture, "the response does not have it")
    if not value.isprintable():
        raise _wrong(capture, "it contains control characters")
    return value


def _wrong(capture: Capture, reason: str) -> RequestFailedError:
    line = f"cannot capture '{capture.name}' from {capture.source} {capture.where}: {reason}"
    return RequestFailedError(Failure.WRONG_ANSWER, line, "correct 'capture', or look at what the service responds")


def _value(capture: Capture, response: Response, body: bytes) -> str | None:
    match capture.source:
        case CaptureFrom.JSON:
            return _in_json(capture, body)
        case CaptureFrom.HEADER:
            return response.header(capture.where.lower().encode())
        case CaptureFrom.COOKIE:
            return _in_cookies(capture.where, response)
        case CaptureFrom.TEXT:
            found = re.search(capture.where, body.decode("utf-8", "replace"))
            return found and (found[1] if found.re.groups else found[0])


def _in_json(capture: Capture, body: bytes) -> str | None:
    try:
        found = _compiled(capture.where).find(json.loads(body))
    except (ValueError, RecursionError):
        raise _wrong(capture, "the response is not JSON") from None
    if not found or found[0] is None:
        return None
    return found[0] if isinstance(found[0], str) else json.dumps(found[0])


def _in_cookies(name: str, response: Response) -> str | None:
    for key, value in response.headers:
        if key == b"set-cookie":
            try:
                cookies = SimpleCookie(value.decode("latin-1"))
            except CookieError:
                continue
            if name in cookies:
                return cookies[name].value
    return None
