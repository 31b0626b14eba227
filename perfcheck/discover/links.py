"""A bounded walk along the links of a service, in HTML and in JSON, from its root.

Nothing is requested but by GET, on the host of the service, and never what looks like an action. Every link that was
found is an operation, whether it was followed or not.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urljoin, urlsplit

from perfcheck.discover.actions import action_in_values, action_word
from perfcheck.discover.hosts import host_of
from perfcheck.discover.lenient import Fetch
from perfcheck.discover.path_segments import is_static, path_below, template_of
from perfcheck.discover.route_shapes import RouteShapes, Segments, route_of
from perfcheck.discover.seen_request import Pairs, SeenRequest
from perfcheck.model import Endpoint, Fetched, RequestText
from perfcheck.model.operation import Discovered, FoundIn
from perfcheck.words import plural

_MOST_OF_A_SHAPE = 2
_MOST_BELOW, _MOST_AT_ROOT = 10, 40  # pages that differ in their last segment alone: articles, products
_MOST_KNOWN = 10_000
_MOST_WAITING = 1000
_MOST_OPERATIONS = 100
_LONGEST_LINK = 1000
_DEEPEST = 8  # segments
_MOST_LINKS = 5000  # of one page
_MOST_CHARACTERS = 2_000_000  # of one page
_TIMEOUT_S = 5.0

_TAG = re.compile(r"<(a|area|link|iframe|frame)\s([^<>]{1,4000})", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""(?<![a-z-])([a-z-]++)\s*+=\s*+("[^"]*"|'[^']*'|[^\s"'>]++)""", re.IGNORECASE)
_FOLLOWED = {"next", "prev", "alternate", "canonical", "start", "index", "search"}  # of <link rel>
_EXPANSION = re.compile(r"\{[?&/#][^{}]*\}\Z")  # of a URI template: /things{?page}
_IN_JSON = re.compile(r"(?:https?://[^\s<>{}\"\\]+|/(?:[^\s<>{}\"\\/][^\s<>{}\"\\]*)?)", re.IGNORECASE)


def crawl(
    fetch: Fetch,
    base_url: str,
    *,
    headers: tuple[tuple[str, RequestText], ...] = (),
    most_requests: int = 100,
    most_s: float = 20.0,
    now: Callable[[], float] = time.monotonic,
) -> Discovered:
    """The operations that the pages of a service link to. ``headers`` are sent with each request."""
    walk = _Walk(base_url)
    end_s, requests = now() + most_s, 0
    while walk.waiting and requests < most_requests and (left_s := end_s - now()) > 0:
        path, query = walk.waiting.popleft()
        timeout_s = min(_TIMEOUT_S, left_s)
        endpoint = Endpoint(path, path, line=0, query=query, headers=headers, timeout_s=timeout_s)
        requests += 1
        walk.read(path, fetch(endpoint))
    notes = []
    if left := len(walk.waiting):
        limit = plural(most_requests, "request") if requests >= most_requests else f"{most_s:g} s"
        notes.append(f"stopped following links after {limit}, with {plural(left, 'link')} left")
    operations = sorted(walk.shapes.operations(), key=lambda operation: operation.template.count("/"))
    if len(operations) > _MOST_OPERATIONS:
        notes.append(f"links lead to {plural(len(operations), 'page')}: the {_MOST_OPERATIONS} nearest to / were taken")
    return Discovered(tuple(operations[:_MOST_OPERATIONS]), tuple(notes))


class _Walk:
    def __init__(self, base_url: str) -> None:
        base = urlsplit(base_url)
        self._origin = f"{base.scheme}://{base.netloc}"
        self._host = host_of(base_url)
        self._prefix = base.path.rstrip("/")
        self._of_shape = Counter[tuple[Segments, tuple[str, ...]]]()
        self._below = Counter[Segments]()
        self._seen: set[tuple[str, Pairs]] = {("/", ())}
        self.shapes = RouteShapes(FoundIn.LINK)
        self.waiting: deque[tuple[str, Pairs]] = deque([("/", ())])

    def read(self, path: str, response: Fetched) -> None:
        """The links of a response to ``path``."""
        if path == "/" and response.failure is None:
            self.shapes.add(SeenRequest("GET", path))
        address = f"{self._origin}{self._prefix}{path}"
        for link in _links(response):
            try:
                target = urlsplit(urljoin(address, link))
                is_here = target.scheme in {"http", "https"} and host_of(target.geturl()) == self._host
                query = tuple(parse_qsl(target.query, keep_blank_values=True))
            except ValueError:  # of an address that is none
                continue
            below = path_below(self._prefix, target.path) if is_here else None
            if below is not None:
                self._add(below, query)

    def _add(self, path: str, query: Pairs) -> None:
        route, request = route_of(path), SeenRequest("GET", path, query)
        if route is None or is_static(path) or (path, query) in self._seen:
            return
        if len(self._seen) < _MOST_KNOWN:
            self._seen.add((path, query))
        self.shapes.add(request)
        shape, above = (route, request.names), route[:-1]
        if (
            self._of_shape[shape] < _MOST_OF_A_SHAPE
            and self._below[above] < (_MOST_BELOW if above else _MOST_AT_ROOT)
            and len(route) <= _DEEPEST
            and len(self.waiting) < _MOST_WAITING
            and not (action_word(template_of(route)[0]) or action_in_values(path, query))
        ):
            self._of_shape[shape] += 1
            self._below[above] += 1
            self.waiting.append((path, query))


def _links(response: Fetched) -> Iterator[str]:
    """At most so many, none longer than an address is."""
    kind = response.content_type.lower()
    found: Iterator[str] = iter(())
    if response.location:
        found = iter([response.location])
    elif "json" in kind:
        found = _in_json(response.body)
    elif "html" in kind:
        found = _in_html(response.body[:_MOST_CHARACTERS].decode("utf-8", "replace"))
    for _, link in zip(range(_MOST_LINKS), found, strict=False):
        if len(link) <= _LONGEST_LINK and not link.strip().startswith("#"):  # the page itself
            yield link.strip()


def _in_html(page: str) -> Iterator[str]:
    for tag, inside in _TAG.findall(page):
        attributes = {name.lower(): html.unescape(value.strip("\"'")) for name, value in _ATTRIBUTE.findall(inside)}
        relations = set(attributes.get("rel", "").lower().split())
        is_followed = bool(relations & _FOLLOWED) if tag.lower() == "link" else "nofollow" not in relations
        if is_followed and attributes.get("data-method", "get").lower() == "get":
            yield attributes.get("href", attributes.get("src", "#"))


def _in_json(body: bytes) -> Iterator[str]:
    """The values that are an address, or a path from the root."""
    try:
        waiting = [json.loads(body[:_MOST_CHARACTERS])] if len(body) <= _MOST_CHARACTERS else []
    except (ValueError, RecursionError):
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(reversed(value.values()))
        elif isinstance(value, list):
            waiting.extend(reversed(value))
        elif isinstance(value, str) and len(value) <= _LONGEST_LINK:
            link = _EXPANSION.sub("", value)
            if _IN_JSON.fullmatch(link):
                yield link
