"""Values captured from responses."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable

from perfcheck.answers.decoding import parse_json
from perfcheck.answers.json_path import compile_json_path
from perfcheck.client.exchange import RequestFailedError
from perfcheck.client.response import Response
from perfcheck.model import NOT_CAPTURED, Capture, CaptureFrom, Failure
from perfcheck.units import WrongValueError

_LONGEST = 16_384  # characters; servers take no longer header
_compiled = functools.lru_cache(compile_json_path)


def captured(capture: Capture, response: Response, body: bytes) -> str:
    """The value: of a header or a cookie, also in the redirects before ``response``, from the last that has it.

    Raises RequestFailedError where none has it, or the value cannot be sent.
    """
    value = _value(capture, response, body)
    if value is None:
        raise _wrong(capture, "the response does not have it")
    if not value:
        raise _wrong(capture, "it is empty")
    if len(value) > _LONGEST:
        raise _wrong(capture, f"it has {len(value):,} characters, and at most {_LONGEST:,} are sent")
    if not value.isprintable():
        raise _wrong(capture, "it contains control characters")
    return value


def _wrong(capture: Capture, reason: str) -> RequestFailedError:
    line = f"{NOT_CAPTURED} '{capture.name}' from {capture.source} {capture.where}: {reason}"
    return RequestFailedError(Failure.WRONG_ANSWER, line)


def _value(capture: Capture, response: Response, body: bytes) -> str | None:
    match capture.source:
        case CaptureFrom.JSON:
            return _in_json(capture, body)
        case CaptureFrom.HEADER:
            return _last(response, lambda each: _in_headers(capture.where, each))
        case CaptureFrom.COOKIE:
            return _last(response, lambda each: _in_cookies(capture.where, each))
        case CaptureFrom.TEXT:
            found = re.search(capture.where, body.decode("utf-8", "replace"))
            return found and (found[1] if found.re.groups else found[0])


def _in_json(capture: Capture, body: bytes) -> str | None:
    try:
        found = _compiled(capture.where).find(parse_json(body, "the response"))
    except WrongValueError as error:
        raise _wrong(capture, error.message) from None
    if not found or found[0] is None:
        return None
    return found[0] if isinstance(found[0], str) else json.dumps(found[0])


def _last(response: Response, find: Callable[[Response], str | None]) -> str | None:
    each: Response | None = response
    while each is not None:
        if (value := find(each)) is not None:
            return value
        each = each.earlier
    return None


def _in_headers(name: str, response: Response) -> str | None:
    name = name.lower()
    return response.header(name.encode()) if any(key == name.encode() for key, _ in response.headers) else None


def _in_cookies(name: str, response: Response) -> str | None:
    """As RFC 6265, section 5.2, reads it: up to the first ';', whatever the attributes; sent back as it came."""
    found = None
    for key, value in response.headers:
        if key == b"set-cookie":
            own, equals, text = value.decode("utf-8", "replace").partition(";")[0].partition("=")
            if equals and own.strip() == name:
                found = text.strip()
    return found
