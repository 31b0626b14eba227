"""What the counts of steps show: a load that is clearly too much, or held, and the first of several limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from perfcheck.capacity.fit import Crossing, StepCounts, find_crossing
from perfcheck.capacity.model import Block, Judged, LoadStep
from perfcheck.stats.sequential import divergence

_CLEAR = 12.0  # nats of evidence; correlated requests have several times less than independent ones
_GROSS = (4.0, 0.6, 0.85)  # an overload in times the allowed share, and the least and largest share it can be
_COLLAPSED, _FEWEST_FAILURES = 0.5, 5  # of the requests fail, and how many at least: one request proves nothing
_ENOUGH = 20.0  # variance of a count, for an endpoint to be judged by itself: 420 requests for a p95
_FEW = 5.0  # over the limit, of as many as are allowed: fewer say nothing by themselves
_NEAR = 0.15  # a logarithm of the load


@dataclass(frozen=True, slots=True)
class AllowedShares:
    """Of requests, between 0 and 1, neither included."""

    failed: float  # of all requests
    over: Mapping[str, float]  # their limits, by endpoint

    def of_all(self, endpoints: Mapping[str, Judged]) -> float:
        """Over their limits, of all requests together: where each endpoint keeps its share, they keep this."""
        requests = sum(endpoint.requests for endpoint in endpoints.values())
        if not requests:
            return max(self.over.values())
        return sum(judged.requests * self.over[name] for name, judged in endpoints.items()) / requests


# --- Clear by itself -------------------------------------------------------------------------------------------------


def clear_side(count: int, requests: int, share: float) -> int:
    """1 or -1 when a share is clearly more or less than allowed, by Chernoff's bound (1952); otherwise 0."""
    if not requests or requests * divergence(count / requests, share) < _CLEAR:
        return 0
    return 1 if count > share * requests else -1


def side_of(steps: Sequence[LoadStep], allowed: AllowedShares, *, of_each: bool = False) -> int:
    """1 where they have clearly more of anything than allowed, -1 where clearly less of everything; otherwise 0.

    Unless ``of_each``, an endpoint with few requests does not have to show the latter, if only it has no more.
    """
    everything, failures, *endpoints = _criteria(steps, allowed)
    shown = [each.side for each in endpoints if of_each or each.has_enough or not each.is_kept]
    return max([everything.side, failures.side, *shown])


def is_gross(blocks: Sequence[Block], allowed: AllowedShares) -> bool:
    """Whether far more are over than allowed: a backlog grows, and nothing more is to be learnt at this load."""
    endpoints = summed(block.endpoints for block in blocks)
    everything = Judged(sum(block.requests for block in blocks), sum(block.over for block in blocks))
    return _is_gross(everything, allowed.of_all(endpoints)) or any(
        _is_gross(judged, allowed.over[name]) for name, judged in endpoints.items()
    )


def _is_gross(judged: Judged, share: float) -> bool:
    times, least, most = _GROSS
    is_far_over = judged.over > judged.requests * max(least, min(times * share, most))
    return is_far_over and clear_side(judged.over, judged.requests, share) > 0


def is_collapse(failed: int, requests: int) -> bool:
    return failed >= _FEWEST_FAILURES and failed > _COLLAPSED * requests


def has_collapsed(blocks: Sequence[Block]) -> bool:
    """Whether most requests fail from some block on."""
    failed = requests = 0
    for block in reversed(blocks):
        failed, requests = failed + block.failed, requests + block.requests
        if is_collapse(failed, requests):
            return True
    return False


def is_kept(blocks: Sequence[Block], allowed: AllowedShares) -> bool:
    """By the counts as they are; an endpoint with few requests counts only where it is clearly over."""
    everything, failures, *endpoints = _criteria([sum_of(1.0, blocks, 0, is_overload=False)], allowed)
    shown = (each for each in endpoints if each.share * each.requests >= _FEW or each.side > 0)
    criteria = [everything, failures, *shown]
    return all(each.is_kept for each in criteria)


# --- The first of several limits -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Criterion:
    """A share that steps have to keep."""

    endpoint: str | None  # None: of all requests
    share: float
    steps: tuple[StepCounts, ...]

    @property
    def requests(self) -> int:
        return sum(step.requests for step in self.steps)

    @property
    def count(self) -> int:
        return sum(step.over for step in self.steps)

    @property
    def has_enough(self) -> bool:
        return self.requests * self.share * (1 - self.share) >= _ENOUGH

    @property
    def is_kept(self) -> bool:
        """By the counts as they are."""
        return self.count <= self.share * self.requests

    @property
    def side(self) -> int:
        return clear_side(self.count, self.requests, self.share)

    def is_clearly_kept_near(self, log_load: float) -> bool:
        near = [step for step in self.steps if abs(step.log_load - log_load) < _NEAR]
        return clear_side(sum(step.over for step in near), sum(step.requests for step in near), self.share) < 0


@dataclass(frozen=True, slots=True)
class FirstCrossing:
    """The lowest load at which a share crosses its limit, as a logarithm, with its 95% confidence interval.

    The lower end is the lowest of all: whichever crosses first lies above its own. The upper end is the lowest of ends
    that are all right at once. What is clearly kept at that load is not among them.
    """

    log_load: float
    low: float
    high: float
    crossing: Crossing
    criterion: Criterion


def first_crossing(steps: Sequence[LoadStep], allowed: AllowedShares, near: float) -> FirstCrossing | None:
    """None when too few steps lie around it. ``near`` is the logarithm of the load where the search for it begins."""
    steps = [step for step in steps if not is_collapse(step.failed, step.requests)]
    everything, failures, *endpoints = _criteria(steps, allowed)
    criteria = [everything, *(each for each in endpoints if each.has_enough), *([failures] if failures.count else [])]
    found = [(each, crossing) for each in criteria if (crossing := find_crossing(each.steps, each.share, near))]
    if not found:
        return None
    criterion, first = min(found, key=lambda each: each[1].log_load)
    rivals = [crossing for each, crossing in found if not each.is_clearly_kept_near(first.log_load)] or [first]
    return FirstCrossing(
        first.log_load,
        min(crossing.low for crossing in rivals),
        min(crossing.high(len(rivals)) for crossing in rivals),
        first,
        criterion,
    )


def _criteria(steps: Sequence[LoadStep], allowed: AllowedShares) -> Iterator[Criterion]:
    """All requests, failures, and each endpoint."""
    loads = [math.log(step.load) for step in steps]
    totals = summed(step.endpoints for step in steps)

    def criterion(endpoint: str | None, share: float, counts: Iterable[tuple[int, int]]) -> Criterion:
        return Criterion(endpoint, share, tuple(map(StepCounts, loads, *zip(*counts, strict=True))))

    yield criterion(None, allowed.of_all(totals), ((step.requests, step.over) for step in steps))
    yield criterion(None, allowed.failed, ((step.requests, step.failed) for step in steps))
    for name in totals:
        own = (step.endpoints.get(name, Judged(0, 0)) for step in steps)
        yield criterion(name, allowed.over[name], own)


def sum_of(load: float, blocks: Sequence[Block], void_blocks: int, *, is_overload: bool) -> LoadStep:
    return LoadStep(
        load,
        sum(block.requests for block in blocks),
        sum(block.over for block in blocks),
        sum(block.failed for block in blocks),
        len(blocks),
        void_blocks,
        is_overload,
        summed(block.endpoints for block in blocks),
    )


def summed(parts: Iterable[Mapping[str, Judged]]) -> dict[str, Judged]:
    total: dict[str, Judged] = {}
    for part in parts:
        for name, (requests, over) in part.items():
            before = total.get(name, Judged(0, 0))
            total[name] = Judged(before.requests + requests, before.over + over)
    return total
