"""The requests of one service as they are sent next: what is the same each time is kept, the next one made ahead."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from perfcheck.client.exchange import RequestFailedError
from perfcheck.client.logins import Logins
from perfcheck.client.loop import Loop
from perfcheck.client.prepared_request import Origin, PreparedRequest, RequestPlan
from perfcheck.client.proxies import ProxyOf
from perfcheck.client.setup import Setup
from perfcheck.client.values import RequestValues
from perfcheck.model import Endpoint, Service


class RequestPlans:
    """By the ids of endpoints, which are kept with them."""

    def __init__(self, service: Service, proxy_of: ProxyOf, loop: Loop) -> None:
        self._service = service
        self._proxy_of = proxy_of
        self._loop = loop
        self._plans: dict[int, RequestPlan] = {}
        self._prepared: dict[int, PreparedRequest] = {}  # with all that they insert
        self.ahead: dict[int, tuple[int, PreparedRequest]] = {}  # with the number of the request

    def plan(self, endpoint: Endpoint) -> RequestPlan:
        """Of any endpoint, not kept. Raises UsageError as RequestPlan does, RequestFailedError as Proxies does."""
        plan = RequestPlan(self._service, endpoint, None)  # which origin it has is known from now on
        proxy = self._proxy_of(Origin.of(plan.url))
        return RequestPlan(self._service, endpoint, proxy) if proxy else plan

    def prepare(
        self, endpoint: Endpoint, values: RequestValues, logins: Logins, *, may_be_ahead: bool
    ) -> PreparedRequest:
        """With its login. ``may_be_ahead``: what is done while a response is waited for is in no latency.

        Raises as RequestPlan does.
        """
        logins.refresh()
        prepared = self._prepared.get(id(endpoint))
        if prepared is None:
            prepared = logins.with_cookies(self._inserted(endpoint, values, logins.setup if may_be_ahead else None))
            if logins.setup.knows(endpoint.values):
                self._prepared[id(endpoint)] = prepared
        return logins.signed(prepared)

    def _inserted(self, endpoint: Endpoint, values: RequestValues, known: Setup | None) -> PreparedRequest:
        """The request with its values, which may have been made ahead.

        The next one is made while the service works on this one, unless ``known`` is None: so it does not lengthen the
        pause between the two.
        """
        key = id(endpoint)
        if key not in self._plans:
            self._plans[key] = self.plan(endpoint)
        plan = self._plans[key]
        number, ahead = self.ahead.pop(key, (0, None))
        prepared = ahead if ahead and number == values.number else plan.prepared(values)
        if plan.may_be_ahead and known is not None and known.knows(plan.captured):
            self._loop.when_idle((id(self), key), partial(self._make_ahead, plan, values.following()))
        return prepared

    def _make_ahead(self, plan: RequestPlan, values: RequestValues) -> None:
        with suppress(RequestFailedError):  # which is the failure of that request, if it is sent
            self.ahead[id(plan.endpoint)] = values.number, plan.prepared(values)

    def forget(self) -> None:
        """What the requests insert has changed."""
        self._prepared.clear()
        self.ahead.clear()
