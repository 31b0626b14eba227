"""Pages that show an OpenAPI document (Swagger UI, ReDoc, Scalar, RapiDoc, Stoplight), and what leads to them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from itertools import chain, islice

from perfcheck.discover.foreign_json import Object

_LONGEST = 3_000_000  # characters of a page or script
_MOST_INLINE = 5
_VIEWER = re.compile(r"(?i)swagger|redoc|scalar|api-reference|rapi-?doc|elements-api|openapi|\bconfigUrl")
# Every repetition is bounded: pages may be minified, or hostile.
_ADDRESS = r"""([^"'`<>\s]{1,300})"""
_ASSIGNED = r"""["']?\s{0,9}[:=]\s{0,9}["'`]"""
_SETTING = re.compile(rf"(?i)(?:spec-?url|description-?url|config-?url|data-url|\burl){_ASSIGNED}{_ADDRESS}[\"'`]")
_CALL = re.compile(rf"Redoc\.init\(\s{{0,9}}[\"'`]{_ADDRESS}")
_QUOTED = re.compile(rf"[\"'`]{_ADDRESS}[\"'`]")
_FILE = re.compile(r"(?i)(?:openapi|swagger|spec|schema|docs).*\.(?:json|ya?ml)(?:\?|$)")
_SCRIPT = re.compile(rf"(?i)<script[^>]{{0,300}}?\ssrc\s?=\s?[\"']?{_ADDRESS}")
_LINK = re.compile(rf"(?i)\bhref\s?=\s?[\"']?{_ADDRESS}")
_ABOUT = re.compile(r"(?i)init|config|swagger|redoc|openapi|docs|schema")
_LIBRARY = re.compile(r"(?i)bundle|standalone|preset|\.min\.|\.(?:css|ico|png|svg|js\.map)$")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")  # as Django writes a slash in a script
_INLINE = re.compile(r"""\{\s{0,99}"(?:openapi|swagger)"\s{0,9}:\s{0,9}"[23]\.""")


def addresses_in(text: str) -> Iterator[str]:
    """What may be the address of a document, the likeliest first; then those of scripts and pages that may know one."""
    plain = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), html.unescape(text[:_LONGEST])).replace("\\/", "/")
    if _VIEWER.search(plain):
        yield from _found(_SETTING, plain)
        yield from _found(_CALL, plain)
        yield from filter(_FILE.search, _found(_QUOTED, plain))
    if "drf-yasg" in plain:
        yield "?format=openapi"
    for address in chain(_found(_SCRIPT, plain), _found(_LINK, plain)):
        if _ABOUT.search(address) and not _LIBRARY.search(address):
            yield address


def _found(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    return (match[1] for match in pattern.finditer(text))


def documents_in(text: str) -> Iterator[Object]:
    """Documents that are written in a page or script, as some frameworks for Node.js do."""
    for match in islice(_INLINE.finditer(text), _MOST_INLINE):
        try:
            document, _ = json.JSONDecoder().raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        yield document
