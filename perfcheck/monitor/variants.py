"""The requests of one endpoint kept apart by query parameters: ``GET /api/videos/ ?sort=title``.

Clients choose the values. So each endpoint has no more than 20 variants, and what comes beyond them, or cannot be one,
counts as its last, ``?(other)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

_OTHER = "(other)"
_MOST_VARIANTS = 20
_LONGEST_QUERY = 2000
_LONGEST_VARIANT = 100
_MOST_FIELDS = 50
_ENDPOINTS_KEPT = 10_000

_seen: dict[str, set[str]] = {}


def name_of_variant(endpoint: str, query: str, parameters: Sequence[str]) -> str:
    """``endpoint`` itself where the query has none of the ``parameters``."""
    variant = _variant(query, parameters)
    if not variant or (endpoint not in _seen and len(_seen) >= _ENDPOINTS_KEPT):
        return endpoint
    seen = _seen.setdefault(endpoint, set())
    if variant not in seen and len(seen) < _MOST_VARIANTS:  # threads may race for one more; nothing else
        seen.add(variant)
    return f"{endpoint} ?{variant if variant in seen else _OTHER}"


def _variant(query: str, parameters: Sequence[str]) -> str:
    """``sort=title``, in the order of ``parameters`` and encoded in one way, however the client wrote it."""
    fields = query[:_LONGEST_QUERY].split("&")[:_MOST_FIELDS]
    given = dict(parse_qsl("&".join(fields)))
    variant = urlencode([(name, given[name]) for name in parameters if name in given])
    return variant if len(variant) <= _LONGEST_VARIANT else _OTHER


def forget_variants() -> None:
    """Start again: for tests."""
    _seen.clear()
