"""Access logs of web servers: which operations a service has, and how often each is requested.

The common and combined formats of Apache and nginx, gunicorn, uvicorn, Werkzeug and Django, lines of JSON such as
Caddy's, and any other line that contains ``"GET /path HTTP/1.1" 200``.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import IO, Any, NamedTuple
from urllib.parse import parse_qsl

from perfcheck.discover.path_segments import is_static
from perfcheck.discover.route_shapes import RouteShapes
from perfcheck.discover.seen_request import SeenRequest, below_base_url
from perfcheck.errors import UsageError
from perfcheck.model.operation import Discovered, FoundIn
from perfcheck.words import plural

MOST_BYTES = 300_000_000  # some two million lines, read in less than a minute
MOST_OPERATIONS = 300
_LONGEST_LINE = 65_536
_LINE = re.compile(
    r'"(?:\x1b\[[0-9;]*m)*([A-Z]{3,10}) ([^\s"]+)(?: HTTP/[0-9.]+)?(?:\x1b\[[0-9;]*m)*" (?:- )?([1-5][0-9]{2})\b(.*)',
    re.DOTALL,
)
_REQUEST = re.compile(r"([A-Z]{3,10}) (\S+)(?: HTTP/[0-9.]+)?")
_ADDRESS = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_BOT = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|facebookexternalhit|pingdom|uptime|statuscake|kube-probe|healthcheck|googlehc"
    r"|prometheus|datadog|newrelic|perfcheck/",
    re.IGNORECASE,
)
_SUCCEEDED = range(200, 400)
# Names of keys without what separates their words, the best first.
_METHOD = ("method", "requestmethod", "httpmethod", "verb", "httprequestmethod")
_TARGET = ("requesturi", "uri", "originalurl", "url", "requesturl", "requestpath", "path", "target", "httptarget")
_STATUS = ("status", "statuscode", "responsestatus", "httpstatus", "responsecode", "responsestatuscode")
_AGENT = ("useragent", "httpuseragent", "agent")
_INSIDE = ("request", "log", "message", "msg", "event")  # a line, or a part of one, as text
_HOW = "name an access log, or - for standard input"
_EXAMPLE = 'expected lines such as 127.0.0.1 - - [18/Jun/2026:10:00:00 +0000] "GET /things HTTP/1.1" 200 512'


class _LogLine(NamedTuple):
    """The request of a line, as it is written there."""

    method: str
    target: str
    status: int
    agent: str


def read_access_log(file: str, base_url: str) -> Discovered:
    """The operations of the requests in ``file`` that succeeded, with their number; those of bots are left out.

    ``file`` may be compressed (``.gz``), or ``-`` for standard input. Of a large one, the last part is read where that
    can be found without the rest, else the first: what it shows does not change with more.
    Raises UsageError where it cannot be read, or no line of it is a request.
    """
    where = "standard input" if file == "-" else file
    shapes, counts = RouteShapes(FoundIn.ACCESS_LOG), Counter[str]()
    for text in _lines(file, where):
        line = _read(text)
        kind = _kind(line)
        counts[kind] += 1
        if line is not None and kind == _TAKEN:
            path, _, query = _ADDRESS.sub("", line.target, count=1).partition("?")
            pairs = tuple(parse_qsl(query, keep_blank_values=True)) if query else ()
            shapes.add(SeenRequest(line.method, path, pairs))
    if counts.total() == counts[_OTHER]:
        raise UsageError(f"{where}: no request in {plural(counts.total(), 'line')}", _EXAMPLE)
    operations = tuple(below_base_url(shapes.operations(), base_url))
    notes = [f"{where}: {_summary(counts)}"]
    if len(operations) > MOST_OPERATIONS:
        notes.append(
            f"{where}: {plural(len(operations), 'route')}, of which the {MOST_OPERATIONS} most requested were taken"
        )
    return Discovered(operations[:MOST_OPERATIONS], tuple(notes))


_TAKEN, _BOTS, _FILES, _ERRORS, _OTHER = "taken", "of bots", "for static files", "that failed", "other"


def _kind(line: _LogLine | None) -> str:
    if line is None:
        return _OTHER
    if line.status not in _SUCCEEDED:
        return _ERRORS
    if is_static(line.target.partition("?")[0]):
        return _FILES
    return _BOTS if _is_bot(line.agent) else _TAKEN


@lru_cache(maxsize=10_000)
def _is_bot(agent: str) -> bool:
    return _BOT.search(agent) is not None


def _summary(counts: Counter[str]) -> str:
    left = [f"{counts[kind]:,} {kind}" for kind in (_ERRORS, _FILES, _BOTS) if counts[kind]]
    left += [f"{plural(counts[_OTHER], 'line')} without one"] if counts[_OTHER] else []
    return f"{plural(counts[_TAKEN], 'request')} read" + (f"; left out: {', '.join(left)}" if left else "")


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """At its beginning, or where the last ``MOST_BYTES`` begin."""
    if file == "-":
        yield sys.stdin.buffer
        return
    with gzip.open(file) if file.endswith(".gz") else open(file, "rb") as stream:  # noqa: PTH123
        size = os.fstat(stream.fileno()).st_size
        if not file.endswith(".gz") and size > MOST_BYTES:
            stream.seek(size - MOST_BYTES)
            stream.readline(_LONGEST_LINE)
        yield stream


def _lines(file: str, where: str) -> Iterator[str]:
    left = MOST_BYTES
    try:
        with _opened(file) as stream:
            while left > 0 and (line := stream.readline(_LONGEST_LINE)):
                left -= len(line)
                yield line.decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error) as error:
        message = getattr(error, "strerror", None) or f"{error}"
        raise UsageError(f"{where} cannot be read: {message}", _HOW) from None


def _read(text: str) -> _LogLine | None:
    return _of_json(text) if text.lstrip().startswith("{") else _of_text(text)


def _of_text(text: str) -> _LogLine | None:
    match = _LINE.search(text)
    return _LogLine(match[1], match[2], int(match[3]), match[4].partition('"')[2]) if match else None


def _of_json(text: str) -> _LogLine | None:
    """Of an object with a key for each part, however deep; or with the line as a text."""
    try:
        values = dict(_flat(json.loads(text)))
    except (ValueError, RecursionError):
        return _of_text(text)
    status = _first(values, _STATUS)
    request = values.get("request")
    match = _REQUEST.fullmatch(request) if isinstance(request, str) else None
    method, target = (match[1], match[2]) if match else (_first(values, _METHOD), _first(values, _TARGET))
    if isinstance(method, str) and isinstance(target, str) and str(status).isdecimal():
        return _LogLine(method.upper(), target, int(str(status)[:4]), str(_first(values, _AGENT)))
    inside = (value for key in _INSIDE if isinstance(value := values.get(key), str))
    return next(filter(None, map(_of_text, inside)), None)


def _flat(value: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The last key of each value, without what separates words; keys further out come last, and count."""
    if isinstance(value, dict) and depth < 4:  # noqa: PLR2004
        for name, inner in value.items():
            yield from _flat(inner, re.sub(r"[^a-z]", "", name.rpartition(".")[2].lower()), depth + 1)
    elif isinstance(value, list) and value:  # headers, as Caddy writes them
        yield from _flat(value[0], key, depth + 1)
    elif key:
        yield key, value


def _first(values: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if values.get(name) is not None), None)
