"""Which request is next, over how many connections, and until when: whole checks of scripted services."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation.noise import Bursts, Clock, Scripted
from simulation.scheduling import Behaviour, Observed, Workers, check, with_target

from perfcheck.model import (
    PROOF,
    Endpoint,
    ErrorProof,
    Failure,
    Forecast,
    Measurement,
    Metric,
    Sample,
    Sampling,
    Verdict,
)
from perfcheck.sampling.protocols import Transport
from perfcheck.sampling.sampler import Sampler
from perfcheck.sampling.scheduler import MOST_PROOF_S

OK, WARNING, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.CRITICAL
HANGS = Behaviour(1e8)
QUICK = Sampling(errors=ErrorProof.QUICK)


def service(
    latencies_ms: dict[str, float],
    *,
    workers: int | None = None,
    locked: float = 0.0,
    sigma: float = 0.1,
    seed: int = 1,
) -> Workers:
    behaviours = {name: Behaviour(latency, sigma) for name, latency in latencies_ms.items()}
    return Workers(Clock(), random.Random(seed), behaviours, workers, locked)


def similar(count: int, latency_ms: float = 200.0) -> dict[str, float]:
    return {f"e{number}": latency_ms for number in range(count)}


def with_targets(latencies_ms: dict[str, float]) -> list[Endpoint]:
    """Endpoints whose target is half as long again as what they take."""
    return [with_target(name, 1.5 * latency) for name, latency in latencies_ms.items()]


def verdicts(measurements: Iterable[Measurement]) -> Counter[Verdict | None]:
    return Counter(m.decisions[-1].verdict if m.decisions else None for m in measurements)


def all_decided(measurements: Iterable[Measurement]) -> bool:
    return all(m.decisions and m.decisions[-1].is_decided for m in measurements)


def most_in_flight(transport: Workers) -> int:
    return max(before + 1 for _, _, before in transport.log)


# --- How many connections ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workers", "locked", "widths", "most_s"),
    [(None, 0.0, {32}, 45.0), (1, 0.0, {1}, 200.0), (4, 0.0, {4}, 100.0), (None, 0.5, {1, 2}, 200.0)],
)
def test_as_many_connections_as_the_service_bears(
    workers: int | None, locked: float, widths: set[int], most_s: float
) -> None:
    latencies = similar(300 if workers is None and not locked else 120)
    transport = service(latencies, workers=workers, locked=locked)
    sampler, measurements = check(with_targets(latencies), transport)
    assert sampler.forecast().connections in widths
    assert most_in_flight(transport) <= 2 * max(widths)
    assert verdicts(measurements) == {OK: len(latencies)}
    assert all_decided(measurements)
    assert transport.clock.seconds < most_s


@pytest.mark.parametrize("connections", [1, 2, 5])
def test_no_more_connections_than_set(connections: int) -> None:
    latencies = similar(100, 500.0)
    transport = service(latencies)
    check(with_targets(latencies), transport, Sampling(connections=connections))
    assert most_in_flight(transport) == {1: 1, 2: 2, 5: 4}[connections]


def test_no_more_connections_than_endpoints() -> None:
    latencies = similar(9, 2000.0)
    transport = service(latencies)
    sampler, measurements = check(with_targets(latencies), transport)
    assert sampler.forecast().connections == 8
    assert max(decision.concurrency for m in measurements for decision in m.decisions) == most_in_flight(transport) == 8


@pytest.mark.parametrize(("count", "latency_ms"), [(7, 5000.0), (40, 100.0)])
def test_a_short_need_is_not_worth_a_second_connection_in_the_first_stage(count: int, latency_ms: float) -> None:
    latencies = similar(count, latency_ms)
    transport = service(latencies)
    _, measurements = check(with_targets(latencies), transport, QUICK)
    assert most_in_flight(transport) == 1
    assert {decision.concurrency for m in measurements for decision in m.decisions} == {1}


@dataclass
class OneThread:
    """A service with one thread, which serves a connection until that is closed, while others wait."""

    clock: Clock
    latency_s: float
    most_open: int = 0
    _open: list[tuple[object, float] | None] = field(default_factory=list)  # in the order in which they were opened:
    _served_since: float = 0.0  # a request and when it was sent, or None

    def start(self, _: Endpoint, tag: object) -> None:
        request = tag, self.clock.seconds
        if None in self._open:
            self._open[self._open.index(None)] = request
        else:
            self._open.append(request)
        self.most_open = max(self.most_open, len(self._open))

    def wait(self, until_s: float | None = None) -> list[tuple[object, Sample]]:
        served = self._open[0] if self._open else None
        end_s = math.inf if served is None else max(served[1], self._served_since) + self.latency_s
        if until_s is not None and end_s > until_s:
            self.clock.sleep(until_s - self.clock.seconds)
            return []
        assert served is not None, "waits for ever"
        self.clock.seconds = end_s
        self._open[0] = None
        tag, sent_s = served
        return [(tag, Sample(sent_s, 1000 * (end_s - sent_s)))]

    def cancel(self, tag: object) -> None:
        self._close([number for number, request in enumerate(self._open) if request is not None and request[0] is tag])

    def close_idle(self) -> None:
        self._close([number for number, request in enumerate(self._open) if request is None][1:])

    def _close(self, numbers: Sequence[int]) -> None:
        if 0 in numbers:
            self._served_since = self.clock.seconds
        self._open = [request for number, request in enumerate(self._open) if number not in numbers]


def run(
    endpoints: Sequence[Endpoint],
    transport: Transport,
    clock: Clock,
    sampling: Sampling = Sampling(),  # noqa: B008 - frozen
    *,
    observe: Callable[[str, Sample], None] = lambda *_: None,
) -> Sampler:
    sampler = Sampler(endpoints, transport, sampling=sampling, rng=random.Random(1), now=clock.now, observe=observe)
    sampler.run()
    return sampler


def test_a_service_that_serves_one_connection_at_a_time_falls_back_to_one() -> None:
    transport = OneThread(Clock(), 0.2)
    sampler = run(with_targets(similar(100)), transport, transport.clock)
    assert transport.most_open == 2
    assert sampler.forecast().connections == 1
    assert verdicts(sampler.measurements()) == {OK: 100}
    assert all_decided(sampler.measurements())


@pytest.mark.parametrize("where", [0, 50, 99])
def test_an_endpoint_that_hangs_neither_narrows_nor_delays_the_others(where: int) -> None:
    latencies = similar(100)
    transport = service(latencies)
    transport.behaviours[f"e{where}"] = HANGS
    sampler, measurements = check(with_targets(latencies), transport)
    assert sampler.forecast().connections == 32
    assert verdicts(measurements) == {OK: 99, CRITICAL: 1}
    assert all_decided(measurements)
    first_stage_s = max(s.at_s for m in measurements for stage, s in m.samples if stage == 1 and s.failure is None)
    assert first_stage_s < 60


def test_the_pauses_of_a_workflow_are_no_wait_for_a_response() -> None:
    latencies = similar(100)
    step = Endpoint("step", "/", 1, slow_ms=math.inf, think_s=5.0)
    endpoints = [
        replace(each, steps=(step, step)) if number % 10 == 5 else each
        for number, each in enumerate(with_targets(latencies))
    ]
    sampler, measurements = check(endpoints, service(latencies))
    assert sampler.forecast().connections == 32
    assert verdicts(measurements) == {OK: 100}


def test_a_budget_includes_the_pauses_of_workflows() -> None:
    step = Endpoint("step", "/", 1, slow_ms=math.inf, think_s=30.0)
    endpoint = replace(with_target("a", 300.0), steps=(step, step))
    _, measurements = check([endpoint], service({"a": 200.0}), QUICK)
    assert all_decided(measurements)


def test_a_service_that_hangs_in_the_middle_is_critical_soon() -> None:
    clock = Clock()

    def answer(_: Endpoint) -> tuple[Sample, float]:
        if clock.seconds > 12:
            return Sample(clock.seconds, math.inf, Failure.TIMEOUT), 10.0
        return Sample(clock.seconds, 200.0), 0.2

    sampler = run(with_targets(similar(60)), Scripted(clock, answer), clock)
    assert clock.seconds < 400
    found = verdicts(sampler.measurements())
    assert found[CRITICAL] >= 1
    assert found[OK] >= 8


@dataclass
class Overloaded:
    """A service that takes so many requests at once, and fails the others."""

    clock: Clock
    most: int
    failure: Failure
    status: int | None = None

    def __post_init__(self) -> None:
        self.script = Scripted(self.clock, self._answer)

    def _answer(self, _: Endpoint) -> tuple[Sample, float]:
        at_s = self.clock.seconds
        if self.script.in_flight >= self.most:
            return Sample(at_s, None, self.failure, self.status), 0.001
        return Sample(at_s, 200.0), 0.2


@pytest.mark.parametrize(
    ("failure", "status"),
    [(Failure.STATUS, 429), (Failure.STATUS, 503), (Failure.REFUSED, None), (Failure.RESET, None)],
)
@pytest.mark.parametrize("most", [1, 5, 20])
def test_failures_that_load_brings_end_the_load(failure: Failure, status: int | None, most: int) -> None:
    overloaded = Overloaded(Clock(), most, failure, status)
    sampler = run(with_targets(similar(100)), overloaded.script, overloaded.clock)
    assert sampler.forecast().connections == 1
    assert verdicts(sampler.measurements()) == {OK: 100}
    assert all_decided(sampler.measurements())


def test_what_fails_under_load_is_recorded_and_not_judged() -> None:
    overloaded = Overloaded(Clock(), 5, Failure.STATUS, 500)
    sampler = run(with_targets(similar(100)), overloaded.script, overloaded.clock)
    measurements = sampler.measurements()
    assert verdicts(measurements) == {OK: 100}
    failed = [sample for m in measurements for sample in m.failed_under_load]
    assert {sample.failure for sample in failed} == {Failure.STATUS}
    assert len(failed) == sum(sample.failure is not None for m in measurements for _, sample in m.samples)


def test_a_failure_that_comes_without_load_too_is_no_reason_to_fall_back() -> None:
    latencies = similar(100)
    failing = {"e50", *(f"e{number}" for number in range(0, 100, 7))}
    clock = Clock()

    def answer(endpoint: Endpoint) -> tuple[Sample, float]:
        if endpoint.name in failing:
            return Sample(clock.seconds, None, Failure.STATUS, 503), 0.2
        return Sample(clock.seconds, 200.0), 0.2

    sampler = run(with_targets(latencies), Scripted(clock, answer), clock)
    assert sampler.forecast().connections == 32
    assert verdicts(sampler.measurements()) == {OK: 100 - len(failing), CRITICAL: len(failing)}


def test_what_is_slow_only_under_load_is_ok() -> None:
    """Four endpoints share a lock; measured alone they are as quick as the others."""
    clock = Clock()
    locked_until = 0.0

    def answer(endpoint: Endpoint) -> tuple[Sample, float]:
        nonlocal locked_until
        end_s = clock.seconds + 0.2
        if endpoint.name in {"e1", "e2", "e3", "e4"}:
            end_s = max(clock.seconds, locked_until) + 0.2
            locked_until = end_s
        return Sample(clock.seconds, 1000 * (end_s - clock.seconds)), end_s - clock.seconds

    sampler = run(with_targets(similar(100)), Scripted(clock, answer), clock)
    assert verdicts(sampler.measurements()) == {OK: 100}


def test_what_was_screened_is_marked_so() -> None:
    latencies = similar(100) | {"slow": 200.0}
    transport = service(latencies)
    transport.behaviours["slow"] = Behaviour(900.0, 0.1)
    _, measurements = check(with_targets(latencies), transport)
    concurrency = {m.endpoint: {decision.concurrency for decision in m.decisions} for m in measurements}
    assert concurrency["slow"] == {1}
    assert sum(max(values) > 1 for values in concurrency.values()) > 90


def test_where_figures_are_kept_some_are_measured_alone_in_rotation() -> None:
    latencies = similar(200, 500.0)
    endpoints = [replace(endpoint, critical_path=endpoint.name == "e7") for endpoint in with_targets(latencies)]
    transport = service(latencies)
    last = {name: f"2026-11-{1 + number % 28:02}T00:00:00Z" for number, name in enumerate(latencies) if number != 9}
    sampler = Sampler(
        endpoints,
        transport,
        sampling=QUICK,
        rng=transport.rng,
        now=transport.clock.now,
        measured_alone=lambda: last,
    )
    sampler.run()
    alone = {m.endpoint for m in sampler.measurements() if m.decisions[-1].concurrency == 1}
    assert verdicts(sampler.measurements()) == {OK: 200}
    assert {"e7", "e9"} <= alone  # a critical path, and one that never was
    assert 10 < len(alone) < 40
    rest = [name for name in latencies if name not in alone]
    assert max(last[name] for name in alone - {"e7", "e9"}) <= min(last[name] for name in rest)


# --- Order ---------------------------------------------------------------------------------------------------------


def first_sent(transport: Workers) -> list[str]:
    return list(dict.fromkeys(name for _, name, _ in transport.log))


def test_the_critical_paths_are_first_and_then_the_cheapest() -> None:
    latencies = {f"e{number}": 10.0 * (number + 1) for number in range(30)}
    endpoints = [
        replace(endpoint, critical_path=endpoint.name in {"e28", "e29"}) for endpoint in with_targets(latencies)
    ]
    transport = service(latencies)
    check(endpoints, transport, QUICK)
    order = first_sent(transport)
    assert set(order[:9]) == {"e28", "e29", "e0", "e1", "e2", "e3", "e4", "e5", "e6"}  # all that take turns at first
    assert order[9:] == [f"e{number}" for number in range(7, 28)]


def test_a_suspect_comes_before_all_that_have_a_latency() -> None:
    latencies = similar(8, 50.0)
    transport = service(latencies)
    transport.behaviours["e3"] = Behaviour(400.0, 0.1)
    check(with_targets(latencies), transport, QUICK)
    assert [name for _, name, _ in transport.log[16:20]] == ["e3"] * 4


def test_what_timed_out_comes_last() -> None:
    latencies = similar(8, 50.0)
    transport = service(latencies)
    transport.behaviours["e3"] = HANGS
    check(with_targets(latencies), transport)
    names = [name for _, name, _ in transport.log]
    second = [at for at, name in enumerate(names) if name == "e3"][1]
    assert set(names[second:]) == {"e3"}


def test_cheap_endpoints_are_not_starved_by_dear_ones() -> None:
    """There is no time for the dear ones, which get a first look at most."""
    latencies = {**{f"dear{number}": 5000.0 for number in range(4)}, **{f"cheap{number}": 5.0 for number in range(8)}}
    transport = service(latencies)
    _, measurements = check(with_targets(latencies), transport, Sampling(connections=1, budget_s=60))
    decided = {m.endpoint for m in measurements if m.decisions and m.decisions[-1].latency_decided}
    assert {f"cheap{number}" for number in range(8)} == decided


def test_the_same_seed_gives_the_same_order() -> None:
    latencies = similar(60, 500.0)
    logs = []
    for _ in range(2):
        transport = service(latencies, sigma=0.3)
        check(with_targets(latencies), transport)
        logs.append(transport.log)
    assert logs[0] == logs[1]


# --- Time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "target_ms", "sampling", "budget_s"),
    [
        (10, 10.0, Sampling(), 120.0),  # at least
        (10, 1000.0, QUICK, 2 * 10 * 6 * 0.6),
        (10_000, 100.0, QUICK, 900.0),  # at most
        (10, 10.0, Sampling(budget_s=7.0), 7.0),
        (10_000, 100.0, Sampling(budget_s=3600.0), 3600.0),
    ],
)
def test_a_budget_follows_the_need(count: int, target_ms: float, sampling: Sampling, budget_s: float) -> None:
    endpoints = [with_target(f"e{number}", target_ms) for number in range(count)]
    sampler = Sampler(endpoints, Scripted(Clock(), None), sampling=sampling, rng=random.Random(1), now=Clock().now)  # type: ignore[arg-type]
    forecast = sampler.forecast()
    assert forecast.budget_s == pytest.approx(max(budget_s, 120.0) if sampling.budget_s is None else budget_s)
    assert not forecast.is_known


def test_a_short_budget_decides_the_cheapest() -> None:
    rng = random.Random(1)
    latencies = {f"e{number}": rng.uniform(20.0, 800.0) for number in range(300)}
    transport = service(latencies, workers=1)
    _, measurements = check(with_targets(latencies), transport, Sampling(budget_s=60.0))
    decided = [m.endpoint for m in measurements if m.decisions and m.decisions[-1].latency_decided]
    assert transport.clock.seconds <= 60.0
    assert len(decided) >= 60
    assert set(verdicts(measurements)) <= {OK, None, Verdict.NOT_MEASURED}
    assert fmean(latencies[name] for name in decided) < fmean(latencies.values()) / 2
    cheapest = sorted(latencies, key=lambda name: latencies[name])[:40]
    assert len(set(cheapest) & set(decided)) > 30  # some slowed each other down, and wait to be measured alone


@pytest.mark.parametrize("budget_s", [0.0, 0.001, 0.15, 0.5])
def test_a_budget_too_short_for_anything(budget_s: float) -> None:
    latencies = similar(300)
    transport = service(latencies)
    sampler, measurements = check(with_targets(latencies), transport, Sampling(budget_s=budget_s))
    assert transport.clock.seconds <= budget_s
    assert not any(m.decisions for m in measurements)
    assert sampler.forecast().budget_left_s == 0.0


def test_the_pauses_of_a_confirmation_are_not_idle() -> None:
    latencies = similar(20, 50.0) | {"broken": 40.0}
    transport = service(latencies, workers=1)
    transport.behaviours["broken"] = Behaviour(40.0, failure_rate=1.0)
    _, measurements = check(with_targets(latencies), transport, Sampling(budget_s=10.0))
    assert verdicts(measurements) == {OK: 20, CRITICAL: 1}
    assert all_decided(measurements)


@pytest.mark.parametrize(("workers", "budget_s"), [(None, 30.0), (None, 20.0), (1, 80.0)])
def test_time_is_kept_for_confirmations(workers: int | None, budget_s: float) -> None:
    """There is no time for all, and yet what is slow is measured again."""
    latencies = similar(400) | {"slow": 10.0}
    transport = service(latencies, workers=workers)
    transport.behaviours["slow"] = Behaviour(70.0, 0.1)
    _, measurements = check(with_targets(latencies), transport, Sampling(budget_s=budget_s))
    (slow,) = (m for m in measurements if m.endpoint == "slow")
    assert [(d.verdict, d.is_unconfirmed, d.concurrency) for d in slow.decisions] == [(CRITICAL, False, 1)] * 2
    assert slow.decisions[-1].is_decided
    assert not all_decided(measurements)


@pytest.mark.parametrize(("workers", "count"), [(None, 300), (4, 150), (1, 60)])
def test_the_forecast_is_about_right(workers: int | None, count: int) -> None:
    latencies = similar(count)
    transport = service(latencies, workers=workers)
    forecasts: list[tuple[float, Forecast]] = []
    endpoints = with_targets(latencies)
    sampler = Sampler(
        endpoints,
        transport,
        sampling=QUICK,
        rng=transport.rng,
        now=transport.clock.now,
        observe=lambda *_: forecasts.append((transport.clock.seconds, sampler.forecast())),
    )
    sampler.run()
    end_s = transport.clock.seconds
    assert not forecasts[0][1].is_known
    known = [(at_s, forecast) for at_s, forecast in forecasts if forecast.is_known and at_s < 0.8 * end_s]
    assert known[0][0] < 0.6 * end_s
    for at_s, forecast in known:
        assert (end_s - at_s) / 3 <= forecast.left_s + 1 <= 2 * (end_s - at_s) + 2
    assert sampler.forecast().left_s < 1.0


def test_the_forecast_is_about_right_where_requests_fail_under_load() -> None:
    """Each of those endpoints takes more requests for its failure rate, which together take a limited time."""
    overloaded, forecasts = Overloaded(Clock(), 2, Failure.STATUS, 429), []
    clock = overloaded.clock
    sampler = Sampler(
        with_targets(similar(100)),
        overloaded.script,
        sampling=Sampling(),
        rng=random.Random(1),
        now=clock.now,
        observe=lambda *_: forecasts.append((clock.seconds, sampler.forecast())),
    )
    sampler.run()
    known = [(at_s, forecast) for at_s, forecast in forecasts if forecast.is_known]
    assert known[0][0] < 0.5 * clock.seconds
    for at_s, forecast in known:
        assert forecast.left_s <= 1.5 * (clock.seconds - at_s) + 2


@pytest.mark.parametrize(("proof", "is_capped"), [(ErrorProof.PROVEN, True), (ErrorProof.STRICT, False)])
def test_proof_of_the_failure_rate_takes_at_most_twenty_seconds(proof: ErrorProof, is_capped: bool) -> None:  # noqa: FBT001
    latencies = similar(100, 60.0)
    transport = service(latencies)
    _, measurements = check(with_targets(latencies), transport, Sampling(errors=proof, connections=1, budget_s=900))
    proof_s = sum((s.latency_ms or 0.0) / 1000 for m in measurements for stage, s in m.samples if stage == PROOF)
    if is_capped:
        assert MOST_PROOF_S <= proof_s < MOST_PROOF_S + 0.2
    else:
        assert min(sum(stage != 0 for stage, _ in m.samples) for m in measurements) == 59
    assert verdicts(measurements) == {OK: 100}


def test_proof_goes_over_several_connections() -> None:
    latencies = similar(20, 45.0)
    transport = service(latencies)
    _, measurements = check(with_targets(latencies), transport)
    first_stage_s = max(s.at_s for m in measurements for stage, s in m.samples if stage == 1)
    assert {before for at_s, _, before in transport.log if at_s <= first_stage_s} == {0}
    assert most_in_flight(transport) > 8
    assert {decision.concurrency for m in measurements for decision in m.decisions} == {1}
    assert all(sum(stage != 0 for stage, _ in m.samples) == 32 for m in measurements)


# --- Only what was measured alone is slow --------------------------------------------------------------------------


@dataclass
class InBatches(Workers):
    """What ends at about the same time is returned together, as by a loop that was busy elsewhere."""

    batch_s: float = 0.0

    def wait(self, until_s: float | None = None) -> list[tuple[object, Sample]]:
        ended = super().wait(until_s)
        while ended and self._flying and self._flying[0][0] <= self.clock.seconds + self.batch_s:
            ended += super().wait()
        return ended


def random_check(rng: random.Random) -> tuple[Sampler, Observed]:
    """A service with any number of workers, locks, bursts, failures, slow and hanging endpoints, under any options."""
    clock = Clock()
    behaviours, endpoints = {}, []
    for number in range(rng.choice([3, 8, 12, 30, 50])):
        target_ms = rng.choice([100, 300, 1000, 3000]) * rng.uniform(0.5, 2.0)
        endpoint = with_target(f"e{number}", target_ms, rng.choice([*[Metric.MEDIAN] * 8, Metric.MEAN, Metric.P90]))
        ratio = rng.choice([0.3, 0.6, 0.6, 0.8, 0.8, 1.2, 1.6, 3.0])
        failure_rate = rng.choice([*[0.0] * 8, 0.02, 0.1, 0.5, 1.0])
        endpoints.append(endpoint)
        behaviours[endpoint.name] = (
            HANGS if rng.random() < 0.04 else Behaviour(target_ms * ratio, rng.choice([0.1, 0.3, 0.6]), failure_rate)
        )
    transport = InBatches(
        clock,
        rng,
        behaviours,
        workers=rng.choice([None, None, 1, 2, 4, 8]),
        locked=rng.choice([0.0, 0.0, 0.1, 0.5]),
        bursts=Bursts(rng.choice([0.08, 0.2]), rng) if rng.random() < 0.5 else None,
        batch_s=rng.choice([0.0, 0.0, 0.01]),
    )
    observed = Observed(transport)
    sampling = Sampling(
        budget_s=rng.choice([None, None, 30.0, 100.0, 300.0]),
        confirm=rng.choice([0, 1, 1, 2]),
        warmup=rng.choice([0, 1, 1, 2]),
        connections=rng.choice([None, None, None, None, 1, 2, 8]),
        errors=rng.choice(list(ErrorProof)),
    )
    sampler = Sampler(
        endpoints,
        observed,
        sampling=sampling,
        rng=rng,
        now=clock.now,
        max_requests=rng.choice([None, None, None, None, None, 6, 12]),
        measured_alone=rng.choice([None, dict]),
    )
    return sampler, observed


def assert_only_what_was_alone_is_slow_or_failing(sampler: Sampler, observed: Observed) -> None:
    for measurement in sampler.measurements():
        for decision in measurement.decisions:
            if decision.verdict not in {WARNING, CRITICAL}:
                continue
            assert decision.concurrency == 1
            assert not any(observed.is_shared(s) for stage, s in measurement.samples if stage == decision.stage)
            assert not any(observed.is_shared(s) and s.failure for stage, s in measurement.samples if stage == PROOF)


@settings(max_examples=20)
@given(st.integers(0, 10**9))
def test_nothing_that_shared_its_time_is_slow_or_failing(seed: int) -> None:
    sampler, observed = random_check(random.Random(seed))
    sampler.run()
    assert_only_what_was_alone_is_slow_or_failing(sampler, observed)


@pytest.mark.parametrize("first", range(0, 60, 15))
def test_nothing_that_shared_its_time_is_slow_or_failing_in_known_runs(first: int) -> None:
    for seed in range(first, first + 15):
        sampler, observed = random_check(random.Random(seed))
        sampler.run()
        assert_only_what_was_alone_is_slow_or_failing(sampler, observed)


@pytest.mark.parametrize("workers", [None, 1, 2, 4])
def test_a_healthy_service_is_neither_slow_nor_failing_under_load(workers: int | None) -> None:
    latencies = similar(80, 300.0)
    transport = service(latencies, workers=workers, sigma=0.3)
    transport.bursts = Bursts(0.08, random.Random(2))
    _, measurements = check(with_targets(latencies), transport)
    assert verdicts(measurements) == {OK: 80}
