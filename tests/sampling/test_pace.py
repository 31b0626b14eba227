"""At most so many requests per second, pauses, and services that limit requests: whole runs in scripted time."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from simulation.noise import Clock, Scripted
from simulation.scheduling import with_target

from perfcheck.model import CompareLimits, Endpoint, ErrorProof, Failure, Measurement, Sample, Sampling, Verdict
from perfcheck.sampling.pace import paced
from perfcheck.sampling.pair_sampler import PairSampler
from perfcheck.sampling.sampler import Sampler

OK = Verdict.OK
QUICK = Sampling(errors=ErrorProof.QUICK)
LIMITED = "429"


class Service:
    """Notes when requests came and when they ended; ``refuses`` returns Retry-After for a request that it limits."""

    def __init__(
        self,
        clock: Clock,
        latency_s: float = 0.02,
        refuses: Callable[[float, str], float | None] = lambda *_: None,
    ) -> None:
        self._clock = clock
        self._latency_s = latency_s
        self._refuses = refuses
        self.log: list[tuple[float, float, str, bool]] = []  # sent, ended, endpoint, refused
        self.transport = Scripted(clock, self._answer)

    def _answer(self, endpoint: Endpoint) -> tuple[Sample, float]:
        now = self._clock.seconds
        retry_after_s = self._refuses(now, endpoint.name)
        took_s = self._latency_s if retry_after_s is None else 0.001
        self.log.append((now, now + took_s, endpoint.name, retry_after_s is not None))
        if retry_after_s is None:
            return Sample(now, 1000 * took_s, status=200), took_s
        sample = Sample(now, None, Failure.STATUS, 429, detail=LIMITED, retry_after_s=retry_after_s)
        return sample, took_s

    @property
    def times(self) -> list[float]:
        return [sent for sent, *_ in self.log]

    @property
    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.times)]

    @property
    def refused(self) -> int:
        return sum(refused for *_, refused in self.log)


def endpoints(count: int, target_ms: float = 100.0) -> list[Endpoint]:
    return [with_target(f"e{number}", target_ms) for number in range(count)]


def run(
    service: Service, clock: Clock, measured: Sequence[Endpoint], sampling: Sampling = QUICK
) -> tuple[Sampler, tuple[Measurement, ...]]:
    sampler = Sampler(measured, service.transport, sampling=sampling, rng=random.Random(1), now=clock.now)
    sampler.run()
    return sampler, sampler.measurements()


def verdicts(measurements: Sequence[Measurement]) -> Counter[Verdict | None]:
    return Counter(m.decisions[-1].verdict if m.decisions else None for m in measurements)


# --- Rate and pause ------------------------------------------------------------------------------------------------


def test_a_rate_spreads_the_requests_of_all_endpoints() -> None:
    service = Service(clock := Clock())
    _, measurements = run(service, clock, endpoints(5), replace(QUICK, rate_per_s=10.0))
    assert verdicts(measurements) == {OK: 5}
    assert service.gaps == pytest.approx([0.1] * (5 * 6 - 1))


def test_a_rate_holds_over_several_connections_too() -> None:
    service = Service(clock := Clock(), latency_s=0.5)
    sampler, measurements = run(service, clock, endpoints(60, 900.0), replace(QUICK, rate_per_s=10.0))
    assert sampler.forecast().connections > 1
    assert verdicts(measurements) == {OK: 60}
    assert min(service.gaps) >= 0.1 - 1e-9
    assert clock.seconds < 60 * 6 * 0.5 / 2


def test_a_run_does_not_end_because_of_its_rate() -> None:
    service = Service(clock := Clock())
    sampler = Sampler(
        endpoints(200),
        service.transport,
        sampling=replace(QUICK, rate_per_s=1.0),
        rng=random.Random(1),
        now=clock.now,
    )
    assert sampler.forecast().left_s == pytest.approx(200 * 6)  # it is announced
    sampler.run()
    assert verdicts(sampler.measurements()) == {OK: 200}
    assert clock.seconds == pytest.approx(200 * 6, abs=2)


def test_the_forecast_counts_the_rate() -> None:
    service = Service(clock := Clock())
    forecasts = []
    sampler = Sampler(
        endpoints(20),
        service.transport,
        sampling=replace(QUICK, rate_per_s=2.0),
        rng=random.Random(1),
        now=clock.now,
        observe=lambda *_: forecasts.append((clock.seconds, sampler.forecast())),
    )
    sampler.run()
    known = [(at_s, forecast) for at_s, forecast in forecasts if forecast.is_known]
    assert known
    assert all(forecast.rate_per_s == 2.0 for _, forecast in known)
    assert all(at_s + forecast.left_s == pytest.approx(clock.seconds, rel=0.1) for at_s, forecast in known)


def test_requests_for_the_failure_rate_take_no_longer_because_of_a_rate() -> None:
    service = Service(clock := Clock())
    _, measurements = run(service, clock, endpoints(10), Sampling(rate_per_s=1.0))
    assert verdicts(measurements) == {OK: 10}
    assert 60 + 19 <= clock.seconds <= 60 + 21


def test_a_budget_that_is_set_is_kept_whatever_the_rate() -> None:
    service = Service(clock := Clock())
    run(service, clock, endpoints(50), replace(QUICK, rate_per_s=1.0, budget_s=30.0))
    assert len(service.log) <= 31
    assert clock.seconds <= 30


@pytest.mark.parametrize(("count", "latency_s"), [(5, 0.02), (60, 0.5)])
def test_a_pause_follows_each_response(count: int, latency_s: float) -> None:
    service = Service(clock := Clock(), latency_s)
    _, measurements = run(service, clock, endpoints(count, 1900 * latency_s), replace(QUICK, pause_ms=300.0))
    assert verdicts(measurements) == {OK: count}
    ends = sorted(end for _, end, *_ in service.log)
    for sent in service.times:
        last = max((end for end in ends if end <= sent), default=-1.0)
        assert sent - last >= 0.3 - 1e-9


def test_a_rate_that_is_never_reached_changes_nothing() -> None:
    logs = []
    for rate_per_s in (None, 1e9):
        service = Service(clock := Clock())
        run(service, clock, endpoints(40), replace(QUICK, rate_per_s=rate_per_s))
        logs.append(service.log)
    assert [name for _, _, name, _ in logs[0]] == [name for _, _, name, _ in logs[1]]
    assert [sent for sent, *_ in logs[0]] == pytest.approx([sent for sent, *_ in logs[1]], abs=1e-5)


@pytest.mark.parametrize(
    ("sampling", "apart_s"),
    [(Sampling(), 0.02), (Sampling(rate_per_s=10.0), 0.1), (Sampling(pause_ms=300.0), 0.32)],
    ids=["neither", "rate", "pause"],
)
def test_requests_that_are_not_measured(sampling: Sampling, apart_s: float) -> None:
    clock = Clock()
    sent = []

    def fetch(_: Endpoint) -> None:
        sent.append(clock.seconds)
        clock.sleep(0.02)

    send = paced(fetch, sampling, clock.now, clock.sleep)
    for each in endpoints(4):
        send(each)
    assert [later - earlier for earlier, later in pairwise(sent)] == pytest.approx([apart_s] * 3)


def compare(
    before: Service, after: Service, clock: Clock, measured: Sequence[Endpoint], sampling: Sampling
) -> PairSampler:
    sampler = PairSampler(
        measured,
        (before.transport, after.transport),
        limits=CompareLimits(),
        sampling=sampling,
        rng=random.Random(1),
        now=clock.now,
        max_pairs=10,
    )
    sampler.run()
    return sampler


@pytest.mark.parametrize(("count", "latency_s"), [(3, 0.02), (30, 0.5)])
def test_a_rate_holds_for_each_side_of_a_comparison(count: int, latency_s: float) -> None:
    clock = Clock()
    before = Service(clock, latency_s)
    after = Service(clock, latency_s)
    after.transport._flying = before.transport._flying  # one loop serves both
    compare(before, after, clock, endpoints(count, 1500 * latency_s), Sampling(rate_per_s=10.0))
    for side in (before, after):
        assert len(side.log) >= count * 6
        assert min(side.gaps) >= 0.1 - 1e-9
    assert clock.seconds < len(after.log) * max(2 * latency_s / 2, 0.15)


def test_a_service_compared_with_itself_has_one_rate() -> None:
    service = Service(clock := Clock())
    sampler = compare(service, service, clock, endpoints(3), Sampling(rate_per_s=10.0))
    assert len(service.log) == 3 * 6 * 2
    assert min(service.gaps) >= 0.1 - 1e-9
    assert sampler.limits() == (None,)


# --- 429 -----------------------------------------------------------------------------------------------------------


def once(after: int, retry_after_s: float = 7.0) -> Callable[[float, str], float | None]:
    """429 for the request after so many."""
    count = 0

    def refuses(*_: object) -> float | None:
        nonlocal count
        count += 1
        return retry_after_s if count == after + 1 else None

    return refuses


def windows(most: int, window_s: float) -> Callable[[float, str], float | None]:
    """A fixed window: at most so many requests in each."""
    counts: Counter[int] = Counter()

    def refuses(now: float, _: str) -> float | None:
        number = int(now // window_s)
        counts[number] += 1
        return None if counts[number] <= most else (number + 1) * window_s - now

    return refuses


def bucket(capacity: float, per_s: float) -> Callable[[float, str], float | None]:
    """A token bucket."""
    tokens, at_s = capacity, 0.0

    def refuses(now: float, _: str) -> float | None:
        nonlocal tokens, at_s
        tokens, at_s = min(tokens + (now - at_s) * per_s, capacity), now
        if tokens < 1:
            return (1 - tokens) / per_s
        tokens -= 1
        return None

    return refuses


def test_a_429_is_waited_for_and_is_no_failure() -> None:
    service = Service(clock := Clock(), refuses=once(8))
    sampler, measurements = run(service, clock, endpoints(4))
    assert verdicts(measurements) == {OK: 4}
    assert all(sample.failure is None for m in measurements for _, sample in m.samples)
    assert len(service.log) == 4 * 6 + 1
    _, ended, name, _ = service.log[8]
    assert service.log[9][0] == pytest.approx(ended + 7)  # and no endpoint was sent any request meanwhile
    assert service.log[9][2] == name
    (limit,) = sampler.limits()
    assert limit is not None
    assert (limit.responses, limit.waited_s, limit.rate_per_s) == (1, 7.0, None)


def test_a_wait_is_observed_when_it_begins() -> None:
    service = Service(clock := Clock(), refuses=once(8))
    waits = []
    sampler = Sampler(
        endpoints(4),
        service.transport,
        sampling=QUICK,
        rng=random.Random(1),
        now=clock.now,
        observe=lambda *_: waits.append(sampler.forecast().limited_s),
    )
    sampler.run()
    assert waits == [0.0] * 8 + [pytest.approx(7.0)] + [0.0] * 16


def test_without_a_429_there_is_no_limit() -> None:
    service = Service(clock := Clock())
    sampler, _ = run(service, clock, endpoints(2))
    assert sampler.limits() == (None,)


def test_a_wait_of_no_time_is_a_second() -> None:
    service = Service(clock := Clock(), refuses=once(3, 0.0))
    sampler, _ = run(service, clock, endpoints(2))
    (limit,) = sampler.limits()
    assert limit is not None
    assert limit.waited_s == 1.0


@pytest.mark.parametrize(
    ("limiter", "per_s"),
    [(lambda: windows(20, 60.0), 20 / 60), (lambda: bucket(10, 1.0), 1.0)],
    ids=["windows", "bucket"],
)
@pytest.mark.parametrize("began_s", [0.0, 50.0])
def test_the_rate_that_fits(
    limiter: Callable[[], Callable[[float, str], float | None]], per_s: float, began_s: float
) -> None:
    service = Service(clock := Clock(), refuses=limiter())
    clock.seconds = began_s
    sampler, measurements = run(service, clock, endpoints(15))
    assert verdicts(measurements) == {OK: 15}
    (limit,) = sampler.limits()
    assert limit is not None
    assert limit.rate_per_s is not None
    assert 0.8 * per_s < limit.rate_per_s < per_s


def test_the_rate_that_was_suggested_is_not_limited() -> None:
    service = Service(clock := Clock(), refuses=windows(20, 60.0))
    (limit,) = run(service, clock, endpoints(15))[0].limits()
    assert limit is not None
    again = Service(clock := Clock(), refuses=windows(20, 60.0))
    run(again, clock, endpoints(15), replace(QUICK, rate_per_s=limit.rate_per_s))
    assert again.refused == 0


def test_a_429_that_goes_on_is_a_failure_at_the_third() -> None:
    service = Service(clock := Clock(), refuses=lambda _, name: 5.0 if name == "e1" else None)
    sampler, measurements = run(service, clock, endpoints(3), replace(QUICK, confirm=0))
    assert [m.decisions[-1].verdict for m in measurements] == [OK, Verdict.CRITICAL, OK]
    failed = [sample for _, sample in measurements[1].samples]
    assert {sample.status for sample in failed} == {429}
    assert service.refused == len(failed) + 2  # of which two were waited for
    (limit,) = sampler.limits()
    assert limit is not None
    assert limit.responses == 2


def test_a_service_that_answers_nothing_else_is_not_waited_for_again_and_again() -> None:
    service = Service(clock := Clock(), refuses=lambda *_: 60.0)
    _, measurements = run(service, clock, endpoints(10), replace(QUICK, confirm=0))
    assert verdicts(measurements) == {Verdict.CRITICAL: 10}
    assert clock.seconds < 3 * 60


@pytest.mark.parametrize(
    ("retry_after_s", "budget_s"), [(30.0, 20.0), (301.0, None), (3600.0, 7200.0)], ids=["budget", "long", "hour"]
)
def test_what_is_not_worth_waiting_for_is_a_failure(retry_after_s: float, budget_s: float | None) -> None:
    service = Service(clock := Clock(), refuses=once(4, retry_after_s))
    sampler, measurements = run(service, clock, endpoints(2), replace(QUICK, budget_s=budget_s))
    assert [sample.status for m in measurements for _, sample in m.samples].count(429) == 1
    assert clock.seconds < 20
    assert sampler.limits() == (None,)


def test_waits_extend_a_budget_that_follows_the_need() -> None:
    service = Service(clock := Clock(), refuses=windows(20, 60.0))
    _, measurements = run(service, clock, endpoints(30))
    assert verdicts(measurements) == {OK: 30}
    assert clock.seconds > 120


def test_several_connections_become_one_where_the_service_limits_them() -> None:
    clock = Clock()
    service = Service(clock, 0.5)
    service._refuses = lambda *_: 3.0 if service.transport.in_flight >= 3 else None
    sampler, measurements = run(service, clock, endpoints(60, 900.0))
    assert verdicts(measurements) == {OK: 60}
    assert sampler.forecast().connections == 1
    (limit,) = sampler.limits()
    assert limit is not None
    assert limit.waited_s < 2 * 3.0  # of all that came at once


def test_a_pair_of_which_one_was_refused_is_sent_anew() -> None:
    clock = Clock()
    before, after = Service(clock), Service(clock, refuses=once(3))
    after.transport._flying = before.transport._flying
    sampler = compare(before, after, clock, endpoints(1), Sampling())
    (pair,) = sampler.measurements()
    assert [sample.failure for side in (pair.before, pair.after) for _, sample in side.samples] == [None] * 12
    apart = [abs(a.at_s - b.at_s) for (_, a), (_, b) in zip(pair.before.samples, pair.after.samples, strict=True)]
    assert max(apart) < 0.1
    unlimited, limit = sampler.limits()
    assert unlimited is None
    assert limit is not None
    assert limit.waited_s == 7.0


# --- Workflows -----------------------------------------------------------------------------------------------------


def test_a_workflow_costs_its_steps_of_the_rate() -> None:
    service = Service(clock := Clock())
    (each,) = endpoints(1)
    step = Endpoint("step", "/", 1, slow_ms=math.inf)
    workflow = replace(each, steps=(step, step, step))
    sampler = Sampler(
        [workflow], service.transport, sampling=replace(QUICK, rate_per_s=10.0), rng=random.Random(1), now=clock.now
    )
    assert sampler.forecast().left_s == pytest.approx(6 * 3 * 0.1)
    sampler.run()
    assert service.gaps == pytest.approx([0.3] * 5)
