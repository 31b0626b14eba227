"""Pages next to requests: each is loaded alone, and forecast by the time that it takes, whatever figure is judged."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from simulation.noise import Clock
from simulation.scheduling import Behaviour, Workers, check, with_target

from perfcheck.model import Endpoint, MetricOf, PageActions, Sample, Sampling, Verdict
from perfcheck.sampling.sampler import Sampler

LOAD_MS = 1200.0


@dataclass
class Service(Workers):
    """Requests and pages; of a page ``figures`` has the typical value of what is judged, in its own unit."""

    figures: dict[str, float] = field(default_factory=dict)

    def wait(self, until_s: float | None = None) -> list[tuple[object, Sample]]:
        return [(tag, self._judged(tag, sample)) for tag, sample in super().wait(until_s)]

    def _judged(self, tag: object, sample: Sample) -> Sample:
        name = tag.session.endpoint.name  # type: ignore[attr-defined]
        if name not in self.figures or sample.latency_ms is None:
            return sample
        value = self.figures[name] * self.rng.lognormvariate(0, 0.15)
        return replace(sample, latency_ms=value, took_s=sample.latency_ms / 1000)


def page(name: str, of: MetricOf, target: float) -> Endpoint:
    return replace(with_target(name, target), metric_of=of, page=PageActions())


def service(requests: int, figures: dict[str, float], *, request_ms: float, seed: int) -> Service:
    latencies = {f"r{number}": request_ms for number in range(requests)} | dict.fromkeys(figures, LOAD_MS)
    behaviours = {name: Behaviour(latency, 0.1) for name, latency in latencies.items()}
    return Service(Clock(), random.Random(seed), behaviours, figures=figures)


@pytest.mark.parametrize("seed", range(5))
def test_no_page_is_ever_in_flight_with_anything_else(seed: int) -> None:
    pages = [page(f"p{number}", MetricOf.LAYOUT_SHIFT, 0.1) for number in range(8)]
    pages[0] = page("p0", MetricOf.LARGEST_CONTENTFUL_PAINT, 500.0)  # which is CRITICAL, and confirmed
    requests = [with_target(f"r{number}", 3000.0) for number in range(12)]
    figures = dict.fromkeys((each.name for each in pages[1:]), 0.05) | {"p0": 1100.0}
    transport = service(12, figures, request_ms=2000.0, seed=seed)
    _, measurements = check([*pages, *requests], transport)
    before = [(name in figures, in_flight) for _, name, in_flight in transport.log]
    assert max(in_flight for is_page, in_flight in before if not is_page) > 1  # over several connections
    assert {in_flight for is_page, in_flight in before if is_page} == {0}
    assert {in_flight for (is_page, _), (_, in_flight) in pairwise(before) if is_page} == {0}
    verdicts = Counter(measurement.decisions[-1].verdict for measurement in measurements)
    assert verdicts == {Verdict.CRITICAL: 1, Verdict.OK: 19}


@pytest.mark.parametrize(
    ("of", "target", "value"),
    [(MetricOf.LARGEST_CONTENTFUL_PAINT, 800.0, 560.0), (MetricOf.LAYOUT_SHIFT, 0.1, 0.06), (MetricOf.BYTES, 5e5, 4e5)],
)
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, Verdict.OK), (4.0, Verdict.CRITICAL)])
def test_twenty_checks_of_a_page_come_to_one_verdict(
    of: MetricOf, target: float, value: float, factor: float, verdict: Verdict
) -> None:
    found = Counter[Verdict]()
    for seed in range(20):
        transport = service(0, {"p": factor * value}, request_ms=0.0, seed=seed)
        _, (measurement,) = check([page("p", of, target)], transport)
        found[measurement.decisions[-1].verdict] += 1
    assert found == {verdict: 20}


@pytest.mark.parametrize(("of", "value"), [(MetricOf.LAYOUT_SHIFT, 0.01), (MetricOf.BYTES, 3e7)])
def test_the_forecast_is_of_the_time_and_not_of_the_figure(of: MetricOf, value: float) -> None:
    transport = service(0, {"p": value}, request_ms=0.0, seed=1)
    left_s: list[float] = []
    sampler = Sampler(
        [page("p", of, 2 * value)],
        transport,
        sampling=Sampling(),
        rng=transport.rng,
        now=transport.clock.now,
        observe=lambda *_: left_s.append(sampler.forecast().left_s),
    )
    sampler.run()
    took_s = transport.clock.seconds
    assert took_s == pytest.approx(len(transport.log) * LOAD_MS / 1000, rel=0.2)
    assert max(left_s) < 2 * took_s
    assert left_s[1] > LOAD_MS / 1000
