"""Endpoints that were never measured before get targets: measured a few times, and checked until all of them pass."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING

from perfcheck.engine.check import check
from perfcheck.engine.session import Outcome
from perfcheck.errors import EXIT_INTERRUPTED
from perfcheck.history.propose import first_values, round_up
from perfcheck.model import Baseline, Endpoint, EndpointResult, ErrorProof, Rule, Sampling, Severity, Verdict
from perfcheck.units import format_ms
from perfcheck.words import plural

if TYPE_CHECKING:
    from perfcheck.service_process import ServiceProcess

ROUNDS = 3
ROUND_REQUESTS = 5  # to each endpoint
_ROUND_S = 8.0  # at most
_PAUSE_S = 2.0  # between rounds: a burst on the machine rarely lasts longer
_CHECK_S = 20.0  # at most
_CHECKS = 3  # of an endpoint that does not pass at once
_EXPECTED = 2.0  # times the latency of the first request, from which the sampler forecasts the time that it needs
_LEAST_EXPECTED_MS = 20.0
_BODY_MARGIN = 1.5
_TIMEOUT_MULTIPLE = 4.0  # of the target
_BY_LATENCY = {Rule.LATENCY, Rule.UNDECIDED, Rule.MOMENTARY, Rule.CEILING}


@dataclass(slots=True)
class Look:
    """What is known of the latency of one endpoint."""

    endpoint: Endpoint
    first_ms: float  # of a single request, when it was found
    rounds_ms: list[float] = field(default_factory=list)  # medians
    requests: int = 0
    reason: str | None = None  # why it is left out

    @property
    def values_ms(self) -> list[float]:
        return self.rounds_ms or [self.first_ms]

    def with_target(self) -> Endpoint:
        target_ms, ideal_ms = first_values(self.endpoint, self.values_ms, self.requests)
        timeout_s = self.endpoint.timeout_s
        if 2 * target_ms >= 1000 * timeout_s:  # a request that is CRITICAL has to be measured, too
            timeout_s = round_up(_TIMEOUT_MULTIPLE * target_ms / 1000)
        return replace(self.endpoint, target_ms=target_ms, ideal_ms=ideal_ms, timeout_s=timeout_s)

    @property
    def note(self) -> str:
        """What its target comes from."""
        measured = format_ms(median(self.values_ms))
        return f"median {measured}" if self.requests else f"one request took {measured}"


def look(
    baseline: Baseline,
    looks: Sequence[Look],
    *,
    process: ServiceProcess | None = None,
    progress: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Measure the endpoints of ``looks`` in a few rounds, those first that have no measurement yet.

    ``baseline`` has the service. Raises CouldNotMeasureError where it stopped responding, and KeyboardInterrupt.
    """
    for number in range(1, ROUNDS + 1):
        if number > 1:
            sleep(_PAUSE_S)
        kept = [each for each in looks if each.reason is None]
        pending = [each for each in kept if not each.rounds_ms] or kept
        if not pending:
            break
        progress(f"round {number} of {ROUNDS}")
        endpoints = tuple(_to_measure(each) for each in pending)
        sampling = Sampling(budget_s=_ROUND_S, confirm=0, errors=ErrorProof.QUICK)
        service = replace(baseline.service, monitor=None)
        round_of = replace(baseline, service=service, sampling=sampling, endpoints=endpoints)
        outcome = _completed(check(round_of, max_requests=ROUND_REQUESTS, process=process))
        for each, result in zip(pending, outcome.run.endpoints, strict=True):
            _note(each, result)


def _to_measure(look: Look) -> Endpoint:
    """Without a target: in each round it is sent a few requests, whatever comes of them."""
    return replace(look.endpoint, slow_ms=max(_EXPECTED * look.first_ms, _LEAST_EXPECTED_MS))


def _note(look: Look, result: EndpointResult) -> None:
    samples = [sample for sample in result.samples_ms if sample is not None and sample < math.inf]
    if samples:
        look.rounds_ms.append(median(samples))
        look.requests += len(samples)
    elif result.requests.failed:
        look.reason = _reason(result)


def _completed(outcome: Outcome) -> Outcome:
    """``check`` keeps what was measured up to an interruption or an error; here that is of no use."""
    if outcome.error is not None:
        raise outcome.error
    if outcome.run.exit_code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    return outcome


# --- The check of the file -------------------------------------------------------------------------------------------


def check_until_green(
    load: Callable[[], Baseline],
    looks: Sequence[Look],
    *,
    process: ServiceProcess | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, EndpointResult]:
    """Check the file as ``perfcheck run`` does. An endpoint that does not pass gets a larger target, or is left out.

    ``load`` returns the baseline of those of ``looks`` that are not left out, as they are now. Returns the results of
    its endpoints by name.
    """
    by_name = {each.endpoint.name: each for each in looks}
    names: list[str] = []
    results: dict[str, EndpointResult] = {}
    for number in range(1, _CHECKS + 1):
        if all(each.reason is not None for each in looks):
            break
        progress(f"checking {plural(len(names), 'endpoint')} again" if names else "checking the file")
        baseline = load()
        bounded = replace(baseline.sampling, budget_s=_CHECK_S, errors=ErrorProof.QUICK)
        run = _completed(check(replace(baseline, sampling=bounded), names=names, process=process)).run
        # The monitor may report others, which are slow and left out.
        own = [each for each in run.endpoints if not each.is_monitored]
        results |= {result.name: result for result in own}
        failed = [each for each in own if not _passes(each)]
        for result in failed:
            _adapt(by_name[result.name], result, is_last=number == _CHECKS)
        names = [each.name for each in failed if by_name[each.name].reason is None]
        if not names:
            break
    return {name: result for name, result in results.items() if by_name[name].reason is None}


def _passes(result: EndpointResult) -> bool:
    """OK, or without an answer only because there was no time for it."""
    return result.verdict is Verdict.OK or result.lacked_time


def _adapt(look: Look, result: EndpointResult, *, is_last: bool) -> None:
    rules = {finding.rule for finding in result.findings if finding.severity is not Severity.NOTE}
    if result.verdict is Verdict.NOT_MEASURED or Rule.ERROR_RATE in rules or is_last:
        look.reason = _reason(result)
    elif Rule.BODY_SIZE in rules and result.body_bytes:
        limit = round_up(_BODY_MARGIN * result.body_bytes)
        look.endpoint = replace(look.endpoint, body_limit=math.ceil(limit))
    if rules & _BY_LATENCY and result.value_ms is not None:
        look.rounds_ms.append(result.value_ms)
        look.requests += result.requests.succeeded


def _reason(result: EndpointResult) -> str:
    """What the check found, without what the service wrote."""
    by_weight = sorted(result.findings, key=lambda finding: finding.severity is Severity.NOTE)
    message = by_weight[0].message if by_weight else "it does not pass its own check"
    return message.partition("; first body:")[0]
