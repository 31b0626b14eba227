"""An endpoint between its requests: what it remembers when it is interrupted between any two lines."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation.noise import endpoint

from perfcheck.model import Failure, Measurement, Sample, Sampling, Stop, Verdict
from perfcheck.sampling import endpoint_session, stage
from perfcheck.sampling.endpoint_session import EndpointSession
from perfcheck.stats import error_rate

Event = Callable[[EndpointSession], None]
FAST, SLOW, VERY_SLOW, FAILED = 4.0, 8.0, 20.0, None  # for limits of 7.5 and 10 ms
INTERRUPTED_IN = {module.__file__ for module in (endpoint_session, stage, error_rate)}


class Interruption(BaseException):
    """Stands for a KeyboardInterrupt."""


class InterruptAt:
    """Raises in line ``number`` of those that are executed in the modules of a session, counted from 0."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._before = sys.gettrace()

    def __enter__(self) -> None:
        sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in INTERRUPTED_IN:
            return None
        if event == "line":
            self._left -= 1
            if self._left < 0:
                raise Interruption
        return self._trace


def taken(latency_ms: float | None, width: int, now: float) -> Event:
    failure = Failure.STATUS if latency_ms is None else Failure.TIMEOUT if math.isinf(latency_ms) else None
    return lambda session: void(session.take(Sample(now, latency_ms, failure), width, now))


def void(_: object) -> None:
    """What the scheduler would use."""


def fed(events: Sequence[Event]) -> EndpointSession:
    session = EndpointSession(endpoint(), Sampling())
    for event in events:
        event(session)
    return session


def interrupted(events: Sequence[Event], line: int) -> Measurement | None:
    """What is known when the last of the events was interrupted in a line of it; None: it has fewer lines."""
    session = fed(events[:-1])
    try:
        with InterruptAt(line):
            events[-1](session)
    except Interruption:
        return session.measurement(Stop.INTERRUPTED)
    return None


def before_and_after(events: Sequence[Event]) -> tuple[Measurement, Measurement]:
    return fed(events[:-1]).measurement(Stop.INTERRUPTED), fed(events).measurement(Stop.INTERRUPTED)


SCREENED_AND_FAILING = [
    EndpointSession.expect_screening,
    *(taken(FAST, 1, number) for number in range(3)),
    *(taken(SLOW, 8, number) for number in range(3, 8)),
    *(taken(FAST, 1, number) for number in range(8, 17)),
    taken(FAILED, 1, 17),
    EndpointSession.end_proof,
]
SLOW_AND_CONFIRMED = [taken(VERY_SLOW, 1, number) for number in range(11)]
FAILING_LATE = [
    *(taken(FAST, 1, number) for number in range(9)),
    *(taken(FAILED, 4 if number == 9 else 1, number) for number in range(9, 18)),
]
MEASURED_AGAIN = [
    EndpointSession.expect_screening,
    *(taken(FAST, 8, number) for number in range(8)),
    EndpointSession.measure_again,
    *(taken(FAST, 1, number) for number in range(8, 18)),
]


@pytest.mark.parametrize(("then", "verdict"), [(VERY_SLOW, Verdict.CRITICAL), (FAST, Verdict.OK)])
def test_a_breach_that_is_first_seen_while_failures_are_confirmed_is_measured_again(
    then: float, verdict: Verdict
) -> None:
    failing = [FAST, FAILED, FAILED, FAILED, FAST, FAST]
    latencies = [*failing, *[VERY_SLOW] * 11, *[then] * 60]
    found = fed([taken(latency_ms, 1, number) for number, latency_ms in enumerate(latencies)]).measurement(Stop.DECIDED)
    stages = [decision.latency for decision in found.decisions]
    assert stages == [Verdict.NOT_MEASURED, Verdict.CRITICAL, verdict]


@pytest.mark.parametrize("events", [SCREENED_AND_FAILING, SLOW_AND_CONFIRMED, FAILING_LATE, MEASURED_AGAIN])
def test_interrupted_in_any_line_of_any_event(events: Sequence[Event]) -> None:
    for end in range(1, len(events) + 1):
        line, expected = 0, before_and_after(events[:end])
        while measurement := interrupted(events[:end], line):
            assert measurement in expected
            line += 1
        assert line > 3


@given(
    st.lists(
        st.tuples(st.sampled_from([FAST, FAST, FAST, SLOW, VERY_SLOW, math.inf, FAILED]), st.sampled_from([1, 1, 8])),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from([EndpointSession.expect_screening, EndpointSession.measure_alone, None]),
    st.integers(0, 60),
)
def test_interrupted_in_any_line_whatever_happened_before(
    samples: list[tuple[float | None, int]], first: Event | None, line: int
) -> None:
    events = [taken(latency_ms, width, float(number)) for number, (latency_ms, width) in enumerate(samples)]
    events = [first, *events] if first else events
    assert interrupted(events, line) in {None, *before_and_after(events)}


def test_an_interrupted_session_can_go_on() -> None:
    """Nothing does today; yet what is taken after a measurement that was read must not be lost."""
    rng = random.Random(1)
    events = [taken(rng.choice([FAST, SLOW, VERY_SLOW]), 1, float(number)) for number in range(40)]
    session = fed(events[:20])
    with pytest.raises(Interruption), InterruptAt(12):
        events[20](session)
    session.measurement(Stop.INTERRUPTED)
    for event in events[21:]:
        event(session)
    assert session.measurement(Stop.INTERRUPTED) == fed(events).measurement(Stop.INTERRUPTED)


def test_the_pauses_within_a_workflow_are_time_that_it_needs() -> None:
    """But for that after its last step, which is not waited for."""
    steps = tuple(replace(endpoint(), think_s=think_s) for think_s in (2.0, 1.0, 5.0))
    quick, slow = (EndpointSession(replace(endpoint(), steps=each), Sampling()) for each in ((), steps))
    turns = (quick.need_s + quick.proof_s) / quick.expected_s
    assert slow.need_s + slow.proof_s - quick.need_s - quick.proof_s == pytest.approx(3.0 * turns)
