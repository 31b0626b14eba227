"""How long all reports of a large run take together, compared with the time to parse its run file.

    python benchmarks/reports.py

1,000 endpoints with 500 samples each. Every figure is the best of three; each round is a process of its own, in which
every format is rendered once, imports included. Fails when the formats together take over two seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from simulation.runs import big_run

from perfcheck.cli.reports import FORMATS, ReportTarget, render_report
from perfcheck.runfile import encode_run, read_run

ENDPOINTS, SAMPLES, ROUNDS = 1000, 500, 3
MOST_SECONDS = 2.0


def measure(file: Path) -> dict[str, tuple[float, int]]:
    """In this process: for "parse" and each format the seconds, and the bytes that were read or made."""
    started = time.perf_counter()
    run = read_run(file)
    figures = {"parse": (time.perf_counter() - started, file.stat().st_size)}
    for name in FORMATS:
        started = time.perf_counter()
        content = render_report(run, ReportTarget(name, Path("report")))
        figures[name] = (time.perf_counter() - started, len(content))
    return figures


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.json"
        file.write_bytes(encode_run(big_run(ENDPOINTS, SAMPLES)))
        rounds = []
        for _ in range(ROUNDS):
            done = subprocess.run(
                [sys.executable, __file__, str(file)], check=True, capture_output=True, text=True, timeout=120
            )
            rounds.append(json.loads(done.stdout))
    best = {name: min(one[name][0] for one in rounds) for name in rounds[0]}
    parse, total = best["parse"], sum(best[name] for name in FORMATS)
    print(f"{ENDPOINTS} endpoints x {SAMPLES} samples, best of {ROUNDS}\n")
    print("| format | time | of parsing the run file | size |\n|---|---:|---:|---:|")
    for name in ("parse", *FORMATS):
        print(
            f"| {name} | {best[name] * 1000:.0f} ms | {best[name] / parse:.2f} | {rounds[0][name][1] / 1000:.0f} kB |"
        )
    print(f"\nall formats: {total:.2f} s (at most {MOST_SECONDS:g}), {total / parse:.1f} times parsing the run file")
    return 0 if total <= MOST_SECONDS else 1


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(measure(Path(sys.argv[1]))))
    else:
        raise SystemExit(main())
