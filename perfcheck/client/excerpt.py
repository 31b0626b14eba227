"""What an unexpected response states about itself: the first line of its body that adds something to its status."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from perfcheck.client.exchange import RequestFailedError
from perfcheck.client.response import Response
from perfcheck.text import Redactor

_MOST_BYTES = 16 * 1024
_LONGEST_SECRET = 64 * 1024  # that was captured, however it is encoded
_LONGEST = 120
_IS_TEXT = re.compile(r"text/|application/([\w.-]+\+)?(json|xml)\b", re.IGNORECASE)
_IS_MARKUP = re.compile(r"[^;]*(html|xml)", re.IGNORECASE)
_IS_ONE = re.compile("json|event-stream", re.IGNORECASE)  # a single line of it is of no use
_NOT_SHOWN = re.compile(r"<!--.*?-->|<(script|style)\b.*?(</\1\s*>|\Z)|<[^>]*>", re.IGNORECASE | re.DOTALL)


def excerpt(response: Response, redact: Redactor) -> str | None:
    """One clean line without secrets; None of a body that is no text, of a redirect, and where there is nothing new."""
    content_type = response.header(b"content-type")
    if 300 <= response.status <= 399 or not _IS_TEXT.match(content_type):  # noqa: PLR2004
        return None
    # More than is shown, so that the cut does not leave half of a secret.
    text = redact(beginning(response, _MOST_BYTES + _LONGEST_SECRET).decode("utf-8", "replace"))[:_MOST_BYTES]
    if _IS_MARKUP.match(content_type):
        text = redact(html.unescape(_NOT_SHOWN.sub("\n", text)))
    lines = [text] if _IS_ONE.search(content_type) else text.splitlines()
    status = f"{response.status} {response.reason}".lower()
    shown = (redact.clean(line, _LONGEST) for line in lines)
    return next((line for line in shown if any(map(str.isalnum, line)) and line.lower() not in status), None)


def beginning(response: Response, most_bytes: int) -> bytes:
    """Of the body, as far as it came and can be decoded."""
    return b"".join(_first_pieces(response, most_bytes))[:most_bytes]


def _first_pieces(response: Response, most_bytes: int) -> Iterator[bytes]:
    size = 0
    try:
        for piece in response.decoded():
            yield piece
            size += len(piece)
            if size >= most_bytes:
                return
    except RequestFailedError:
        return  # what could be decoded
