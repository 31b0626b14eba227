"""What the site of a large history costs, and how large its pages are.

    python benchmarks/site.py
    python benchmarks/site.py --keep FOLDER

1,000 runs of 50 endpoints with 20 requests each, a run every eight hours: once a fifth of the endpoints got slower at
some time, once all of them in the newest month. The peer is a program that reads the rows of the measurements from
SQLite and does nothing with them. Fails when the site takes over 50 times its CPU time, or a page has 100 KB.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from history import FIRST_DAY, plain
from processes import PERFCHECK, Cost, cost

if TYPE_CHECKING:
    from perfcheck.model import Run

RUNS, ENDPOINTS, REQUESTS, HOURS = 1000, 50, 20, 8
MOST_OF_SQL, MOST_BYTES = 50.0, 100_000
ROWS = "SELECT * FROM perfcheck_measurements ORDER BY endpoint, series, started_at"
SLOWER = {"a fifth": range(0, ENDPOINTS, 5), "all": range(ENDPOINTS)}
NEWEST = range(RUNS - 40, RUNS - 30)  # runs at which all got slower, one after the other


def fill(file: Path, slower: str) -> None:
    """In a process of its own, as in ``history.py``."""
    from perfcheck.history.store import open_history  # noqa: PLC0415

    with open_history(str(file), Path.cwd()) as store:
        store.save_all(runs(slower))


def runs(slower: str) -> Iterator[Run]:
    from dataclasses import replace  # noqa: PLC0415

    from simulation.runs import decision, endpoint, result, run, samples, spread  # noqa: PLC0415

    from perfcheck.model import LatencySummary, Verdict  # noqa: PLC0415

    rng = random.Random(1)
    usual = [rng.uniform(20, 200) for _ in range(ENDPOINTS)]
    steps = {i: rng.choice(NEWEST if slower == "all" else range(100, 950)) for i in SLOWER[slower]}
    templates = [
        result(
            endpoint(f"service.area_{i % 7}.endpoint_{i:02}"),
            samples(1, spread(ms, REQUESTS)),
            decision(Verdict.OK, ms),
        )
        for i, ms in enumerate(usual)
    ]
    template = run(templates)
    for number in range(RUNS):
        measured = []
        for i, one in enumerate(templates):
            ms = usual[i] * (1.3 if number >= steps.get(i, RUNS) else 1.0) * rng.lognormvariate(0, 0.03)
            latencies = tuple(sorted(round(ms * rng.lognormvariate(0, 0.1), 3) for _ in range(REQUESTS)))
            summary = LatencySummary(min=latencies[0], median=ms, p95=latencies[-2], max=latencies[-1])
            interval = latencies[5], latencies[14]
            measured.append(replace(one, value_ms=ms, interval_ms=interval, samples_ms=latencies, latency_ms=summary))
        started_at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(FIRST_DAY + number * HOURS * 3600))
        yield replace(
            template,
            id=f"{rng.getrandbits(128):032x}",
            label=f"v{number // 50}" if number % 50 == 0 else None,
            started_at=started_at,
            finished_at=started_at,
            environment=replace(template.environment, branch="main", commit=f"{rng.getrandbits(160):040x}"),
            endpoints=tuple(measured),
        )


def measure(folder: Path, slower: str) -> bool:
    """Print a row of the table; whether it is within the limits."""
    file, site = folder / f"{slower}.sqlite", folder / f"{slower}.site"
    if not file.exists():
        cost([sys.executable, __file__, "--fill", slower, "--keep", str(folder)])
    sql = cost(plain(ROWS, file))
    built = cost([PERFCHECK, "history", "site", str(site), "--history", str(file)])
    size, page = max((page.stat().st_size, page.parent.name) for page in site.rglob("*.html"))
    ratio = built.cpu_s / sql.cpu_s
    passed = ratio <= MOST_OF_SQL and size < MOST_BYTES
    words = "pass" if passed else "FAIL"
    print(f"| {slower} | {shown(sql)} | {shown(built)} | {ratio:.0f} | {size / 1000:.0f} KB, in {page} | {words} |")
    return passed


def shown(cost: Cost) -> str:
    return f"{cost.cpu_s:.2f} s, {cost.megabytes:.0f} MB"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the stores and sites here, or use them")
    parser.add_argument("--fill", choices=SLOWER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        fill(options.keep / f"{options.fill}.sqlite", options.fill)
        return 0
    print("| got slower | plain SQL | site | ratio | largest page | |")
    print("|---|---:|---:|---:|---|---|")
    with nullcontext(options.keep) if options.keep else tempfile.TemporaryDirectory() as folder:
        passed = [measure(Path(folder), slower) for slower in SLOWER]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
