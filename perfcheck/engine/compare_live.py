"""Two running services compared, or one with itself: from their addresses to a run."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from perfcheck.client.client import Client
from perfcheck.engine.ci import read_ci_build
from perfcheck.engine.environment import runner_environment
from perfcheck.engine.pages import browser_for
from perfcheck.engine.selection import select_endpoints
from perfcheck.engine.session import (
    Callbacks,
    Execution,
    Outcome,
    assemble_run,
    ended_early,
    measure,
    sampling_of,
    torn_down,
    wait_for,
)
from perfcheck.engine.sides import Side, of_side
from perfcheck.judge.change_findings import EndpointPair
from perfcheck.judge.compare_endpoint import cannot_tell, compared_alone, comparison_of, noise_findings
from perfcheck.judge.compare_runs import added_and_removed
from perfcheck.judge.run_verdict import judge_run
from perfcheck.judge.verdict import judge_endpoint
from perfcheck.model import (
    Against,
    Baseline,
    ComparedHow,
    CompareLimits,
    Comparison,
    Endpoint,
    EndpointResult,
    Failure,
    Finding,
    Metric,
    Rule,
    Stop,
    UndecidedPolicy,
    Verdict,
)
from perfcheck.sampling.pair_sampler import PairMeasurement, PairSampler, without_limits
from perfcheck.stats.pairs import ChangeOutcome
from perfcheck.text import Redactor, clean
from perfcheck.words import and_more

if TYPE_CHECKING:
    from perfcheck.service_process import ServiceProcess

_MOST_NAMED = 5
_NO_SUCH_ENDPOINT = {404, 405, 410, 501}
_UNREACHABLE = "start it, or correct its address"


def compare_live(
    before: Baseline,
    after: Baseline,
    *,
    names: Sequence[str] = (),
    groups: Sequence[str] = (),
    how: ComparedHow = ComparedHow.LIVE,
    sides: tuple[Side, Side] | None = None,
    fail_on: Verdict | None = Verdict.CRITICAL,
    command: tuple[str, ...] = ("perfcheck", "compare"),
    max_pairs: int | None = None,
    seed: int | None = None,
    processes: Sequence[ServiceProcess] = (),
    notes: Sequence[Finding] = (),
    callbacks: Callbacks = Callbacks(),  # noqa: B008 - frozen
    redact: Redactor | None = None,
) -> Outcome:
    """Send the requests of a baseline to two services in pairs, and judge which endpoints became slower.

    ``before`` and ``after`` are the same baseline with the address of one service each, ``sides`` the commits that
    these run, if that is known, and ``processes`` those of the services where the caller started them. ``notes`` are
    put among the findings of the run. Other parameters, the outcome and what is raised: as of ``check``.
    """
    endpoints = select_endpoints(after, names, groups)
    redact, progress = redact or Redactor(before.secrets | after.secrets), callbacks.progress
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    with (
        Client(before.service, redact=redact, seed=seed) as before_client,
        # One with itself over the same connections: a service with one thread serves no second one.
        (
            nullcontext(before_client)
            if how is ComparedHow.SAME
            else Client(after.service, redact=redact, loop=before_client.loop, seed=seed)
        ) as after_client,
        ExitStack() as stack,
    ):
        after_client.numbers = before_client.numbers  # so that both requests of a pair insert the same values
        clients = before_client, after_client
        stack.enter_context(browser_for(endpoints, clients, (before, after), redact))
        timeout_s = after.service.ready_timeout_s
        errors = (
            of_side(side, wait_for(client, endpoints, timeout_s, callbacks, unreachable=_UNREACHABLE, process=process))
            for client, process, side in zip_longest(dict.fromkeys(clients), processes, sides or ())
        )
        error = next(filter(None, errors), None)  # without the first, the second is not waited for
        environment = runner_environment(read_ci_build(os.environ))  # the commit of this folder may be neither side's
        if sides:
            this = sides[1]
            environment = replace(environment, commit=this.commit, branch=this.branch, dirty=this.dirty)
        sampler = PairSampler(
            endpoints,
            (before_client, after_client),
            limits=after.compare,
            sampling=sampling_of(after),
            rng=random.Random(seed),  # noqa: S311 - the order of requests, not a secret
            now=time.perf_counter,
            max_pairs=max_pairs,
            observe=lambda: progress(sampler),
        )
        with (
            torn_down(before_client, before.teardown, redact) as from_before,
            torn_down(after_client, () if how is ComparedHow.SAME else after.teardown, redact) as from_after,
        ):
            execution = measure(sampler, error, callbacks, set_up=lambda: _set_up(clients, (before, after)))
        pairs = sampler.measurements()
        results = execution.as_it_ended(
            tuple(
                _result(endpoint, pair, clients, execution, after.compare)
                for endpoint, pair in zip(endpoints, pairs, strict=True)
            )
        )
        _, counts, _ = judged = judge_run(results, fail_on)
        added = tuple(result.name for result, pair in zip(results, pairs, strict=True) if _is_new(result, pair))
        return assemble_run(
            after_client,
            environment,
            after,
            execution,
            results,
            judged,
            findings=(
                *(finding for process in processes for finding in ended_early(process, execution)),
                *execution.findings(
                    dict.fromkeys(finding for client in clients for finding in client.findings), environment
                ),
                *notes,
                *from_before,
                *from_after,
                *added_and_removed(added, (), "the service before"),
                *_judged_by_a_tail(endpoints),
                *cannot_tell(results, "run it again" if execution.interrupted else _how_to_settle(pairs)),
                *(noise_findings(results, _latencies(pairs)) if how is ComparedHow.SAME else ()),
            ),
            complete=not counts.not_measured and not any(pair.after.ran_out_of_time for pair in pairs),
            redact=redact,
            command=command,
            seed=seed,
            label=sides[1].ref if sides else None,
            against=Against(
                how=how,
                label=sides[0].ref if sides else None,
                run_id=None,
                started_at=None,
                commit=sides[0].commit if sides else None,
                base_url=before_client.base_url_shown,
                limits=after.compare,
                with_targets=False,
                added=added,
            ),
        )


def _set_up(clients: tuple[Client, Client], baselines: tuple[Baseline, Baseline]) -> None:
    """On both sides, each with its own setup; once for a service that is compared with itself."""
    for client, baseline in dict(zip(clients, baselines, strict=True)).items():
        client.set_up(baseline.setup)


def _judged_by_a_tail(endpoints: Sequence[Endpoint]) -> Iterator[Finding]:
    """Pairs compare the typical request; an endpoint may be slower only in what the baseline judges it by."""
    others = [endpoint for endpoint in endpoints if endpoint.metric is not Metric.MEDIAN]
    if others:
        names = and_more([f"{clean(endpoint.name)} ({endpoint.metric})" for endpoint in others], _MOST_NAMED)
        message = f"compared by the median, while the baseline judges another metric: {names}"
        remedy = "a slower tail alone shows in two saved runs: 'perfcheck run --against'"
        yield Finding.note(Rule.METRIC, message, remedy=remedy)


def _latencies(pairs: tuple[PairMeasurement, ...]) -> Iterator[tuple[float, float]]:
    """In milliseconds, of every judged pair in which both requests have one."""
    for pair in pairs:
        for (stage, before), (_, after) in zip(pair.before.samples, pair.after.samples, strict=True):
            if stage and before.latency_ms is not None and after.latency_ms is not None:
                yield before.latency_ms, after.latency_ms


def _result(
    endpoint: Endpoint,
    pair: PairMeasurement,
    clients: tuple[Client, Client],
    execution: Execution,
    limits: CompareLimits,
) -> EndpointResult:
    bare = without_limits(endpoint)
    before, after = (
        judge_endpoint(
            bare,
            side,
            url_shown=client.url_shown,
            started_s=execution.started_s,
            undecided=UndecidedPolicy.ESTIMATE,
        )
        for side, client in zip((pair.before, pair.after), clients, strict=True)
    )
    compared = _compared(before, after, pair.outcome, pair.pairs)
    steps = zip(before.steps, after.steps, pair.steps, strict=True)
    compared = replace(compared, steps=tuple(_compared(*step, pair.pairs) for step in steps))
    return compared_alone(replace(compared, before=None) if _is_new(after, pair) else compared, limits)


def _compared(before: EndpointResult, after: EndpointResult, outcome: ChangeOutcome, pairs: int) -> EndpointPair:
    return EndpointPair(after, before, _comparison(before, after, outcome, pairs), outcome.severity, remedy=None)


def _is_new(after: EndpointResult, pair: PairMeasurement) -> bool:
    """Whether the service before has no such endpoint, and the one after has: no failure of either.

    A status that the endpoint is expected to have is no failure, and one that both have is no news.
    """
    before = [sample for _, sample in pair.before.samples]
    is_absent = all(s.failure is Failure.STATUS and s.status in _NO_SUCH_ENDPOINT for s in before)
    return bool(before) and is_absent and after.requests.succeeded > 0


def _comparison(before: EndpointResult, after: EndpointResult, outcome: ChangeOutcome, pairs: int) -> Comparison | None:
    """None where there is not a single pair of latencies."""
    if not pairs:
        return None
    values = before.latency_ms.median, after.latency_ms.median
    return comparison_of(before, after, outcome, Metric.MEDIAN, values, pairs)


def _how_to_settle(pairs: tuple[PairMeasurement, ...]) -> str:
    stops = {decision.stop for pair in pairs for decision in pair.after.decisions}
    if Stop.BUDGET in stops:
        return "raise --budget"
    if Stop.MAX_REQUESTS in stops:
        return f"'--max-pairs {2 * max(pair.pairs for pair in pairs)}' may settle it"
    return "see the failures"
