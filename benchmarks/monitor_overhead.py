"""What the monitor costs, compared with known peers: all in one process, measured alternately.

    python benchmarks/monitor_overhead.py [--rounds 40] [--json]

The decorator (which records everything that the statistics show) against ``prometheus_client``'s ``Histogram.time()``,
the ASGI middleware against the one of ``prometheus-fastapi-instrumentator``. Each round measures all of them in a
random order; what is compared is the median over rounds of the ratio within a round, so that a slow phase of the
machine affects both. Exits with 1 when one of ours costs more than its peer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Histogram
from prometheus_fastapi_instrumentator import Instrumentator

from perfcheck.monitor import monitor_performance, reset
from perfcheck.monitor.asgi import Monitor

CALLS = 2000
REQUESTS = 100
Measure = Callable[[], float]  # nanoseconds of one call or request


def handler() -> None:
    return None


async def async_handler() -> None:
    return None


def per_call(function: Callable[[], object]) -> Measure:
    def measure() -> float:
        began = perf_counter_ns()
        for _ in range(CALLS):
            function()
        return (perf_counter_ns() - began) / CALLS

    return measure


def per_await(function: Callable[[], Awaitable[object]]) -> Measure:
    async def many() -> float:
        began = perf_counter_ns()
        for _ in range(CALLS):
            await function()
        return (perf_counter_ns() - began) / CALLS

    return lambda: asyncio.run(many())


def per_request(app: Any) -> Measure:
    """One GET through the entire application, without a socket."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: object) -> None:
        return None

    async def one() -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/videos/7",
            "raw_path": b"/videos/7",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await app(scope, receive, send)

    async def many() -> float:
        began = perf_counter_ns()
        for _ in range(REQUESTS):
            await one()
        return (perf_counter_ns() - began) / REQUESTS

    return lambda: asyncio.run(many())


def fastapi_app() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/videos/{number}")
    async def video(number: int) -> dict[str, int]:
        return {"number": number}

    return app


@dataclass(frozen=True)
class Comparison:
    """Ours and its peer, each without the cost of the bare handler."""

    name: str
    bare: Measure
    ours: Measure
    peer: Measure


def comparisons() -> Iterator[Comparison]:
    registry = CollectorRegistry()
    timed = Histogram("handler_seconds", "Time in the handler.", registry=registry).time()
    yield Comparison(
        "decorator / Histogram.time()",
        per_call(handler),
        per_call(monitor_performance("handler")(handler)),
        per_call(timed(handler)),
    )
    instrumented = fastapi_app()
    Instrumentator(registry=registry).instrument(instrumented)
    yield Comparison(
        "ASGI middleware / prometheus-fastapi-instrumentator",
        per_request(fastapi_app()),
        per_request(Monitor(fastapi_app())),
        per_request(instrumented),
    )


def compare(comparison: Comparison, rounds: int, rng: random.Random) -> dict[str, float]:
    """Medians over the rounds, in microseconds; the first round warms up and is left out."""
    measures = {"bare": comparison.bare, "ours": comparison.ours, "peer": comparison.peer}
    taken: list[dict[str, float]] = []
    for _ in range(rounds + 1):
        order = list(measures)
        rng.shuffle(order)
        times = {name: measures[name]() for name in order}
        taken.append({"ours": times["ours"] - times["bare"], "peer": times["peer"] - times["bare"]})
    del taken[0]
    return {
        "ours_us": statistics.median(one["ours"] for one in taken) / 1000,
        "peer_us": statistics.median(one["peer"] for one in taken) / 1000,
        "ratio": statistics.median(one["ours"] / one["peer"] for one in taken),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="What the monitor costs against its peers.")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    found = {one.name: compare(one, options.rounds, rng) for one in comparisons()}
    awaited = compare(
        Comparison(
            "", per_await(async_handler), per_await(monitor_performance("async")(async_handler)), lambda: float("inf")
        ),
        options.rounds,
        rng,
    )
    reset()
    if options.json:
        print(json.dumps({**found, "async decorator": {"ours_us": awaited["ours_us"]}}, indent=1))
    else:
        for name, figures in found.items():
            print(f"{name}: {figures['ours_us']:.2f} us / {figures['peer_us']:.2f} us = {figures['ratio']:.2f}")
        print(f"async decorator: {awaited['ours_us']:.2f} us")
    return int(any(figures["ratio"] > 1 for figures in found.values()))


if __name__ == "__main__":
    sys.exit(main())
