"""A request on its way: over which connection, and where redirects lead."""

from __future__ import annotations

from typing import Generic

import httpx

from perfcheck.client.connection import Connection, Connections, Opened
from perfcheck.client.exchange import Exchange, RequestFailedError
from perfcheck.client.logins import Logins
from perfcheck.client.loop import Steps
from perfcheck.client.prepared_request import Origin, PreparedRequest, Redirects, WireRequest, wire_request
from perfcheck.client.proxies import ProxyOf
from perfcheck.client.response import REDIRECTS, Response
from perfcheck.model import Failure, MetricOf

_MOST_REDIRECTS = 10
_OF_A_STALE_CONNECTION = {Failure.RESET, Failure.PROTOCOL}
_REQUEST_TIMEOUT = 408


class Sender(Generic[Opened]):
    """Of one service. ``protocol`` is that of the last response, such as HTTP/1.1."""

    def __init__(self, connections: Connections[Opened], proxy_of: ProxyOf, logins: Logins, *, protocol: str) -> None:
        """``protocol``: until a response has come."""
        self._connections = connections
        self._proxy_of = proxy_of
        self._logins = logins
        self.protocol = protocol

    def send(
        self, prepared: PreparedRequest, exchange: Exchange
    ) -> Steps[tuple[Response | None, RequestFailedError | None]]:
        """Follow its redirects; the last response as far as it came, and what went wrong."""
        request: httpx.Request | None = None  # the last one, which httpx need not see before it is redirected
        on_wire = prepared.wire_request
        redirects: Redirects | None = None  # made when there is one: it takes 50 us
        earlier: Response | None = None
        response: Response | None = None
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                connection, hop = yield from self._on_connection(on_wire, exchange)
                try:
                    self.protocol, hop.earlier = hop.version, earlier
                    following = None
                    if prepared.endpoint.follow_redirects and hop.status in REDIRECTS:
                        redirects = redirects or Redirects(prepared)
                        following = redirects.following(request or prepared.request, hop)
                    if following is None:
                        response = hop
                    has_body = on_wire.head.method != b"HEAD"
                    yield from _body(connection, exchange, hop, has_body=has_body, is_last=following is None)
                    self._logins.receive(prepared, request, hop)  # once no stamp can be late for it
                finally:
                    self._connections.keep(connection)
                if following is None:
                    return hop, hop.problem(prepared.endpoint.expect, None)
                self._logins.renew_headers(prepared.endpoint, following)
                earlier, request = hop, following
                on_wire = wire_request(following, self._proxy_of(Origin.of(following.url)))
                exchange.begin_next()
        except RequestFailedError as error:
            return response, response.problem(prepared.endpoint.expect, error) if response else error
        last = f"over {_MOST_REDIRECTS} redirects, the last to {request.url if request else prepared.url}"
        return None, RequestFailedError(Failure.REDIRECTS, last)

    def _on_connection(self, request: WireRequest, exchange: Exchange) -> Steps[tuple[Opened, Response]]:
        """Send ``request``; its connection, and the head of the response.

        The service may close a kept-alive connection just when it is used again, perhaps with status 408. Every client
        then repeats the request on a new one (RFC 9110, sections 9.2.2 and 15.5.9), so this is no failure of the
        service. Nor is what belongs to the response before.
        """
        if exchange.trace_id is not None:
            request = request.traced(exchange.trace_id)
        connection = self._connections.idle(request.origin)
        if connection is not None:
            try:
                response = yield from _head(connection, request, exchange)
                if response.status != _REQUEST_TIMEOUT and not connection.has_excess:
                    return connection, response
            except RequestFailedError as error:
                is_stale = not exchange.received and error.failure in _OF_A_STALE_CONNECTION
                if not is_stale and not connection.has_excess:
                    raise
            self._connections.keep(connection)
            exchange.begin()
        connection = yield from self._connections.connect(request.origin, exchange)
        return connection, (yield from _head(connection, request, exchange))


def _head(connection: Connection, request: WireRequest, exchange: Exchange) -> Steps[Response]:
    try:
        return (yield from connection.head(request, exchange))
    except BaseException:
        connection.close()
        raise


def _body(
    connection: Connection, exchange: Exchange, response: Response, *, has_body: bool, is_last: bool
) -> Steps[None]:
    if is_last and exchange.metric_of is MetricOf.FIRST_BYTE:
        response.stop_early(exchange, has_body=has_body)
    elif has_body:
        response.check_length()
    yield from connection.body(exchange, response)
    response.check_event()
