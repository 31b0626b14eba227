"""Searches for the capacity of simulated services, many times over, compared with what queueing theory has."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

from simulation.queueing_theory import largest_rate, most_users
from simulation.queues import ClosedQueue, OpenQueue, Servers

from perfcheck.capacity.evidence import AllowedShares
from perfcheck.capacity.model import Attempt, Block, Capacity, Ending
from perfcheck.capacity.search import Search, SearchPlan, search
from perfcheck.model import LoadModel

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Situation:
    """A service under closed load, with the mean think time, or under open load (None)."""

    name: str
    servers: Servers
    share: float
    think_s: float | None = None
    is_steep: bool = True  # the share over the limit grows quickly around the capacity

    def truth(self) -> float:
        """Of the endpoint whose limit is the lowest."""
        limit_s = min((limit_s for _, limit_s in self.servers.mix), default=self.servers.limit_s)
        servers = replace(self.servers, limit_s=limit_s)
        if self.think_s is None:
            return largest_rate(servers, self.share)
        return most_users(servers, self.think_s, self.share)

    def plan(self) -> SearchPlan:
        return SearchPlan(
            model=LoadModel.RATE if self.think_s is None else LoadModel.USERS,
            allowed=AllowedShares(0.01, {str(index): self.share for index in range(max(1, len(self.servers.mix)))}),
            lowest=10 if self.think_s is None else 2,
            highest=4000,
            cycle_s=(self.think_s or 0.0) + self.servers.limit_s,
        )

    def queue(self, rng: random.Random) -> ClosedQueue | OpenQueue:
        return OpenQueue(self.servers, rng) if self.think_s is None else ClosedQueue(self.servers, self.think_s, rng)


FOUR = Servers(4, 0.010, 0.050)
WORKERS = Servers(4, 0.0145, 0.150, is_fixed=True)  # about those of a web server, whose limit leaves much room
ONE_IN_TEN = ((9, 0.050), (1, 0.035))  # weights and limits
SITUATIONS = (
    Situation("closed, exponential, think 100 ms, p95 50 ms", FOUR, 0.05, think_s=0.1),
    Situation("closed, exponential, think 1 s, p95 50 ms", FOUR, 0.05, think_s=1.0),
    Situation("closed, fixed, think 100 ms, p95 50 ms", Servers(4, 0.010, 0.050, is_fixed=True), 0.05, think_s=0.1),
    Situation("closed, fixed 14.5 ms, think 500 ms, p95 150 ms", WORKERS, 0.05, think_s=0.5),
    Situation(
        "closed, fixed 14.5 ms, think 500 ms, p95 150 ms, unsteady by 5%",
        replace(WORKERS, unsteady=0.05),
        0.05,
        think_s=0.5,
    ),
    Situation("M/M/4, p95 50 ms", FOUR, 0.05),
    Situation("M/D/4, p95 20 ms", Servers(4, 0.010, 0.020, is_fixed=True), 0.05, is_steep=False),
    Situation("closed, exponential, think 100 ms, median 30 ms", Servers(4, 0.010, 0.030), 0.5, 0.1, is_steep=False),
    Situation("M/M/4, median 30 ms", Servers(4, 0.010, 0.030), 0.5, is_steep=False),
    Situation("M/M/4, ten endpoints, each p95 50 ms", replace(FOUR, mix=((1, 0.05),) * 10), 0.05, is_steep=False),
    Situation("M/M/4, one in ten p95 35 ms, others 50 ms", replace(FOUR, mix=ONE_IN_TEN), 0.05, is_steep=False),
    Situation(
        "closed, exponential, think 100 ms, one in ten p95 35 ms, others 50 ms",
        replace(FOUR, mix=ONE_IN_TEN),
        0.05,
        think_s=0.1,
        is_steep=False,
    ),
    Situation("M/M/1 of 20 ms, p95 100 ms, 20 requests/s", Servers(1, 0.020, 0.100), 0.05, is_steep=False),
)


@dataclass(frozen=True, slots=True)
class Try:
    """The outcome of one search, and how long it took with the backlogs that it waited for."""

    capacity: Capacity
    seconds: float


def drive(course: Search, block: Callable[[Attempt], Block | None]) -> Capacity:
    """Carry out a search with what is returned for each of its attempts."""
    attempt = next(course)
    while True:
        try:
            attempt = course.send(block(attempt))
        except StopIteration as end:
            found: Capacity = end.value
            return found


def attempt_search(situation: Situation, seed: int) -> Try:
    queue = situation.queue(random.Random(f"{situation.name} {seed}"))
    waited = 0.0

    def block(attempt: Attempt) -> Block:
        nonlocal waited
        waited += queue.drain() if attempt.drains else 0.0
        return queue.block(attempt.load)

    found = drive(search(situation.plan()), block)
    return Try(found, found.seconds + waited)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Of many searches in one situation; shares from 0 to 1."""

    truth: float
    within: float  # 10% of the truth
    covers: float  # intervals that hold the truth
    too_high: float  # intervals above the truth
    bias: float  # of the answers
    half_width: float  # of the intervals, the median, as a share of the answer
    precise: float
    median_s: float
    p95_s: float


def outcomes(truth: float, tries: Sequence[Try]) -> Outcomes:
    found = [each.capacity for each in tries]
    seconds = sorted(each.seconds for each in tries)
    errors = [each.answer / truth - 1 for each in found if each.answer is not None]
    too_high = fmean(each.low is not None and each.low > truth * (1 + _ROUNDING) for each in found)
    too_low = fmean(each.high is not None and each.high < truth * (1 - _ROUNDING) for each in found)
    return Outcomes(
        truth,
        within=sum(abs(error) <= 0.1 for error in errors) / len(found),
        covers=1 - too_high - too_low,
        too_high=too_high,
        bias=fmean(errors) if errors else 0.0,
        half_width=median(_half_width(each) for each in found),
        precise=fmean(each.reason is Ending.PRECISE for each in found),
        median_s=median(seconds),
        p95_s=seconds[int(0.95 * (len(seconds) - 1))],
    )


def _half_width(found: Capacity) -> float:
    if found.answer is None or found.low is None or found.high is None:
        return float("inf")
    return (found.high - found.low) / 2 / found.answer
