"""Requests that a browser recorded: a HAR file (HTTP Archive 1.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from perfcheck.discover.foreign_json import Object, as_list, as_object, read_json
from perfcheck.discover.hosts import host_of, requests_of_service
from perfcheck.discover.path_segments import is_static
from perfcheck.discover.route_shapes import RouteShapes
from perfcheck.discover.seen_request import Pairs, SeenRequest, below_base_url
from perfcheck.errors import UsageError
from perfcheck.model.operation import Discovered, FoundIn

_LONGEST_BODY = 100_000  # of a request
_SUCCEEDED = range(200, 400)
_NO_REQUESTS = {"websocket", "eventsource", "image", "stylesheet", "script", "font", "media", "preflight", "ping"}
_HOW = "save one in the browser: developer tools, Network, 'Save all as HAR'"


def read_har(file: str, base_url: str) -> Discovered:
    """The operations of the requests in ``file`` that succeeded, without style sheets, scripts, images and the like.

    Raises UsageError for a file that is none.
    """
    recorded = list(_recorded(read_json(file, "a HAR file", _HOW), file))
    requests, notes = requests_of_service(recorded, base_url)
    shapes = RouteShapes(FoundIn.HAR)
    for request in requests:
        shapes.add(request)
    if not requests:
        notes = ("no request to a service in it, apart from static files and errors",)
    return Discovered(tuple(below_base_url(shapes.operations(), base_url)), tuple(f"{file}: {note}" for note in notes))


def _recorded(har: Any, file: str) -> Iterator[tuple[str, SeenRequest]]:
    """The host of each request, and the request."""
    entries = as_object(as_object(har).get("log")).get("entries")
    if not isinstance(entries, list):
        raise UsageError(f"{file}: expected a HAR file, with 'entries' in 'log'", _HOW)
    for number, entry in enumerate(entries, 1):
        request = as_object(as_object(entry).get("request"))
        if not all(isinstance(request.get(key), str) for key in ("method", "url")):
            raise UsageError(f"{file}: entry {number} has no 'request' with 'method' and 'url'", _HOW)
        try:
            url = urlsplit(request["url"])
            host = host_of(request["url"])
        except ValueError:
            raise UsageError(f"{file}: entry {number} has a 'url' that is not one", _HOW) from None
        if url.scheme in {"http", "https"} and not is_static(url.path) and _is_read(entry):
            yield host, _request(request, url.path or "/", url.query)


def _is_read(entry: Object) -> bool:
    """Whether it has a response that succeeded, of the service itself. The type of what was loaded is an extension."""
    response = as_object(entry.get("response"))
    is_stream = str(as_object(response.get("content")).get("mimeType")).startswith("text/event-stream")
    return (
        response.get("status") in _SUCCEEDED and not is_stream and str(entry.get("_resourceType")) not in _NO_REQUESTS
    )


def _request(request: Object, path: str, query: str) -> SeenRequest:
    return SeenRequest(
        method=request["method"].upper(),
        path=path,
        query=tuple(parse_qsl(query, keep_blank_values=True)),
        headers=_pairs(request.get("headers")),
        content=_content(request.get("postData")),
    )


def _pairs(value: Any) -> Pairs:
    """Of a list of objects with ``name`` and ``value``."""
    pairs = ((item.get("name"), item.get("value")) for item in map(as_object, as_list(value)))
    return tuple((name, text) for name, text in pairs if isinstance(name, str) and isinstance(text, str))


def _content(data: Any) -> str | None:
    body = as_object(data)
    text = body.get("text") or urlencode(_pairs(body.get("params")))
    return text if isinstance(text, str) and 0 < len(text) <= _LONGEST_BODY else None
