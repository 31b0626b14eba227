"""Foreign text made safe to show: no secrets, no control characters, no markup, one line, bounded."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
_SHORTEST_SECRET_FOUND_IN_TEXT = 4  # a shorter one would be found in every other word
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: str, limit: int = 200) -> str:
    """One line without control, format (bidirectional) or unassigned characters, at most ``limit`` long.

    Escape sequences lose their escape character, so that what is left of them is inert text.
    """
    shown = " ".join("".join(map(_shown, text[: 4 * limit])).split())
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def _shown(char: str) -> str:
    if char in "\t\r\n":
        return " "
    return "" if unicodedata.category(char) in _HIDDEN_CATEGORIES else char


class Redactor:
    """Replaces the values of variables by ``***``, also where they are quoted for a URL or JSON."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms: set[str] = set()
        for secret in secrets:
            forms |= {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
            forms |= {repr(secret)[1:-1], secret.strip()}
        found = {form for form in forms if len(form) >= _SHORTEST_SECRET_FOUND_IN_TEXT}
        self._forms = sorted(found, key=len, reverse=True)  # the longest first: one may contain another

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def clean(self, text: str, limit: int = 200) -> str:
        """Redacted first, then cleaned: a cut must not leave half of a secret."""
        return clean(self(text), limit)
