"""The route table of a service, and how its router resolves the endpoints of the baseline, read from the monitor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import unquote, urlencode, urlsplit

from perfcheck.client import monitor_fields as fields
from perfcheck.model import Endpoint, MonitoredRoute, RouteTable
from perfcheck.text import Redactor

_MOST_AT_ONCE = 50  # of what the monitor takes in one query
_LONGEST_QUERY = 2000

Query = tuple[tuple[str, str], ...]


def read_routes(
    request: Callable[[Query], object], endpoints: Sequence[Endpoint], base_url: str, redact: Redactor
) -> RouteTable | None:
    """The table, with as many of ``endpoints`` resolved as the monitor does; None where it has no table.

    ``request`` returns the JSON of a query's response, or None.
    """
    lines = {endpoint.name: _request_lines(endpoint, base_url) for endpoint in endpoints}
    answers: dict[str, str | None] = {}
    routes: tuple[MonitoredRoute, ...] = ()
    for query in _queries(line for each in lines.values() for line in each):
        response = request(query)
        routes = routes or fields.routes(response, redact)
        resolved = fields.resolved(response, redact)
        if not resolved:  # a table that was written by hand, or none
            break
        answers |= resolved
    return RouteTable(routes, _by_endpoint(lines, answers)) if routes else None


def _request_lines(endpoint: Endpoint, base_url: str) -> list[str]:
    """Below the path of the base URL, and without it, as a proxy passes it on that removes it."""
    bare = unquote(endpoint.path.partition("?")[0]).lstrip("/")
    base = unquote(urlsplit(base_url).path).strip("/")
    return [
        f"{endpoint.method} {path}" for path in dict.fromkeys((f"/{base}/{bare}" if base else f"/{bare}", f"/{bare}"))
    ]


def _queries(lines: Iterator[str]) -> Iterator[Query]:
    query: Query = ()
    for line in dict.fromkeys(lines):
        field = ("request", line)
        if len(urlencode([field])) > _LONGEST_QUERY:
            continue
        if len(query) == _MOST_AT_ONCE or len(urlencode([*query, field])) > _LONGEST_QUERY:
            yield query
            query = ()
        query = (*query, field)
    yield query


def _by_endpoint(lines: Mapping[str, Sequence[str]], answers: Mapping[str, str | None]) -> dict[str, str | None]:
    """Those whose every path has been resolved."""
    return {
        name: next((answers[line] for line in own if answers[line] is not None), None)
        for name, own in lines.items()
        if all(line in answers for line in own)
    }
