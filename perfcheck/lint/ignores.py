"""``# perfcheck: ignore[reason]``: comments that say why a handler need not be monitored."""

from __future__ import annotations

import io
import re
import tokenize

from perfcheck.lint.facts import Ignore
from perfcheck.lint.model import Place

_COMMENT = re.compile(r"#\s*perfcheck\s*:\s*ignore\b(?:\s*\[(?P<reason>[^\]]*)\])?", re.IGNORECASE)


def ignores_in(text: str, file: str) -> list[Ignore]:
    """All of them in order, those without a reason too."""
    if not _COMMENT.search(text):
        return []
    found: list[Ignore] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and (match := _COMMENT.search(token.string)):
                reason = (match["reason"] or "").strip()
                place = Place(file, token.start[0], token.start[1] + match.start() + 1)
                found.append(Ignore(place, reason or None))
    except (tokenize.TokenError, SyntaxError):  # it did parse: at worst the comments behind are not seen
        return found
    return found
