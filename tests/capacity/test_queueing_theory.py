"""The formulas that the search is compared with, and the simulated queues, agree."""

from __future__ import annotations

import math
import random

import pytest
from simulation.queueing_theory import largest_rate, most_users, share_over
from simulation.queues import ClosedQueue, OpenQueue, Servers, over_limit

ONE = Servers(1, 0.020, 0.100)
FOUR = Servers(4, 0.010, 0.050)
FIXED = Servers(4, 0.010, 0.020, is_fixed=True)


def test_a_single_server_has_a_closed_form() -> None:
    assert largest_rate(ONE, 0.05) == pytest.approx(50 - math.log(20) / 0.1, rel=1e-4)


@pytest.mark.parametrize(("servers", "rate"), [(FOUR, 326.0), (FIXED, 289.0)], ids=["M/M/4", "M/D/4"])
def test_open_queues(servers: Servers, rate: float) -> None:
    queue = OpenQueue(servers, random.Random(2))
    queue.run(rate, 20)
    latencies = queue.run(rate, 600)
    assert len(latencies) / 600 == pytest.approx(rate, rel=0.01)
    assert over_limit(latencies, servers.limit_s) / len(latencies) == pytest.approx(
        share_over(servers, rate), abs=0.005
    )
    assert share_over(servers, rate) == pytest.approx(0.05, abs=0.001)


def test_closed_queues() -> None:
    users = most_users(FOUR, 0.1, 0.05)
    shares = []
    for load in (users, users + 1):
        queue = ClosedQueue(FOUR, 0.1, random.Random(2))
        queue.run(load, 20)
        latencies = queue.run(load, 200)
        shares.append(over_limit(latencies, FOUR.limit_s) / len(latencies))
    assert users == 44
    assert shares == pytest.approx([0.0425, 0.0502], abs=0.005)


def test_a_backlog_is_waited_for() -> None:
    queue = OpenQueue(FIXED, random.Random(2))
    queue.run(800, 10)
    assert queue.drain() == pytest.approx(10, rel=0.1)
    assert queue.drain() == 0


def test_users_who_are_taken_away_send_no_more() -> None:
    queue = ClosedQueue(FOUR, 0.1, random.Random(2))
    queue.run(20, 10)
    queue.run(2, 2)
    assert len(queue.run(2, 20)) == pytest.approx(2 * 20 / 0.11, rel=0.15)
