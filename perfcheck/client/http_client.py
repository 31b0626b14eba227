"""Timed requests, from one thread, over whatever opens the connections; failures are data."""

from __future__ import annotations

import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Generic, Protocol, Self

from perfcheck.client.answer_reader import AnswerReader
from perfcheck.client.connection import Connections, Opened
from perfcheck.client.excerpt import excerpt
from perfcheck.client.exchange import Exchange, RequestFailedError
from perfcheck.client.logins import Logins
from perfcheck.client.loop import Loop, Steps, pause
from perfcheck.client.prepared_request import (
    Origin,
    PreparedRequest,
    prepare,
    url_shown,
    without_password,
)
from perfcheck.client.proxies import ProxyOf
from perfcheck.client.request_plans import RequestPlans
from perfcheck.client.request_template import RequestTemplate
from perfcheck.client.response import REDIRECTS, Response
from perfcheck.client.sender import Sender
from perfcheck.client.transport import HAS_KERNEL_STAMPS
from perfcheck.client.values import NO_VALUES, Generator, Numbers, RequestValues
from perfcheck.client.workflow import as_one
from perfcheck.errors import CouldNotMeasureError
from perfcheck.model import Endpoint, Failure, Fetched, Finding, Sample, Service
from perfcheck.text import Redactor

_LONGEST_SERVER_TIMING = 2000
_TOO_MANY_REQUESTS = 429


class Pages(Protocol):
    """A browser."""

    def load(
        self,
        service: Service,
        endpoint: Endpoint,
        requests: Sequence[PreparedRequest | None],
        values: Mapping[str, str],
        now: Callable[[], float],
    ) -> Steps[Sample]:
        """One load of a page; ``requests`` are those of its documents, None for a step that begins with none."""


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
        proxy_of: ProxyOf = lambda _: None,
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
        self._now = now
        self._seed = seed
        self._generators: dict[int, Generator] = {}  # by the id of the endpoint, which is kept
        self.numbers = Numbers()
        self._owns_loop = loop is None
        self.loop = loop or Loop()
        self._plans = RequestPlans(service, proxy_of, self.loop)
        self._logins = Logins(service, self._send_for_setup, redact, self._plans.forget)
        self._setup = self._logins.setup
        self._sender = Sender(connections, proxy_of, self._logins, protocol="HTTP/2" if service.http2 else "HTTP/1.1")
        self._answers = AnswerReader(redact)
        self._by_kernel = HAS_KERNEL_STAMPS and not service.unix_socket
        self._is_set_up = False
        self.pages: Pages | None = None  # without it, no endpoint may be a page
        self._in_flight: set[object] = set()

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
            kind = "token" if any(each.is_lifetime for each in request.captures) else "setup"
            message = f"the {kind} request '{self._redact.clean(request.name)}' failed: {sample.detail}"
            body = f" ({sample.body_excerpt})" if sample.body_excerpt else ""
            remedy = f"nothing is measured without it: {_setup_remedy(sample)} (line {request.line} of the baseline)"
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

    def template(self, endpoint: Endpoint) -> tuple[Origin, RequestTemplate, bytes | None]:
        """The request for another program to send, where to, and the cookies that ``send`` would send with it now.

        Raises UsageError for what makes no request, RequestFailedError for a value that cannot be inserted.
        """
        plan = self._plans.plan(endpoint)
        template = plan.template.with_known(self._setup.values)
        cookies = self._logins.cookies(endpoint, plan.url, template.headers)
        return Origin.of(plan.url), template, cookies

    def fetch(self, endpoint: Endpoint) -> Fetched:
        """One request for its body, not its latency. Failures are in what is returned; raises as ``send`` does."""
        generator = Generator(self._seed, endpoint.name, endpoint.data, self._redact, kind="fetch")
        values = RequestValues(generator.value, 1, self._setup.values)
        return self.loop.run(self._logins.logged_in(endpoint, lambda: self._fetched(endpoint, values), key=0))

    def _values(self, endpoint: Endpoint, shared: Mapping[str, str] | None = None, *, kind: str = "") -> RequestValues:
        """Those of its next request; ``shared`` instead of all that the setup captured."""
        if not endpoint.uses_values:
            return NO_VALUES
        if id(endpoint) not in self._generators:
            generator = Generator(self._seed, endpoint.name, endpoint.data, self._redact, kind=kind)
            self._generators[id(endpoint)] = generator
        generator = self._generators[id(endpoint)]
        number = self.numbers.following(generator.name, id(self))
        return RequestValues(generator.value, number, self._setup.values if shared is None else shared)

    def _turn(self, endpoint: Endpoint, tag: object = None) -> Steps[Sample]:
        values = self._values(endpoint)
        trace_id = os.urandom(16).hex() if self._service.trace else None  # that no other run has, whatever its seed
        if endpoint.is_page:
            sample = yield from self._logins.logged_in(endpoint, lambda: self._page(endpoint, values))
        elif endpoint.steps:
            sample = yield from self._workflow(endpoint.steps, values, trace_id)
        else:
            sample = yield from self._sample(endpoint, values, trace_id)
        self._in_flight.discard(tag)
        return sample

    def _workflow(self, steps: Sequence[Endpoint], values: RequestValues, trace_id: str | None) -> Steps[Sample]:
        """All steps, or up to the first that fails, as one sample."""
        samples: list[Sample] = []
        for number, step in enumerate(steps, start=1):
            samples.append((yield from self._sample(step, values, trace_id)))
            if samples[-1].failure is not None:
                break
            if step.think_s and number < len(steps):
                yield from pause(int(step.think_s * 1e9))
        return as_one(samples, steps[len(samples) - 1].name)

    def _page(self, endpoint: Endpoint, values: RequestValues) -> Steps[Sample]:
        if self.pages is None:
            raise ValueError(f"no browser for {endpoint.name}")
        self._logins.refresh()
        try:
            documents = [self._document(step, values) for step in endpoint.steps or (endpoint,)]
        except RequestFailedError as error:
            return Sample(self._now(), None, error.failure, detail=self._redact.clean(str(error)))
        return (yield from self.pages.load(self._service, endpoint, documents, values, self._now))

    def _document(self, step: Endpoint, values: RequestValues) -> PreparedRequest | None:
        if step.page is None or not step.page.goto:
            return None
        return self._logins.with_cookies(prepare(self._service, replace(step, method="GET"), None, values))

    def _send_for_setup(self, request: Endpoint, known: Mapping[str, str]) -> Steps[tuple[Sample, Mapping[str, str]]]:
        values = self._values(request, known, kind="setup")
        sample = yield from self._timed(request, values)
        return sample, values

    def _sample(self, endpoint: Endpoint, values: RequestValues, trace_id: str | None) -> Steps[Sample]:
        """One timed request; another login where the one before has expired is no part of the sample."""
        return self._logins.logged_in(endpoint, lambda: self._timed(endpoint, values, trace_id))

    def _timed(self, endpoint: Endpoint, values: RequestValues, trace_id: str | None = None) -> Steps[Sample]:
        check = self._answers.check_of(endpoint)
        response: Response | None = None
        failed: RequestFailedError | None = None
        try:
            prepared = self._plans.prepare(endpoint, values, self._logins, may_be_ahead=self._by_kernel)
        except RequestFailedError as error:  # a value that a step captured cannot be inserted
            prepared, failed = None, error
        tried_at_s, tried_ns = self._now(), time.perf_counter_ns()
        exchange = _exchange(endpoint, trace_id)
        if prepared is not None:
            response, failed = yield from self._sender.send(prepared, exchange)
        size = None
        if response is not None and failed is None:
            self._by_kernel = exchange.by_kernel
            try:
                size = self._answers.read(endpoint, response, check, values)
            except RequestFailedError as error:
                failed = error
        if response is not None and failed is not None:
            self._answers.hide_captured(endpoint, response)
        at_s = tried_at_s + ((exchange.first_sent_ns or tried_ns) - tried_ns) / 1e9
        return self._as_sample(endpoint, exchange, response, failed, at_s=at_s, size=size)

    def _as_sample(
        self,
        endpoint: Endpoint,
        exchange: Exchange,
        response: Response | None,
        failed: RequestFailedError | None,
        *,
        at_s: float,
        size: int | None,
    ) -> Sample:
        phases = exchange.phases()
        server_timing = response.header(b"server-timing") if response else ""
        unexpected = response if failed and failed.failure is Failure.STATUS else None
        return Sample(
            at_s=at_s,
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

    def _fetched(self, endpoint: Endpoint, values: RequestValues) -> Steps[Fetched]:
        self._logins.refresh()
        response, failed, body = None, None, b""
        try:
            prepared = self._logins.with_cookies(self._plans.plan(endpoint).prepared(values))
            exchange = Exchange(endpoint.timeout_s, endpoint.metric_of)
            response, failed = yield from self._sender.send(self._logins.signed(prepared), exchange)
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


def _exchange(endpoint: Endpoint, trace_id: str | None) -> Exchange:
    needs_body = endpoint.answer is not None and endpoint.answer.of_body
    if trace_id is not None and any(name.lower() == "traceparent" for name, _ in endpoint.headers):
        trace_id = None
    return Exchange(endpoint.timeout_s, endpoint.metric_of, needs_body=needs_body, trace_id=trace_id)


def _setup_remedy(sample: Sample) -> str:
    if sample.failure is Failure.WRONG_ANSWER:
        return "correct its 'capture' or 'expect', or see what the service responds"
    if sample.failure is Failure.STATUS and sample.status in {400, 401, 403}:
        return "check what it logs in with"
    if sample.failure is Failure.STATUS and 300 <= (sample.status or 0) <= 399:  # noqa: PLR2004
        return f"write 'expect: {sample.status}' if it is to redirect"
    return "correct the request, or see the service's log"


def _shows_body(failed: RequestFailedError | None, endpoint: Endpoint) -> bool:
    """A wrong answer whose values are secrets, as that to a login, is not shown."""
    kind = failed and failed.failure
    return kind is Failure.STATUS or (kind is Failure.WRONG_ANSWER and not endpoint.captures)


def _latency_ms(failed: RequestFailedError | None, latency_ms: float) -> float | None:
    if failed is None:
        return latency_ms
    return math.inf if failed.failure is Failure.TIMEOUT else None
