"""What looks like a secret in requests that were recorded: it must not get into a file that is committed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from perfcheck.text import sounds_secret

_KNOWN_VALUES = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]+|(?:Bearer|Basic|Token) |AKIA[0-9A-Z]{12}|AIza[\w-]{20}|ya29\.|-----BEGIN"
    r"|(?:sk|pk|rk)_(?:live|test)_|gh[opsu]_\w{20}|github_pat_|glpat-|xox[abprs]-|SG\.[\w-]{16}"
)
_IN_BODY = re.compile(r"""(?:^|[&?{\[,\s])["']?([\w.-]{1,60})["']?\s*[=:]\s*["']?([^"'&,{}\[\]\s]+)""")
_NOTHING = {"null", "true", "false"}
_OPAQUE = re.compile(r"[A-Za-z0-9+/_=.-]{20,}")

_NOISE = re.compile(
    r"x-(?:forwarded|real-ip|request-id|correlation-id|client-data|b3-|datadog|amz|amzn|cloud-trace|goog|envoy|ms-)"
)
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_KEPT = {"accept", "content-type", "x-requested-with", "api-version", "accept-version"}
_LONGEST_HEADER = 200


def is_secret(name: str, value: str) -> bool:
    """Of a parameter, a header or a field of a body: by its name, or since its value looks like nothing else."""
    if _KNOWN_VALUES.match(value):
        return True
    return sounds_secret(name, is_opaque=_is_opaque(value))


def secret_in_body(content: str) -> str | None:
    """The name of the first field that holds one, in a form or in JSON."""
    pairs = (match.groups() for match in _IN_BODY.finditer(content))
    return next((name for name, value in pairs if value not in _NOTHING and is_secret(name, value)), None)


def kept_headers(headers: Iterable[tuple[str, str]], *, has_body: bool) -> Iterator[tuple[str, str]]:
    """Those that a service may decide by: no cookies, no logins, and nothing that a browser sends with every request.

    A header of the application's own, ``X-Tenant``, is kept unless it looks like a secret.
    """
    for name, value in headers:
        lower = name.lower()
        is_own = lower in _KEPT or (lower.startswith("x-") and not _NOISE.match(lower))
        is_general = lower == "accept" and ("," in value or "*/*" in value)
        if lower == "content-type" and not has_body:
            continue
        is_sendable = HEADER_NAME.fullmatch(name) is not None
        if is_sendable and is_own and not is_general and _is_plain(value) and not is_secret(name, value):
            yield name, value


def _is_plain(value: str) -> bool:
    return bool(value) and len(value) <= _LONGEST_HEADER and value.isprintable() and not _is_opaque(value)


def _is_opaque(value: str) -> bool:
    """Letters and digits at random, as in a key: ``9f86d081884c7d659a2f``, not ``application/vnd.example.v3+json``."""
    return bool(_OPAQUE.fullmatch(value)) and sum(char.isdigit() for char in value) >= 4  # noqa: PLR2004
