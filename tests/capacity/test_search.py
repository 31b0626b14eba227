"""The search for the capacity, on simulated queues of known capacity and on services that behave badly."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from simulation.queues import ClosedQueue
from simulation.searching import FOUR, SITUATIONS, Situation, attempt_search, drive, outcomes

from perfcheck.capacity.evidence import AllowedShares
from perfcheck.capacity.model import Attempt, Block, Capacity, Ending
from perfcheck.capacity.search import SearchPlan, search
from perfcheck.model import LoadModel

USERS = 44.97  # that FOUR holds its p95 for, with 100 ms of thought: between 44 and 45
STEADY = [each for each in SITUATIONS if each.is_steep and not each.servers.unsteady]
TRUTHS = {  # by think time, and whether service times are fixed
    (0.1, False): 44.0,
    (1.0, False): 339.0,
    (0.1, True): 52.0,
    (0.5, True): 165.0,
    (None, False): 326.07,
}
ALLOWED = AllowedShares(0.01, {"videos": 0.05})


def plan(lowest: float = 2, highest: float = 4000, max_s: float = 180.0) -> SearchPlan:
    return SearchPlan(LoadModel.USERS, ALLOWED, lowest, highest, cycle_s=0.15, max_s=max_s)


def found_on_queue(searched: SearchPlan, change: Callable[[Attempt, Block], Block | None] | None = None) -> Capacity:
    """On a queue whose blocks may be changed before the search is sent them."""
    queue = ClosedQueue(FOUR, 0.1, random.Random("queue"))

    def block(attempt: Attempt) -> Block | None:
        counted = queue.block(attempt.load)
        return counted if change is None else change(attempt, counted)

    return drive(search(searched), block)


def quick(load: float, failed_share: float = 0.0) -> Block:
    """What a service that is never slow is counted as, at 10 requests a second and user."""
    requests = round(5 * load)
    return Block(requests, 0, round(failed_share * requests))


# --- Theory ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", STEADY, ids=lambda each: each.name)
def test_the_answer_is_that_of_theory_and_the_interval_holds_it(situation: Situation) -> None:
    truth = TRUTHS[situation.think_s, situation.servers.is_fixed]
    found = outcomes(truth, [attempt_search(situation, seed) for seed in range(3)])
    assert found.within == 1.0
    assert found.covers > 0.6  # 95% of them do
    assert found.p95_s <= 182


def test_the_first_endpoint_to_leave_its_limit_sets_the_capacity_however_few_requests_it_gets() -> None:
    (situation,) = (each for each in SITUATIONS if each.name.startswith("closed") and each.servers.mix)
    found = attempt_search(situation, 1).capacity
    assert found.answer is not None
    assert abs(found.answer / 32 - 1) < 0.1  # all together would hold for 43
    assert found.first == "1"


def test_users_are_whole_and_so_is_the_answer() -> None:
    found = found_on_queue(plan())
    assert all(step.load == int(step.load) for step in found.steps)
    assert found.answer is not None
    assert found.answer == int(found.answer)
    assert abs(found.answer / USERS - 1) < 0.1


def test_a_backlog_is_waited_for_after_an_overload_only_and_before_a_new_step() -> None:
    attempts: list[Attempt] = []

    def note(attempt: Attempt, block: Block) -> Block:
        attempts.append(attempt)
        return block

    found = found_on_queue(plan(), note)
    fresh = [attempt for attempt in attempts if attempt.is_fresh]
    after_overload = [False, *(step.is_overload for step in found.steps[:-1])]
    assert [attempt.drains for attempt in fresh] == after_overload
    assert any(after_overload)
    assert not any(attempt.drains for attempt in attempts if not attempt.is_fresh)
    assert found.seconds == len(attempts) / 2


def test_the_first_half_seconds_of_a_step_are_left_out() -> None:
    attempts: list[Attempt] = []

    def slow_at_first(attempt: Attempt, block: Block) -> Block:
        attempts.append(attempt)
        is_settling = any(each.is_fresh for each in attempts[-2:])
        return Block(block.requests, block.requests, 0) if is_settling else block

    found = found_on_queue(plan(), slow_at_first)
    assert found.answer is not None
    assert abs(found.answer / USERS - 1) < 0.1


# --- The generator ---------------------------------------------------------------------------------------------------


def test_void_blocks_are_not_judged() -> None:
    rng = random.Random("void")

    def every_third_is_void(attempt: Attempt, block: Block) -> Block:
        return Block(1000, 1000, 1000, is_void=True) if rng.random() < 1 / 3 else block

    found = found_on_queue(plan(), every_third_is_void)
    assert found.answer is not None
    assert abs(found.answer / USERS - 1) < 0.1
    assert sum(step.void_blocks for step in found.steps) > 10


def test_a_generator_that_cannot_make_the_load_is_never_a_capacity() -> None:
    found = drive(search(plan()), lambda attempt: Block(400, 0, 0, is_void=attempt.load > 20))
    assert (found.reason, found.answer, found.low, found.high) == (Ending.GENERATOR, None, None, None)
    assert found.seconds < 120


# --- Collapse --------------------------------------------------------------------------------------------------------


def test_the_capacity_of_a_service_that_collapses_is_just_below_the_collapse() -> None:
    attempts: list[Attempt] = []

    def collapses_over_50(attempt: Attempt) -> Block:
        attempts.append(attempt)
        return quick(attempt.load, 1.0 if attempt.load > 50 else 0.0)

    found = drive(search(plan()), collapses_over_50)
    assert found.reason is Ending.PRECISE
    assert found.low is not None
    assert found.high is not None
    assert found.answer == found.low
    assert 48 <= found.low <= 50 < found.high <= 53
    collapses = [index for index, attempt in enumerate(attempts) if attempt.load > 50]
    assert len(collapses) <= 6
    for index in collapses:  # backs off at once, waits for the service, and only then goes on
        assert [each.load for each in attempts[index + 1 : index + 3]] == [2, 2]
        assert attempts[index + 1].drains


def test_a_service_that_does_not_recover_ends_the_search() -> None:
    has_collapsed = False

    def stays_down(attempt: Attempt) -> Block:
        nonlocal has_collapsed
        has_collapsed |= attempt.load > 50
        return quick(attempt.load, 1.0 if has_collapsed else 0.0)

    found = drive(search(plan()), stays_down)
    assert (found.reason, found.answer) == (Ending.COLLAPSE, None)
    assert found.steps[-1].is_overload
    assert found.seconds < 60


def test_a_single_failure_is_no_collapse() -> None:
    attempts: list[Attempt] = []

    def fails_at_first(attempt: Attempt) -> Block:
        attempts.append(attempt)
        return Block(1, 0, 1) if len(attempts) == 1 else quick(attempt.load)

    found = drive(search(plan(lowest=1, highest=100)), fails_at_first)
    assert (found.reason, found.low) == (Ending.HOLDS, 100)


def test_a_load_that_did_not_collapse_is_not_for_that_one_that_holds() -> None:
    collapsed = False

    def slow_and_then_down(attempt: Attempt) -> Block:
        nonlocal collapsed
        collapsed |= attempt.load >= 30
        requests = round(attempt.load / 2)
        return Block(requests, requests // 5, requests if collapsed else 0)  # 20% over, 5% are allowed

    found = drive(search(plan()), slow_and_then_down)
    assert (found.reason, found.answer, found.low, found.high) == (Ending.COLLAPSE, None, None, 32)


def test_a_service_with_few_requests_is_given_time_to_recover() -> None:
    rng = random.Random("recovery")
    patient = SearchPlan(LoadModel.USERS, ALLOWED, 1, 4000, cycle_s=30.0, max_s=600.0)
    attempts: list[Attempt] = []

    def collapses_over_200(attempt: Attempt) -> Block:
        attempts.append(attempt)
        requests = math.floor(attempt.load * 0.5 / 30 + rng.random())
        return Block(requests, 0, requests if attempt.load > 200 else 0)

    found = drive(search(patient), collapses_over_200)
    assert max(attempt.load for attempt in attempts) > 200
    assert found.reason is not Ending.COLLAPSE


def test_the_limit_of_failures_counts_too() -> None:
    rng = random.Random("failures")

    def fails_more_and_more(attempt: Attempt) -> Block:
        block = quick(attempt.load)
        share = 0.01 * (attempt.load / 30) ** 6
        return Block(block.requests, 0, sum(rng.random() < share for _ in range(block.requests)))

    found = drive(search(plan()), fails_more_and_more)
    assert found.answer is not None
    assert found.low is not None
    assert found.high is not None
    assert abs(found.answer / 30 - 1) < 0.1
    assert found.low <= 30 <= found.high


# --- No answer -------------------------------------------------------------------------------------------------------


def test_a_service_that_holds_at_the_upper_bound() -> None:
    found = found_on_queue(plan(highest=30))
    assert (found.reason, found.answer, found.low, found.high) == (Ending.HOLDS, None, 30, None)
    assert max(step.load for step in found.steps) == 30
    assert found.seconds < 60


def test_a_service_that_does_not_hold_at_the_lower_bound() -> None:
    found = found_on_queue(plan(lowest=60))
    assert (found.reason, found.answer, found.low, found.high) == (Ending.FAILS, None, None, 60)
    assert found.seconds < 60


@pytest.mark.parametrize(
    ("shares", "answer", "highs", "reason"),
    [
        ((0.0, 0.9), 1, {1, 2}, Ending.PRECISE),
        ((0.02, 0.3), 1, {1, 2}, Ending.PRECISE),
        ((0.5, 1.0), None, {1}, Ending.FAILS),
    ],
)
def test_a_service_that_holds_for_one_user_or_none(
    shares: tuple[float, float], answer: int | None, highs: set[int], reason: Ending
) -> None:
    rng = random.Random("one user")

    def counted(attempt: Attempt) -> Block:
        requests = 10 * int(attempt.load)
        share = shares[min(2, int(attempt.load)) - 1]
        return Block(requests, sum(rng.random() < share for _ in range(requests)), 0)

    found = drive(search(plan(lowest=1)), counted)
    assert (found.reason, found.answer) == (reason, answer)
    assert found.high in highs


def test_a_service_that_fails_at_the_lower_bound() -> None:
    found = drive(search(plan()), lambda attempt: quick(attempt.load, 1.0))
    assert (found.reason, found.high, found.seconds) == (Ending.FAILS, 2, 0.5)


def test_at_low_rates_no_answer_but_how_long_one_takes() -> None:
    rng = random.Random("rare")
    low_rates = SearchPlan(LoadModel.RATE, ALLOWED, 0.5, 1000, cycle_s=1.0)

    def rare(attempt: Attempt) -> Block:
        requests = math.floor(attempt.load / 2 + rng.random())
        share = min(1.0, 0.05 * (attempt.load / 3) ** 2)
        return Block(requests, sum(rng.random() < share for _ in range(requests)), 0)

    found = drive(search(low_rates), rare)
    assert (found.reason, found.answer, found.seconds) == (Ending.RARE, None, 180)
    assert found.seconds_needed is not None
    assert found.seconds_needed > 300


def test_what_is_known_when_the_time_is_up() -> None:
    found = found_on_queue(plan(max_s=60))
    assert (found.reason, found.seconds) == (Ending.TIME, 60)
    assert found.answer is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= USERS <= found.high + 1
    assert found.seconds_needed is not None


@pytest.mark.parametrize(("max_s", "low", "high"), [(16, None, None), (20, 12, 84), (29, 32, 79), (38, 32, 57)])
def test_what_the_steps_clearly_show_is_known_before_the_capacity_is(
    max_s: float, low: float | None, high: float | None
) -> None:
    found = found_on_queue(plan(max_s=max_s))
    assert (found.reason, found.answer, found.low, found.high) == (Ending.RARE, None, low, high)


def test_an_attempt_has_the_interval_so_far() -> None:
    attempts: list[Attempt] = []

    def note(attempt: Attempt, block: Block) -> Block:
        attempts.append(attempt)
        return block

    found = found_on_queue(plan(), note)
    assert attempts[0].so_far is None
    assert attempts[-1].so_far is not None
    assert attempts[-1].so_far[0] <= (found.answer or 0) <= attempts[-1].so_far[1]


def test_a_search_that_is_stopped_keeps_what_it_has() -> None:
    attempts: list[Attempt] = []

    def until_the_100th(attempt: Attempt, block: Block) -> Block | None:
        attempts.append(attempt)
        return block if len(attempts) < 100 else None

    found = found_on_queue(plan(), until_the_100th)
    assert (found.reason, found.seconds) == (Ending.STOPPED, 49.5)
    assert found.answer is not None
    stopped_at_once = found_on_queue(plan(), lambda attempt, block: None)
    assert (stopped_at_once.reason, stopped_at_once.answer) == (Ending.STOPPED, None)
