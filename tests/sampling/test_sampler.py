"""From the first request to the last verdict, with a scripted service and clock: only what it says takes time."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from simulation.noise import Clock, Scripted
from simulation.noise import endpoint as usual_endpoint

from perfcheck.model import (
    PROOF,
    WARM_UP,
    Endpoint,
    ErrorProof,
    Failure,
    Measurement,
    Metric,
    Sample,
    Sampling,
    Stop,
    Verdict,
)
from perfcheck.sampling.pauses import gap_s
from perfcheck.sampling.sampler import Sampler
from perfcheck.sampling.stage import Stage

OK, WARNING, CRITICAL, NOT_MEASURED = Verdict.OK, Verdict.WARNING, Verdict.CRITICAL, Verdict.NOT_MEASURED
FAST, SLOW, VERY_SLOW = 4.0, 8.0, 20.0  # for limits of 7.5 and 10 ms
FAILED = Failure.STATUS
Outcome = float | Failure


class Script:
    """A transport to a service whose responses are written down: for each endpoint, as a function of time."""

    def __init__(self, behaviour: dict[str, Callable[[float], Outcome]]) -> None:
        self.clock = Clock()
        self.log: list[tuple[float, str]] = []
        self._behaviour = behaviour
        self.transport = Scripted(self.clock, self.answer)

    def answer(self, endpoint: Endpoint) -> tuple[Sample, float]:
        at_s = self.clock.seconds
        self.log.append((at_s, endpoint.name))
        outcome = self._behaviour[endpoint.name](at_s)
        if isinstance(outcome, Failure):
            return Sample(at_s, None, outcome), 0.001
        if outcome > 1000 * endpoint.timeout_s:
            return Sample(at_s, math.inf, Failure.TIMEOUT), endpoint.timeout_s
        return Sample(at_s, outcome), outcome / 1000

    def sampler(
        self,
        endpoints: Sequence[Endpoint],
        sampling: Sampling = Sampling(),  # noqa: B008
        *,
        seed: int = 1,
        max_requests: int | None = None,
        observe: Callable[[str, Sample], None] = lambda *_: None,
    ) -> Sampler:
        return Sampler(
            endpoints,
            self.transport,
            sampling=sampling,
            rng=random.Random(seed),
            now=self.clock.now,
            max_requests=max_requests,
            observe=observe,
        )


def always(outcome: Outcome) -> Callable[[float], Outcome]:
    return lambda _: outcome


def in_turn(*outcomes: Outcome) -> Callable[[float], Outcome]:
    """One after the other; the last for ever. The first is the warm-up's."""
    rest: Iterator[Outcome] = iter(outcomes)
    last = outcomes[-1]
    return lambda _: next(rest, last)


def named(*names: str, metric: Metric = Metric.MEDIAN) -> list[Endpoint]:
    return [usual_endpoint(name, metric) for name in names]


def measured(
    script: Script,
    sampling: Sampling = Sampling(),  # noqa: B008
    max_requests: int | None = None,
) -> Measurement:
    """Endpoint ``a`` of the script, measured to the end."""
    sampler = script.sampler(named("a"), sampling, max_requests=max_requests)
    sampler.run()
    (measurement,) = sampler.measurements()
    return measurement


def times(measurement: Measurement, stage: int) -> list[float]:
    return [sample.at_s for number, sample in measurement.samples if number == stage]


# --- Order ---------------------------------------------------------------------------------------------------------


def test_a_healthy_endpoint_takes_one_warm_up_five_requests_and_proof_that_it_does_not_fail() -> None:
    script = Script({"a": always(FAST)})
    found = measured(script)
    assert [stage for stage, _ in found.samples] == [0, *[1] * 5, *[PROOF] * 27]
    (decision,) = found.decisions
    assert (decision.verdict, decision.is_decided, decision.requests, decision.failures) == (OK, True, 5, 0)
    assert decision.excluded == pytest.approx(0.09, abs=0.006)
    assert script.clock.seconds == pytest.approx(33 * 0.004)


@pytest.mark.parametrize(
    ("latency_ms", "proof", "requests"),
    [
        (4.0, ErrorProof.QUICK, 5),
        (4.0, ErrorProof.PROVEN, 32),
        (4.0, ErrorProof.STRICT, 59),
        (100.0, ErrorProof.PROVEN, 20),  # two seconds of them
        (1000.0, ErrorProof.PROVEN, 5),
        (1000.0, ErrorProof.STRICT, 59),
    ],
)
def test_requests_that_prove_the_failure_rate(latency_ms: float, proof: ErrorProof, requests: int) -> None:
    script = Script({"a": always(latency_ms)})
    lenient = replace(usual_endpoint("a"), target_ms=2000.0, warning_ms=3000.0, critical_ms=4000.0)
    sampler = script.sampler([lenient], Sampling(errors=proof, warmup=0))
    sampler.run()
    assert len(script.log) == requests
    (found,) = sampler.measurements()
    assert (found.decisions[-1].verdict, found.decisions[-1].is_decided) == (OK, True)


def test_similar_endpoints_take_turns_in_shuffled_rounds() -> None:
    names = [f"e{i}" for i in range(8)]
    script = Script({name: always(FAST) for name in names})
    sampler = script.sampler(named(*names))
    sampler.run()
    names_sent = [name for _, name in script.log]
    rounds = [names_sent[i : i + 8] for i in range(0, len(names_sent), 8)]
    assert len(rounds) == 33
    assert all(sorted(turns) == names for turns in rounds)
    assert len({tuple(turns) for turns in rounds}) > 1
    assert [measurement.endpoint for measurement in sampler.measurements()] == names


@pytest.mark.parametrize("warmup", [0, 1, 3])
def test_warm_up_is_sent_and_not_judged(warmup: int) -> None:
    found = measured(Script({"a": in_turn(*[FAILED] * warmup, FAST)}), Sampling(warmup=warmup))
    assert Counter(stage for stage, _ in found.samples)[0] == warmup
    assert found.decisions[-1].verdict is OK
    assert found.decisions[-1].requests == 5


def test_the_same_seed_gives_the_same_order() -> None:
    def order(seed: int) -> list[tuple[float, str]]:
        script = Script({name: always(FAST) for name in "abcdef"})
        script.sampler(named(*"abcdef"), seed=seed).run()
        return script.log

    assert order(7) == order(7)
    assert order(7) != order(8)


def test_without_endpoints_there_is_nothing_to_do() -> None:
    sampler = Script({}).sampler([])
    sampler.run()
    assert sampler.measurements() == ()


# --- Pace ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "stage", "requests", "seconds"),
    [
        (Metric.MEDIAN, 1, 9, 0.0),
        (Metric.MEDIAN, 1, 10, 0.1),
        (Metric.MEDIAN, 2, 1, 0.75),
        (Metric.MEDIAN, 2, 15, 0.75),
        (Metric.MEDIAN, 2, 16, 0.15),
        (Metric.MEDIAN, 3, 1, 0.75),
        (Metric.P75, 1, 10, 0.1),
        (Metric.MEAN, 2, 1, 0.75),
        (Metric.P90, 1, 100, 0.0),
        (Metric.P95, 2, 1, 0.0),
        (Metric.P99, 3, 1, 0.0),
    ],
)
def test_rest_between_samples(metric: Metric, stage: int, requests: int, seconds: float) -> None:
    assert gap_s(metric, stage, requests) == seconds


def test_samples_of_the_first_stage_are_spread_after_ten() -> None:
    found = measured(Script({"a": in_turn(FAST, *[FAST, SLOW] * 100)}), max_requests=20)
    gaps = [later - earlier for earlier, later in pairwise(times(found, 1))]
    assert max(gaps[:9]) < 0.01
    assert min(gaps[9:]) >= 0.1


def test_a_slow_endpoint_is_measured_again_after_a_pause_and_spread_out() -> None:
    found = measured(Script({"a": always(VERY_SLOW)}))
    assert [(d.stage, d.verdict, d.requests) for d in found.decisions] == [(1, CRITICAL, 5), (2, CRITICAL, 5)]
    first, second = times(found, 1), times(found, 2)
    assert second[0] - first[-1] == pytest.approx(1.02)
    assert [later - earlier for earlier, later in pairwise(second)] == pytest.approx([0.77] * 4)


@pytest.mark.parametrize(("metric", "pause_s"), [(Metric.P75, 1.0), (Metric.MEAN, 3.0), (Metric.P95, 3.0)])
def test_the_pause_before_a_confirmation(metric: Metric, pause_s: float) -> None:
    script = Script({"a": always(VERY_SLOW)})
    sampler = script.sampler(named("a", metric=metric))
    sampler.run()
    (found,) = sampler.measurements()
    assert [decision.verdict for decision in found.decisions] == [CRITICAL, CRITICAL]
    assert times(found, 2)[0] - times(found, 1)[-1] == pytest.approx(pause_s + 0.02)


def test_failures_are_confirmed_after_the_long_pause() -> None:
    found = measured(Script({"a": always(FAILED)}))
    assert times(found, 2)[0] - times(found, 1)[-1] == pytest.approx(3.001)


def test_a_tail_is_confirmed_without_a_gap() -> None:
    script = Script({"a": always(VERY_SLOW)})
    sampler = script.sampler(named("a", metric=Metric.P95))
    sampler.run()
    (found,) = sampler.measurements()
    assert max(later - earlier for earlier, later in pairwise(times(found, 2))) == pytest.approx(0.02)


def test_others_use_the_time_in_which_one_rests() -> None:
    """While ``slow`` waits for its confirmation, requests to ``noisy`` go on."""
    script = Script({"slow": always(VERY_SLOW), "noisy": in_turn(FAST, *[FAST, SLOW] * 100)})
    script.sampler(named("slow", "noisy"), max_requests=30).run()
    slow = [at for at, name in script.log if name == "slow"]
    between = [at for at, name in script.log if name == "noisy" and slow[5] < at < slow[6]]
    assert slow[6] - slow[5] == pytest.approx(1.02, abs=0.05)
    assert len(between) >= 10


# --- Confirmation --------------------------------------------------------------------------------------------------


def test_briefly_slow() -> None:
    found = measured(Script({"a": lambda now: VERY_SLOW if now < 2 else FAST}))
    assert [decision.verdict for decision in found.decisions] == [CRITICAL, OK]
    assert found.decisions[-1].latency_decided


@pytest.mark.parametrize(("confirm", "stages"), [(0, 1), (1, 2), (2, 3)])
def test_confirmed_as_often_as_set(confirm: int, stages: int) -> None:
    found = measured(Script({"a": always(VERY_SLOW)}), Sampling(confirm=confirm))
    assert [decision.stage for decision in found.decisions] == list(range(1, stages + 1))
    assert found.decisions[-1].latency_decided


def test_confirmation_ends_with_the_first_ok() -> None:
    found = measured(Script({"a": lambda now: SLOW if now < 2 else FAST}), Sampling(confirm=2))
    assert [decision.verdict for decision in found.decisions] == [WARNING, OK]


def test_an_undecided_warning_is_measured_again_too() -> None:
    outcomes = in_turn(FAST, *[FAST, SLOW, SLOW, FAST, SLOW, SLOW, FAST, SLOW], FAST)
    found = measured(Script({"a": outcomes}), max_requests=8)
    assert [(d.verdict, d.stop) for d in found.decisions] == [(WARNING, Stop.MAX_REQUESTS), (OK, Stop.DECIDED)]


def test_what_only_the_confirmation_found_worse_takes_more_proof() -> None:
    found = measured(Script({"a": lambda now: SLOW if now < 2 else VERY_SLOW}))
    assert [(d.verdict, d.requests) for d in found.decisions] == [(WARNING, 5), (CRITICAL, 21)]


# --- Errors --------------------------------------------------------------------------------------------------------


def test_all_failing_takes_five_requests_and_five_again() -> None:
    found = measured(Script({"a": always(FAILED)}))
    assert [(d.verdict, d.requests, d.latency) for d in found.decisions] == [(CRITICAL, 5, NOT_MEASURED)] * 2


def test_all_timing_out() -> None:
    found = measured(Script({"a": always(math.inf)}), Sampling(budget_s=300))
    assert [(d.verdict, d.requests, d.value_ms) for d in found.decisions] == [(CRITICAL, 5, math.inf)] * 2


@pytest.mark.parametrize(("latency_ms", "requests"), [(FAST, 64), (100.0, 40)])
def test_one_failure_takes_more_proof(latency_ms: float, requests: int) -> None:
    lenient = replace(usual_endpoint("a"), target_ms=200.0, warning_ms=300.0, critical_ms=400.0)
    sampler = Script({"a": in_turn(latency_ms, FAILED, latency_ms)}).sampler([lenient])
    sampler.run()
    (found,) = sampler.measurements()
    (decision,) = found.decisions
    assert (decision.verdict, decision.is_decided, decision.failures) == (OK, True, 1)
    assert sum(stage != WARM_UP for stage, _ in found.samples) == requests


def test_failures_that_no_number_of_requests_settles_are_a_warning() -> None:
    now_and_then = in_turn(*([FAST] * 12 + [FAILED]) * 20)
    (decision,) = measured(Script({"a": now_and_then})).decisions
    assert (decision.latency, decision.errors, decision.errors_decided) == (OK, WARNING, True)


def test_failures_that_come_with_the_proof_are_confirmed_too() -> None:
    found = measured(Script({"a": in_turn(*[FAST] * 8, FAILED)}))
    first, second = found.decisions
    assert (first.latency, first.errors, first.errors_decided) == (OK, CRITICAL, True)
    assert (second.stage, second.errors, second.errors_decided) == (2, CRITICAL, True)
    last_of_proof = max(sample.at_s for stage, sample in found.samples if stage == PROOF)
    assert times(found, 2)[0] - last_of_proof == pytest.approx(3.001)


def test_a_service_that_recovers_is_ok_once_that_is_proven() -> None:
    found = measured(Script({"a": lambda now: FAILED if now < 2 else FAST}))
    assert [(d.verdict, d.requests) for d in found.decisions] == [(CRITICAL, 5), (OK, 59)]
    assert found.decisions[-1].errors_decided


def test_a_service_that_dies_in_the_middle_keeps_what_was_measured() -> None:
    script = Script({"a": always(FAST), "b": lambda now: FAST if now < 0.012 else Failure.REFUSED})
    sampler = script.sampler(named("a", "b"))
    sampler.run()
    healthy, dead = sampler.measurements()
    assert healthy.decisions[-1].verdict is OK
    assert dead.decisions[-1].verdict is CRITICAL
    assert any(sample.failure is None for stage, sample in dead.samples if stage == 1)


# --- Bounds --------------------------------------------------------------------------------------------------------


def test_min_requests_are_those_of_each_endpoint() -> None:
    script = Script({"a": always(FAST), "b": always(FAST)})
    first, second = named("a", "b")
    sampler = script.sampler([replace(first, min_requests=8), replace(second, min_requests=30)], Sampling())
    sampler.run()
    assert [m.decisions[-1].requests for m in sampler.measurements()] == [8, 30]
    assert len(script.log) == 2 * 33  # those beyond count for the failure rate


def test_max_requests_count_for_each_stage_without_the_warm_up() -> None:
    found = measured(Script({"a": in_turn(FAST, *[SLOW, SLOW, FAST] * 100)}), max_requests=7)
    assert [(d.requests, d.stop) for d in found.decisions] == [(7, Stop.MAX_REQUESTS)] * 2


def test_when_the_budget_ends_each_has_got_a_few_requests() -> None:
    names = list("abcdef")
    script = Script({name: always(100.0) for name in names})
    sampler = script.sampler(named(*names), Sampling(budget_s=2.0))
    sampler.run()
    sent = Counter(name for _, name in script.log)
    assert sum(sent.values()) == 20
    assert max(sent.values()) - min(sent.values()) <= 1
    assert {m.decisions[-1].stop for m in sampler.measurements()} == {Stop.BUDGET}
    assert {m.decisions[-1].latency for m in sampler.measurements()} == {NOT_MEASURED}


def test_undecided_when_the_budget_ends_it_has_the_class_of_its_estimate() -> None:
    found = measured(Script({"a": in_turn(FAST, *[FAST, SLOW, SLOW] * 100)}), Sampling(budget_s=1.0))
    last = found.decisions[-1]
    assert (last.stop, last.latency, last.latency_decided, last.stage) == (Stop.BUDGET, WARNING, False, 1)


def test_without_a_request_there_is_no_decision() -> None:
    script = Script({name: always(900.0) for name in "abc"})
    sampler = script.sampler(named("a", "b", "c"), Sampling(budget_s=2.5))
    sampler.run()
    assert [m.decisions for m in sampler.measurements()] == [(), (), ()]
    assert [len(m.samples) for m in sampler.measurements()] == [1, 1, 0]


def test_a_request_that_hangs_when_the_budget_ends_is_kept_and_not_judged() -> None:
    script = Script({"a": in_turn(FAST, FAST, FAST, FAST, math.inf), "b": always(FAST)})
    sampler = script.sampler(named("a", "b"), Sampling(budget_s=2.5))
    sampler.run()
    assert script.clock.seconds == 2.5
    assert script.transport.in_flight == 0
    hung, healthy = sampler.measurements()
    assert [(stage, sample.failure) for stage, sample in hung.samples[-2:]] == [(1, None), (0, Failure.TIMEOUT)]
    assert hung.decisions[-1].stop is Stop.BUDGET
    assert {sample.failure for _, sample in healthy.samples} == {None}


def test_a_request_in_flight_when_the_budget_ends_leaves_no_sample() -> None:
    script = Script({"a": always(900.0)})
    sampler = script.sampler(named("a"), Sampling(budget_s=0.5))
    sampler.run()
    assert sampler.measurements() == (Measurement("a", (), ()),)
    assert script.clock.seconds == 0.5


def test_a_warm_up_that_hangs_is_no_lack_of_time() -> None:
    script = Script({"a": always(math.inf)})
    sampler = script.sampler(named("a"), Sampling(budget_s=2.0))
    sampler.run()
    ((_, hung),) = sampler.measurements()[0].samples
    assert (hung.failure, hung.detail) == (Failure.TIMEOUT, "no response within 2 s, when the time of the run ended")


def test_no_budget_no_request() -> None:
    script = Script({"a": always(FAST)})
    script.sampler(named("a"), Sampling(budget_s=0.0)).run()
    assert script.log == []


def test_it_does_not_wait_for_what_lies_beyond_the_budget() -> None:
    script = Script({"a": always(VERY_SLOW)})
    sampler = script.sampler(named("a"), Sampling(budget_s=1.0))
    sampler.run()
    assert script.clock.seconds == pytest.approx(0.12)
    (found,) = sampler.measurements()
    (first,) = found.decisions
    assert (first.verdict, first.latency_decided, first.stop) == (CRITICAL, False, Stop.BUDGET)
    assert (first.is_unconfirmed, first.more_requests) == (True, 5)


def test_a_confirmation_that_hardly_began_leaves_the_first_verdict_standing_unconfirmed() -> None:
    script = Script({"a": always(VERY_SLOW)})
    sampler = script.sampler(named("a"), Sampling(budget_s=3.0))
    sampler.run()
    (found,) = sampler.measurements()
    assert 0 < len(times(found, 2)) < 5
    (first,) = found.decisions
    assert (first.stage, first.verdict, first.latency_decided, first.stop) == (1, CRITICAL, False, Stop.BUDGET)
    assert first.is_unconfirmed


def test_a_confirmation_cut_short_is_unconfirmed_where_it_still_shows_a_breach() -> None:
    again = in_turn(*[VERY_SLOW] * 6, *[VERY_SLOW, VERY_SLOW, FAST] * 10)
    sampler = Script({"a": again}).sampler(named("a"), Sampling(budget_s=6.0))
    sampler.run()
    (found,) = sampler.measurements()
    last = found.decisions[-1]
    assert (last.stage, last.latency, last.stop, last.is_unconfirmed) == (2, CRITICAL, Stop.BUDGET, True)


def test_without_confirmations_a_verdict_is_not_unconfirmed() -> None:
    found = measured(Script({"a": always(VERY_SLOW)}), Sampling(confirm=0, budget_s=1.0))
    assert [(d.verdict, d.is_unconfirmed, d.is_decided) for d in found.decisions] == [(CRITICAL, False, True)]


def test_a_budget_that_follows_the_need_does_not_cut_a_confirmation_short() -> None:
    """The target promises 5 ms, which makes a budget of two minutes; at 18 s a request, to confirm takes longer."""
    endpoint = replace(usual_endpoint("a"), timeout_s=60.0)
    script = Script({"a": always(18_000.0)})
    sampler = script.sampler([endpoint])
    sampler.run()
    (found,) = sampler.measurements()
    assert script.clock.seconds > 120
    assert [(d.verdict, d.is_decided) for d in found.decisions] == [(CRITICAL, True)] * 2


def test_failing_is_not_forgotten_for_want_of_time() -> None:
    script = Script({"a": lambda now: FAILED if now < 2 else FAST})
    sampler = script.sampler(named("a"), Sampling(budget_s=8.0))
    sampler.run()
    (found,) = sampler.measurements()
    last = found.decisions[-1]
    assert (last.stage, last.latency, last.errors, last.errors_decided) == (2, OK, CRITICAL, False)
    assert last.is_unconfirmed


def test_a_confirmation_without_latencies_does_not_clear() -> None:
    found = measured(Script({"a": lambda now: VERY_SLOW if now < 2 else FAILED}), max_requests=5)
    assert found.decisions[-1].verdict is CRITICAL


# --- Cut short -----------------------------------------------------------------------------------------------------


class Interruption(Exception):  # noqa: N818 - stands for any exception of a sender
    pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, Interruption])
def test_what_was_measured_is_kept_when_sending_is_interrupted(error: type[BaseException]) -> None:
    noisy = in_turn(FAST, FAST, SLOW, FAST, SLOW, FAST, SLOW, FAST, SLOW)

    def interrupted(now: float) -> Outcome:
        if len(script.log) == 17:
            raise error
        return noisy(now)

    script = Script({"a": always(FAST), "b": interrupted})
    sampler = script.sampler(named("a", "b"), Sampling(errors=ErrorProof.QUICK))
    with pytest.raises(error):
        sampler.run()
    done, unfinished = sampler.measurements()
    assert (done.decisions[-1].stop, done.decisions[-1].verdict) == (Stop.DECIDED, OK)
    assert unfinished.decisions[-1].stop is Stop.INTERRUPTED
    assert unfinished.decisions[-1].requests == len(times(unfinished, 1)) == 9


def test_interrupted_while_observing_nothing_is_lost_or_counted_twice() -> None:
    seen: list[str] = []

    def observe(name: str, _: Sample) -> None:
        seen.append(name)
        if len(seen) == 6:
            raise KeyboardInterrupt

    sampler = Script({"a": always(VERY_SLOW)}).sampler(named("a"), observe=observe)
    with pytest.raises(KeyboardInterrupt):
        sampler.run()
    (found,) = sampler.measurements()
    assert [stage for stage, _ in found.samples] == [0, 1, 1, 1, 1, 1]
    assert [(d.verdict, d.is_unconfirmed, d.stop) for d in found.decisions] == [(CRITICAL, True, Stop.INTERRUPTED)]


def test_interrupted_between_a_sample_and_its_judgement(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on record is judged, whatever was going on."""
    judge = Stage.add

    def torn(stage: Stage, latency_ms: float | None, *, failed: bool, steps: Sequence[Sample]) -> None:
        if stage.requests == 4:
            raise KeyboardInterrupt
        judge(stage, latency_ms, failed=failed, steps=steps)

    sampler = Script({"a": always(FAST)}).sampler(named("a"), Sampling(errors=ErrorProof.QUICK))
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "add", torn)
        with pytest.raises(KeyboardInterrupt):
            sampler.run()
    (found,) = sampler.measurements()
    assert [(d.verdict, d.requests, d.stop) for d in found.decisions] == [(OK, 5, Stop.DECIDED)]


def test_measurements_may_be_read_at_any_time() -> None:
    script = Script({"a": always(FAST)})
    counts: list[int] = []

    def observe(_name: str, _sample: Sample) -> None:
        (measurement,) = sampler.measurements()
        counts.append(len(measurement.samples))

    sampler = script.sampler(named("a"), observe=observe)
    assert sampler.measurements() == (Measurement("a", (), ()),)
    sampler.run()
    assert counts == list(range(1, 34))


# --- Progress ------------------------------------------------------------------------------------------------------


def test_progress() -> None:
    script = Script({"a": always(FAST), "b": always(VERY_SLOW)})
    sampler = script.sampler(named("a", "b"), Sampling(budget_s=1.0))
    before, _ = sampler.progress()
    assert (before.endpoint, before.stage, before.requests, before.value_ms) == ("a", 0, 0, None)
    sampler.run()
    done, waiting = sampler.progress()
    assert (done.stage, done.requests, done.value_ms, done.verdict, done.wait_s) == (1, 5, FAST, OK, 0.0)
    assert (waiting.stage, waiting.requests, waiting.verdict) == (2, 0, None)
    assert 0.5 < waiting.wait_s <= 1.0


# --- Whatever happens ----------------------------------------------------------------------------------------------

OUTCOMES = st.sampled_from([FAST, FAST, SLOW, VERY_SLOW, math.inf, FAILED, Failure.REFUSED])


@example([[FAST] * 2 + [SLOW] * 3 + [FAILED]], 8.0, 1, 0, 5, 0)  # slow, failing when that is confirmed, failing again
@example([[FAILED]], 4.0, 2, 0, 2, 0)  # two stages without a latency, and no time for the third
@given(
    st.lists(st.lists(OUTCOMES, min_size=1, max_size=30), min_size=1, max_size=4),
    st.floats(0, 60),
    st.integers(0, 2),
    st.integers(0, 2),
    st.one_of(st.none(), st.integers(1, 50)),
    st.integers(0, 1000),
)
def test_whatever_a_service_does(
    behaviours: list[list[Outcome]], budget_s: float, confirm: int, warmup: int, most: int | None, seed: int
) -> None:
    script = Script({str(i): in_turn(*outcomes) for i, outcomes in enumerate(behaviours)})
    endpoints = named(*(str(i) for i in range(len(behaviours))))
    sampling = Sampling(budget_s=budget_s, confirm=confirm, warmup=warmup)
    sampler = script.sampler(endpoints, sampling, seed=seed, max_requests=most)
    sampler.run()
    measurements = sampler.measurements()
    taken = sum(len(measurement.samples) for measurement in measurements)
    assert taken in {len(script.log), len(script.log) - 1}  # one may have been in flight when the budget ended
    assert script.clock.seconds <= budget_s + 1e-9
    assert script.transport.in_flight == 0
    for measurement in measurements:
        assert len(measurement.decisions) <= confirm + 1 + (confirm > 0)  # failures take one confirmation of their own
        for number, decision in enumerate(measurement.decisions, start=1):
            before = sum(len(times(measurement, stage)) for stage in (PROOF, *range(1, number)))
            assert decision.stage == number
            assert 0 <= decision.requests - len(times(measurement, number)) <= before * (decision.errors is CRITICAL)
            assert most is None or len(times(measurement, number)) <= most
        assert_nothing_is_concealed(measurement)


def assert_nothing_is_concealed(measurement: Measurement) -> None:
    """A verdict becomes milder only by a confirmation that was finished, or has an estimate of its own."""
    for before, after in pairwise(measurement.decisions):
        assert before.verdict in {WARNING, CRITICAL}
        assert after.latency is not NOT_MEASURED or after.errors is CRITICAL
