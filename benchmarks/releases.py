"""Two releases of the sample service, one of them 15% slower in one handler, on a machine with a noisy neighbour.

    python benchmarks/releases.py [--times 20] [--json PATH]

Everything as a user has it: the command, real services, real sockets. The neighbour is a process that spins in bursts
of 0.1 to 1 s, half of the time. Live comparison must find the slower handler in 19 of 20 and leave the others alone; a
service compared with itself must never be called slower. Two stored runs are compared as well, without a limit. Each
figure is printed next to that of a script that compares two medians of 10 requests with a limit of 10%. Takes about
half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from processes import neighbour

from perfcheck.demo.demo_process import running_demo
from perfcheck.model import Changed, Run
from perfcheck.runfile import read_run

SLOWER = {"search.basic", "search.filtered"}  # the two endpoints of the handler
LIMIT = 1.10
FLOOR_MS = 5.0  # the least difference that counts, as perfcheck's own
_SCRIPT_REQUESTS = 10
_BURST_S = (0.1, 1.0)
_LEAST_FOUND = 0.95


@dataclass
class Tally:
    """What came of one kind of comparison, over all times."""

    what: str
    expects: bool  # whether there is something to find
    found: int = 0  # the slower handler, by at least one of its two endpoints
    both: int = 0  # by both of them
    false: int = 0  # comparisons that called another one slower
    times: int = 0
    seconds: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    def add(self, slower: set[str], expected: set[str], seconds: float, requests: int) -> None:
        self.times += 1
        self.found += bool(expected & slower)
        self.both += bool(expected) and expected <= slower
        self.false += bool(slower - expected)
        self.seconds.append(seconds)
        self.requests.append(requests)

    def row(self, *, expects: bool) -> str:
        found = f"{self.found} of {self.times} (both: {self.both})" if expects else "-"
        time_s, requests = statistics.median(self.seconds), statistics.median(self.requests)
        return f"| {self.what} | {found} | {self.false} of {self.times} | {time_s:.1f} s | {requests:.0f} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--live", action="store_true", help="running services only, which takes a third of the time")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print("| comparison | slower handler found (by both its endpoints) | others called slower | time | requests |")
    print("|---|---|---|---:|---:|")
    tallies = []
    for noisy, slower in ((False, set[str]()), (True, set[str]()), (True, SLOWER)):
        with neighbour(_BURST_S, _BURST_S) if noisy else nullcontext():
            found = compare_often(options.times, slower, "a noisy neighbour" if noisy else "quiet", live=options.live)
        for tally in found:
            print(tally.row(expects=bool(slower)), flush=True)
        tallies += found
    if options.json:
        options.json.write_text(json.dumps([vars(tally) for tally in tallies]), encoding="utf-8")
    met = all(
        tally.false == 0 and (not tally.expects or tally.found >= _LEAST_FOUND * tally.times)
        for tally in tallies
        if tally.what.startswith("live")
    )
    print(f"\n{'met' if met else 'MISSED'}: live, found in at least 95%, and nothing else called slower")
    return 0 if met else 1


def compare_often(times: int, slower: set[str], where: str, *, live: bool) -> list[Tally]:
    """Compares one pair of services so many times: side by side, and unless ``live`` from stored runs as well."""
    what = f"{'15% slower' if slower else 'the same'}, {where}"
    pairs = Tally(f"live, {what}", bool(slower))
    stored, script = (Tally(f"{how}, {what}", bool(slower)) for how in ("stored, 30 requests", "10 medians"))
    regressions = ["slower-search"] if slower else []
    with running_demo() as before, running_demo(regressions) as after, tempfile.TemporaryDirectory() as folder:
        for _ in range(times):
            add(pairs, slower, Path(folder), lambda file: perfcheck("compare", before, after, "-o", str(file)))
            if not live:
                compare_stored(stored, script, slower, Path(folder), (before, after))
    return [pairs] if live else [pairs, stored, script]


def compare_stored(stored: Tally, script: Tally, slower: set[str], folder: Path, addresses: tuple[str, str]) -> None:
    files = [folder / name for name in ("before.json", "after.json")]
    for address, file in zip(addresses, files, strict=True):
        perfcheck("run", "-u", address, "--min-requests", "30", "-o", str(file))
    add(stored, slower, folder, partial(compare_files, files))
    before, after = (read_run(file) for file in files)
    seconds = (before.duration_ms + after.duration_ms) / 1000
    stored.seconds[-1] = seconds
    stored.requests[-1] = sum(result.requests.sent for run in (before, after) for result in run.endpoints)
    script.add(by_script(before, after), slower, seconds, 2 * _SCRIPT_REQUESTS * len(after.endpoints))


def compare_files(files: Sequence[Path], out: Path) -> float:
    return perfcheck("compare", *map(str, files), "-o", str(out))


def add(tally: Tally, expected: set[str], folder: Path, compare: Callable[[Path], float]) -> None:
    file = folder / "compared.json"
    seconds = compare(file)
    run = read_run(file)
    called = {one.name for one in run.endpoints if one.comparison and one.comparison.changed is Changed.SLOWER}
    sent = sum(2 * (one.requests.sent + one.requests.warmup) for one in run.endpoints)
    tally.add(called, expected, seconds, sent)


def by_script(before: Run, after: Run) -> set[str]:
    """What a script calls slower that takes the median of ten requests of each."""
    known = {one.name: one for one in before.endpoints}
    called = set()
    for one in after.endpoints:
        medians = [
            statistics.median([ms or float("inf") for ms in result.samples_ms[:_SCRIPT_REQUESTS]])
            for result in (known[one.name], one)
        ]
        if medians[1] > LIMIT * medians[0] and medians[1] - medians[0] > FLOOR_MS:
            called.add(one.name)
    return called


def perfcheck(*words: str) -> float:
    """Seconds it took. The verdict is in the file, whatever it is."""
    started = time.perf_counter()
    baseline = str(Path(__file__).parent.parent / "baselines.yaml")
    command = [sys.executable, "-m", "perfcheck", *words, "--quiet", "--fail-on", "never"]
    done = subprocess.run([*command, "-f", baseline], capture_output=True, text=True, check=False)
    if done.returncode not in {0, 3}:
        raise SystemExit(f"{' '.join(words)} failed: {done.stderr}")
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
