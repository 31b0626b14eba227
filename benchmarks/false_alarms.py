"""Checks of a service that has not changed, next to a neighbour that takes the CPUs in bursts: what is called slower?

    python benchmarks/false_alarms.py [--runs 100] [--services demo,gunicorn] [--keep DIR] [--json PATH]

Everything as a user has it: the command, a real service, real sockets, all on the same CPUs. First the true latencies
are measured quietly, and each endpoint gets a target a quarter above its own. Then the neighbour, a process on every
CPU, spins in bursts of 0.1 to 3 s, 8% of the time, and ``perfcheck run`` checks the same service with its default
options: the sample service as often as ``--runs`` says, and 40 endpoints on one worker of gunicorn, which compute for
half of their time, half as often.

Takes about an hour. Exits with 1 when an endpoint is CRITICAL, more than 1% of them are WARNING, or not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from acceptance import Criterion, conclude, show, table
from processes import PERFCHECK, cost, neighbour
from services import service

from perfcheck.demo import demo_baseline
from perfcheck.demo.demo_process import running_demo

TARGET_RATIO = 1.25  # the target, over the true latency
BURST_S, PAUSE_S = (0.1, 3.0), (0.0, 35.65)  # on average 1.55 s in 19.4 s: 8%
ENDPOINTS = 40
FASTEST_MS, SLOWEST_MS = 5.0, 60.0
MOST_WARNING_PERCENT = MOST_UNMEASURED_PERCENT = 1.0
TRUTH_REQUESTS = 100  # an endpoint, for its true latency
LONGEST_RUN_S = 1800.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """A service that is checked, and what its baseline is before the targets are set."""

    start: Callable[[], AbstractContextManager[str]]
    baseline: Callable[[], Json]
    share_of_runs: float


def sample_baseline() -> Json:
    found: Json = yaml.safe_load(demo_baseline().read_text(encoding="utf-8"))
    return found


def generated_baseline() -> Json:
    """Endpoints whose latencies grow by the same factor from one to the next."""
    steps = (number / (ENDPOINTS - 1) for number in range(ENDPOINTS))
    latencies = [FASTEST_MS * (SLOWEST_MS / FASTEST_MS) ** step for step in steps]
    endpoints = {
        f"resource{number}": {"path": f"/{ms:.3f}/{number}", "target": f"{10 * ms:.3f}ms"}
        for number, ms in enumerate(latencies)
    }
    return {"version": 1, "service": {"base_url": "http://localhost"}, "endpoints": endpoints}


SUBJECTS = {
    "demo": Subject(running_demo, sample_baseline, share_of_runs=1),
    "gunicorn": Subject(partial(service, "gunicorn-mixed"), generated_baseline, share_of_runs=0.5),
}


@dataclass
class Tally:
    """What came of all checks of one service."""

    subject: str
    seconds: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    undecided: int = 0
    momentary: int = 0  # OK, but slow at first: what a check without confirmation would have reported
    alarms: list[Json] = field(default_factory=list)

    def add(self, number: int, run: Json, seconds: float) -> bool:
        """Whether an endpoint is called slower."""
        before = len(self.alarms)
        self.seconds.append(seconds)
        self.requests.append(sum(one["requests"]["sent"] + one["requests"]["warmup"] for one in run["endpoints"]))
        for endpoint in run["endpoints"]:
            self.verdicts[endpoint["verdict"]] += 1
            self.undecided += not endpoint["decided"]
            self.momentary += any(finding["rule"] == "momentary" for finding in endpoint["findings"])
            if endpoint["verdict"] in {"WARNING", "CRITICAL"}:
                self.alarms.append({"run": number} | {key: endpoint.get(key) for key in ALARM})
        return len(self.alarms) > before

    def percent(self, verdict: str) -> float:
        return 100 * self.verdicts[verdict] / self.verdicts.total()

    def row(self) -> tuple[str, ...]:
        counts = (self.verdicts.total(), *(self.verdicts[name] for name in VERDICTS), self.undecided, self.momentary)
        spent = (f"{statistics.median(self.seconds):.1f} s", f"{statistics.median(self.requests):.0f}")
        return (self.subject, str(len(self.seconds)), *map(str, counts), *spent)

    def criteria(self) -> Iterator[Criterion]:
        yield Criterion(f"{self.subject}: CRITICAL", self.verdicts["CRITICAL"], 0, "endpoints")
        yield Criterion(f"{self.subject}: WARNING", self.percent("WARNING"), MOST_WARNING_PERCENT)
        yield Criterion(f"{self.subject}: not measured", self.percent("not measured"), MOST_UNMEASURED_PERCENT)


ALARM = ("name", "verdict", "decided", "unconfirmed", "value_ms", "target_ms", "interval_ms", "findings")
VERDICTS = ("OK", "WARNING", "CRITICAL", "not measured")
HEAD = ("service", "runs", "endpoints", *VERDICTS, "undecided", "OK, slow at first", "time", "requests")


# --- The measurement -------------------------------------------------------------------------------------------------


def check(folder: Path, baseline: Json, *options: str) -> tuple[Json, float]:
    """The run file, and how long it took in seconds. Raises SystemExit where a check ends without a verdict."""
    file, output = folder / "baselines.yaml", folder / "run.json"
    file.write_text(yaml.safe_dump(baseline, sort_keys=False), encoding="utf-8")
    output.unlink(missing_ok=True)
    command = [PERFCHECK, "run", "--quiet", "-f", str(file), "-o", str(output), *options]
    took = cost(command, allowed=(0, 1, 3), timeout_s=LONGEST_RUN_S)
    return json.loads(output.read_text(encoding="utf-8")), took.seconds


def set_targets(baseline: Json, folder: Path) -> None:
    """A quarter above what is measured now, by the metric of each endpoint, one request after another."""
    alone = ("--connections", "1", "--errors", "quick")
    run, _ = check(folder, baseline, "--min-requests", str(TRUTH_REQUESTS), "--budget", "15m", *alone)
    for measured in run["endpoints"]:
        if measured["value_ms"] is None:
            raise SystemExit(f"{measured['name']} could not be measured")
        endpoint = baseline["endpoints"][measured["name"]]
        endpoint["target"] = f"{TARGET_RATIO * measured['value_ms']:.3f}ms"
        endpoint.pop("ideal", None)


def check_often(name: str, runs: int, seed: int, keep: Path | None) -> Tally:
    tally, baseline = Tally(name), SUBJECTS[name].baseline()
    with SUBJECTS[name].start() as url, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        baseline["service"]["base_url"] = url
        set_targets(baseline, folder)
        with neighbour(BURST_S, PAUSE_S, cpus=all_cpus(), seed=seed):
            for number in range(1, runs + 1):
                if tally.add(number, *check(folder, baseline)) and keep:
                    shutil.copy(folder / "run.json", keep / f"{name}-{number}.json")
    return tally


def all_cpus() -> set[int]:
    """Empty where a process cannot be bound to one: then there is one neighbour, anywhere."""
    return os.sched_getaffinity(0) if sys.platform == "linux" else set()


def lines(tallies: list[Tally], measured: Iterator[Tally]) -> Iterator[str | Criterion]:
    """The tallies are appended to the list as they come."""

    def rows() -> Iterator[tuple[str, ...]]:
        for tally in measured:
            tallies.append(tally)
            yield tally.row()

    yield from table(HEAD, rows())
    for tally in tallies:
        for alarm in tally.alarms:
            messages = "; ".join(finding["message"] for finding in alarm["findings"])
            yield f"- {tally.subject}, run {alarm['run']}: {alarm['name']} is {alarm['verdict']}: {messages}"
    if any(tally.alarms for tally in tallies):
        yield ""
    for tally in tallies:
        yield from tally.criteria()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100, help="of the sample service; gunicorn: half as many")
    parser.add_argument("--services", default=",".join(SUBJECTS), help="comma-separated; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the bursts")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the run files of checks with an alarm here")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    names = options.services.split(",")
    if unknown := set(names) - SUBJECTS.keys():
        parser.error(f"unknown services: {', '.join(sorted(unknown))}")
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    runs = {name: max(round(SUBJECTS[name].share_of_runs * options.runs), 1) for name in names}
    tallies: list[Tally] = []
    measured = (check_often(name, runs[name], options.seed, options.keep) for name in names)
    judged = show("False alarms", lines(tallies, measured))
    if options.json:
        options.json.write_text(json.dumps([vars(tally) for tally in tallies], indent=2), encoding="utf-8")
    return conclude(judged)


if __name__ == "__main__":
    sys.exit(main())
