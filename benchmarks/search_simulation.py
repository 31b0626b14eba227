"""The search for the capacity on simulated queues, compared with theory: how often it is right, and how quick."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from functools import partial

from acceptance import Criterion, conclude, show, table
from simulation.searching import SITUATIONS, Outcomes, attempt_search, outcomes

HEAD = ["service", "theory", "within 10%", "intervals cover", "above it", "bias", "half-width", "precise", "time"]


def main(tries: int) -> int:
    return conclude(show("Capacity, simulated", section(tries)))


def section(tries: int) -> Iterator[str | Criterion]:
    yield from list(table(HEAD, []))[:-1]  # rows follow as they come
    criteria = []
    with multiprocessing.Pool() as pool:
        for situation in SITUATIONS:
            found = outcomes(situation.truth(), pool.map(partial(attempt_search, situation), range(tries), chunksize=4))
            yield "| " + " | ".join([situation.name, *row(found)]) + " |"
            if situation.is_steep:
                criteria.append(Criterion(f"{situation.name}: within 10%", 100 * found.within, 95.0, at_least=True))
            criteria.append(Criterion(f"{situation.name}: intervals cover", 100 * found.covers, 90.0, at_least=True))
    yield ""
    yield from criteria


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
