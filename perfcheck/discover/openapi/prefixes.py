"""Where the paths of a document begin on the server: what it states, and what may be true instead.

Behind a reverse proxy, or mounted in another application, a service often does not know its own prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, urljoin, urlsplit

from perfcheck.discover.foreign_json import Object, as_list, as_object
from perfcheck.model.operation import PARAMETER

_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def prefixes(document: object, *, location: str = "/", base_path: str = "") -> tuple[str, ...]:
    """The prefixes that the paths may have, the most likely first; "" is none.

    ``location`` is the path that the document was found at. ``base_path`` is that of the service's base URL, which
    operations are without.
    """
    below = base_path.rstrip("/")
    folders = _folders(urlsplit(location).path)
    found = [*_stated(as_object(document), location), "", *folders]
    return tuple(dict.fromkeys(_relative(prefix, below) for prefix in found))


def _stated(document: Object, location: str) -> Iterator[str]:
    """By ``servers``, and in version 2 by ``basePath``."""
    if isinstance(base_path := document.get("basePath"), str):
        yield _path(base_path, "/")
    for server in map(as_object, as_list(document.get("servers"))):
        if isinstance(url := server.get("url"), str):
            yield _path(_filled(url, as_object(server.get("variables"))), location)


def _relative(prefix: str, base_path: str) -> str:
    return prefix.removeprefix(base_path) if f"{prefix}/".startswith(f"{base_path}/") else prefix


def _filled(url: str, variables: Object) -> str:
    return PARAMETER.sub(lambda name: str(as_object(variables.get(name[1])).get("default", "")), url)


def _path(url: str, location: str) -> str:
    try:
        path = urlsplit(urljoin(location, url)).path
    except ValueError:  # not a URL
        return ""
    return encoded(f"/{path.strip('/')}".rstrip("/"))


def encoded(path: str) -> str:
    """Characters that no path can have as their UTF-8 in hexadecimal; what is encoded already stays."""
    return _LONE_PERCENT.sub("%25", quote(path, safe="/%:@!$&'()*+,;=~", errors="replace"))


def _folders(path: str) -> Iterator[str]:
    """Of ``/api/v1/openapi.json``: ``/api/v1`` and ``/api``."""
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
