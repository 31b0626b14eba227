"""The client of a service on the network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import httpx

from perfcheck import __version__
from perfcheck.client.connecting import Connector
from perfcheck.client.http1 import SocketConnection
from perfcheck.client.http_client import HttpClient
from perfcheck.client.loop import Loop
from perfcheck.client.prepared_request import Origin, without_password
from perfcheck.client.proxies import Proxies
from perfcheck.client.readiness import Probe, wait_until_ready
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.model import Endpoint, Finding, Rule, Service
from perfcheck.text import Redactor


class Client(HttpClient[SocketConnection]):
    """Over kept-alive connections of its own."""

    def __init__(
        self,
        service: Service,
        *,
        redact: Redactor,
        now: Callable[[], float] = time.perf_counter,
        loop: Loop | None = None,
        seed: int = 0,
    ) -> None:
        """``seed`` as of HttpClient. Raises UsageError."""
        self._base = _base_url(service, redact)
        proxies = Proxies(service, Origin.of(self._base))
        self._proxy = proxies.of_service
        self._bypass = f"set NO_PROXY={self._base.raw_host.decode('ascii')} to bypass it"
        self._connector = Connector(service, proxies.of)
        super().__init__(service, self._connector, redact=redact, proxy_of=proxies.of, now=now, loop=loop, seed=seed)

    @property
    def description(self) -> str:
        """The client, the protocol it uses with the service, and its clock.

        ``perfcheck 0.1.0, HTTP/1.1, kernel timestamps``: latencies of different clocks differ by some 50 us.
        """
        clock = "kernel timestamps" if self._by_kernel else "process clock"
        return f"perfcheck {__version__}, {self._sender.protocol}, {clock}"

    @property
    def has_proxy(self) -> bool:
        return self._proxy is not None

    @property
    def findings(self) -> Iterator[Finding]:
        """How the figures were measured: a warning where they may not be those of the service."""
        rule = Rule.CONNECTION
        if self._proxy is not None:
            proxy = self._redact.clean(without_password(str(self._proxy.url)))
            message = f"requests go through the proxy {proxy}, so its time and its responses are part of the figures"
            yield Finding.warning(rule, message, remedy=self._bypass)
        if self._service.connect_to is not None:
            address = Origin("", *self._service.connect_to).authority
            message = f"connections for {Origin.of(self._base).authority} go to {address} (service.connect_to)"
            yield Finding.note(rule, self._redact.clean(message))
        if not self._service.tls.verify:
            yield Finding.note(rule, "TLS certificates are not verified")
        if self._service.http2 and self._sender.protocol != "HTTP/2":
            yield Finding.note(rule, f"service.http2 is set, but the service supports only {self._sender.protocol}")
        if self._connector.has_excess:
            message = "the service sent or announced more bytes than its responses have: they were ignored, and a new "
            remedy = "look for a body with status 204 or 304 or in response to HEAD, or for a wrong Content-Length"
            yield Finding.note(rule, f"{message}connection opened", remedy=remedy)

    def wait_until_ready(
        self,
        endpoints: Sequence[Endpoint] = (),
        *,
        unreachable: str | None = None,
        ended: Callable[[], CouldNotMeasureError | None] = lambda: None,
    ) -> None:
        """Wait until ``service.ready`` returns 2xx, or without it until the first of ``endpoints`` responds.

        Raises CouldNotMeasureError when it does not within ``service.ready_timeout_s``, with ``unreachable`` as the
        remedy where nothing answers; and at once when ``ended`` has one, since the process of the service ended.
        """
        origin = Origin.of(self._base)
        probe = Probe(
            self._service,
            endpoints,
            self.fetch,
            lambda timeout_s: self.loop.run(self._connector.try_to_connect(origin, timeout_s)),
            lambda timeout_s: self.loop.run(self._connector.speaks_tls(origin, timeout_s)),
        )
        wait_until_ready(
            probe,
            shown=self.url_shown,
            remedy=f"the request went through the proxy of the environment; {self._bypass}" if self._proxy else None,
            unreachable=unreachable,
            ended=ended,
        )
        self._connector.close_idle()  # so that the set-up of a connection is part of the samples


def _base_url(service: Service, redact: Redactor) -> httpx.URL:
    shown = redact.clean(without_password(service.base_url))
    remedy = "service.base_url needs a scheme and a host, such as http://localhost:5001"
    try:
        url = httpx.URL(service.base_url)
    except httpx.InvalidURL:
        raise UsageError(f"not a URL: {shown}", remedy) from None
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise UsageError(f"not an HTTP address: {shown}", remedy)
    return url
