"""The search for the capacity on simulated queues, compared with theory: how often it is right, and how quick."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from functools import partial

from acceptance import Criterion, conclude, show, table
from simulation.searching import SITUATIONS, Outcomes, Situation, attempt_search, outcomes


def main(tries: int) -> int:
    found: list[tuple[Situation, Outcomes]] = []
    with multiprocessing.Pool() as pool:
        for situation in SITUATIONS:
            results = pool.map(partial(attempt_search, situation), range(tries), chunksize=4)
            found.append((situation, outcomes(situation.truth(), results)))
            print(f"{situation.name}: {tries} searches", flush=True)
    return conclude(show("Capacity, simulated", section(found)))


def section(found: list[tuple[Situation, Outcomes]]) -> Iterator[str | Criterion]:
    head = ["service", "theory", "within 10%", "intervals cover", "above it", "bias", "half-width", "precise", "time"]
    yield "\n".join(table(head, ([situation.name, *row(each)] for situation, each in found)))
    for situation, each in found:
        if situation.is_steep:
            yield Criterion(f"{situation.name}: within 10%", 100 * each.within, 95.0, at_least=True)
        yield Criterion(f"{situation.name}: intervals cover", 100 * each.covers, 90.0, at_least=True)


def row(found: Outcomes) -> list[str]:
    return [
        f"{found.truth:.4g}",
        f"{found.within:.1%}",
        f"{found.covers:.1%}",
        f"{found.too_high:.1%}",
        f"{found.bias:+.1%}",
        f"{found.half_width:.1%}" if found.half_width < 10 else "open",
        f"{found.precise:.0%}",
        f"{found.median_s:.0f} s, {found.p95_s:.0f} s",
    ]
