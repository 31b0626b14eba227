"""Which endpoint of the baseline is which one of the monitor: by name or by route, and only if it is unambiguous.

Pure. A monitor names an endpoint by its decorator (``api.videos.list``), or by method and route template
(``GET /api/videos/<int:id>``); the baseline has names and paths of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from urllib.parse import unquote, urlsplit

from perfcheck.model import Endpoint

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_PLACEHOLDERS = {"<": ">", "{": "}"}  # of Flask and Django, of Starlette
_REST = ("<path:", ":path}")  # a placeholder that holds slashes


def match_endpoints(endpoints: Sequence[Endpoint], names: Iterable[str], base_url: str) -> dict[str, str]:
    """Name in the baseline -> the monitor's name, for the endpoints that the monitor has.

    ``monitor_name`` decides where it is given. Otherwise the same name, else method and path, else one name that ends
    like the other (``api.videos.list`` and ``videos.list``). Several endpoints that differ in their query are one
    route to a monitor. An endpoint that fits two names of the monitor equally well fits neither.
    """
    known = dict.fromkeys(names)
    routes = [route for name in known if (route := _RouteName.parse(name))]
    templates = [route for route in routes if route.placeholders]
    literal: dict[tuple[str | None, tuple[str, ...]], list[str]] = {}
    for route in routes:
        if not route.placeholders:
            literal.setdefault((route.method, route.segments), []).append(route.name)
    suffixes = _by_suffix([endpoint.name for endpoint in endpoints if endpoint.monitor_name is None], known)
    matches: dict[str, str] = {}
    for endpoint in endpoints:
        name: str | None = endpoint.name if endpoint.monitor_name is None else endpoint.monitor_name
        if name not in known:
            name = None
            if endpoint.monitor_name is None:
                name = _by_route(endpoint, literal, templates, base_url) or suffixes.get(endpoint.name)
        if name is not None:
            matches[endpoint.name] = name
    return matches


def is_of_path(name: str, path: str, base_url: str) -> bool:
    """Whether the monitor's name is a route to ``path`` (or below it), such as that of the ready check."""
    route = _RouteName.parse(name)
    if route is None or route.placeholders:
        return False
    return any(route.segments[: len(parts)] == parts for parts in _segments_of(path, base_url) if parts)


class _RouteName:
    """A name of the monitor that is a route: ``GET /api/videos/<int:id>``, or without the method."""

    def __init__(self, name: str, method: str | None, path: str) -> None:
        self.name = name
        self.method = method
        self.segments = _segments(path)
        self.placeholders = sum(map(_is_template, self.segments))

    @classmethod
    def parse(cls, name: str) -> _RouteName | None:
        first, _, rest = name.strip().partition(" ")
        method = first.upper() if first.upper() in _METHODS else None
        path = rest.strip() if method else name.strip()
        return cls(name, method, path) if "/" in path else None

    def fits(self, method: str, segments: Sequence[str]) -> bool:
        if self.method is not None and self.method != method:
            return False
        for at, pattern in enumerate(self.segments):
            if any(mark in pattern for mark in _REST):
                return at < len(segments) and at == len(self.segments) - 1
            if at >= len(segments) or not _fits(pattern, segments[at]):
                return False
        return len(segments) == len(self.segments)


def _by_route(
    endpoint: Endpoint,
    literal: Mapping[tuple[str | None, tuple[str, ...]], list[str]],
    templates: Sequence[_RouteName],
    base_url: str,
) -> str | None:
    """A route without placeholders before one with them, and of these the one with the fewest."""
    for segments in _segments_of(endpoint.path.partition("?")[0], base_url):
        for method in (endpoint.method, None):
            names = literal.get((method, segments), [])
            if len(names) == 1:
                return names[0]
        fitting = [route for route in templates if route.fits(endpoint.method, segments)]
        fewest = min((route.placeholders for route in fitting), default=0)
        best = [route for route in fitting if route.placeholders == fewest]
        if len(best) == 1:
            return best[0].name
    return None


def _by_suffix(ours: Iterable[str], theirs: Collection[str]) -> dict[str, str]:
    """Whole words at the end, where one name fits one other and nothing else."""
    tails: dict[str, list[str]] = {}
    for name in theirs:
        for tail in _tails(name):
            tails.setdefault(tail, []).append(name)
    candidates = {name: [*tails.get(name, []), *(tail for tail in _tails(name) if tail in theirs)] for name in ours}
    taken = [names[0] for names in candidates.values() if len(names) == 1]
    return {name: names[0] for name, names in candidates.items() if len(names) == 1 and taken.count(names[0]) == 1}


def _tails(name: str) -> list[str]:
    """``videos.list`` and ``list`` of ``api.videos.list``; of a route, nothing."""
    if "/" in name or " " in name:
        return []
    words = name.split(".")[-8:]
    return [".".join(words[at:]) for at in range(1, len(words))]


def _segments(path: str) -> tuple[str, ...]:
    return tuple(unquote(part) for part in path.strip("/").split("/")) if path.strip("/") else ()


def _segments_of(path: str, base_url: str) -> Iterable[tuple[str, ...]]:
    """Of a path by itself, and below that of the base URL."""
    base = unquote(urlsplit(base_url).path).strip("/")
    return dict.fromkeys((_segments(path), _segments(f"{base}/{path.lstrip('/')}")))


def _is_template(segment: str) -> bool:
    return any(opened in segment and closed in segment for opened, closed in _PLACEHOLDERS.items())


def _fits(pattern: str, segment: str) -> bool:
    """The text before the first placeholder and after the last must be there, and something between."""
    if not _is_template(pattern):
        return pattern == segment
    opened = min(at for mark in _PLACEHOLDERS if (at := pattern.find(mark)) >= 0)
    closed = max(pattern.rfind(mark) for mark in _PLACEHOLDERS.values())
    before, after = pattern[:opened], pattern[closed + 1 :]
    return len(segment) > len(before) + len(after) and segment.startswith(before) and segment.endswith(after)
