"""The route table of a service, and how its router resolves the endpoints of the baseline, read from the monitor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import unquote, urlencode, urlsplit

from perfcheck.client import monitor_fields as fields
from perfcheck.model import Endpoint, MonitoredRoute, RouteTable
from perfcheck.text import Redactor

_MOST_AT_ONCE = 50  # of what the monitor takes in one query
_LONGEST_QUERY = 2000

Query = tuple[tuple[str, str], ...]


def read_routes(
    request: Callable[[Query], object], path: str, endpoints: Sequence[Endpoint], base_url: str, redact: Redactor
) -> RouteTable | None:
    """The table, with as many of ``endpoints`` resolved as the monitor does; None where it has no table.

    ``request`` returns the JSON of a query's response from ``path``, or None.
    """
    lines = {endpoint.name: f"{endpoint.method} {_sent(endpoint.example_path, base_url)}" for endpoint in endpoints}
    answers: dict[str, str | None] = {}
    routes: tuple[MonitoredRoute, ...] = ()
    for query in _queries(("at", _sent(path, base_url)), dict.fromkeys(lines.values())):
        response = request(query)
        routes = routes or fields.routes(response, redact)
        resolved = fields.resolved(response, redact)
        if not resolved:  # a table that was written by hand, or none
            break
        answers |= resolved
    by_endpoint = {name: answers[line] for name, line in lines.items() if line in answers}
    return RouteTable(routes, by_endpoint) if routes else None


def _sent(path: str, base_url: str) -> str:
    """The whole path, decoded: a proxy may remove the beginning, which the monitor sees from that of its own."""
    below = unquote(urlsplit(base_url).path).strip("/")
    bare = unquote(path.partition("?")[0]).lstrip("/")
    return f"/{below}/{bare}" if below else f"/{bare}"


def _queries(at: tuple[str, str], lines: Iterable[str]) -> Iterator[Query]:
    query: Query = (at,)
    for line in lines:
        field = ("request", line)
        if len(urlencode([at, field])) > _LONGEST_QUERY:
            continue
        if len(query) == _MOST_AT_ONCE or len(urlencode([*query, field])) > _LONGEST_QUERY:
            yield query
            query = (at,)
        query = (*query, field)
    yield query
