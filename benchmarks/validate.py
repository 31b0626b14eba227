"""How long a baseline of 10,000 endpoints takes to check, compared with PyYAML's own loader, and how much memory.

    python benchmarks/validate.py

Each figure is the best of three, each in a process of its own; the memory is the peak of the process that checks.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from perfcheck.baseline import load_baseline

ENDPOINTS = 10_000
PEERS = ("yaml", "yaml, without garbage collection", "perfcheck")
MOST_TIMES_YAML = 3.0
MOST_MEGABYTES = 200.0


def baseline() -> str:
    """Endpoints of four to six keys, as people write them."""
    lines = ["version: 1", "service: {base_url: http://localhost:5001}", "groups: {core: {title: Core}}", "endpoints:"]
    for number in range(ENDPOINTS):
        lines += [
            f"  resource{number}.list:",
            "    group: core",
            f"    path: /api/resource{number}/",
            f"    query: {{sort: title, limit: {number % 50 + 1}}}",
            "    target: 300ms",
            *(["    ideal: 200ms"] if number % 2 else []),
            *(["    headers: {Accept: application/json}"] if number % 4 == 1 else []),
        ]
    return "\n".join(lines) + "\n"


def measure(what: str, file: Path) -> dict[str, float]:
    """In this process: seconds, and the peak of its memory in megabytes."""
    text = file.read_text(encoding="utf-8")
    started = time.perf_counter()
    if what == "yaml, without garbage collection":  # which perfcheck pauses too: a fairer peer than the plain call
        gc.disable()
    if what.startswith("yaml"):
        yaml.load(text, Loader=yaml.CSafeLoader)
    else:
        found = load_baseline(file, {})
        assert len(found.endpoints) == ENDPOINTS
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "megabytes": peak / (1e6 if sys.platform == "darwin" else 1e3)}


def in_a_process(what: str, file: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, what, str(file)], check=True, capture_output=True, text=True, timeout=120
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "baselines.yaml"
        file.write_text(baseline(), encoding="utf-8")
        runs = {what: [in_a_process(what, file) for _ in range(3)] for what in PEERS}
    best = {what: min(run["seconds"] for run in found) for what, found in runs.items()}
    megabytes = max(run["megabytes"] for run in runs["perfcheck"])
    times = best["perfcheck"] / best["yaml"]
    print(f"| {ENDPOINTS} endpoints | best of three | ratio to perfcheck |\n|---|---:|---:|")
    print(f"| `yaml.load(..., CSafeLoader)` | {best['yaml']:.2f} s | {1 / times:.2f} |")
    bare = best["yaml, without garbage collection"]
    print(f"| the same with garbage collection off | {bare:.2f} s | {bare / best['perfcheck']:.2f} |")
    print(f"| `load_baseline` | {best['perfcheck']:.2f} s | 1.00 |")
    print(f"\n{times:.2f} times as long (at most {MOST_TIMES_YAML:g}), {megabytes:.0f} MB (at most {MOST_MEGABYTES:g})")
    return 0 if times <= MOST_TIMES_YAML and megabytes <= MOST_MEGABYTES else 1


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
    else:
        raise SystemExit(main())
