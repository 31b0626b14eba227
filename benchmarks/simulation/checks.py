"""Complete checks of one endpoint against a service of known truth, many times over, and their outcome."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field

from simulation.noise import TARGET_MS, Clock, Scripted, Service, endpoint
from simulation.scheduling import Behaviour, Workers, check, with_target

from perfcheck.model import Endpoint, ErrorProof, Metric, Sample, Sampling, Verdict
from perfcheck.sampling.ramp import MEMBERS
from perfcheck.sampling.sampler import Sampler
from perfcheck.stats.quantiles import metric_value


@dataclass(frozen=True)
class Cell:
    """One situation. ``ratio`` is the true metric (before bursts) in multiples of the target.

    ``errors`` is quick where latency is the question: no requests for the failure rate alone.
    """

    shape: str = "lognormal .3"
    metric: Metric = Metric.MEDIAN
    ratio: float = 0.5
    burst_share: float = 0.0
    failure_rate: float = 0.0
    confirm: int = 1
    errors: ErrorProof = ErrorProof.QUICK
    target_ms: float = TARGET_MS

    @property
    def true_ms(self) -> float:
        return self.ratio * self.target_ms

    def service(self, clock: Clock, rng: random.Random) -> Service:
        return Service(
            clock,
            rng,
            shape=self.shape,
            metric=self.metric,
            ratio=self.ratio,
            burst_share=self.burst_share,
            failure_rate=self.failure_rate,
            target_ms=self.target_ms,
        )


@dataclass
class Tally:
    """The outcome of the checks of one cell."""

    runs: int = 0
    requests: int = 0  # warm-up included
    first_stage: int = 0  # requests of the first stage alone
    screened: int = 0  # endpoints whose verdict comes from a time when others were measured as well
    seconds: float = 0.0
    verdicts: Counter[tuple[Verdict, bool]] = field(default_factory=Counter)  # with: is it decided
    intervals_above: int = 0  # first-stage intervals that lie entirely above the truth
    intervals_below: int = 0

    def rate(self, verdict: Verdict, *, decided: bool | None = None) -> float:
        """Share of the runs that ended so; decided ones, undecided ones, or both."""
        wanted = (True, False) if decided is None else (decided,)
        return sum(self.verdicts[verdict, way] for way in wanted) / self.runs

    @property
    def mean_requests(self) -> float:
        return self.requests / self.runs


def simulate(cell: Cell, runs: int) -> Tally:
    """Check the service of ``cell`` so many times through the public sampler. The cell itself is the seed."""
    rng = random.Random(repr(cell))
    measured = endpoint(metric=cell.metric, target_ms=cell.target_ms)
    sampling = Sampling(confirm=cell.confirm, errors=cell.errors)
    tally = Tally(runs=runs)
    for _ in range(runs):
        clock = Clock()
        service = cell.service(clock, rng)
        sampler = Sampler([measured], Scripted(clock, service.answer), sampling=sampling, rng=rng, now=clock.now)
        sampler.run()
        (measurement,) = sampler.measurements()
        tally.requests += len(measurement.samples)
        tally.first_stage += measurement.decisions[0].requests
        tally.seconds += clock.seconds
        last = measurement.decisions[-1]
        tally.verdicts[last.verdict, last.is_decided] += 1
        low, high = measurement.decisions[0].interval_ms
        tally.intervals_above += low is not None and low > cell.true_ms
        tally.intervals_below += high is not None and high < cell.true_ms
    return tally


def simulate_screening(cell: Cell, runs: int) -> Tally:
    """Check services of several such endpoints, screened over as many connections as the service takes.

    The tally counts endpoints, at least so many.
    """
    rng = random.Random(f"screened {cell!r}")
    names = [f"e{number}" for number in range(MEMBERS)]
    behaviour = Behaviour(cell.true_ms, sigma=float(cell.shape.split()[1]))
    sampling = Sampling(confirm=cell.confirm, errors=cell.errors, budget_s=math.inf)
    tally = Tally()
    while tally.runs < runs:
        transport = Workers(Clock(), rng, dict.fromkeys(names, behaviour))
        _, measurements = check([with_target(name, cell.target_ms) for name in names], transport, sampling)
        for measurement in measurements:
            last = measurement.decisions[-1]
            tally.runs += 1
            tally.requests += len(measurement.samples)
            tally.screened += last.concurrency > 1
            tally.verdicts[last.verdict, last.is_decided] += 1
    return tally


def fixed_rule(cell: Cell, requests: int, runs: int) -> float:
    """How often a point estimate is over the critical limit: so many requests in a row, as many CI scripts have it."""
    rng = random.Random(f"{requests} {cell!r}")
    measured = endpoint(metric=cell.metric, target_ms=cell.target_ms)
    over = 0
    for _ in range(runs):
        service = cell.service(Clock(), rng)
        latencies = [service.answer(measured)[0].latency_ms or 0.0 for _ in range(requests)]
        over += metric_value(latencies, cell.metric) > 2 * cell.target_ms
    return over / runs


def simulate_step(ratio: float, runs: int, *, others: float = 0.5) -> Tally:
    """Check workflows of three steps, of which two have targets.

    ``ratio`` is the true median of one in multiples of its target, ``others`` that of the other steps. The tally has
    the verdicts of the one step alone.
    """
    rng = random.Random(f"step {ratio} {others}")
    free = Endpoint("free", "/free", line=1, slow_ms=math.inf)
    steps = (free, endpoint("judged"), endpoint("other"))
    workflow = Endpoint("workflow", "", line=1, steps=steps, slow_ms=math.inf)
    services = [Service(Clock(), rng, ratio=each) for each in (others, ratio, others)]
    tally = Tally(runs=runs)

    def answer(one: Endpoint) -> tuple[Sample, float]:
        samples = [service.answer(step)[0] for service, step in zip(services, one.steps, strict=True)]
        latency_ms = sum(sample.latency_ms or 0.0 for sample in samples)
        return Sample(clock.seconds, latency_ms, steps=tuple(samples)), latency_ms / 1000

    for _ in range(runs):
        clock = Clock()
        sampling = Sampling(errors=ErrorProof.QUICK)
        sampler = Sampler([workflow], Scripted(clock, answer), sampling=sampling, rng=rng, now=clock.now)
        sampler.run()
        (measurement,) = sampler.measurements()
        tally.requests += len(measurement.samples)
        step = measurement.decisions[-1].steps[1]
        tally.verdicts[step.latency, step.latency_decided] += 1
    return tally
