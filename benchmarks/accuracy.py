"""How far above the true delay of a service each tool reports: perfcheck, other clients, and a plain socket.

    python benchmarks/accuracy.py [--requests 400] [--delays 0,1,5,25] [--connections 1,2,4,8,16] [--json PATH]

The service runs in a process of its own and knows its true delay: from the arrival of a request, which the kernel
stamps, to just before it writes the response, for which it spins, since a sleep is never exact. All tools are measured
in one run, in interleaved blocks, on other CPUs than the service: first over one kept-alive connection at each delay,
then over several at a delay of 1 ms, where the plain socket stays at one. Printed is the median over the blocks of
(median reported - median of the true delays in that block), and the CPU time that perfcheck's client takes for a
request, in the best block: what else runs on the machine can only add to it.

Exits with 1 when, at a delay of 1 ms, perfcheck is over 1.1 times the plain socket with one connection or over 1.5
times with 8, or above k6 with as many, or takes over 150 us of CPU time a request.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import io
import json
import re
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import httpx
from delayed_service import service, true_delay_us
from processes import find, keep_apart, run

from perfcheck.client.client import Client
from perfcheck.model import Endpoint, Sample, Service
from perfcheck.text import Redactor
from perfcheck.words import plural

MOST_TIMES_THE_SOCKET = {1: 1.1, 8: 1.5}  # by the number of connections
MOST_CPU_US = 150.0
DELAY_JUDGED_MS = 1.0
BLOCKS = 20
PROGRAM_BLOCKS = 10

Tool = Callable[[str, int, int], float]  # URL, requests, connections -> median latency in microseconds


# --- The tools in this process -------------------------------------------------------------------------------------


class PlainSocket:
    """What a client can see at best: a blocking socket, the clock read next to the system calls, no HTTP."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: */*\r\n\r\n".encode()

    def __call__(self, _url: str, requests: int, _connections: int) -> float:
        latencies = []
        for _ in range(requests):
            started_ns = time.perf_counter_ns()
            self._socket.sendall(self._request)
            self._socket.recv(65536)
            latencies.append(time.perf_counter_ns() - started_ns)
        return statistics.median(latencies) / 1000

    def close(self) -> None:
        self._socket.close()


class Perfcheck:
    def __init__(self, url: str) -> None:
        self._client = Client(Service(base_url=url), redact=Redactor())
        self._endpoint = Endpoint(name="accuracy", path="/", line=1)
        self.cpu_us: list[float] = []  # per request, in each block

    def __call__(self, _url: str, requests: int, connections: int) -> float:
        samples: list[Sample] = []
        started_s = time.thread_time()
        for tag in range(requests):
            if tag >= connections:
                self._take(samples)
            self._client.start(self._endpoint, tag)
        while len(samples) < requests:
            self._take(samples)
        self.cpu_us.append((time.thread_time() - started_s) / requests * 1e6)
        return statistics.median(sample.latency_ms or 0.0 for sample in samples) * 1000

    def _take(self, samples: list[Sample]) -> None:
        samples += (sample for _, sample in self._client.wait())

    def close(self) -> None:
        self._client.close()


class HttpxFromOutside:
    """The way it is usually done: the clock around the call."""

    def __init__(self, _url: str) -> None:
        self._client = httpx.Client(trust_env=False)

    def __call__(self, url: str, requests: int, _connections: int) -> float:
        latencies = []
        for _ in range(requests):
            started = time.perf_counter()
            self._client.get(url)
            latencies.append(time.perf_counter() - started)
        return statistics.median(latencies) * 1e6

    def close(self) -> None:
        self._client.close()


def httpx_async(url: str, requests: int, _connections: int) -> float:
    """The same on an event loop."""

    async def measure() -> float:
        latencies = []
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(url)
            for _ in range(requests):
                started = time.perf_counter()
                await client.get(url)
                latencies.append(time.perf_counter() - started)
        return statistics.median(latencies) * 1e6

    return asyncio.run(measure())


# --- The tools that are programs -----------------------------------------------------------------------------------


def k6(url: str, requests: int, connections: int) -> float:
    script = f'import http from "k6/http"; export default function () {{ http.get("{url}/"); }}'
    with tempfile.TemporaryDirectory() as folder:
        source, summary = Path(folder, "script.js"), Path(folder, "summary.json")
        source.write_text(script, encoding="utf-8")
        run("k6", "run", "--quiet", "--no-usage-report", f"--vus={connections}", f"--iterations={requests}",
            "--summary-trend-stats=med", f"--summary-export={summary}", str(source))  # fmt: skip
        return float(json.loads(summary.read_text(encoding="utf-8"))["metrics"]["http_req_duration"]["med"]) * 1000


def wrk(url: str, _requests: int, connections: int) -> float:
    """Runs for a time, not a number of requests."""
    printed = run("wrk", "-t1", f"-c{connections}", "-d1s", "--latency", f"{url}/")
    found = re.search(r"50%\s+([\d.]+)(us|ms|s)", printed)
    if found is None:
        raise SystemExit("wrk did not report a median")
    return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]]


def hey(url: str, requests: int, connections: int) -> float:
    """Reports in steps of 100 us."""
    arguments = ("-n", str(requests), "-c", str(connections), "-o", "csv", f"{url}/")
    rows = csv.DictReader(io.StringIO(run("hey", *arguments)))
    return statistics.median(float(row["response-time"]) for row in rows) * 1e6


# --- The measurement -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    delay_ms: float
    connections: int
    tool: str
    above_us: float  # median reported above the median true delay
    blocks_us: tuple[float, ...]
    cpu_us: float | None = None  # of perfcheck's client, for a request


def measure(
    delay_ms: float, connections: int, requests: int, cpus: set[int], *, programs: bool, clients: bool
) -> list[Result]:
    """Every tool at one delay, in interleaved blocks; ``clients``: other Python clients too."""
    above: dict[str, list[float]] = {}
    with service(delay_ms, cpus) as url, contextlib.ExitStack() as stack:
        perfcheck = stack.enter_context(contextlib.closing(Perfcheck(url)))
        inside: dict[str, Tool] = {
            "plain socket": stack.enter_context(contextlib.closing(PlainSocket(url))),
            "perfcheck": perfcheck,
        }
        if clients:
            inside |= {
                "httpx": stack.enter_context(contextlib.closing(HttpxFromOutside(url))),
                "httpx, async": httpx_async,
            }
        outside: dict[str, Tool] = {t.__name__: t for t in (k6, wrk, hey) if programs and find(t.__name__)}
        for block in range(BLOCKS):
            tools = dict(sorted(inside.items(), reverse=bool(block % 2)))
            if block % (BLOCKS // PROGRAM_BLOCKS) == 0:
                tools |= outside
            for name, tool in tools.items():
                least = 10 * connections
                if name in inside:
                    tool(url, 3 * connections, connections)  # warm
                true_delay_us(url)
                sent = max(requests // (PROGRAM_BLOCKS if name in outside else BLOCKS), least)
                reported_us = tool(url, sent, connections)
                above.setdefault(name, []).append(reported_us - true_delay_us(url))
    return [
        Result(
            delay_ms,
            connections,
            name,
            statistics.median(blocks),
            tuple(blocks),
            min(perfcheck.cpu_us) if name == "perfcheck" else None,
        )
        for name, blocks in above.items()
    ]


def table(results: dict[str, list[Result]]) -> str:
    """One column for each key of ``results``, one row for each tool."""
    above = {column: {result.tool: result.above_us for result in found} for column, found in results.items()}
    first = next(iter(above.values()))
    lines = [
        "Median above the true delay, in us (times the plain socket):",
        "",
        "| tool | " + " | ".join(above) + " |",
        "|---|" + "---:|" * len(above),
    ]
    for name in sorted(first, key=first.__getitem__):
        cells = (f"{found[name]:.0f} ({found[name] / found['plain socket']:.2f}x)" for found in above.values())
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    cpu = (f"{result.cpu_us:.0f}" for found in results.values() for result in found if result.cpu_us is not None)
    return "\n".join([*lines, "", f"CPU time of perfcheck's client for a request, in us: {', '.join(cpu)}"])


def complaints(results: list[Result]) -> list[str]:
    """What does not hold that should."""
    found = []
    for connections in sorted({result.connections for result in results if result.delay_ms == DELAY_JUDGED_MS}):
        judged = [r for r in results if (r.delay_ms, r.connections) == (DELAY_JUDGED_MS, connections)]
        above = {result.tool: result.above_us for result in judged}
        over = f"at {DELAY_JUDGED_MS:g} ms with {plural(connections, 'connection')}, perfcheck"
        most = MOST_TIMES_THE_SOCKET.get(connections)
        if most is not None and above["perfcheck"] > most * above["plain socket"]:
            found.append(f"{over} is over {most} times the plain socket")
        if "k6" in above and above["perfcheck"] > above["k6"]:
            found.append(f"{over} is above k6")
        found += [
            f"{over} takes {r.cpu_us:.0f} us of CPU time a request" for r in judged if (r.cpu_us or 0) > MOST_CPU_US
        ]
    return list(dict.fromkeys(found))


def numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",") if number]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=400, help="per tool, delay and number of connections")
    parser.add_argument("--delays", type=numbers, default="0,1,5,25", help="milliseconds, comma-separated")
    parser.add_argument("--connections", type=numbers, default="1,2,4,8,16", help="at 1 ms, comma-separated")
    parser.add_argument("--no-programs", action="store_true", help="leave out k6, wrk and hey")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    cpus = keep_apart()
    measured = partial(measure, requests=options.requests, cpus=cpus, programs=not options.no_programs)
    by_delay = {f"{delay:g} ms": measured(delay, 1, clients=True) for delay in options.delays}
    by_connections = {
        plural(int(number), "connection"): measured(DELAY_JUDGED_MS, int(number), clients=False)
        for number in options.connections
    }
    for columns in (by_delay, by_connections):
        if columns:
            print(table(columns), end="\n\n")
    results = [result for columns in (by_delay, by_connections) for found in columns.values() for result in found]
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=2), encoding="utf-8")
    wrong = complaints(results)
    for complaint in wrong:
        print(f"FAILED: {complaint}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
