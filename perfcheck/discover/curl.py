"""``curl`` commands, as browsers and documentation have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote_plus

from perfcheck.discover.curl_options import DATA, SHORT, WITH_VALUE
from perfcheck.discover.hosts import UNKNOWN, host_of, requests_of_service
from perfcheck.discover.path_segments import is_variable
from perfcheck.discover.seen_request import SeenRequest, below_base_url, operation_by_itself
from perfcheck.discover.shell_words import shell_commands
from perfcheck.errors import UsageError
from perfcheck.model.operation import Discovered, FoundIn

_PREFIX = re.compile(r"[$%>]|sudo|time|command|env|\w+=.*")  # before the command itself
_URL = re.compile(r"(?:(https?)://)?([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE | re.DOTALL)
_WITHOUT_HOST = re.compile(r"[$<{%]")  # it is a variable
_HOW = "paste what the browser has as 'Copy as cURL'"
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class _Curl:
    """What the options of one command add up to."""

    urls: list[str] = field(default_factory=list)
    method: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    data: list[tuple[str, str]] = field(default_factory=list)  # option and value
    query: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)


def read_curl(text: str, base_url: str, where: str = "standard input") -> Discovered:
    """The operations of the commands in ``text``. Raises UsageError where there are none, or they cannot be read."""
    recorded = []
    for line, words in shell_commands(text, where):
        for curl in _options(_arguments(words), f"{where}, line {line}"):
            recorded += [each for url in curl.urls if (each := _request(curl, url)) is not None]
    if not recorded:
        raise UsageError(
            f"{where}: no curl command with a URL found", "paste what the browser has as 'Copy as cURL (bash)'"
        )
    requests, notes = requests_of_service(recorded, base_url)
    found = [operation_by_itself(request, FoundIn.CURL, _variable) for request in requests]
    operations = [operation for operation in found if operation is not None]
    return Discovered(tuple(below_base_url(operations, base_url)), tuple(f"{where}: {note}" for note in notes))


def _variable(text: str) -> tuple[None, None] | None:
    return (None, None) if is_variable(text) else None


def _arguments(words: list[str]) -> list[str]:
    """Those of curl; none of another command, which has no URL then."""
    while len(words) > 1 and _PREFIX.fullmatch(words[0]):
        words = words[1:]
    return words[1:] if re.split(r"[/\\]", words[0])[-1] in {"curl", "curl.exe"} else []


def _options(words: list[str], where: str) -> Iterator[_Curl]:
    curl = _Curl()
    left = iter(words)
    for word in left:
        for name, value in _named(word):
            if name == "next":
                yield curl
                curl = _Curl()
            elif name not in WITH_VALUE:
                curl.flags.add(name)
            else:
                given = value if value is not None else next(left, None)
                if given is None:
                    raise UsageError(f"{where}: the option {word} has no value", "paste the whole command")
                _set(curl, name, given)
    yield curl


def _named(word: str) -> Iterator[tuple[str, str | None]]:
    """The options of a word, with the value if that is part of it: ``-sXPOST`` has two. A URL is an option as well."""
    if word.startswith("--") and len(word) > 2:  # noqa: PLR2004
        yield word[2:], None
        return
    if not word.startswith("-") or len(word) == 1:
        yield "url", word
        return
    for position, letter in enumerate(word[1:], 2):
        name = "next" if letter == ":" else SHORT.get(letter, letter)
        if name in WITH_VALUE:
            yield name, word[position:] or None
            return
        yield name, None


def _set(curl: _Curl, name: str, value: str) -> None:
    if name == "url":
        curl.urls.append(value)
    elif name == "request":
        curl.method = value.upper()
    elif name == "header" and ":" in value:
        header, _, text = (part.strip() for part in value.partition(":"))
        curl.headers += [(header, text)] if not is_variable(text) else []
    elif name == "url-query":
        curl.query.append(value[1:] if value.startswith("+") else _url_encoded(value))
    elif name in DATA or name in {"form", "form-string", "upload-file"}:
        curl.data.append((name, value))


def _request(curl: _Curl, url: str) -> tuple[str, SeenRequest] | None:
    """Host and request; None for another protocol."""
    match = _URL.fullmatch(url)
    if match is None or (match[1] is None and "://" in url):
        return None
    try:
        host = host_of(f"{match[1] or 'http'}://{match[2]}")
    except ValueError:
        host = UNKNOWN
    content = _content(curl)
    in_query = [match[4] or "", *curl.query, *([content or ""] if "get" in curl.flags else [])]
    query = parse_qsl("&".join(filter(None, in_query)), keep_blank_values=True)
    is_sent = bool(curl.data) and "get" not in curl.flags
    request = SeenRequest(
        method=curl.method or ("HEAD" if "head" in curl.flags else _default_method(curl) if is_sent else "GET"),
        path=match[3] or "/",
        query=tuple((name, None if is_variable(value) else value) for name, value in query),
        headers=tuple(_headers(curl)) if is_sent else tuple(curl.headers),
        content=content if is_sent else None,
    )
    return (UNKNOWN if not match[2] or _WITHOUT_HOST.search(match[2]) else host), request


def _default_method(curl: _Curl) -> str:
    return "PUT" if any(name == "upload-file" for name, _ in curl.data) else "POST"


def _headers(curl: _Curl) -> Iterator[tuple[str, str]]:
    """With those that curl adds to a body."""
    yield from curl.headers
    names = {name.lower() for name, _ in curl.headers}
    is_json = any(name == "json" for name, _ in curl.data)
    if "content-type" not in names:
        yield "Content-Type", _JSON if is_json else _FORM
    if is_json and "accept" not in names:
        yield "Accept", _JSON


def _content(curl: _Curl) -> str | None:
    """None where it is in a file, or in several parts."""
    text = ""
    for name, value in curl.data:
        is_file = value.startswith("@") and name != "data-raw"
        if name not in DATA or is_file or (name == "data-urlencode" and re.match(r"[^=]*@", value)):
            return None
        separator = "&" if text and name != "json" else ""
        text += separator + (_url_encoded(value) if name == "data-urlencode" else value)
    return text


def _url_encoded(value: str) -> str:
    """``name=text`` with the text encoded; ``=text`` and ``text`` are a text alone."""
    name, equals, text = value.partition("=")
    if not equals:
        return quote_plus(value)
    return f"{name}={quote_plus(text)}" if name else quote_plus(text)
