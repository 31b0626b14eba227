"""Which endpoint of the baseline is which one of the monitor: by name or by route, and only if it is unambiguous.

Pure. A monitor names an endpoint by its decorator (``api.videos.list``), or by method and route template
(``GET /api/videos/<int:id>``); the baseline has names and paths of its own. With the monitor's route table the router
of the service decides, or the first route that fits; without one there may be routes that nothing is known of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from urllib.parse import unquote, urlsplit

from perfcheck.judge.route_templates import RouteTemplate, parse_name, parse_template
from perfcheck.model import Endpoint, MonitoredRoute, RouteTable

_Route = Callable[[Endpoint], str | None]


def match_endpoints(
    endpoints: Sequence[Endpoint], names: Iterable[str], base_url: str, table: RouteTable | None = None
) -> dict[str, str]:
    """Name in the baseline -> the monitor's name, for the endpoints that the monitor has.

    ``monitor_name`` decides where it is given. Otherwise the route table; without one the same name, else method and
    path; else one name that ends like the other (``api.videos.list`` and ``videos.list``). Several endpoints that
    differ in their query are one route to a monitor. An endpoint that may be either of two is neither.
    """
    known = dict.fromkeys(names)
    if table is None:
        route_of, others = _by_templates(known, base_url), known
    else:
        route_of, others = _by_table(table, base_url), _not_in(table, known)
    suffixes = _by_suffix([endpoint.name for endpoint in endpoints if endpoint.monitor_name is None], others)

    def candidates(endpoint: Endpoint) -> Iterator[str | None]:
        if endpoint.monitor_name is not None:
            yield endpoint.monitor_name
            return
        by_name = endpoint.name if endpoint.name in others else None
        by_route = route_of(endpoint)
        yield from (by_name, by_route) if table is None else (by_route, by_name)
        yield suffixes.get(endpoint.name)

    matches = {each.name: next((name for name in candidates(each) if name in known), None) for each in endpoints}
    return {endpoint: name for endpoint, name in matches.items() if name is not None}


def is_of_path(name: str, path: str, base_url: str) -> bool:
    """Whether the monitor's name is a route to ``path`` (or below it), such as that of the ready check."""
    route = parse_name(name)
    if route is None or route.pattern is not None:
        return False
    wanted = (each.rstrip("/") for each in _paths(path, base_url))
    return any(each and f"{route.path}/".startswith(f"{each}/") for each in wanted)


# --- By route --------------------------------------------------------------------------------------------------------


def _by_table(table: RouteTable, base_url: str) -> _Route:
    """As the service's router has resolved it; else by the first route that fits, as routers do."""
    templates = [_template(route) for route in table.routes]

    def route_of(endpoint: Endpoint) -> str | None:
        if endpoint.name in table.resolved:
            return table.resolved[endpoint.name]
        for path in _paths(endpoint.example_path, base_url):
            fitting = _first(templates, endpoint.method, path)
            if fitting is not None:
                return _counted_as(fitting, endpoint.method) if fitting.is_known else None
        return None

    return route_of


def _template(route: MonitoredRoute) -> RouteTemplate:
    """One that cannot be read fits nothing."""
    return parse_template(route.name, route.method, route.template) or RouteTemplate(route.name, route.method, "")


def _first(templates: Sequence[RouteTemplate], method: str, path: str) -> RouteTemplate | None:
    return next((each for exact in _spellings(path) for each in templates if each.fits(method, exact)), None)


def _counted_as(route: RouteTemplate, method: str) -> str:
    """Where the route takes any method, its name is that of the method which was used."""
    return f"{method} {route.name}" if route.method is None and route.name.startswith("/") else route.name


def _not_in(table: RouteTable, known: Iterable[str]) -> dict[str, None]:
    """Names of functions that handlers call: no route has them."""
    of_routes = {route.name for route in table.routes}
    return {name: None for name in known if name not in of_routes and parse_name(name) is None}


def _by_templates(names: Iterable[str], base_url: str) -> _Route:
    """By the names of what was requested so far, the narrowest of those that fit."""
    routes = [route for name in names if (route := parse_name(name))]
    text: dict[tuple[str | None, str], list[RouteTemplate]] = {}
    for route in routes:
        if route.pattern is None:
            text.setdefault((route.method, route.path), []).append(route)
    templates = [route for route in routes if route.pattern is not None]

    def fitting(method: str, path: str) -> list[RouteTemplate]:
        exact = text.get((method, path)) or text.get((None, path))
        return exact or [route for route in templates if route.fits(method, path)]

    def route_of(endpoint: Endpoint) -> str | None:
        for path in _paths(endpoint.example_path, base_url):
            for exact in _spellings(path):
                if found := fitting(endpoint.method, exact):
                    return _narrowest(found, exact)
        return None

    return route_of


def _narrowest(routes: Sequence[RouteTemplate], path: str) -> str | None:
    for route in routes:
        if all(route is other or route.is_narrower_than(other) for other in routes):
            return None if route.is_guess(path) else route.name
    return None


def _paths(path: str, base_url: str) -> Iterable[str]:
    """By itself, and below the path of the base URL."""
    bare = unquote(path.partition("?")[0]).lstrip("/")
    base = unquote(urlsplit(base_url).path).strip("/")
    return dict.fromkeys((f"/{bare}", f"/{base}/{bare}" if base else f"/{bare}"))


def _spellings(path: str) -> Iterator[str]:
    """Routers redirect to the path with a slash at its end, or without."""
    yield path
    if path != "/":
        yield path.rstrip("/") if path.endswith("/") else f"{path}/"


# --- By name ---------------------------------------------------------------------------------------------------------


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
