"""Timed requests, from one thread, over whatever opens the connections; failures are data."""

from __future__ import annotations

import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from typing import Generic, Self

import httpx

from perfcheck.answers.answer_check import AnswerCheck
from perfcheck.client.capture import captured
from perfcheck.client.connection import Connection, Connections, Opened
from perfcheck.client.excerpt import beginning, excerpt
from perfcheck.client.exchange import Exchange, RequestFailedError
from perfcheck.client.logins import Logins
from perfcheck.client.loop import Loop, Steps, pause
from perfcheck.client.prepared_request import (
    PreparedRequest,
    Redirects,
    RequestPlan,
    WireRequest,
    prepare,
    url_shown,
    wire_request,
    without_password,
)
from perfcheck.client.response import BODY_CAP, REDIRECTS, Response
from perfcheck.client.transport import HAS_KERNEL_STAMPS
from perfcheck.client.values import Generator, Numbers, RequestValues
from perfcheck.client.workflow import as_one
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.model import Capture, Endpoint, Failure, Fetched, Finding, MetricOf, Sample, Service
from perfcheck.text import Redactor
from perfcheck.units import WrongValueError

_MOST_REDIRECTS = 10
_LONGEST_SERVER_TIMING = 2000
_OF_A_STALE_CONNECTION = {Failure.RESET, Failure.PROTOCOL}
_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS = 408, 429


class HttpClient(ABC, Generic[Opened]):
    """Sends the requests of one service, from one thread, several at once if need be. A context manager.

    ``connections`` opens them: to a service on the network, or to an application in this process.
    """

    def __init__(
        self,
        service: Service,
        connections: Connections[Opened],
        *,
        redact: Redactor,
        proxy: httpx.Proxy | None = None,
        now: Callable[[], float] = time.perf_counter,
        loop: Loop | None = None,
        seed: int = 0,
    ) -> None:
        """``now`` is the clock of the samples, in seconds; ``loop`` may serve several clients; ``seed`` is of the
        values that requests insert.
        """
        self._service = service
        self._connections = connections
        self._redact = redact
        self._proxy = proxy
        self._now = now
        self._prepared: dict[int, PreparedRequest] = {}  # by the id of the endpoint
        self._seed = seed
        self._ahead: dict[int, tuple[int, PreparedRequest]] = {}  # by that id, with the number of the request
        self._plans: dict[int, RequestPlan] = {}  # by the id of the endpoint
        self._generators: dict[int, Generator] = {}  # too
        self._logins = Logins(service, self._send_for_setup, redact, self._forget_prepared)
        self._setup = self._logins.setup
        self.numbers = Numbers()
        self._checks: dict[int, tuple[Endpoint, AnswerCheck]] = {}  # by the id of the endpoint, which is kept
        self._protocol = "HTTP/2" if service.http2 else "HTTP/1.1"  # until a response has come
        self._by_kernel = HAS_KERNEL_STAMPS and not service.unix_socket
        self._is_set_up = False
        self._in_flight: set[object] = set()
        self._owns_loop = loop is None
        self.loop = loop or Loop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        for tag in list(self._in_flight):
            self.cancel(tag)
        self._connections.close()
        if self._owns_loop:
            self.loop.close()

    def close_idle(self) -> None:
        """Close the kept-alive connections that are not in use, but one."""
        self._connections.close_idle(but=1)

    # --- Its description ------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def description(self) -> str:
        """The client, and how it measures: latencies that were measured in different ways are not the same."""

    @property
    @abstractmethod
    def findings(self) -> Iterator[Finding]:
        """How the figures were measured: a warning where they may not be those of the service."""

    @property
    def base_url_shown(self) -> str:
        return self._redact.clean(without_password(self._service.base_url), limit=2000)

    @property
    def trace_url_shown(self) -> str | None:
        url = self._service.trace_url
        return self._redact.clean(without_password(url), limit=2000) if url and self._service.trace else None

    def url_shown(self, endpoint: Endpoint) -> str:
        """The URL of ``endpoint`` with *** in place of every secret."""
        return self._redact.clean(url_shown(self._service.base_url, endpoint), limit=2000)

    # --- Requests --------------------------------------------------------------------------------------------------

    @abstractmethod
    def wait_until_ready(
        self,
        endpoints: Sequence[Endpoint] = (),
        *,
        unreachable: str | None = None,
        ended: Callable[[], CouldNotMeasureError | None] = lambda: None,
    ) -> None:
        """Wait until requests can be sent. Raises CouldNotMeasureError."""

    def set_up(self, requests: Sequence[Endpoint]) -> None:
        """Send the requests that come before the first sample, in order. Raises CouldNotMeasureError."""
        self._is_set_up = True
        if failed := self.loop.run(self._setup.run(requests)):
            request, sample = failed
            message = f"the setup request '{self._redact.clean(request.name)}' failed: {sample.detail}"
            body = f" ({sample.body_excerpt})" if sample.body_excerpt else ""
            remedy = f"line {request.line} of the baseline: nothing is measured without it"
            raise CouldNotMeasureError(f"{message}{body}", remedy, is_down=False)

    def tear_down(self, requests: Sequence[Endpoint]) -> Iterator[tuple[Endpoint, Sample]]:
        """Send the requests that come after the last sample, whatever the others do; those that failed.

        Those that need what the setup did not come to capture are left out; all, where ``set_up`` was not called.
        """
        for request in requests:
            captured = {value.name for value in request.inserted() if value.is_captured}
            if self._is_set_up and self._setup.knows(captured):
                sample = self.send(request)
                if sample.failure is not None:
                    yield request, sample

    def start(self, endpoint: Endpoint, tag: object) -> None:
        """Begin one timed request; ``wait`` returns its sample with ``tag``, which is hashable and not in flight.

        Failures of the service are in the sample. Raises UsageError for what makes no request.
        """
        self._in_flight.add(tag)
        self.loop.start(self._turn(endpoint, tag), tag)

    def cancel(self, tag: object) -> None:
        """Abandon a request in flight: its connection is closed, and no sample comes."""
        self.loop.cancel(tag)
        self._in_flight.discard(tag)

    def wait(self, until_s: float | None = None) -> list[tuple[object, Sample]]:
        """As ``loop.wait``: the requests that have ended, of every client of the loop, as (tag, sample)."""
        return self.loop.wait(until_s)

    def send(self, endpoint: Endpoint) -> Sample:
        """One timed request. Failures are in the sample; only UsageError and KeyboardInterrupt are raised."""
        return self.loop.run(self._turn(endpoint))

    def fetch(self, endpoint: Endpoint) -> Fetched:
        """One request for its body, not its latency. Failures are in what is returned; raises as ``send`` does."""
        generator = Generator(self._seed, endpoint, self._redact, kind="fetch")
        values = RequestValues(generator, 1, self._setup.values)
        return self.loop.run(self._logins.logged_in(endpoint, lambda: self._fetched(endpoint, values), key=0))

    def _values(self, endpoint: Endpoint, shared: Mapping[str, str] | None = None, *, kind: str = "") -> RequestValues:
        """Those of its next request; ``shared`` instead of all that the setup captured."""
        if id(endpoint) not in self._generators:
            self._generators[id(endpoint)] = Generator(self._seed, endpoint, self._redact, kind=kind)
        generator = self._generators[id(endpoint)]
        number = self.numbers.following(generator.name, id(self))
        return RequestValues(generator, number, self._setup.values if shared is None else shared)

    def _prepare(self, endpoint: Endpoint, values: RequestValues) -> PreparedRequest:
        self._logins.refresh()
        prepared = self._prepared.get(id(endpoint))
        if prepared is None:
            prepared = self._logins.with_cookies(self._inserted(endpoint, values))
            if self._setup.knows(endpoint.values):
                self._prepared[id(endpoint)] = prepared
        return self._logins.signed(prepared)

    def _inserted(self, endpoint: Endpoint, values: RequestValues) -> PreparedRequest:
        """The request with its values, which may have been made ahead.

        The next one is made while the service works on this one: where the kernel stamps what arrives, that is in no
        latency, and it does not lengthen the pause between the two.
        """
        key = id(endpoint)
        if key not in self._plans:
            self._plans[key] = RequestPlan(self._service, endpoint, self._proxy)
        plan = self._plans[key]
        number, ahead = self._ahead.pop(key, (0, None))
        prepared = ahead if ahead and number == values.number else plan.prepared(values)
        if plan.may_be_ahead and self._by_kernel and self._setup.knows(plan.captured):
            self.loop.when_idle((id(self), key), partial(self._make_ahead, plan, values.following()))
        return prepared

    def _make_ahead(self, plan: RequestPlan, values: RequestValues) -> None:
        with suppress(RequestFailedError):  # which is the failure of that request, if it is sent
            self._ahead[id(plan.endpoint)] = values.number, plan.prepared(values)

    def _forget_prepared(self) -> None:
        """What the requests insert has changed."""
        self._prepared.clear()
        self._ahead.clear()

    def _check_of(self, endpoint: Endpoint) -> AnswerCheck | None:
        """Raises UsageError, for a schema that is no longer what it was when the baseline was read."""
        if endpoint.answer is None:
            return None
        if id(endpoint) not in self._checks:
            has_body, is_secret = endpoint.method != "HEAD", bool(endpoint.captures)
            try:
                check = AnswerCheck(endpoint.answer, self._redact, has_body=has_body, is_secret=is_secret)
            except WrongValueError as error:
                raise UsageError(f"{endpoint.name}: expect: {error.message}", error.remedy) from None
            self._checks[id(endpoint)] = endpoint, check
        return self._checks[id(endpoint)][1]

    def _turn(self, endpoint: Endpoint, tag: object = None) -> Steps[Sample]:
        values = self._values(endpoint)
        if self._service.trace:
            values.trace_id = os.urandom(16).hex()  # that no other run has, whatever its seed
        if endpoint.steps:
            sample = yield from self._workflow(endpoint.steps, values)
        else:
            sample = yield from self._sample(endpoint, values)
        self._in_flight.discard(tag)
        return sample

    def _workflow(self, steps: Sequence[Endpoint], values: RequestValues) -> Steps[Sample]:
        """All steps, or up to the first that fails, as one sample."""
        samples: list[Sample] = []
        for number, step in enumerate(steps, start=1):
            samples.append((yield from self._sample(step, values)))
            if samples[-1].failure is not None:
                break
            if step.think_s and number < len(steps):
                yield from pause(int(step.think_s * 1e9))
        return as_one(samples, steps[len(samples) - 1].name)

    def _send_for_setup(self, request: Endpoint, known: Mapping[str, str]) -> Steps[tuple[Sample, Mapping[str, str]]]:
        values = self._values(request, known, kind="setup")
        sample = yield from self._timed(request, values)
        return sample, values

    def _sample(self, endpoint: Endpoint, values: RequestValues) -> Steps[Sample]:
        """One timed request; another login where the one before has expired is no part of the sample."""
        return self._logins.logged_in(endpoint, lambda: self._timed(endpoint, values))

    def _timed(self, endpoint: Endpoint, values: RequestValues) -> Steps[Sample]:
        check = self._check_of(endpoint)
        response: Response | None = None
        failed: RequestFailedError | None = None
        try:
            prepared = self._prepare(endpoint, values)
        except RequestFailedError as error:  # a value that a step captured cannot be inserted
            prepared, failed = None, error
        tried_at_s, tried_ns = self._now(), time.perf_counter_ns()
        needs_body = endpoint.answer is not None and endpoint.answer.of_body
        trace_id = values.trace_id if all(name.lower() != "traceparent" for name, _ in endpoint.headers) else None
        exchange = Exchange(endpoint.timeout_s, endpoint.metric_of, needs_body=needs_body, trace_id=trace_id)
        if prepared is not None:
            response, failed = yield from self._request(prepared, exchange)
        size = None
        if response is not None and failed is None:
            self._by_kernel = exchange.by_kernel
            try:
                size = self._take_body(endpoint, response, check, values)
            except RequestFailedError as error:
                failed = error
        if response is not None and failed is not None:
            self._hide_captured(endpoint, response)
        phases = exchange.phases()
        server_timing = response.header(b"server-timing") if response else ""
        unexpected = response if failed and failed.failure is Failure.STATUS else None
        return Sample(
            at_s=tried_at_s + ((exchange.first_sent_ns or tried_ns) - tried_ns) / 1e9,
            latency_ms=_latency_ms(failed, (phases.wait_ms or 0.0) + (phases.download_ms or 0.0)),
            failure=failed.failure if failed else None,
            status=response.status if response else None,
            detail=self._redact.clean(str(failed)) if failed else None,
            phases=phases,
            body_bytes=size,
            server_timing=self._redact.clean(server_timing, limit=_LONGEST_SERVER_TIMING) if server_timing else None,
            body_excerpt=excerpt(response, self._redact) if response and _shows_body(failed, endpoint) else None,
            retry_after_s=(
                unexpected.retry_after_s() if unexpected and unexpected.status == _TOO_MANY_REQUESTS else None
            ),
            trace_id=exchange.trace_id,
        )

    def _take_body(
        self, endpoint: Endpoint, response: Response, check: AnswerCheck | None, values: RequestValues
    ) -> int | None:
        """The size of the body, decoded, once it was checked and its values were captured; None of one that is cut off.

        Raises RequestFailedError, also for a wrong answer.
        """
        if check is None and not endpoint.captures:
            return None if response.is_enough else sum(map(len, response.decoded()))
        # Where it is enough: a first event, or what is not looked into.
        body = beginning(response, BODY_CAP) if response.is_enough else b"".join(response.decoded())
        if check is not None and (problem := check.problem(response.header, body)):
            raise RequestFailedError(Failure.WRONG_ANSWER, f"{Failure.WRONG_ANSWER}: {problem}")
        for capture in endpoint.captures:
            with suppress(RequestFailedError) if capture.is_lifetime else nullcontext():
                values.capture(capture.name, captured(capture, response, body))
                self._hide(capture, values[capture.name])
        return None if response.is_enough else len(body)

    def _hide_captured(self, endpoint: Endpoint, response: Response) -> None:
        """A response that failed may have what it was sent for all the same, and show it."""
        for capture in endpoint.captures:
            with suppress(RequestFailedError):
                self._hide(capture, captured(capture, response, b"".join(response.decoded())))

    def _hide(self, capture: Capture, value: str) -> None:
        if not capture.is_lifetime:
            self._redact.add(value, source=f"capture {capture.name}")

    def _fetched(self, endpoint: Endpoint, values: RequestValues) -> Steps[Fetched]:
        self._logins.refresh()
        response, failed, body = None, None, b""
        try:
            prepared = self._logins.with_cookies(prepare(self._service, endpoint, self._proxy, values))
            exchange = Exchange(endpoint.timeout_s, endpoint.metric_of)
            response, failed = yield from self._request(self._logins.signed(prepared), exchange)
            body = b"".join(response.decoded()) if response else b""
        except RequestFailedError as error:
            failed = failed or error
        return Fetched(
            status=response.status if response else None,
            content_type=self._redact.clean(response.header(b"content-type") if response else ""),
            location=response.header(b"location") if response and response.status in REDIRECTS else "",
            body=body,
            failure=failed.failure if failed else None,
            detail=self._redact.clean(failed.detail) if failed else None,
            remedy=self._redact.clean(failed.remedy) if failed and failed.remedy else None,
        )

    def _request(
        self, prepared: PreparedRequest, exchange: Exchange
    ) -> Steps[tuple[Response | None, RequestFailedError | None]]:
        """Send the request and follow its redirects; the last response as far as it came, and what went wrong."""
        request: httpx.Request | None = None  # the last one, which httpx need not see before it is redirected
        on_wire = prepared.wire_request
        redirects = Redirects(prepared.endpoint) if prepared.endpoint.follow_redirects else None
        earlier: Response | None = None
        response: Response | None = None
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                connection, hop = yield from self._send(on_wire, exchange)
                try:
                    self._protocol = hop.version
                    hop.earlier = earlier
                    following = None
                    if redirects is not None and hop.status in REDIRECTS:
                        following = redirects.following(request or prepared.request, hop)
                    if following is None:
                        response = hop
                    has_body = on_wire.head.method != b"HEAD"
                    if following is None and exchange.metric_of is MetricOf.FIRST_BYTE:
                        hop.stop_early(exchange, has_body=has_body)
                    elif has_body:
                        hop.check_length()
                    yield from connection.body(exchange, hop)
                    hop.check_event()
                    self._logins.receive(prepared, request, hop)  # once no stamp can be late for it
                finally:
                    self._connections.keep(connection)
                if following is None:
                    return hop, hop.problem(prepared.endpoint.expect, None)
                self._logins.renew_headers(prepared.endpoint, following)
                earlier, request, on_wire = hop, following, wire_request(following, self._proxy)
                exchange.begin_next()
        except RequestFailedError as error:
            return response, response.problem(prepared.endpoint.expect, error) if response else error
        last = f"over {_MOST_REDIRECTS} redirects, the last to {request.url if request else prepared.url}"
        return None, RequestFailedError(Failure.REDIRECTS, last)

    def _send(self, request: WireRequest, exchange: Exchange) -> Steps[tuple[Opened, Response]]:
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


def _shows_body(failed: RequestFailedError | None, endpoint: Endpoint) -> bool:
    """A wrong answer whose values are secrets, as that to a login, is not shown."""
    kind = failed and failed.failure
    return kind is Failure.STATUS or (kind is Failure.WRONG_ANSWER and not endpoint.captures)


def _head(connection: Connection, request: WireRequest, exchange: Exchange) -> Steps[Response]:
    try:
        return (yield from connection.head(request, exchange))
    except BaseException:
        connection.close()
        raise


def _latency_ms(failed: RequestFailedError | None, latency_ms: float) -> float | None:
    if failed is None:
        return latency_ms
    return math.inf if failed.failure is Failure.TIMEOUT else None
