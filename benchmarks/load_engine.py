"""The generator of load next to others: requests a second of one process, and latencies next to wrk's."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from processes import keep_apart, run

from perfcheck.capacity.engine.engine import Engine
from perfcheck.capacity.engine.plan import LoadPlan, PlannedRequest
from perfcheck.capacity.model import BLOCK_S
from perfcheck.model import LoadModel

_FOLDER = Path(__file__).parent
_CONNECTIONS = 16
_ROUNDS = 5
_WARM_UP_BLOCKS = 2
_BLOCKS = 8  # of half a second, for each rate
_UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_SHARES = (0.5, 0.75, 0.9, 0.99)


@contextmanager
def queueing_server(
    servers: int, service: str, mean_ms: float, *, queue: int = 0, cpus: set[int] | None = None
) -> Iterator[int]:
    """The port of ``queueing_server.c``, compiled now, on these CPUs alone. Raises SystemExit without a C compiler."""
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "queueing_server")
        run("cc", "-O2", "-o", program, str(_FOLDER / "queueing_server.c"), "-lm")
        command = [program, str(servers), service, str(mean_ms * 1e3), str(queue)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            if cpus:
                os.sched_setaffinity(process.pid, cpus)
            try:
                yield int(process.stdout.readline() if process.stdout else 0)
            finally:
                process.kill()


def plan_of(
    port: int, *, limit_ms: float | None = None, model: LoadModel = LoadModel.USERS, think_s: float = 0
) -> LoadPlan:
    data = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n"
    request = PlannedRequest("home", data, limit_ms=limit_ms)
    return LoadPlan("127.0.0.1", port, model, (request,), think_s=think_s)


# --- Requests a second -----------------------------------------------------------------------------------------------


def perfcheck_rate(port: int) -> float:
    with Engine(plan_of(port)) as engine:
        measured = islice(engine.blocks(engine.step(_CONNECTIONS)), _WARM_UP_BLOCKS, _WARM_UP_BLOCKS + _BLOCKS)
        return sum(block.counts["home"].requests for block in measured) / (_BLOCKS * BLOCK_S)


def _locust_rate(port: int, user_class: str) -> float:
    """Of Locust's own users, by its own count."""
    duration = f"{round((_BLOCKS + _WARM_UP_BLOCKS) * BLOCK_S)}s"
    users = ["-u", str(_CONNECTIONS), "-r", str(_CONNECTIONS), "-t", duration, "--host", f"http://127.0.0.1:{port}"]
    command = ["-f", str(_FOLDER / "locust_users.py"), "--headless", "--json", "-L", "ERROR", *users, user_class]
    (stats,) = json.loads(run("locust", *command))
    return float(stats["num_requests"] / (stats["last_request_timestamp"] - stats["start_time"]))


RATES: dict[str, Callable[[int], float]] = {
    "perfcheck": perfcheck_rate,
    "FastHttpUser": lambda port: _locust_rate(port, "Fast"),
    "HttpUser": lambda port: _locust_rate(port, "Slow"),
}


def compare_rates(cpus: set[int]) -> bool:
    """Whether one process sends at least 5 times the requests of HttpUser, and 1.5 times those of FastHttpUser."""
    rounds: dict[str, list[float]] = {name: [] for name in RATES}
    with queueing_server(0, "fixed", 0, cpus=cpus) as port:
        for _ in range(_ROUNDS):
            for name, rate in RATES.items():
                rounds[name].append(rate(port))
    medians = {name: statistics.median(rates) for name, rates in rounds.items()}
    print(f"requests/s of one process, {_CONNECTIONS} connections, median of {_ROUNDS} rounds:")
    for name, median in medians.items():
        ratio = statistics.median(ours / theirs for ours, theirs in zip(rounds["perfcheck"], rounds[name], strict=True))
        print(f"  {name:13} {median:7,.0f}  perfcheck {ratio:.2f}x  {[round(rate) for rate in rounds[name]]}")
    return medians["perfcheck"] >= max(5 * medians["HttpUser"], 1.5 * medians["FastHttpUser"])


# --- Latencies -------------------------------------------------------------------------------------------------------


def perfcheck_latencies_ms(port: int, connections: int) -> list[float]:
    with Engine(plan_of(port)) as engine:
        step = engine.step(connections)
        list(islice(engine.blocks(step), _BLOCKS))
        engine.drain()
        latency = engine.totals(step)["home"].latency
        return [latency.quantile_ms(share) or 0.0 for share in _SHARES]


def wrk_latencies_ms(port: int, connections: int) -> list[float]:
    duration = f"-d{round(_BLOCKS * BLOCK_S)}s"
    printed = run("wrk", "-t1", f"-c{connections}", duration, "--latency", f"http://127.0.0.1:{port}/")
    found = re.findall(r"^ +(?:50|75|90|99)% +([\d.]+)(us|ms|s)", printed, re.MULTILINE)
    return [float(value) * _UNITS_MS[unit] for value, unit in found]


def compare_latencies(cpus: set[int]) -> bool:
    """Whether the median is within 5% of wrk's, where every response takes 10 ms, at the same rate."""
    connections = 10
    rounds: dict[str, list[list[float]]] = {"perfcheck": [], "wrk": []}
    with queueing_server(0, "fixed", 10, cpus=cpus) as port:
        for _ in range(_ROUNDS):
            rounds["perfcheck"].append(perfcheck_latencies_ms(port, connections))
            rounds["wrk"].append(wrk_latencies_ms(port, connections))
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in rounds.items()}
    print(f"latency in ms of responses after 10 ms, {connections} connections, median of {_ROUNDS} rounds:")
    print("  " + " " * 13 + "".join(f"{f'{share:.0%}':>8}" for share in _SHARES))
    for name, values in medians.items():
        print(f"  {name:13}" + "".join(f"{value:8.2f}" for value in values))
    ours, theirs = medians["perfcheck"][0], medians["wrk"][0]
    return bool(abs(ours / theirs - 1) <= 0.05)


def main() -> int:
    """The exit code: 1 where a criterion is missed."""
    cpus = keep_apart()
    results = [compare_rates(cpus), compare_latencies(cpus)]
    print("criteria are met" if all(results) else "A CRITERION IS MISSED")
    return 0 if all(results) else 1
