"""How long commands take on a large history, and how much memory: ``python benchmarks/history.py``.

Fills a store in SQLite with 100,000 runs of 20 endpoints, through ``History.save_all``, as fast as that goes. Then the
installed commands run as processes, each next to a process that runs the same query in plain SQL with ``sqlite3``.
Prints a Markdown table; exits with 1 when a command takes longer than its limit, 5 seconds for most, or over 300 MB.

The runs are small for the sake of the time that filling takes: each endpoint has five samples, and no timeline. A real
run of 20 endpoints is two to five times that. Only what reads documents (``show RUN``, ``export``) reads less for it.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from processes import PERFCHECK, Cost, cost

if TYPE_CHECKING:
    from perfcheck.model import EndpointResult, Run

MOST_S, MOST_MB = 5.0, 300.0
ENDPOINTS = 20
LABEL = "v250"
ENDPOINT = "service.endpoint_07"
FIRST_DAY = 1_767_225_600  # 2026-01-01
YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Timed:
    """A command, and the same query in plain SQL; None where SQL alone cannot do it."""

    arguments: tuple[str, ...]
    sql: str | None
    most_s: float = MOST_S


COMMANDS = (
    Timed(("history", "list"), "SELECT * FROM perfcheck_runs ORDER BY started_at DESC LIMIT 20"),
    Timed(
        ("history", "list", "--branch", "main", "--since", "2026-06-01", "--until", "2026-07-01", "--limit", "1000"),
        "SELECT * FROM perfcheck_runs WHERE branch = 'main' AND started_at >= '2026-06-01'"
        " AND started_at < '2026-07-01' ORDER BY started_at DESC LIMIT 1000",
    ),
    Timed(
        ("history", "list", "--limit", "1000000", "--json"),
        "SELECT * FROM perfcheck_runs ORDER BY started_at DESC",
        most_s=15.0,  # all runs, 55 MB of JSON: not an everyday query
    ),
    Timed(
        ("history", "show", ENDPOINT),
        f"SELECT * FROM perfcheck_measurements WHERE endpoint = '{ENDPOINT}' ORDER BY series, started_at",
    ),
    Timed(
        ("history", "show", ENDPOINT, "--since", "2026-11-01", "--until", "2026-12-01", "--json"),
        f"SELECT * FROM perfcheck_measurements WHERE endpoint = '{ENDPOINT}' AND started_at >= '2026-11-01'"
        " AND started_at < '2026-12-01' ORDER BY series, started_at",
    ),
    Timed(
        ("history", "show", LABEL),
        f"SELECT content FROM perfcheck_documents JOIN perfcheck_runs ON number = run WHERE label = '{LABEL}'",
    ),
    Timed(
        ("history", "export", LABEL),
        f"SELECT content FROM perfcheck_documents JOIN perfcheck_runs ON number = run WHERE label = '{LABEL}'",
    ),
    Timed(
        ("history", "prune", "--older-than", "2026-03-01", "--keep", "1000", "--dry-run"),
        "SELECT number FROM perfcheck_runs WHERE started_at < '2026-03-01' AND label IS NULL",
    ),
    Timed(
        ("report", "--period", "month", "--until", "2026-12-01", "--branch", "main"),
        "SELECT * FROM perfcheck_measurements WHERE started_at >= '2026-10-01' AND started_at < '2026-12-01'"
        " ORDER BY endpoint, series, started_at",
        most_s=10.0,  # two months of a run every five minutes, each of 40 series looked through for changes
    ),
)


# --- Filling ---------------------------------------------------------------------------------------------------------


def fill(file: Path, count: int) -> None:
    """In a process of its own: what it takes in memory would be counted to every process that is begun by it."""
    from perfcheck.history.store import open_history  # noqa: PLC0415

    with open_history(str(file), Path.cwd()) as store:
        store.save_all(runs(count))


def runs(count: int) -> Iterator[Run]:
    """A year of runs: two machines, one branch, since a report is of one, and a label on every two-hundredth."""
    from dataclasses import replace  # noqa: PLC0415

    from simulation.runs import decision, endpoint, result, run, samples, spread  # noqa: PLC0415

    from perfcheck.model import Timeline, Verdict  # noqa: PLC0415

    rng = random.Random(1)
    usual = [rng.uniform(20, 200) for _ in range(ENDPOINTS)]
    names = [f"service.endpoint_{i:02}" for i in range(ENDPOINTS)]
    results: list[EndpointResult] = []
    for name, ms in zip(names, usual, strict=True):
        one = result(endpoint(name), samples(1, spread(ms)), decision(Verdict.OK, ms))
        results.append(replace(one, timeline=Timeline()))
    template = run(results)
    for number in range(count):
        noise = [ms * rng.lognormvariate(0, 0.03) for ms in usual]
        measured = tuple(
            replace(one, value_ms=ms, samples_ms=tuple(round(ms * factor, 3) for factor in (0.9, 0.95, 1, 1.1, 1.3)))
            for one, ms in zip(results, noise, strict=True)
        )
        at = time.gmtime(FIRST_DAY + YEAR_S * number // count)
        environment = replace(
            template.environment,
            commit=f"{rng.getrandbits(160):040x}",
            branch="main",
            cpus=2 if number % 5 else 4,
        )
        yield replace(
            template,
            id=f"{rng.getrandbits(128):032x}",
            label=f"v{number // 200}" if number % 200 == 0 else None,
            started_at=time.strftime("%Y-%m-%dT%H:%M:%S.000Z", at),
            environment=environment,
            endpoints=measured,
        )


# --- Timing ----------------------------------------------------------------------------------------------------------


def shown(cost: Cost | None) -> str:
    return f"{cost.seconds:.2f} s | {cost.cpu_s:.2f} s | {cost.megabytes:.0f} MB" if cost else "- | - | -"


def plain(sql: str, file: Path) -> list[str]:
    """The same question, row by row and without doing anything with the answer."""
    code = f"import sqlite3\nfor row in sqlite3.connect({str(file)!r}).execute({sql!r}): pass"
    return [sys.executable, "-c", code]


def is_there(arguments: tuple[str, ...]) -> bool:
    """Whether this perfcheck has the options: the report over a period is a part of its own."""
    done = subprocess.run([PERFCHECK, arguments[0], "--help"], capture_output=True, text=True, check=True)
    return arguments[0] == "history" or all(word in done.stdout for word in arguments[1:] if word.startswith("--"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--store", type=Path, help="keep the store in this file, or use it if it is there")
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        fill(options.store, options.runs)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return measure(options.store or Path(folder) / "history.sqlite", options.runs)


def measure(file: Path, count: int) -> int:
    if not file.exists():
        filled = cost([sys.executable, __file__, "--fill", "--store", str(file), "--runs", str(count)])
        print(
            f"Filled with {count:,} runs of {ENDPOINTS} endpoints in {filled.seconds:.0f} s, {filled.megabytes:.0f} MB."
        )
    there = sqlite3.connect(file).execute("SELECT count(*) FROM perfcheck_measurements").fetchone()[0]
    print(f"{there:,} measurements, {file.stat().st_size / 1e9:.2f} GB. No command may take over {MOST_MB:g} MB.\n")
    print("| command | at most | time | CPU time | memory | plain SQL | CPU time | memory | |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---|")
    missed = False
    for timed in COMMANDS:
        if not is_there(timed.arguments):
            print(f"| `perfcheck {' '.join(timed.arguments)}` | {timed.most_s:g} s | not in this version |||||||")
            continue
        took = cost([PERFCHECK, *timed.arguments, "--history", str(file)])
        passed = took.seconds <= timed.most_s and took.megabytes <= MOST_MB
        missed |= not passed
        in_sql = cost(plain(timed.sql, file)) if timed.sql else None
        words, result = " ".join(timed.arguments), "pass" if passed else "FAIL"
        print(f"| `perfcheck {words}` | {timed.most_s:g} s | {shown(took)} | {shown(in_sql)} | {result} |")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
