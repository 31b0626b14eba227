"""URLs, paths and files."""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from yaml import Node

from perfcheck.baseline.context import Context
from perfcheck.baseline.value_types import TEXT, CustomType, ScalarType
from perfcheck.errors import UsageError
from perfcheck.text import clean, is_link
from perfcheck.units import WrongValueError, format_size

_EXAMPLE = "http://localhost:5001"
THIS_MACHINE = "127.0.0.1"
_HOST = re.compile(r"[A-Za-z0-9._~-]+")
_MALFORMED_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")  # RFC 3986 section 2.1
_SIMPLE = re.compile(r"[\w.-]{1,40}", re.ASCII)  # a text that YAML takes as it is
_MOST_PAIRS = 5
_LOOKS_LIKE_A_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?(/.*)?")


def check_base_url(text: str) -> str:
    """``text`` without its last slash. Raises WrongValueError for anything but the http(s) URL of a service.

    The message quotes nothing of the text, which may hold a password.
    """
    if "://" not in text and _LOOKS_LIKE_A_HOST.fullmatch(text):
        raise WrongValueError("the URL has no scheme", f"did you mean http://{text}?")
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for one that is out of range
    except ValueError:
        raise WrongValueError("not a valid URL", f"write, for example, {_EXAMPLE}") from None
    if parts.scheme not in {"http", "https"}:
        raise WrongValueError("the URL must start with http:// or https://", f"write, for example, {_EXAMPLE}")
    if not _is_host(parts):
        raise WrongValueError("the URL has no valid host", f"write, for example, {_EXAMPLE}")
    if parts.netloc.endswith(":"):  # as from http://localhost:$PORT with a variable that is not set
        raise WrongValueError("the URL has no port after ':'", f"write, for example, {_EXAMPLE}")
    if parts.query or parts.fragment or any(char.isspace() or not char.isprintable() for char in text):
        message = "the URL of a service cannot have a query, a fragment or spaces"
        raise WrongValueError(message, "write a query under 'query' of the endpoints")
    _check_percent_signs(text, "URL")
    return text.rstrip("/")


def _check_percent_signs(text: str, noun: str) -> None:
    if _MALFORMED_PERCENT.search(text):
        message = f"in the {noun} a '%' is not followed by two hexadecimal digits"
        raise WrongValueError(message, "write %25 for a percent sign")


def base_url_option(text: str) -> str:
    """``check_base_url`` of the option ``--base-url``. Raises UsageError."""
    try:
        return check_base_url(text)
    except WrongValueError as error:
        raise UsageError(f"--base-url: {error.message}", error.remedy) from None


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        if "[" in parts.netloc:
            ipaddress.IPv6Address(host)
            return True
        host.encode("idna")  # what the resolver does: raises for an empty or over-long label
        decoded = [label[4:].encode("ascii").decode("punycode") for label in host.split(".") if label[:4] == "xn--"]
    except ValueError:
        return False
    if any(label.isascii() or not label.isprintable() for label in decoded):
        return False
    return bool(_HOST.fullmatch(host)) if host.isascii() else host.isprintable()


def on_port(base_url: str, port: int) -> str:
    """Where a service listens that was started on a port of this machine.

    ``base_url`` keeps all but its port; one of another machine, which may be behind TLS, becomes http://127.0.0.1.
    """
    parts = urlsplit(base_url)
    login = parts.netloc.rpartition("@")[0]
    host = parts.hostname or ""
    is_here = host == "localhost" or host.endswith(".localhost") or _is_loopback(host)
    scheme, host = (parts.scheme, host) if is_here else ("http", "127.0.0.1")
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{scheme}://{login}@{address}{parts.path}" if login else f"{scheme}://{address}{parts.path}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def passwords_of(base_url: str) -> set[str]:
    """The credentials in the URL: as written, decoded, and as sent in an Authorization header."""
    parts = urlsplit(base_url)
    secret = parts.password or parts.username  # a token may be alone, in place of the user
    if not secret:
        return set()
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return {secret, unquote(secret), base64.b64encode(login.encode()).decode("ascii")}


_BASE_URL = ScalarType("an http:// or https:// URL", _EXAMPLE, check_base_url, {"type": "string"})


def _read_base_url(context: Context, node: Node, name: str) -> Any:
    """The URL. What replaces it from the command line needs none of its variables."""
    if context.base_url is not None:
        return context.base_url
    return _BASE_URL.read(context if context.port is None else replace(context, allow_unset=True), node, name)


BASE_URL = CustomType(_read_base_url, _BASE_URL.json)


def _connect_to(text: str) -> tuple[str, int]:
    """The host and the port. Raises WrongValueError, or ValueError."""
    if "/" in text:
        raise WrongValueError("expected a host and a port, not a URL or a path", "write, for example, 127.0.0.1:8443")
    parts = urlsplit(f"//{THIS_MACHINE}:{text}" if text.isdecimal() else f"//{text}")
    if not _is_host(parts) or "@" in text:
        raise ValueError(text)
    if not parts.port:  # raises for one that is out of range
        raise WrongValueError("the address has no port", f"write, for example, {clean(parts.netloc.rstrip(':'))}:443")
    return parts.hostname or "", parts.port


_CONNECT_TO = ScalarType(
    "a host and port, or a port of this machine",
    f"{THIS_MACHINE}:8443",
    _connect_to,
    {"anyOf": [{"type": "string", "pattern": r"^[^/]*[0-9]+$"}, {"type": "integer", "minimum": 1, "maximum": 65535}]},
)


def _read_connect_to(context: Context, node: Node, name: str) -> Any:
    """None where the command line has the address: it is another service, or not behind that."""
    address = _CONNECT_TO.read(context, node, name)
    return address if context.base_url is None and context.port is None else None


CONNECT_TO = CustomType(_read_connect_to, _CONNECT_TO.schema())


def check_path(text: str) -> str:
    """``text``. Raises WrongValueError for anything but the path of an endpoint."""
    if "://" in text:
        raise WrongValueError("expected a path, not a URL", "leave out the part that 'base_url' of 'service' has")
    if not text.startswith("/") or text.startswith("//"):
        raise WrongValueError("a path must start with a single '/'", "write, for example, /api/health")
    if "?" in text:
        raise WrongValueError("the path contains a query", f"move it to 'query', for example '{_query_key(text)}'")
    if "#" in text or any(not char.isprintable() for char in text):
        raise WrongValueError("the path contains '#' or control characters", "percent-encode them, for example %23")
    _check_percent_signs(text, "path")
    return text


def _query_key(path: str) -> str:
    """The query of ``path`` as the key of a baseline, if that is as simple as the example that is returned else."""
    pairs = parse_qsl(path.partition("?")[2], keep_blank_values=True)
    names = [name for name, _ in pairs]
    is_simple = all(_SIMPLE.fullmatch(text) for pair in pairs for text in pair) and len({*names}) == len(names)
    if not pairs or not is_simple or len(pairs) > _MOST_PAIRS:
        return "query: {q: love}"
    return f"query: {{{', '.join(f'{name}: {value}' for name, value in pairs)}}}"


TRACE_ID = "{trace_id}"


def _check_trace_url(text: str) -> str:
    if TRACE_ID not in text:
        raise WrongValueError(f"the URL has no {TRACE_ID}", f"write {TRACE_ID} where the id of the trace belongs")
    if not is_link(text.replace(TRACE_ID, "")) or not _is_host(urlsplit(text.replace(TRACE_ID, ""))):
        raise WrongValueError("not the http(s) URL of a page", "percent-encode what is special, such as quotes")
    return text


TRACE_URL = ScalarType(
    f"an http:// or https:// URL with {TRACE_ID}",
    f"https://jaeger.example/trace/{TRACE_ID}",
    _check_trace_url,
    {"type": "string", "pattern": r"\{trace_id\}"},
)

PATH = ScalarType("a path", "/api/health", check_path, {"type": "string", "pattern": r"^/|\$\{"}, secret=True)


def file_path(*, must_exist: bool) -> CustomType:
    """The path of a file, relative to the folder of the baseline. ``must_exist`` is checked at once."""

    def read(context: Context, node: Node, name: str) -> str | None:
        text = TEXT.read(context, node, name)
        if text is None:
            return None
        file = context.folder / text
        if must_exist and not file.is_file():
            context.error(node, f"{name}: file not found", "write its path relative to the folder of the baseline")
            return None
        return str(file)

    return CustomType(read, TEXT.json)


def read_file(context: Context, node: Node, name: str, most_bytes: int) -> tuple[Path, bytes] | None:
    """A file and its content, read now; None after collecting the error."""
    path = file_path(must_exist=True).read(context, node, name)
    if path is None:
        return None
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(most_bytes + 1)
    except OSError as error:
        context.error(node, f"{name}: the file cannot be read: {error.strerror}", "check its permissions")
        return None
    if len(content) > most_bytes:
        context.error(node, f"{name}: the file is larger than {format_size(most_bytes)}", "use a smaller one")
        return None
    return Path(path), content
