"""Figures beside the limits that perfcheck promises to keep, and how the benchmarks of decisions print them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One promise."""

    what: str
    measured: float
    limit: float
    unit: str = "%"
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """In Markdown, with an empty line behind it."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def show(title: str, lines: Iterable[str | Check]) -> list[Check]:
    """Prints a section, its promises last; returns them."""
    print(f"\n## {title}\n")
    checks = []
    for line in lines:
        if isinstance(line, Check):
            checks.append(line)
        else:
            print(line)
    rows = []
    for check in checks:
        sign = "at least" if check.at_least else "at most"
        shown = [check.what, f"{check.measured:.2f}", f"{sign} {check.limit:.3g} {check.unit}".rstrip()]
        rows.append([*shown, "pass" if check.kept else "FAIL"])
    if rows:
        print("\n".join(table(["promise", "measured", "limit", ""], rows)))
    return checks


def conclude(checks: Iterable[Check]) -> int:
    """Prints which promises are not kept; the exit code."""
    broken = [check.what for check in checks if not check.kept]
    print("All kept." if not broken else f"Not kept: {'; '.join(broken)}")
    return 1 if broken else 0
