"""Whole checks of 10 to 10,000 endpoints, on services that stand many requests at once, and on those that do not.

    python benchmarks/scale.py [--cases sleep,cpu,...] [--sizes 10,100,...] [--no-programs] [--json PATH]

Each is one ``perfcheck run`` with its default options, as a process of its own, on a generated baseline and one of the
services of ``services.py``, which has CPUs of its own. An endpoint takes 200 ms, and less from 300 endpoints on, so
that the service needs six minutes at most for the six requests of each; its target lies 1.6 times higher. In the case
``gunicorn-60s`` latencies are lognormal (20 to 800 ms, with 300 endpoints), and the budget is 60 s.

*Need* is the time that the service itself takes for a warm-up and five requests an endpoint: one request after another
cannot be quicker. The CPU time is that of the process, start-up included. The peer, k6 or else hey, sends as many
requests as perfcheck did, over as many connections.

A complete run takes two to three hours. Exits with 1 when a criterion is missed; they concern up to 300 endpoints.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from acceptance import Criterion, conclude, show, table
from processes import PERFCHECK, cost, find, keep_apart, run
from services import service

SIZES = (10, 100, 300, 1_000, 10_000)
SIZE_JUDGED = 300
MOST_S = 45.0
LEAST_DECIDED_IN_60_S = 40.0
REQUESTS = 6  # of an endpoint that is well: a warm-up, and five that are judged
LATENCY_MS = 200.0
MOST_NEED_S = 360.0
TARGET_RATIO, TARGET_SPARE_MS = 1.6, 5.0
LOGNORMAL_MEDIAN, LOGNORMAL_SIGMA, LOGNORMAL_RANGE = 0.63, 0.8, (0.1, 4.0)  # times the usual latency
LONGEST_RUN_S = 1800.0


@dataclass(frozen=True, slots=True)
class Case:
    kind: str  # of service
    options: tuple[str, ...] = ()
    is_lognormal: bool = False


CASES = {kind: Case(kind) for kind in ("sleep", "cpu", "lock", "one-thread", "gunicorn")} | {
    "gunicorn-60s": Case("gunicorn", ("--budget", "60s"), is_lognormal=True)
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one check."""

    case: str
    endpoints: int
    latency_ms: float  # true mean over the endpoints
    seconds: float
    need_s: float
    connections: int  # the most that any endpoint was measured over
    requests: int
    ok: int
    warning: int
    critical: int
    not_measured: int
    decided: int
    cpu_s: float
    megabytes: float
    exit_code: int
    peer: str = "no peer"
    peer_s: float | None = None

    @property
    def decided_percent(self) -> float:
        return 100 * self.decided / self.endpoints


HEAD = (
    "service", "endpoints", "time", "need", "time / need", "connections", "requests", "OK / WARNING / CRITICAL",
    "decided", "not measured", "CPU time a request", "memory", "peer",
)  # fmt: skip


def cells(figures: Figures) -> Sequence[str]:
    return (
        figures.case,
        f"{figures.endpoints:,} of {figures.latency_ms:.3g} ms",
        f"{figures.seconds:.1f} s",
        f"{figures.need_s:.1f} s",
        f"{figures.seconds / figures.need_s:.2f}",
        f"{figures.connections}",
        f"{figures.requests:,}",
        f"{figures.ok:,} / {figures.warning:,} / {figures.critical:,}",
        f"{figures.decided_percent:.1f}%",
        f"{figures.not_measured:,}",
        f"{figures.cpu_s / max(figures.requests, 1) * 1e6:.0f} us",
        f"{figures.megabytes:.0f} MB",
        f"{figures.peer} {figures.peer_s:.1f} s" if figures.peer_s is not None else figures.peer,
    )


# --- The endpoints ---------------------------------------------------------------------------------------------------


def latencies_ms(case: Case, size: int) -> list[float]:
    """The true latencies, in no order. The same for the same case and size."""
    usual = min(LATENCY_MS, MOST_NEED_S * 1000 / REQUESTS / size)
    if not case.is_lognormal:
        return [usual] * size
    normal = statistics.NormalDist(math.log(LOGNORMAL_MEDIAN), LOGNORMAL_SIGMA)
    low, high = LOGNORMAL_RANGE
    factors = [min(max(math.exp(normal.inv_cdf((i + 0.5) / size)), low), high) for i in range(size)]
    random.Random(1).shuffle(factors)
    return [usual * factor for factor in factors]


def paths(latencies: Sequence[float]) -> list[str]:
    return [f"/{ms:.3f}/{number}" for number, ms in enumerate(latencies)]


def baseline(url: str, latencies: Sequence[float]) -> str:
    lines = ["version: 1", f"service: {{base_url: '{url}'}}", "endpoints:"]
    for number, (path, ms) in enumerate(zip(paths(latencies), latencies, strict=True)):
        target = max(TARGET_RATIO * ms, ms + TARGET_SPARE_MS)
        lines.append(f"  resource{number}: {{path: {path}, target: {target:.3f}ms}}")
    return "\n".join(lines) + "\n"


# --- The measurement -------------------------------------------------------------------------------------------------


def check(name: str, url: str, latencies: Sequence[float], folder: Path) -> Figures:
    file, output = folder / "baselines.yaml", folder / "run.json"
    file.write_text(baseline(url, latencies), encoding="utf-8")
    output.unlink(missing_ok=True)
    command = [PERFCHECK, "run", "--quiet", "-f", str(file), "-o", str(output), *CASES[name].options]
    took = cost(command, allowed=(0, 1, 3), timeout_s=LONGEST_RUN_S)
    found = json.loads(output.read_text(encoding="utf-8"))
    endpoints = found["endpoints"]
    return Figures(
        case=name,
        endpoints=len(latencies),
        latency_ms=statistics.mean(latencies),
        seconds=took.seconds,
        need_s=REQUESTS * sum(latencies) / 1000,
        connections=max(endpoint.get("concurrency", 1) for endpoint in endpoints),
        requests=sum(endpoint["requests"]["sent"] + endpoint["requests"]["warmup"] for endpoint in endpoints),
        **{name: found["counts"][name] for name in ("ok", "warning", "critical", "not_measured")},
        decided=sum(endpoint["decided"] for endpoint in endpoints),
        cpu_s=took.cpu_s,
        megabytes=took.megabytes,
        exit_code=took.exit_code,
    )


def measure(name: str, size: int, cpus: set[int], *, programs: bool) -> Figures:
    latencies = latencies_ms(CASES[name], size)
    with service(CASES[name].kind, cpus) as url, tempfile.TemporaryDirectory() as folder:
        figures = check(name, url, latencies, Path(folder))
        peer = next((tool for tool in (k6, hey) if find(tool.__name__)), None) if programs else None
        if peer is None or not figures.requests:
            return figures
        started = time.perf_counter()
        peer(url, latencies, figures.requests, figures.connections, Path(folder))
        seconds = time.perf_counter() - started
    return replace(figures, peer=peer.__name__, peer_s=seconds)


def k6(url: str, latencies: Sequence[float], requests: int, connections: int, folder: Path) -> None:
    """All endpoints in turn."""
    urls = [f"{url}{path}" for path in paths(latencies)]
    every = {"executor": "shared-iterations", "vus": connections, "iterations": requests, "maxDuration": "1h"}
    script = folder / "script.js"
    script.write_text(
        "import http from 'k6/http';\nimport exec from 'k6/execution';\n"
        f"export const options = {json.dumps({'scenarios': {'every': every}})};\nconst urls = {json.dumps(urls)};\n"
        "export default function () { http.get(urls[exec.scenario.iterationInTest % urls.length]); }\n",
        encoding="utf-8",
    )
    run("k6", "run", "--quiet", "--no-usage-report", str(script), timeout_s=LONGEST_RUN_S)


def hey(url: str, latencies: Sequence[float], requests: int, connections: int, _folder: Path) -> None:
    """Knows one URL only: one of the mean latency."""
    total = connections * math.ceil(requests / connections)  # which it would round down
    path = f"/{statistics.mean(latencies):.3f}/0"
    run("hey", "-n", str(total), "-c", str(connections), f"{url}{path}", timeout_s=LONGEST_RUN_S)


# --- The criteria ----------------------------------------------------------------------------------------------------


def criteria(figures: Figures) -> Iterator[Criterion]:
    what = f"{figures.case}, {figures.endpoints} endpoints"
    match figures.case:
        case "sleep" if figures.endpoints == SIZE_JUDGED:
            yield Criterion(f"{what}: decided", figures.decided_percent, 100, at_least=True)
            yield Criterion(f"{what}: time", figures.seconds, MOST_S, "s")
        case "gunicorn" if figures.endpoints <= SIZE_JUDGED:
            yield Criterion(f"{what}: decided", figures.decided_percent, 100, at_least=True)
            yield Criterion(f"{what}: WARNING or CRITICAL", figures.warning + figures.critical, 0, "")
        case "gunicorn-60s" if figures.endpoints == SIZE_JUDGED:
            yield Criterion(f"{what}: decided", figures.decided_percent, LEAST_DECIDED_IN_60_S, at_least=True)


def rows(
    names: Iterable[str], sizes: Sequence[int], found: list[Figures], *, programs: bool
) -> Iterator[Sequence[str]]:
    """As they are measured; the figures are appended to ``found``."""
    cpus = keep_apart(own=1)
    for name in names:
        for size in sizes:
            figures = measure(name, size, cpus, programs=programs)
            found.append(figures)
            yield cells(figures)


def section(
    names: Iterable[str], sizes: Sequence[int], found: list[Figures], *, programs: bool
) -> Iterator[str | Criterion]:
    yield from table(HEAD, rows(names, sizes, found, programs=programs))
    for figures in found:
        yield from criteria(figures)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", default=",".join(CASES), help="comma-separated; default: %(default)s")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="endpoints; default: %(default)s")
    parser.add_argument("--no-programs", action="store_true", help="leave out k6 and hey")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    names, sizes = options.cases.split(","), [int(size) for size in options.sizes.split(",")]
    if unknown := set(names) - CASES.keys():
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}")
    found: list[Figures] = []
    judged = show("Scale", section(names, sizes, found, programs=not options.no_programs))
    if options.json:
        options.json.write_text(json.dumps([asdict(figures) for figures in found], indent=2), encoding="utf-8")
    return conclude(judged)


if __name__ == "__main__":
    sys.exit(main())
