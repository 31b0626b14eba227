"""Pages that show an OpenAPI document (Swagger UI, ReDoc, Scalar, RapiDoc, Stoplight), and what leads to them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator

from perfcheck.discover.openapi.references import Object

_LONGEST = 3_000_000  # characters of a page or script
_VIEWER = re.compile(r"(?i)swagger|redoc|scalar|api-reference|rapi-?doc|elements-api|openapi|\bconfigUrl")
_SETTING = re.compile(
    r"""(?i)(?:spec-?url|description-?url|config-?url|data-url|\burl)["']?\s*[:=]\s*["'`]([^"'`<>\s]+)["'`]"""
)
_CALL = re.compile(r"""Redoc\.init\(\s*["'`]([^"'`<>\s]+)["'`]""")
_FILE = re.compile(r"""["'`]([^"'`<>\s]*(?:openapi|swagger|spec|schema|docs)[^"'`<>\s]*\.(?:json|ya?ml))["'`?]""")
_SCRIPT = re.compile(r"""(?i)<script[^>]*\ssrc\s*=\s*["']?([^"'<>\s]*(?:init|config|swagger|redoc|docs)[^"'<>\s]*)""")
_LIBRARY = re.compile(r"(?i)bundle|standalone|preset|\.min\.|\.(?:css|ico|png|svg|js\.map)$")
_LINK = re.compile(r"""(?i)\bhref\s*=\s*["']?([^"'<>\s]*(?:swagger|redoc|openapi|docs|schema)[^"'<>\s]*)""")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")  # as Django writes a slash in a script
_INLINE = re.compile(r"""\{\s*"(?:openapi|swagger)"\s*:\s*"[23]\.""")


def addresses_in(text: str) -> Iterator[str]:
    """What may be the address of a document, the likeliest first; then those of scripts and pages that may know one."""
    plain = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), html.unescape(text[:_LONGEST])).replace("\\/", "/")
    if _VIEWER.search(plain):
        for pattern in (_SETTING, _CALL, _FILE):
            yield from (match[1] for match in pattern.finditer(plain))
    if "drf-yasg" in plain:
        yield "?format=openapi"
    for pattern in (_SCRIPT, _LINK):
        yield from (match[1] for match in pattern.finditer(plain) if not _LIBRARY.search(match[1]))


def documents_in(text: str) -> Iterator[Object]:
    """Documents that are written in a page or script, as some frameworks for Node.js do."""
    for match in _INLINE.finditer(text):
        try:
            document, _ = json.JSONDecoder().raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        yield document
