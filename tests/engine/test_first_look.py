"""First targets: of a real service, and by simulation how rarely they fail a service that did not change."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

import pytest
from apps.monitored import API, monitored, plain
from apps.service import ok
from apps.serving import werkzeug
from flask import Flask, Response

from perfcheck.baseline.from_urls import baseline_of_service
from perfcheck.engine.check import check
from perfcheck.engine.first_look import Look, check_until_green, look
from perfcheck.errors import CouldNotMeasureError
from perfcheck.history.propose import PREFERRED_NUMBERS, first_values
from perfcheck.model import Baseline, Endpoint, Verdict


@contextmanager
def serving(**handlers: Callable[[], Any]) -> Iterator[Baseline]:
    app = Flask(__name__)
    for name, handler in handlers.items():
        app.add_url_rule(f"/{name}", name, handler)
    with werkzeug(app) as url:
        yield baseline_of_service(url)


def looks_of(*names: str, first_ms: float = 5.0) -> list[Look]:
    return [Look(Endpoint(name=name, path=f"/{name}", line=0), first_ms) for name in names]


def loaded(baseline: Baseline, looks: list[Look]) -> Callable[[], Baseline]:
    def load() -> Baseline:
        endpoints = [each.with_target() for each in looks if each.reason is None]
        limits = [
            replace(each, warning_ms=1.5 * (each.target_ms or 0), critical_ms=2 * (each.target_ms or 0))
            for each in endpoints
        ]
        return replace(baseline, endpoints=tuple(limits))

    return load


def test_every_endpoint_is_measured_in_rounds_and_passes() -> None:
    pauses: list[float] = []
    shown: list[str] = []
    with serving(a=lambda: "a", b=lambda: "b") as baseline:
        looks = looks_of("a", "b")
        look(baseline, looks, sleep=pauses.append, progress=shown.append)
        results = check_until_green(loaded(baseline, looks), looks, progress=shown.append)
    assert [len(each.rounds_ms) for each in looks] == [3, 3]
    assert [each.requests for each in looks] == [15, 15]
    assert len(pauses) == 2
    assert {name: result.verdict for name, result in results.items()} == {"a": Verdict.OK, "b": Verdict.OK}
    assert shown[0] == "round 1 of 3"


def test_what_fails_is_left_out_with_its_failures() -> None:
    requests = iter(range(10_000))

    def flaky() -> Response:
        return Response("x", 500 if next(requests) % 2 else 200)

    def broken() -> Response:
        return Response("x", 503)

    with serving(a=lambda: "a", flaky=flaky, broken=broken) as baseline:
        looks = looks_of("a", "flaky", "broken")
        look(baseline, looks, sleep=lambda _: None)
        results = check_until_green(loaded(baseline, looks), looks)
    assert list(results) == ["a"]
    assert [bool(each.reason) for each in looks] == [False, True, True]
    assert (looks[2].reason or "").startswith("5 of 5 requests failed (100%), over 5%: 5x 503")


def test_what_the_monitor_knows_and_the_file_lacks_does_not_matter() -> None:
    with monitored(plain("GET /slow", 3.0), a=ok()) as url:
        baseline = baseline_of_service(url)
        watched = replace(baseline, service=replace(baseline.service, monitor=API))
        looks = [Look(Endpoint(name="a", path=f"{API}/a", line=0), 5.0)]
        assert len(check(loaded(watched, looks)()).run.endpoints) == 2
        results = check_until_green(loaded(watched, looks), looks)
    assert list(results) == ["a"]


def test_a_large_body_gets_a_limit_that_fits() -> None:
    with serving(big=lambda: "x" * 2_100_000) as baseline:
        looks = looks_of("big")
        look(baseline, looks, sleep=lambda _: None)
        results = check_until_green(loaded(baseline, looks), looks)
    assert looks[0].endpoint.body_limit == 3_500_000
    assert results["big"].verdict is Verdict.OK


def test_a_target_that_is_too_small_is_raised_until_it_passes() -> None:
    def slow() -> str:
        time.sleep(0.05)
        return "x"

    with serving(slow=slow) as baseline:
        looks = looks_of("slow", first_ms=0.1)  # as if nothing had been measured since
        assert looks[0].with_target().target_ms == 6
        results = check_until_green(loaded(baseline, looks), looks)
    assert results["slow"].verdict is Verdict.OK
    assert (looks[0].with_target().target_ms or 0) > 75


def test_a_service_that_dies_ends_it() -> None:
    with serving(a=lambda: "a") as baseline:
        looks = looks_of("a")
    with pytest.raises(CouldNotMeasureError):
        look(_impatient(baseline), looks, sleep=lambda _: None)


def _impatient(baseline: Baseline) -> Baseline:
    return replace(baseline, service=replace(baseline.service, ready_timeout_s=0.1))


@pytest.mark.parametrize(("first_ms", "timeout_s"), [(100.0, 10.0), (4_000.0, 35.0), (9_000.0, 80.0)])
def test_the_timeout_leaves_room_for_what_is_critical(first_ms: float, timeout_s: float) -> None:
    endpoint = Look(Endpoint(name="a", path="/", line=0), first_ms).with_target()
    assert endpoint.timeout_s == timeout_s
    assert 2 * (endpoint.target_ms or math.inf) < 1000 * endpoint.timeout_s


# --- The margin ------------------------------------------------------------------------------------------------------


def test_target_and_ideal_are_preferred_numbers_above_what_was_measured() -> None:
    rng = random.Random(3)
    for _ in range(200):
        values = [math.exp(rng.uniform(-2, 8)) for _ in range(3)]
        target, ideal = first_values(Endpoint(name="a", path="/", line=0), values, 15)
        assert target >= max(1.5 * max(values), median(values) + 5)
        assert median(values) <= ideal <= target
        for value in (target, ideal):
            assert any(abs(value / 10 ** math.floor(math.log10(value)) - each) < 1e-6 for each in PREFERRED_NUMBERS)


def rates(between: float, requests_sigma: float, *, endpoints: int, runs: int) -> tuple[float, float]:
    """How often a run of an endpoint that did not change is WARNING or worse, and CRITICAL, by its median.

    Each occasion has a factor of its own, lognormal with ``between``; so have requests. 50 ms: the floor is no help.
    """
    rng = random.Random(17)
    warning = critical = 0
    for _ in range(endpoints):
        mood = math.exp(rng.gauss(0, between))
        values = [50 * mood * median(math.exp(rng.gauss(0, requests_sigma)) for _ in range(5)) for _ in range(3)]
        target, _ = first_values(Endpoint(name="a", path="/", line=0), values, 15)
        for _ in range(runs):
            value = (
                50 * math.exp(rng.gauss(0, between)) * median(math.exp(rng.gauss(0, requests_sigma)) for _ in range(15))
            )
            warning += value > 1.5 * target
            critical += value > 2 * target
    return warning / (endpoints * runs), critical / (endpoints * runs)


def test_an_unchanged_service_stays_green_although_the_machine_differs_by_a_fifth_from_day_to_day() -> None:
    warning, critical = rates(0.2, 0.3, endpoints=1000, runs=20)
    assert warning <= 0.002
    assert critical <= 0.0002
