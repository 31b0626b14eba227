"""What the service can do since the last saved run, and does slowly, although no endpoint measures it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from perfcheck.client.http_client import HttpClient
from perfcheck.discover.endpoint_names import named
from perfcheck.discover.lenient import Fetch, lenient
from perfcheck.discover.merge import merge
from perfcheck.discover.openapi.documents import named_documents
from perfcheck.discover.openapi.located import located_operations
from perfcheck.discover.survey import survey
from perfcheck.engine.coverage import operations_of
from perfcheck.engine.session import Operations
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.judge.match_endpoints import match_endpoints
from perfcheck.judge.verdict import judge_endpoint
from perfcheck.model import (
    Baseline,
    Endpoint,
    EndpointResult,
    ErrorProof,
    Finding,
    Rule,
    Sampling,
    Service,
    UndecidedPolicy,
    Verdict,
)
from perfcheck.model.operation import Candidate, Operation
from perfcheck.sampling.pace import paced
from perfcheck.sampling.sampler import Sampler
from perfcheck.text import Redactor
from perfcheck.units import format_ms

_SURVEY_S = 10.0  # at most
_BUDGET_S = 20.0  # for the slow ones
_REMEDY = "add it to the baseline with a target: 'perfcheck coverage' shows the lines"


def look_for_slow_operations(
    baseline: Baseline,
    results: Sequence[EndpointResult],
    client: HttpClient[Any],
    redact: Redactor,
    *,
    known: Callable[[], Collection[str]],
    started_s: float,
) -> Operations:
    """``known`` returns the request lines of the last saved run, empty without one: then nothing is new.

    One request is sent to each new operation that is safe to repeat; what is slow then is measured as an endpoint is.
    Those that the monitor has found slow are in ``results`` already.
    """
    service = baseline.service
    try:
        documents = named_documents(service.openapi or "", service, redact)
    except (UsageError, CouldNotMeasureError) as error:
        message = f"new operations of the service are unknown: {error.message}"
        return Operations(findings=(Finding.note(Rule.COVERAGE, message, remedy=error.remedy),))
    operations = merge(chain.from_iterable(located_operations(documents, service, lenient(client.fetch))))
    request_lines = tuple(each.request_line for each in operations)
    before = known()
    measured = set(operations_of(baseline, operations).values()) if before else set(operations)
    new = [each for each in operations if each.request_line not in before and each not in measured]
    fetch = lenient(paced(client.fetch, baseline.sampling, time.perf_counter, time.sleep))
    slow = _slow(new, operations, service, fetch) if new else []
    endpoints = [each.endpoint for each in named(slow, {endpoint.name for endpoint in baseline.endpoints})]
    monitored = [result.name for result in results if result.is_monitored]
    found = match_endpoints(endpoints, monitored, service.base_url) if monitored else {}
    unseen = [endpoint for endpoint in endpoints if endpoint.name not in found]
    return Operations(request_lines, tuple(_measured(unseen, client, started_s, baseline.sampling)))


def _slow(new: Sequence[Operation], operations: Sequence[Operation], service: Service, fetch: Fetch) -> list[Candidate]:
    """Of the new ones; the lists above them are requested too, since those have ids."""
    templates = [each.template for each in new if "{" in each.template]
    lists = [
        each
        for each in operations
        if each not in new and any(template.startswith(f"{each.template.rstrip('/')}/{{") for template in templates)
    ]
    found = survey([*lists, *new], service, fetch, longest_s=_SURVEY_S)
    return [each for each in found.candidates if each.operation in new and each.latency_ms > each.endpoint.slow_ms]


def _measured(
    endpoints: Sequence[Endpoint], client: HttpClient[Any], started_s: float, sampling: Sampling
) -> Iterator[EndpointResult]:
    sampler = Sampler(
        endpoints,
        client,
        sampling=Sampling(
            budget_s=_BUDGET_S,
            connections=1,
            errors=ErrorProof.QUICK,
            rate_per_s=sampling.rate_per_s,
            pause_ms=sampling.pause_ms,
        ),
        rng=random.Random(0),  # noqa: S311 - the order of requests, not a secret
        now=time.perf_counter,
    )
    if endpoints:
        sampler.run()
    for endpoint, measurement in zip(endpoints, sampler.measurements(), strict=True):
        result = judge_endpoint(
            endpoint,
            measurement,
            url_shown=client.url_shown,
            started_s=started_s,
            undecided=UndecidedPolicy.ESTIMATE,
        )
        slow = [finding for finding in result.findings if finding.rule is Rule.NEW_SLOW_ENDPOINT]
        if slow:
            value, limit = format_ms(slow[0].value, distinct_from=slow[0].limit), format_ms(slow[0].limit)
            message = (
                f"{endpoint.metric_name} {value}, over {limit}; new since the last saved run, and not in the baseline"
            )
            finding = replace(slow[0], message=message, remedy=_REMEDY)
            yield replace(result, verdict=Verdict.WARNING, findings=(finding,))
