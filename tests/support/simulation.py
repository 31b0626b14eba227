"""Whole checks of one endpoint against a service of known truth, many times over, and what came of them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from perfcheck.measure.sampler import Sampler
from perfcheck.model import Decision, Metric, Sampling, Verdict
from support.noise import TARGET_MS, Clock, Service, endpoint


@dataclass(frozen=True)
class Cell:
    """One situation. ``ratio`` is the true metric (before bursts) in multiples of the target."""

    shape: str = "lognormal .3"
    metric: Metric = Metric.MEDIAN
    ratio: float = 0.5
    burst_share: float = 0.0
    failure_rate: float = 0.0
    confirm: int = 1


@dataclass
class Tally:
    """What came of the checks of one cell."""

    runs: int = 0
    requests: int = 0  # warm-up included
    judged: int = 0
    first_judged: int = 0  # of the first stage
    seconds: float = 0.0
    verdicts: Counter[tuple[Verdict, bool]] = field(default_factory=Counter)  # with: is it decided
    interval_low_misses: int = 0  # the truth lies under the interval
    interval_high_misses: int = 0

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
    asked = endpoint(metric=cell.metric)
    sampling = Sampling(confirm=cell.confirm)
    tally = Tally(runs=runs)
    for _ in range(runs):
        clock = Clock()
        service = Service(
            clock,
            rng,
            shape=cell.shape,
            metric=cell.metric,
            ratio=cell.ratio,
            burst_share=cell.burst_share,
            failure_rate=cell.failure_rate,
        )
        sampler = Sampler([asked], service.send, sampling=sampling, rng=rng, now=clock.now, sleep=clock.sleep)
        sampler.run()
        (measurement,) = sampler.measurements()
        tally.requests += len(measurement.samples)
        tally.judged += sum(decision.requests for decision in measurement.decisions)
        tally.first_judged += measurement.decisions[0].requests
        tally.seconds += clock.seconds
        _count(tally, measurement.decisions[-1], cell.ratio * TARGET_MS)
    return tally


def _count(tally: Tally, last: Decision, truth_ms: float) -> None:
    decided = last.errors_decided if last.errors is last.verdict else last.latency_decided
    tally.verdicts[last.verdict, decided] += 1
    low, high = last.interval_ms
    tally.interval_low_misses += low is not None and truth_ms < low
    tally.interval_high_misses += high is not None and truth_ms > high
