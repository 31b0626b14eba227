"""URLs, paths and files."""

from __future__ import annotations

import base64
import ipaddress
import re
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from perfcheck.baseline.context import Context
from perfcheck.baseline.kinds import TEXT, Text, WrongValueError
from perfcheck.baseline.nodes import Node

_EXAMPLE = "http://localhost:5001"
_HOST = re.compile(r"[A-Za-z0-9._~-]+")
_LOOKS_LIKE_A_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?(/.*)?")


def check_base_url(text: str) -> str:
    """``text`` without its last slash. Raises WrongValueError for what is not the http(s) address of a service.

    The message quotes nothing of the text, which may hold a password.
    """
    if "://" not in text and _LOOKS_LIKE_A_HOST.fullmatch(text):
        raise WrongValueError("the URL has no scheme", f"did you mean http://{text}?")
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for one that is out of range
    except ValueError:
        raise WrongValueError("not a URL", f"write it as in {_EXAMPLE}") from None
    if parts.scheme not in {"http", "https"}:
        raise WrongValueError("the URL must begin with http:// or https://", f"write it as in {_EXAMPLE}")
    if not _is_host(parts):
        raise WrongValueError("the URL has no valid host", f"write it as in {_EXAMPLE}")
    if parts.query or parts.fragment or any(char.isspace() or not char.isprintable() for char in text):
        message = "the URL of a service has no query, fragment or spaces"
        raise WrongValueError(message, "put a query into 'query' of the endpoints")
    return text.rstrip("/")


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        if "[" in parts.netloc:
            ipaddress.IPv6Address(host)
            return True
        host.encode("idna")  # what the resolver does: raises for an empty or over-long label
    except ValueError:
        return False
    return bool(_HOST.fullmatch(host)) if host.isascii() else host.isprintable()


def passwords_of(base_url: str) -> set[str]:
    """The credential in the URL: as written, as meant, and as it travels in an Authorization header."""
    parts = urlsplit(base_url)
    if not parts.password:  # a token may stand alone in the place of the user
        return {parts.username, unquote(parts.username)} if parts.username else set()
    password = unquote(parts.password)
    basic = base64.b64encode(f"{unquote(parts.username or '')}:{password}".encode()).decode("ascii")
    return {parts.password, password, basic}


class BaseUrl:
    """The address; one that was given elsewhere takes its place, so that its variables need not be set."""

    _WRITTEN = Text("an http:// or https:// URL", _EXAMPLE, check_base_url, {"type": "string"})

    def read(self, context: Context, node: Node, name: str) -> str | None:
        if context.base_url is not None:
            return context.base_url
        written: str | None = self._WRITTEN.read(context, node, name)
        return written

    def schema(self) -> dict[str, Any]:
        return self._WRITTEN.schema()


def _path(text: str) -> str:
    if "://" in text:
        raise WrongValueError("a path, not a URL, is expected", "leave out what 'base_url' under 'service' says")
    if not text.startswith("/") or text.startswith("//"):
        raise WrongValueError("a path begins with one '/'", "write it as in /api/health")
    if "?" in text:
        raise WrongValueError("the path holds a query", "move it to 'query', as in 'query: {q: love}'")
    if "#" in text or any(not char.isprintable() for char in text):
        raise WrongValueError("the path holds '#' or control characters", "percent-encode them, as in %23")
    return text


PATH = Text("a path", "/api/health", _path, {"type": "string", "pattern": r"^/|\$\{"}, secret=True)


class File:
    """The path of a file, from the folder of the baseline. ``must_exist`` is checked at once."""

    def __init__(self, *, must_exist: bool) -> None:
        self._must_exist = must_exist

    def read(self, context: Context, node: Node, name: str) -> str | None:
        text = TEXT.read(context, node, name)
        if text is None:
            return None
        file = context.folder / text
        if self._must_exist and not file.is_file():
            context.wrong(node, f"{name}: there is no such file", "give its path from the folder of the baseline")
            return None
        return str(file)

    def schema(self) -> dict[str, Any]:
        return TEXT.schema()
