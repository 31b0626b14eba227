"""Which endpoint of the baseline is which variant of a route: ``sort=title`` is ``GET /api/videos/ ?sort=title``.

Pure. A monitor that is set to keeps the requests of a route apart by query parameters, ``?(other)`` for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl

from perfcheck.judge.match_endpoints import match_endpoints
from perfcheck.model import Endpoint, RouteTable

_OTHER = "(other)"
_MARK = " ?"


def match_variants(
    endpoints: Sequence[Endpoint], names: Iterable[str], base_url: str, table: RouteTable | None = None
) -> dict[str, str]:
    """As ``match_endpoints``, and of a route with variants the one that an endpoint's query is counted under."""
    variants: dict[str, list[str]] = {}
    for name in names:
        variants.setdefault(route_of(name), []).append(name)
    by_route = [
        endpoint if endpoint.monitor_name is None else replace(endpoint, monitor_name=route_of(endpoint.monitor_name))
        for endpoint in endpoints
    ]
    routes = match_endpoints(by_route, variants, base_url, table)
    counted = {each.name: _variant(each, variants[routes[each.name]]) for each in endpoints if each.name in routes}
    return {endpoint: name for endpoint, name in counted.items() if name is not None}


def route_of(name: str) -> str:
    return name.partition(_MARK)[0]


def _variant(endpoint: Endpoint, names: Sequence[str]) -> str | None:
    """One of the names of its route; None where none has its value, so that no request of it was counted."""
    own = endpoint.monitor_name
    if own is not None and own in names and _MARK in own:
        return own
    queries = {name: parse_qsl(name.partition(_MARK)[2]) for name in names if not name.endswith(_OTHER)}
    parameters = {parameter for query in queries.values() for parameter, _ in query}
    wanted = {(name, value) for name, value in endpoint.query if name in parameters and value}
    others = (name for name in names if wanted and name.endswith(_OTHER))
    return next((name for name, query in queries.items() if set(query) == wanted), next(others, None))
