"""Who may read the statistics: this machine, or a client with the token. Pure; decided from the request alone.

Without a token only the loopback interface is served, and three things show that a request only seems to come from
there: a header that a proxy adds (its value is never trusted, its presence is enough), a Host that is not this machine
(a web page whose name was pointed at 127.0.0.1), and a peer without an address, which is a Unix socket with a proxy on
its other side. With a token configured the token decides, for every client.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

_CONFIGURE = "set PERFCHECK_MONITOR_TOKEN for the service and send 'Authorization: Bearer TOKEN'"
_PROXIED_BY_PREFIX = ("x-forwarded-", "x-original-", "x-envoy-", "x-azure-", "x-arr-", "x-amzn-", "fly-")
_PROXIED = (
    "cdn-loop",
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "max-forwards",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-scheme",
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]@/\s]+)(?::\d{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class AccessRefusal:
    """Why not, in a sentence, and what would help."""

    status: int  # 401 where a token is needed, 403 where only another set-up helps
    reason: str
    remedy: str


def refusal(method: str, headers: Mapping[str, str], peer: str | None, token: str | None) -> AccessRefusal | None:
    """None for a request that may be served. ``headers`` by lower-case name; ``peer`` as the server saw it."""
    if token is not None:
        if _has_token(headers.get("authorization", ""), token):
            return None
        return AccessRefusal(401, "the token is missing or wrong", "send 'Authorization: Bearer TOKEN'")
    if not _is_loopback(peer or ""):
        return AccessRefusal(403, "the statistics are for this machine only, and no token is configured", _CONFIGURE)
    if any(name in _PROXIED or name.startswith(_PROXIED_BY_PREFIX) for name in headers):
        return AccessRefusal(403, "the request came through a proxy, and no token is configured", _CONFIGURE)
    if not _is_this_machine(headers.get("host", "")):
        return AccessRefusal(403, "the Host header does not name this machine, and no token is configured", _CONFIGURE)
    if method not in ("GET", "HEAD") and _is_of_another_site(headers):
        return AccessRefusal(
            403, "the request came from a page of another site", "send it from a shell, or configure a token"
        )
    return None


def _has_token(authorization: str, token: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    # Headers are bytes that came as Latin-1 text; comparing bytes takes the same time wherever they differ.
    same = hmac.compare_digest(
        given.strip().encode("latin-1", "replace"), token.strip().encode("utf-8", "surrogateescape")
    )
    return same and scheme.lower() == "bearer"


def _is_loopback(peer: str) -> bool:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _is_this_machine(host: str) -> bool:
    match = _HOST.fullmatch(host.strip())
    name = match.group(1).strip("[]").lower().removesuffix(".") if match else ""
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_of_another_site(headers: Mapping[str, str]) -> bool:
    """By headers that browsers send and shells do not."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    except ValueError:
        return True
