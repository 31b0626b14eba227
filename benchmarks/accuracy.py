"""How far above the true delay of a service each tool reports: perfcheck, other clients, and a plain socket.

    python benchmarks/accuracy.py [--requests 400] [--delays 0,1,5,25] [--json PATH]

The service runs in a process of its own and knows its true delay: it reads the clock after it has read a request and
again just before it writes the response, and spins up to the time in between, since a sleep is never exact. All tools
are measured in one run, in interleaved blocks, each over one kept-alive connection, on other CPUs than the service.
Printed is the median over the blocks of (median reported - median of the true delays in that block).

Exits with 1 when, at a delay of 1 ms, perfcheck is over 1.3 times the plain socket, or above k6.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import io
import json
import multiprocessing
import os
import re
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
from processes import find, keep_apart, run

from perfcheck.client.client import Client
from perfcheck.model import Endpoint, Service
from perfcheck.text import Redactor

MOST_TIMES_THE_SOCKET = 1.3
DELAY_JUDGED_MS = 1.0
BLOCKS = 20
PROGRAM_BLOCKS = 4
SPIN_S = 0.0005  # a sleep is this exact, mostly
BODY = b'{"hello":"world"}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)

Tool = Callable[[str, int], float]  # URL, number of requests -> median latency in microseconds


# --- The service ---------------------------------------------------------------------------------------------------


class Delays:
    """The true delays since they were last read, in nanoseconds."""

    def __init__(self) -> None:
        self.found: list[int] = []

    def take(self) -> bytes:
        found, self.found = self.found, []
        return b"%d" % statistics.median(found) if found else b"0"


def serve(ready: Connection, delay_ms: float, cpus: set[int]) -> None:
    """Answer on a free port until the process is ended."""
    if cpus:
        os.sched_setaffinity(0, cpus)
    listener = socket.create_server(("127.0.0.1", 0))
    ready.send(listener.getsockname()[1])
    delays = Delays()
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=answer, args=(connection, int(delay_ms * 1e6), delays), daemon=True).start()


def answer(connection: socket.socket, delay_ns: int, delays: Delays) -> None:
    response = HEAD + BODY
    with connection, contextlib.suppress(ConnectionError):
        while request := connection.recv(65536):
            started_ns = time.perf_counter_ns()
            if request.startswith(b"GET /true-delay"):
                median = delays.take()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(median), median))
                continue
            due_ns = started_ns + delay_ns
            spare_s = delay_ns / 1e9 - SPIN_S
            if spare_s > 0:
                time.sleep(spare_s)
            while time.perf_counter_ns() < due_ns:
                pass
            ended_ns = time.perf_counter_ns()
            connection.sendall(response)
            delays.found.append(ended_ns - started_ns)


@contextlib.contextmanager
def service(delay_ms: float, cpus: set[int]) -> Iterator[str]:
    """A running service; its base URL."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there, delay_ms, cpus), daemon=True)
    process.start()
    try:
        if not here.poll(30):
            raise SystemExit("the service of the benchmark did not start")
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join(10)


def true_delay_us(url: str) -> float:
    """The median of the true delays since the last call."""
    with httpx.Client(trust_env=False) as client:
        return int(client.get(f"{url}/true-delay").text) / 1000


# --- The tools in this process -------------------------------------------------------------------------------------


class PlainSocket:
    """What a client can see at best: a blocking socket, the clock read next to the system calls, no HTTP."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: */*\r\n\r\n".encode()

    def __call__(self, _url: str, requests: int) -> float:
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

    def __call__(self, _url: str, requests: int) -> float:
        samples = [self._client.send(self._endpoint) for _ in range(requests)]
        return statistics.median(sample.latency_ms or 0.0 for sample in samples) * 1000

    def close(self) -> None:
        self._client.close()


class HttpxFromOutside:
    """The way it is usually done: the clock around the call."""

    def __init__(self, _url: str) -> None:
        self._client = httpx.Client(trust_env=False)

    def __call__(self, url: str, requests: int) -> float:
        latencies = []
        for _ in range(requests):
            started = time.perf_counter()
            self._client.get(url)
            latencies.append(time.perf_counter() - started)
        return statistics.median(latencies) * 1e6

    def close(self) -> None:
        self._client.close()


def httpx_async(url: str, requests: int) -> float:
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


def k6(url: str, requests: int) -> float:
    script = f'import http from "k6/http"; export default function () {{ http.get("{url}/"); }}'
    with tempfile.TemporaryDirectory() as folder:
        source, summary = Path(folder, "script.js"), Path(folder, "summary.json")
        source.write_text(script, encoding="utf-8")
        run("k6", "run", "--quiet", "--no-usage-report", "--vus=1", f"--iterations={requests}",
            "--summary-trend-stats=med", f"--summary-export={summary}", str(source))  # fmt: skip
        return float(json.loads(summary.read_text(encoding="utf-8"))["metrics"]["http_req_duration"]["med"]) * 1000


def wrk(url: str, _requests: int) -> float:
    """Runs for a time, not a number of requests."""
    found = re.search(r"50%\s+([\d.]+)(us|ms|s)", run("wrk", "-t1", "-c1", "-d1s", "--latency", f"{url}/"))
    if found is None:
        raise SystemExit("wrk did not report a median")
    return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]]


def hey(url: str, requests: int) -> float:
    """Reports in steps of 100 us."""
    rows = csv.DictReader(io.StringIO(run("hey", "-n", str(requests), "-c", "1", "-o", "csv", f"{url}/")))
    return statistics.median(float(row["response-time"]) for row in rows) * 1e6


# --- The measurement -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    delay_ms: float
    tool: str
    above_us: float  # median reported above the median true delay
    blocks_us: tuple[float, ...]


def measure(delay_ms: float, requests: int, cpus: set[int], *, programs: bool) -> list[Result]:
    """Every tool at one delay, in interleaved blocks."""
    above: dict[str, list[float]] = {}
    with service(delay_ms, cpus) as url, contextlib.ExitStack() as stack:
        inside: dict[str, Tool] = {
            "plain socket": stack.enter_context(contextlib.closing(PlainSocket(url))),
            "perfcheck": stack.enter_context(contextlib.closing(Perfcheck(url))),
            "httpx": stack.enter_context(contextlib.closing(HttpxFromOutside(url))),
            "httpx, async": httpx_async,
        }
        outside: dict[str, Tool] = {t.__name__: t for t in (k6, wrk, hey) if programs and find(t.__name__)}
        for block in range(BLOCKS):
            tools = dict(sorted(inside.items(), reverse=bool(block % 2)))
            if block % (BLOCKS // PROGRAM_BLOCKS) == 0:
                tools |= outside
            for name, tool in tools.items():
                if name in inside:
                    tool(url, 3)  # warm
                true_delay_us(url)
                reported_us = tool(url, max(requests // (PROGRAM_BLOCKS if name in outside else BLOCKS), 10))
                above.setdefault(name, []).append(reported_us - true_delay_us(url))
    return [Result(delay_ms, name, statistics.median(blocks), tuple(blocks)) for name, blocks in above.items()]


def table(results: list[Result]) -> str:
    delays = sorted({result.delay_ms for result in results})
    by_tool: dict[str, dict[float, float]] = {}
    for result in results:
        by_tool.setdefault(result.tool, {})[result.delay_ms] = result.above_us
    lines = [
        "Median above the true delay, in us (times the plain socket):",
        "",
        "| tool | " + " | ".join(f"{delay:g} ms" for delay in delays) + " |",
        "|---|" + "---:|" * len(delays),
    ]
    for name, found in sorted(by_tool.items(), key=lambda item: item[1][delays[0]]):
        cells = (f"{found[delay]:.0f} ({found[delay] / by_tool['plain socket'][delay]:.2f}x)" for delay in delays)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def complaints(results: list[Result]) -> list[str]:
    """What does not hold that should."""
    above = {result.tool: result.above_us for result in results if result.delay_ms == DELAY_JUDGED_MS}
    found = []
    if above and above["perfcheck"] > MOST_TIMES_THE_SOCKET * above["plain socket"]:
        found.append(f"perfcheck is over {MOST_TIMES_THE_SOCKET} times the plain socket")
    if "k6" in above and above["perfcheck"] > above["k6"]:
        found.append("perfcheck is above k6")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=400, help="per tool and delay")
    parser.add_argument("--delays", default="0,1,5,25", help="milliseconds, comma-separated")
    parser.add_argument("--no-programs", action="store_true", help="leave out k6, wrk and hey")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    cpus = keep_apart()
    results = []
    for delay_ms in map(float, options.delays.split(",")):
        results += measure(delay_ms, options.requests, cpus, programs=not options.no_programs)
    print(table(results))
    if options.json:
        rows = [
            {"delay_ms": r.delay_ms, "tool": r.tool, "above_us": r.above_us, "blocks_us": r.blocks_us} for r in results
        ]
        options.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    wrong = complaints(results)
    for complaint in wrong:
        print(f"FAILED: {complaint}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
