"""Figures with their acceptance limits, and how the benchmarks of decisions print them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Criterion:
    what: str
    measured: float
    limit: float
    unit: str = "%"
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """In Markdown, with an empty line after it."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def show(title: str, lines: Iterable[str | Criterion]) -> list[Criterion]:
    """Print a section, its criteria last; returns them."""
    print(f"\n## {title}\n")
    criteria = []
    for line in lines:
        if isinstance(line, Criterion):
            criteria.append(line)
        else:
            print(line, flush=True)  # the next may take minutes
    rows = []
    for criterion in criteria:
        sign = "at least" if criterion.at_least else "at most"
        space = "" if criterion.unit == "%" else " "
        limit = f"{sign} {criterion.limit:.3g}{space}{criterion.unit}".rstrip()
        rows.append([criterion.what, f"{criterion.measured:.2f}", limit, "pass" if criterion.is_met else "FAIL"])
    if rows:
        print("\n".join(table(["criterion", "measured", "limit", ""], rows)))
    return criteria


def conclude(criteria: Sequence[Criterion]) -> int:
    """Print which criteria are missed; returns the exit code."""
    missed = [criterion.what for criterion in criteria if not criterion.is_met]
    met = "All criteria are met." if criteria else "No criterion concerns what was measured."
    print(met if not missed else f"Missed: {'; '.join(missed)}")
    return 1 if missed else 0
