"""The HTTP client: one request at a time over one kept-alive connection; failures are data."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from typing import Self

import httpcore
import httpx

from perfcheck.client.connecting import wait_until_ready
from perfcheck.client.exchange import Exchange, RequestFailedError, RunQueue, from_library
from perfcheck.client.pool import open_pool, proxy_for
from perfcheck.client.prepared_request import (
    PreparedRequest,
    RedirectRules,
    base_url_shown,
    prepare,
    url_shown,
    wire_request,
)
from perfcheck.client.response import ReceivedResponse, content_length, decoded, read_raw
from perfcheck.client.wire import StampedBackend
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.model import Endpoint, Failure, Fetched, Sample, Service
from perfcheck.text import Redactor

_MOST_REDIRECTS = 10
_GARBAGE = 2000  # leftover objects of several requests: collecting them takes well under a millisecond
_LIBRARY_ERRORS = (httpcore.ProtocolError, httpcore.UnsupportedProtocol, httpcore.ProxyError, httpx.HTTPError)
_LONGEST_SERVER_TIMING = 1000


class Loop:
    """Requests that were started, by clients that share it. For now one after another."""

    def __init__(self) -> None:
        self.pending: list[tuple[Client, Endpoint, object]] = []

    def wait(self, until_s: float | None = None) -> list[tuple[object, Sample]]:
        if self.pending:
            client, endpoint, tag = self.pending.pop(0)
            return [(tag, client.send(endpoint))]
        if until_s is not None:
            time.sleep(max(until_s - time.perf_counter(), 0))
        return []


class Client:
    """Sends the requests of one service, from one thread. A context manager."""

    def __init__(
        self,
        service: Service,
        *,
        redact: Redactor,
        now: Callable[[], float] = time.perf_counter,
        loop: Loop | None = None,
    ) -> None:
        """``now`` is the clock of the samples, in seconds. Raises UsageError."""
        self.loop = loop or Loop()
        self._service = service
        self._redact = redact
        self._now = now
        self._base = _base_url(service, redact)
        self._proxy = None if service.unix_socket else proxy_for(self._base)
        self._backend = StampedBackend()
        self._pool = open_pool(service, self._backend, self._proxy)
        self._redirects = RedirectRules()
        self._prepared: dict[str, PreparedRequest] = {}
        self._run_queue: RunQueue | None = None
        self._http_version: bytes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._pool.close()
        self._redirects.close()
        if self._run_queue is not None:
            self._run_queue.close()
            self._run_queue = None

    # --- Its description ------------------------------------------------------------------------------------------

    @property
    def description(self) -> str:
        """The client and the protocol that it uses with the service: ``httpx 0.28.1, HTTP/1.1``."""
        return f"httpx {httpx.__version__}, {self._protocol}"

    @property
    def _protocol(self) -> str:
        return (self._http_version or (b"HTTP/2" if self._service.http2 else b"HTTP/1.1")).decode("ascii", "replace")

    @property
    def base_url_shown(self) -> str:
        return self._redact.clean(base_url_shown(self._service.base_url), limit=2000)

    def url_shown(self, endpoint: Endpoint) -> str:
        """The URL of ``endpoint`` with *** in place of every secret."""
        return self._redact.clean(url_shown(self._service.base_url, endpoint), limit=2000)

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences on how the figures were measured, for whoever reads them."""
        notices = []
        if self._proxy is not None:
            proxy = self._redact.clean(base_url_shown(str(self._proxy.url)))
            notices.append(
                f"requests go through the proxy {proxy}, so its time is part of every latency; "
                f"set NO_PROXY={self._base.host} to bypass it"
            )
        if not self._service.tls.verify:
            notices.append("TLS certificates are not verified")
        if self._service.http2 and self._protocol != "HTTP/2":
            notices.append(f"service.http2 is set, but the service supports only {self._protocol}")
        return tuple(notices)

    # --- Requests --------------------------------------------------------------------------------------------------

    def wait_until_ready(self, *, unreachable: str | None = None) -> float:
        """Wait until the service answers; returns the seconds it took.

        Raises CouldNotMeasureError when it does not within ``service.ready_timeout_s``, with ``unreachable`` as the
        remedy where nothing answers.
        """
        target = self._proxy.url if self._proxy is not None else self._base
        try:
            return wait_until_ready(self._service, self.send, target, shown=self.url_shown, unreachable=unreachable)
        except CouldNotMeasureError as error:
            if self._proxy is None:
                raise
            remedy = (
                f"the request went through the proxy of the environment; set NO_PROXY={self._base.host} to bypass it"
            )
            raise CouldNotMeasureError(error.message, remedy, is_down=error.is_down) from error

    def start(self, endpoint: Endpoint, tag: object) -> None:
        self.loop.pending.append((self, endpoint, tag))

    def wait(self, until_s: float | None = None) -> list[tuple[object, Sample]]:
        return self.loop.wait(until_s)

    def cancel(self, tag: object) -> None:
        self.loop.pending = [entry for entry in self.loop.pending if entry[2] is not tag]

    def close_idle(self) -> None:
        pass

    def send(self, endpoint: Endpoint) -> Sample:
        """One timed request. Failures are in the sample; only UsageError and KeyboardInterrupt are raised."""
        prepared = self._prepare(endpoint)
        if self._run_queue is None:
            self._run_queue = RunQueue()
        exchange = self._backend.exchange = Exchange(endpoint.timeout_s)
        received = ReceivedResponse()
        tried_at_s, tried_ns = self._now(), time.perf_counter_ns()
        collecting = gc.isenabled()
        gc.disable()
        try:
            waited_ns, cpu_s = self._run_queue.waited_ns(), time.thread_time()
            failed = self._request(prepared, exchange, received)
            cpu_s = time.thread_time() - cpu_s
            waited_after_ns = self._run_queue.waited_ns()
        finally:
            if collecting:
                gc.enable()
        failed = received.problem(endpoint.expect, failed)
        size = None
        if failed is None:
            try:
                size = sum(map(len, decoded(received.pieces, received.header(b"content-encoding"))))
            except RequestFailedError as error:
                failed = error
        if endpoint.follow_redirects:
            self._redirects.forget()
        if collecting and gc.get_count()[0] > _GARBAGE:
            gc.collect(0)
        phases, server_timing = exchange.phases(), received.header(b"server-timing")
        return Sample(
            at_s=tried_at_s + (exchange.sent_ns - tried_ns) / 1e9 if exchange.sent_ns else tried_at_s,
            latency_ms=_latency_ms(failed, (phases.wait_ms or 0.0) + (phases.download_ms or 0.0)),
            failure=failed.failure if failed else None,
            status=received.status,
            detail=self._redact.clean(str(failed)) if failed else None,
            phases=phases,
            body_bytes=size,
            server_timing=self._redact.clean(server_timing, limit=_LONGEST_SERVER_TIMING) if server_timing else None,
            cpu_ms=cpu_s * 1000,
            run_queue_ms=None if waited_ns is None or waited_after_ns is None else (waited_after_ns - waited_ns) / 1e6,
        )

    def fetch(self, endpoint: Endpoint) -> Fetched:
        """One request for its body, not its latency. Failures are in what is returned; raises as ``send`` does."""
        prepared = prepare(self._service, endpoint)
        exchange = self._backend.exchange = Exchange(endpoint.timeout_s)
        received = ReceivedResponse()
        failed = received.problem(endpoint.expect, self._request(prepared, exchange, received))
        body = b""
        try:
            body = b"".join(decoded(received.pieces, received.header(b"content-encoding")))
        except RequestFailedError as error:
            failed = failed or error
        return Fetched(
            status=received.status,
            content_type=self._redact.clean(received.header(b"content-type")),
            body=body,
            failure=failed.failure if failed else None,
            detail=self._redact.clean(failed.detail) if failed else None,
        )

    def _prepare(self, endpoint: Endpoint) -> PreparedRequest:
        prepared = self._prepared.get(endpoint.name)
        if prepared is None or prepared.endpoint is not endpoint:
            prepared = self._prepared[endpoint.name] = prepare(self._service, endpoint)
        return prepared

    def _request(
        self, prepared: PreparedRequest, exchange: Exchange, received: ReceivedResponse
    ) -> RequestFailedError | None:
        """Send the request and follow its redirects; returns what went wrong."""
        try:
            self._follow(prepared, exchange, received)
        except RequestFailedError as error:
            return error
        except _LIBRARY_ERRORS as error:
            return from_library(error, exchange)
        return None

    def _follow(self, prepared: PreparedRequest, exchange: Exchange, received: ReceivedResponse) -> None:
        """Send the request and follow its redirects. Raises RequestFailedError, and the errors of the libraries."""
        request, on_wire = prepared.request, prepared.wire_request
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._send_once(on_wire, exchange)
            try:
                following = None
                if prepared.endpoint.follow_redirects:
                    following = self._redirects.following(
                        request, response.status, response.headers, prepared.secret_headers
                    )
                if following is None:
                    received.response = response
                received.pieces = read_raw(response.iter_stream(), announced=content_length(on_wire, response))
            finally:
                response.close()
            if exchange.overlong:
                raise RequestFailedError(Failure.PROTOCOL, "the response was longer than announced")
            if following is None:
                return
            request, on_wire = following, wire_request(following)
            exchange.begin_hop()
        raise RequestFailedError(Failure.REDIRECTS, f"over {_MOST_REDIRECTS} redirects, the last to {request.url}")

    def _send_once(self, request: httpcore.Request, exchange: Exchange) -> httpcore.Response:
        """Send ``request`` up to the headers of its response.

        The service may close a kept-alive connection just when it is used again. Every client then repeats the request
        on a new one (RFC 9110, section 9.2.2), so this is no failure of the service.
        """
        started_ns = time.perf_counter_ns()
        try:
            response = self._pool.handle_request(request)
        except (RequestFailedError, httpcore.RemoteProtocolError) as error:
            if exchange.fresh or not _unanswered(error, exchange, http2=self._service.http2):
                raise
            exchange.begin_again(started_ns)
            response = self._pool.handle_request(request)
        self._http_version = response.extensions["http_version"]
        if self._http_version == b"HTTP/2":
            exchange.first_ns = exchange.last_ns  # the bytes before were frames about the connection
        elif not exchange.received:
            response.close()
            self._pool.close()  # of its connections; the next request opens another
            raise RequestFailedError(
                Failure.PROTOCOL, "a response came before its request: the one before was longer than announced"
            )
        return response


def _unanswered(error: Exception, exchange: Exchange, *, http2: bool) -> bool:
    if http2 and isinstance(error, httpcore.RemoteProtocolError):
        return True
    return isinstance(error, RequestFailedError) and error.failure is Failure.RESET and not exchange.received


def _latency_ms(failed: RequestFailedError | None, latency_ms: float) -> float | None:
    if failed is None:
        return latency_ms
    return math.inf if failed.failure is Failure.TIMEOUT else None


def _base_url(service: Service, redact: Redactor) -> httpx.URL:
    shown = redact.clean(base_url_shown(service.base_url))
    remedy = "service.base_url needs a scheme and a host, such as http://localhost:5001"
    try:
        url = httpx.URL(service.base_url)
    except httpx.InvalidURL:
        raise UsageError(f"not a URL: {shown}", remedy) from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise UsageError(f"not an HTTP address: {shown}", remedy)
    return url
