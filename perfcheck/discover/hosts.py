"""Which addresses are of the service, also in a recording that may have been made at another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

from perfcheck.discover.seen_request import SeenRequest
from perfcheck.text import clean
from perfcheck.words import plural

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = {"127.0.0.1", "::1", "0.0.0.0", "host.docker.internal"}  # noqa: S104 - a name of it, nothing is bound

UNKNOWN = ""  # the host is a variable


def host_of(url: str) -> str:
    """``host:port``. Raises ValueError for what is no URL."""
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(parts.scheme)
    return f"{'localhost' if host in _LOOPBACK else host}:{port}"


def requests_of_service(
    recorded: Sequence[tuple[str, SeenRequest]], base_url: str
) -> tuple[list[SeenRequest], tuple[str, ...]]:
    """``recorded`` are pairs of host and request. Those to the service; where none is, those to the most frequent host.

    With a note about what was left out.
    """
    own = host_of(base_url)
    hosts = Counter(host for host, _ in recorded)
    if not hosts:
        return [], ()
    chosen = own if own in hosts or UNKNOWN in hosts else hosts.most_common(1)[0][0]
    taken = [request for host, request in recorded if host in {chosen, UNKNOWN}]
    left = len(recorded) - len(taken)
    elsewhere = [f"no request to {clean(own)}: those to {clean(chosen)} were taken"] if chosen != own else []
    others = [f"{plural(left, 'request')} to other hosts left out"] if left else []
    return taken, (*elsewhere, *others)
