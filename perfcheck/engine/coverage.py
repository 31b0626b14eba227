"""Which operations of a service a baseline measures and which not, and which of its endpoints no longer exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import unquote

from perfcheck.baseline.writer import stanza
from perfcheck.client.prepared_request import without_password
from perfcheck.discover.endpoint_names import named
from perfcheck.discover.survey import ENDLESS, ranked, refusal
from perfcheck.engine.discover import Discovery
from perfcheck.engine.first_look import Look
from perfcheck.judge.match_endpoints import match_endpoints
from perfcheck.judge.route_templates import parse_template
from perfcheck.model import Baseline, Endpoint, Failure, Fetched, MonitoredRoute, RouteTable, single_requests
from perfcheck.model.coverage import Coverage, Gone, Uncovered
from perfcheck.model.operation import Candidate, LeftOut, Operation
from perfcheck.times import rfc3339

_ABSENT = {404, 405, 410, 501}


def coverage(baseline: Baseline, discovery: Discovery, fetch: Callable[[Endpoint], Fetched]) -> Coverage:
    """Compare the endpoints of ``baseline`` with what was found of its service.

    ``fetch`` sends a request: an endpoint that is none of the operations found may exist all the same.
    """
    survey = discovery.survey
    operations = [
        *(each.operation for each in survey.candidates),
        *(each.operation for each in survey.left_out),
    ]
    by_endpoint = operations_of(baseline, operations)
    requests = [each for each in single_requests(baseline.endpoints) if not each.is_incomplete]
    endpoints: dict[Operation, list[str]] = {}
    for name, operation in by_endpoint.items():
        endpoints.setdefault(operation, []).append(name)
    candidates = [each for each in survey.candidates if each.operation not in endpoints]
    left_out = [each for each in survey.left_out if each.operation not in endpoints]
    not_counted = [each for each in left_out if _is_never_measured(each)]
    failed = [each for each in left_out if not _is_never_measured(each)]
    return Coverage(
        file=baseline.file,
        base_url=without_password(baseline.service.base_url),
        at=rfc3339(datetime.now(UTC)),
        covered=tuple((each, tuple(endpoints[each])) for each in operations if each in endpoints),
        uncovered=(*_with_stanzas(baseline, candidates), *map(_without_response, failed)),
        not_counted=tuple(not_counted),
        gone=tuple(_gone([each for each in requests if each.name not in by_endpoint], fetch)),
    )


def _is_never_measured(left_out: LeftOut) -> bool:
    """Whatever values and logins are known."""
    return left_out.reason == ENDLESS or refusal(left_out.operation, ()) is not None


def operations_of(baseline: Baseline, operations: Sequence[Operation]) -> dict[str, Operation]:
    """Name of an endpoint -> the operation that it is a request of. The narrowest template counts, as in a router."""
    routes = {each.request_line: each for each in operations}
    templates = {name: unquote(each.template) for name, each in routes.items()}
    parsed = {name: parse_template(name, each.method, templates[name]) for name, each in routes.items()}
    in_order = sorted(routes, key=lambda name: template.ranks if (template := parsed[name]) else ())
    table = RouteTable(tuple(MonitoredRoute(routes[name].method, templates[name], name) for name in in_order))
    requests = [
        replace(each, monitor_name=None, method="GET" if each.method == "HEAD" else each.method)
        for each in _every_request(baseline)
    ]
    matches = match_endpoints(requests, routes, baseline.service.base_url, table)
    return {endpoint: routes[name] for endpoint, name in matches.items()}


def _every_request(baseline: Baseline) -> Iterator[Endpoint]:
    """All that it sends, also before and after, each with a name of its own."""
    around = (("setup", baseline.setup), ("teardown", baseline.teardown))
    others = (Endpoint(name, "", 0, steps=requests) for name, requests in around if requests)
    return single_requests([*baseline.endpoints, *others])


def _with_stanzas(baseline: Baseline, candidates: Sequence[Candidate]) -> Iterator[Uncovered]:
    groups = {group.name for group in baseline.groups}
    common = baseline.service.headers
    for each in named(ranked(candidates), {endpoint.name for endpoint in baseline.endpoints}, groups):
        group = each.endpoint.group if each.endpoint.group in groups else None
        look = Look(replace(each.endpoint, group=group), each.latency_ms)
        lines = stanza(look.with_target(), common=common, note=look.note)
        yield Uncovered(each.operation, each.latency_ms, tuple(lines))


def _without_response(left_out: LeftOut) -> Uncovered:
    return Uncovered(left_out.operation, reason=left_out.reason, remedy=left_out.remedy)


def _gone(endpoints: Iterable[Endpoint], fetch: Callable[[Endpoint], Fetched]) -> Iterator[Gone]:
    for endpoint in endpoints:
        response = fetch(endpoint)
        if response.failure is Failure.STATUS and response.status in _ABSENT:
            yield Gone(endpoint.name, endpoint.line, response.detail or f"HTTP {response.status}")
