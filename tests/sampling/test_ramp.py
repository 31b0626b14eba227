"""How many connections a service takes, by the latencies alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from perfcheck.sampling.ramp import EACH, MEMBERS, MOST_SLOWDOWN, Ramp

NAMES = [f"e{i}" for i in range(MEMBERS)]


def width_for(latency_ms: Callable[[int], float], most: int = 32) -> int:
    """The width at which a ramp stops, where all members take ``latency_ms`` at so many requests in flight."""
    ramp = Ramp(set(NAMES), most)
    while not ramp.is_over:
        add_all(ramp, latency_ms(ramp.width))
    return ramp.width


def add_all(ramp: Ramp[str], latency_ms: float) -> None:
    """As many latencies of each member as the ramp wants at its width."""
    width = ramp.width
    for _ in range(EACH):
        for name in NAMES:
            ramp.add(name, latency_ms, width)


@pytest.mark.parametrize(
    ("latency_ms", "most", "width"),
    [
        (lambda width: 100.0, 32, 32),  # waits
        (lambda width: 100.0, 20, 16),
        (lambda width: 100.0, 3, 2),
        (lambda width: 100.0, 1, 1),
        (lambda width: 100.0 * width, 32, 1),  # one worker
        (lambda width: 100.0 * max(1, width / 4), 32, 4),  # four workers
        (lambda width: 100.0 * (1 + 0.5 * (width - 1)), 32, 1),  # half of the work behind a lock
        (lambda width: 100.0 * (1 + 0.1 * (width - 1)), 32, 2),
        (lambda width: 100.0 / width, 32, 32),  # load makes it faster
        (lambda width: 0.0, 32, 32),  # too fast to measure
    ],
)
def test_the_width_is_the_largest_that_leaves_the_latencies_as_they_are(
    latency_ms: Callable[[int], float], most: int, width: int
) -> None:
    assert width_for(latency_ms, most) == width


def test_exactly_at_the_limit_of_the_slowdown_is_not_over_it() -> None:
    assert width_for(lambda width: 100.0 if width == 1 else 100.0 * MOST_SLOWDOWN) == 32
    assert width_for(lambda width: 100.0 if width == 1 else 100.0 * MOST_SLOWDOWN + 0.1) == 1


def test_it_wants_three_latencies_of_each_member_at_each_width() -> None:
    ramp = Ramp({"a", "b"}, 8)
    for _ in range(EACH):
        assert ramp.wants("a")
        ramp.add("a", 10.0, 1)
    assert not ramp.wants("a")
    assert ramp.wants("b")
    assert not ramp.wants("stranger")
    assert (ramp.width, ramp.is_over) == (1, False)
    for _ in range(EACH):
        ramp.add("b", 10.0, 1)
    assert (ramp.width, ramp.is_over) == (2, False)
    assert ramp.wants("a")


def test_latencies_of_another_width_do_not_count() -> None:
    ramp = Ramp(set(NAMES), 8)
    add_all(ramp, 100.0)
    assert ramp.width == 2
    for name in NAMES * EACH:
        ramp.add(name, 5000.0, 1)  # sent before the width changed
    assert all(ramp.wants(name) for name in NAMES)


@pytest.mark.parametrize("latency_ms", [None, math.inf])
def test_a_member_that_fails_is_no_measure(latency_ms: float | None) -> None:
    ramp = Ramp({"a", "b"}, 2)
    ramp.add("a", latency_ms, 1)
    assert not ramp.wants("a")
    for _ in range(EACH):
        ramp.add("b", 10.0, 1)
    assert ramp.width == 2


def test_a_member_that_fails_only_at_a_width_is_left_out_of_it() -> None:
    ramp = Ramp(set(NAMES), 2)
    add_all(ramp, 100.0)
    ramp.leave(NAMES[0])
    add_all(ramp, 100.0)
    assert (ramp.width, ramp.is_over) == (2, True)


def test_the_median_of_the_ratios_decides() -> None:
    ramp = Ramp(set(NAMES), 32)
    add_all(ramp, 100.0)
    for _ in range(EACH):
        for number, name in enumerate(NAMES):
            ramp.add(name, 1000.0 if number < 3 else 100.0, 2)
    assert ramp.width == 4


def test_without_members_it_stays_where_it_is() -> None:
    ramp = Ramp({"a"}, 32)
    ramp.leave("a")
    assert (ramp.width, ramp.is_over) == (1, True)


def test_known_latencies_save_the_requests_one_at_a_time() -> None:
    ramp = Ramp({"a"}, 4, {"a": 100.0})
    assert ramp.width == 2
    for width in (2, 4):
        for _ in range(EACH):
            ramp.add("a", 110.0, width)
    assert (ramp.width, ramp.is_over) == (4, True)


def test_stopped_it_wants_nothing_more() -> None:
    ramp = Ramp({"a"}, 32, {"a": 100.0})
    ramp.stop()
    assert (ramp.width, ramp.is_over, ramp.wants("a")) == (1, True, False)
    ramp.add("a", 1.0, 1)
    assert ramp.width == 1
