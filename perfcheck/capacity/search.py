"""The search for the largest load that a service holds its targets for. Pure: it requests loads, and gets counts.

First a ramp, until the load is clearly too much. Then steps around the estimate, alternately below and above it: a
logistic curve through all of them (:mod:`perfcheck.capacity.fit`) gives the next estimate and its interval. No single
step decides anything, so that none has to be undone. A collapse is the exception: a load at which most requests
fail is not tried again, and the search goes on halfway between it and the largest load that held.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from perfcheck.capacity.evidence import (
    AllowedShares,
    FirstCrossing,
    first_crossing,
    has_collapsed,
    is_gross,
    side_of,
    sum_of,
)
from perfcheck.capacity.model import BLOCK_S, Attempt, Block, Capacity, Ending, LoadStep
from perfcheck.model import LoadModel

_RAMP = 1.6  # times the load, from step to step
_RAMP_SETTLING, _RAMP_BLOCKS = 2, 3  # half seconds of a step of the ramp: left out, and judged
_STEP_BLOCKS = 12  # judged, of every other step
_LEAST_SETTLING_S, _SETTLING_CYCLES = 1.5, 3
_LARGE_JUMP, _MORE_SETTLING = 0.3, 2  # a logarithm, blocks
_LEAST_STEPS = 10  # after the ramp
_NARROW = 0.035  # half of the interval: then the search ends
_FEW_USERS = 6  # so few that one more is a load beyond what a machine varies by
_USEFUL = 0.5  # half of it, at most, for an answer when the time is up
_OFFSETS = (0.02, 0.12)  # of a step from the estimate, as a logarithm
_FIRST_GUESS = 0.6  # of the way up to a load that was too much
_AT_MOST = 0.25  # that the estimate moves in one step
_DOWN = 0.08  # that it moves at least after an overload
_WITH_ANSWER = {Ending.PRECISE, Ending.TIME, Ending.STOPPED}
_STEPS_AT_BOUND = 3
_RECOVERY_S, _RECOVERY_CYCLES = 20.0, 2  # for which a service is waited for after a collapse
_RECOVERY_RATE, _RECOVERY_LOAD = 2.0, 1 / 8  # requests a second about, and at most this part of what was too much
_RECOVERED = 2  # blocks without a failure
_VOID = 2  # times as many void blocks as are to be judged make a step void
_VOID_STEPS = 3  # in a row
_QUANTILE, _WEIGHT = 2.3, 0.7  # of Student's distribution, and of a request in the curve, about


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What the search is for, and within which bounds."""

    model: LoadModel
    allowed: AllowedShares  # over their limits: 0.05 for a p95
    lowest: float  # load: users, or requests a second
    highest: float
    cycle_s: float  # think time and latency, about: what a service takes to settle is counted in these
    max_s: float = 180.0  # of load


Search = Generator[Attempt, Block | None, Capacity]
_Part = Generator[Attempt, Block | None, None]


def search(plan: SearchPlan) -> Search:
    """Yields loads to keep for half a second, is sent what happened in it, and returns the capacity.

    None instead of a block ends the search with what is known.
    """
    course = _Course(plan)
    try:
        yield from course.ramp()
        while True:
            yield from course.step_near_estimate()
            course.estimate()
    except _EndedError as ended:
        return course.capacity(ended.reason)


class _EndedError(Exception):
    def __init__(self, reason: Ending) -> None:
        super().__init__(reason)
        self.reason = reason


class _Course:
    """What a search has learnt so far."""

    def __init__(self, plan: SearchPlan) -> None:
        self._plan = plan
        self._allowed = plan.allowed
        self._blocks = 0  # of load, all of them
        self._steps: list[LoadStep] = []
        self._drains = False
        self._void_steps = 0
        self._full_steps = 0  # after the ramp
        self._estimate = math.log(plan.lowest)
        self._spread = _OFFSETS[1]
        self._side = -1
        self._ceiling = math.inf  # the lowest load at which the service collapsed
        self._crossing: FirstCrossing | None = None
        settling_s = max(_LEAST_SETTLING_S, _SETTLING_CYCLES * plan.cycle_s)
        self._settling = math.ceil(settling_s / BLOCK_S)

    # --- Steps

    def ramp(self) -> _Part:
        """Up from the lowest load until it is clearly too much; the first estimate lies below that."""
        plan, load = self._plan, self._plan.lowest
        yield from self._step(load, _RAMP_SETTLING, _RAMP_BLOCKS)
        below = load
        while not self._last_is_too_much():
            below = load
            if load >= plan.highest:
                break
            load = self._whole(min(load * _RAMP, plan.highest), up=True)
            yield from self._step(load, _RAMP_SETTLING, _RAMP_BLOCKS)
        self._estimate = math.log(below) + _FIRST_GUESS * math.log(load / below)

    def step_near_estimate(self) -> _Part:
        load = self._next_load()
        jump = abs(math.log(load / self._steps[-1].load))
        yield from self._step(load, self._settling + (_MORE_SETTLING if jump > _LARGE_JUMP else 0), _STEP_BLOCKS)
        self._full_steps += 1

    def _next_load(self) -> float:
        self._side = -self._side
        offset = self._side * max(_OFFSETS[0], min(_OFFSETS[1], self._spread))
        load = self._whole(math.exp(self._estimate + offset), up=self._side > 0)
        if load >= self._ceiling:
            load = self._whole(math.sqrt(self._below_collapse() * self._ceiling), up=False)
        return min(max(load, self._plan.lowest), self._plan.highest)

    def _whole(self, load: float, *, up: bool) -> float:
        if self._plan.model is LoadModel.RATE:
            return load
        return math.ceil(load - 1e-9) if up else math.floor(load + 1e-9)

    def _below_collapse(self) -> float:
        """The largest load below a collapse at which the service did not collapse."""
        return max((step.load for step in self._steps if step.load < self._ceiling), default=self._plan.lowest)

    def _step(self, load: float, settling: int, length: int) -> _Part:
        """Keep a load until ``length`` blocks are judged, it is clearly too much, or most of them are void."""
        judged: list[Block] = []
        counted: list[Block] = []  # all that are not void
        attempts = void = 0
        collapsed = too_much = False
        try:
            while len(judged) < length and void < _VOID * length and not collapsed and not too_much:
                block = yield from self._attempt(load, is_fresh=attempts == 0, settles=attempts < settling)
                attempts += 1
                if block.is_void:
                    void += attempts > settling
                    continue
                counted.append(block)
                collapsed = has_collapsed(counted)
                if attempts > settling or collapsed:
                    judged.append(block)
                    too_much = len(judged) > 1 and is_gross(judged, self._allowed)
        finally:
            self._steps.append(sum_of(load, judged, void, is_overload=collapsed or too_much))
        self._drains = collapsed or too_much
        self._void_steps = self._void_steps + 1 if len(judged) < length and not self._drains else 0
        if self._void_steps >= _VOID_STEPS:
            raise _EndedError(Ending.GENERATOR)
        if collapsed:
            self._ceiling = min(self._ceiling, load)
            yield from self._recovery()

    def _attempt(self, load: float, *, is_fresh: bool, settles: bool) -> Generator[Attempt, Block | None, Block]:
        if self._blocks * BLOCK_S >= self._plan.max_s:
            raise _EndedError(Ending.TIME)
        block = yield Attempt(load, is_fresh, self._drains and is_fresh, settles, self._so_far())
        if block is None:
            raise _EndedError(Ending.STOPPED)
        self._blocks += 1
        return block

    def _recovery(self) -> _Part:
        """A small load, until requests succeed again."""
        plan = self._plan
        if self._ceiling <= plan.lowest:
            raise _EndedError(Ending.FAILS)
        enough = _RECOVERY_RATE * (plan.cycle_s if plan.model is LoadModel.USERS else 1)
        load = max(plan.lowest, self._whole(min(enough, _RECOVERY_LOAD * self._ceiling), up=False))
        in_a_row = 0
        for attempt in range(math.ceil((_RECOVERY_S + _RECOVERY_CYCLES * plan.cycle_s) / BLOCK_S)):
            block = yield from self._attempt(load, is_fresh=attempt == 0, settles=True)
            if block.requests:
                in_a_row = 0 if block.failed else in_a_row + 1
            if in_a_row == _RECOVERED:
                self._drains = False
                return
        raise _EndedError(Ending.COLLAPSE)

    # --- What the steps show

    def _last_is_too_much(self) -> bool:
        step = self._steps[-1]
        return step.is_overload or self._void_steps > 0 or side_of([step], self._allowed) > 0

    def estimate(self) -> None:
        """Move the estimate to where the steps put it; raises when the search can end."""
        last, before = self._steps[-1], self._estimate
        if last.is_overload or self._void_steps:
            self._estimate = min(before, math.log(last.load)) - _DOWN
        self._crossing = first_crossing(self._steps, self._allowed, self._estimate)
        if self._crossing is None:
            self._estimate -= _AT_MOST * side_of([last], self._allowed)
        elif not self._void_steps:
            self._estimate = max(before - _AT_MOST, min(before + _AT_MOST, self._crossing.log_load))
            self._spread = (self._crossing.high - self._crossing.low) / 4
        for bound, side, reason in (
            (self._plan.highest, -1, Ending.HOLDS),
            (self._plan.lowest, 1, Ending.FAILS),
        ):
            if self._is_shown_at(bound, side):
                raise _EndedError(reason)
        if self._is_exact() or (self._full_steps >= _LEAST_STEPS and self._is_precise()):
            raise _EndedError(Ending.PRECISE)

    def _is_shown_at(self, bound: float, side: int) -> bool:
        steps = [step for step in self._steps if step.load == bound and step.requests]
        return len(steps) > _STEPS_AT_BOUND and side_of(steps, self._allowed) == side

    def _shown_side(self, load: float) -> int:
        """-1 where the steps show that a load is held, 1 that it is too much, and 0 where they show neither, or both.

        What is held at a larger load is held, too; and a few seconds at the edge of an overload show nothing.
        """
        above = sorted((step for step in self._steps if step.load >= load), key=lambda step: step.load)
        below = sorted((step for step in self._steps if step.load <= load), key=lambda step: -step.load)
        return self._is_shown_by(below, 1) - self._is_shown_by(above, -1)

    def _shown_bounds(self) -> tuple[float | None, float | None]:
        """The largest load that clearly holds, and the smallest that clearly does not."""
        sides = {step.load: self._shown_side(step.load) for step in self._steps}
        held = max((load for load, side in sides.items() if side < 0), default=None)
        too_much = min((load for load, side in sides.items() if side > 0), default=None)
        return held, too_much

    def _is_shown_by(self, steps: Sequence[LoadStep], side: int) -> bool:
        beginnings = (steps[: count + 1] for count in range(len(steps)))
        return any(
            (sum(step.blocks for step in some) >= _STEP_BLOCKS or some[-1].is_overload)
            and side_of(some, self._allowed, of_each=True) == side
            for some in beginnings
        )

    # --- The answer

    def _interval(self) -> tuple[float | None, float, float]:
        """Estimate and ends as logarithms; below a collapse, the largest load that clearly held, and the collapse."""
        crossing = self._crossing
        if self._ceiling == math.inf:
            return (None, -math.inf, math.inf) if crossing is None else (crossing.log_load, crossing.low, crossing.high)
        ceiling = math.log(self._ceiling)
        if crossing is not None:
            last = math.log(self._below_collapse())
            return min(crossing.log_load, last), min(crossing.low, last), min(crossing.high, ceiling)
        held, _ = self._shown_bounds()
        return (None, -math.inf, ceiling) if held is None else (math.log(held), math.log(held), ceiling)

    def _so_far(self) -> tuple[float, float] | None:
        """As loads."""
        _, low, high = self._interval()
        return (self._load(low), self._load(high)) if low > -math.inf and high < math.inf else None

    def _is_precise(self) -> bool:
        at, low, high = self._interval()
        if at is None or self._load(at) < self._plan.lowest:
            return False
        return (high - low) / 2 <= _NARROW or (
            self._plan.model is LoadModel.USERS and high < math.inf and self._load(high) - self._load(low) <= 1
        )

    def _is_exact(self) -> bool:
        """Whether a few users clearly hold, and one more clearly does not: then there is no load between the two."""
        if self._plan.model is not LoadModel.USERS or self._estimate > math.log(_FEW_USERS + 1):
            return False
        held, too_much = self._shown_bounds()
        return held is not None and held <= _FEW_USERS and too_much == held + 1

    def _load(self, log_load: float) -> float:
        """As a load within the bounds; whole users."""
        return self._whole(math.exp(min(log_load, math.log(self._plan.highest))), up=False)

    def capacity(self, reason: Ending) -> Capacity:
        steps, seconds = tuple(self._steps), self._blocks * BLOCK_S
        if reason is Ending.GENERATOR:
            return Capacity(None, None, None, reason, steps, seconds)
        if reason is Ending.HOLDS:
            return Capacity(None, self._plan.highest, None, reason, steps, seconds)
        if reason is Ending.FAILS:
            return Capacity(None, None, self._plan.lowest, reason, steps, seconds)
        first = self._crossing.criterion.endpoint if self._crossing else None
        held, too_much = self._shown_bounds()
        if reason is Ending.PRECISE and self._is_exact():
            return Capacity(held, held, held, reason, steps, seconds, first=first)
        at, low, high = self._interval()
        answer = self._load(at) if at is not None and (high - low) / 2 <= _USEFUL and reason in _WITH_ANSWER else None
        if answer is not None and answer < self._plan.lowest:
            answer = None
        if reason is Ending.TIME and answer is None:
            reason = Ending.RARE
        if answer is not None or reason is Ending.COLLAPSE:
            held = too_much = None
        lowest, highest = self._load(low), self._load(high)
        return Capacity(
            answer,
            max(lowest, held or 0.0) if held or lowest >= self._plan.lowest else None,
            min(highest, too_much or math.inf) if too_much or high <= math.log(self._plan.highest) else None,
            reason,
            steps,
            seconds,
            None if reason is Ending.PRECISE else self._seconds_needed(),
            first,
        )

    def _seconds_needed(self) -> float | None:
        """About how long a search takes to be precise, by slope, overdispersion and requests a second so far."""
        requests = self._crossing.criterion.requests if self._crossing else 0
        if self._crossing is None or not requests:
            return None
        share, seconds = self._crossing.criterion.share, self._blocks * BLOCK_S
        fit = self._crossing.crossing
        needed = fit.dispersion * (_QUANTILE / _NARROW / fit.slope) ** 2 / (share * (1 - share))
        return max(seconds, needed / _WEIGHT * seconds / requests)
