"""What is requested under load, as the workers get it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from perfcheck.capacity.engine.plan import LoadPlan, PlannedRequest
from perfcheck.client.client import Client
from perfcheck.errors import UsageError
from perfcheck.model import Baseline, Endpoint, Metric

_QUANTILES = {Metric.MEDIAN: 0.5, Metric.P75: 0.75, Metric.P90: 0.9, Metric.P95: 0.95, Metric.P99: 0.99}
_OF_THE_MEAN = 0.5  # no share of requests follows from a mean


@dataclass(frozen=True, slots=True)
class Mix:
    """What is requested under load, and what has to hold."""

    endpoints: tuple[Endpoint, ...]
    limits_ms: dict[str, float]  # by endpoint
    within: dict[str, float]  # share of the requests to each endpoint

    @property
    def allowed_over(self) -> dict[str, float]:
        """The share of the requests to each endpoint that may be over its limit."""
        return {name: 1 - within for name, within in self.within.items()}


def mix_of(baseline: Baseline) -> Mix:
    """Raises UsageError where there is nothing to request."""
    goals = baseline.capacity
    endpoints = tuple(endpoint for endpoint in baseline.endpoints if endpoint.name in goals.mix)
    if not endpoints:
        raise UsageError("no endpoint of the baseline can be requested under load", "name some in capacity.mix")
    limits_ms = {endpoint.name: goals.limit_ms or endpoint.limits.warning_ms for endpoint in endpoints}
    within = {endpoint.name: goals.within or _QUANTILES.get(endpoint.metric, _OF_THE_MEAN) for endpoint in endpoints}
    return Mix(endpoints, limits_ms, within)


def load_plan(baseline: Baseline, mix: Mix, client: Client) -> LoadPlan:
    """Raises UsageError for a proxy, which the generator does not use."""
    goals, service = baseline.capacity, baseline.service
    if client.has_proxy:
        message = "load is sent directly, and the environment has a proxy for the service"
        raise UsageError(message, "set NO_PROXY to the host of the service")
    requests = [_planned(endpoint, client, keeps_cookies=service.cookies) for endpoint in mix.endpoints]
    origin, *_ = client.template(mix.endpoints[0].steps[0] if mix.endpoints[0].steps else mix.endpoints[0])
    host, port = service.connect_to or (origin.host, origin.port)
    return LoadPlan(
        host=host,
        port=port,
        model=goals.model,
        requests=tuple(
            replace(each, limit_ms=mix.limits_ms[each.endpoint], weight=goals.mix[each.endpoint]) for each in requests
        ),
        think_s=goals.think_s,
        think_time=goals.think_time,
        unix_socket=service.unix_socket,
        tls=service.tls if origin.scheme == "https" else None,
        server_name=origin.host,
        seed=secrets.randbits(32),
    )


def _planned(endpoint: Endpoint, client: Client, *, keeps_cookies: bool, is_step: bool = False) -> PlannedRequest:
    """An endpoint of the mix, or a step of one, which ``keeps_cookies`` of the steps before it."""
    if endpoint.steps:
        steps = [_planned(step, client, keeps_cookies=keeps_cookies, is_step=True) for step in endpoint.steps]
        steps[-1] = replace(steps[-1], think_s=0.0)  # what follows is the pause of the user
        return PlannedRequest(endpoint.name, rows=endpoint.data, steps=tuple(steps))
    _, template, cookies = client.template(endpoint)
    has_own = endpoint.is_anonymous or any(name.lower() == b"cookie" for name, _ in template.headers)
    keeps_cookies = keeps_cookies and is_step and not has_own
    if cookies and not keeps_cookies:
        template = template.with_header(b"Cookie", cookies)
    return PlannedRequest(
        endpoint.name,
        template.data({}) if template.is_static and not keeps_cookies else template,
        endpoint.method,
        endpoint.expect,
        endpoint.timeout_s,
        answer=endpoint.answer,
        captures=endpoint.captures,
        cookies=(cookies or b"") if keeps_cookies else None,
        rows=endpoint.data,
        think_s=endpoint.think_s,
    )
