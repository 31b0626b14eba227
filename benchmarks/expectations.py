"""What an expectation costs: ``python benchmarks/expectations.py [--requests 1000] [--json PATH]``.

A service in a process of its own, on another CPU, answers with 2 KB of JSON after 1 ms. The endpoint without an
expectation and one for each kind are requested in turn, so that all see the same machine. Printed is the median latency
of each and its ratio to the one without, and the CPU time that the check of an answer takes between two requests, in
the best of many blocks: what else runs on the machine can only add to it.

Exits with 1 when a median is over 1.02 times the one without, or a check takes over 30 us. The last row is not
judged: a filter, for which python-jsonpath is needed.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from delayed_service import service
from processes import keep_apart

from perfcheck.answers.answer_check import AnswerCheck
from perfcheck.baseline import load_baseline
from perfcheck.client.client import Client
from perfcheck.client.response import Response
from perfcheck.model import Endpoint
from perfcheck.text import Redactor

MOST_TIMES = 1.02
MOST_CPU_US = 30.0
DELAY_MS = 1.0  # of the service
BLOCKS, CHECKS = 100, 100
BODY = json.dumps(
    {"total": 36, "items": [{"id": n, "title": f"Video {n}", "genre": f"Love story {n:08}"} for n in range(36)]}
).encode()
SCHEMA = {
    "type": "object",
    "required": ["total", "items"],
    "properties": {
        "total": {"type": "integer", "minimum": 1},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "title"],
                "properties": {"id": {"type": "integer"}, "title": {"type": "string"}},
            },
        },
    },
}
WITHOUT = "without"
KINDS = {
    WITHOUT: "",
    "json: one path": 'expect: {json: {$.total: ">= 1"}}',
    "json: four paths": 'expect: {json: {$.total: ">= 1", $.items: {type: array, length: ">= 1"}, '
    '"$.items[0].title": {contains: Video}, $.error: absent}}',
    "json: [*], 36 values": 'expect: {json: {"$.items[*].id": {type: integer}}}',
    "json: .., 36 values": "expect: {json: {$..id: exists}}",
    "text: contains": "expect: {text: '\"total\": 36'}",
    "text: matches": "expect: {text: {matches: 'story 0+35\"'}}",
    "header": "expect: {header: {ETag: exists, Content-Type: {contains: json}}}",
    "schema": "expect: {schema: schema.json}",
    "max_bytes": "expect: {max_bytes: 3kB}",
    "graphql": "graphql: {query: '{videos {id}}'}",
}
NOT_JUDGED = {
    "json: filter, 36 values": 'expect: {json: {"$.items[?@.id == 3].title": exists}}',
}


@dataclass(frozen=True, slots=True)
class Row:
    kind: str
    median_ms: float
    ratio: float  # of the medians
    cpu_us: float


def medians_ms(client: Client, endpoints: dict[str, Endpoint], requests: int) -> dict[str, float]:
    latencies: dict[str, list[float]] = {kind: [] for kind in endpoints}
    in_turn, shuffle = list(endpoints.items()), random.Random(1).shuffle
    for _ in range(requests):
        shuffle(in_turn)  # so that each comes behind each other: a pause before a request lengthens it
        for kind, endpoint in in_turn:
            sample = client.send(endpoint)
            if sample.latency_ms is None:
                raise SystemExit(f"{kind}: {sample.detail}")
            latencies[kind].append(sample.latency_ms)
    return {kind: statistics.median(found[len(found) // 10 :]) for kind, found in latencies.items()}


def check_of(endpoint: Endpoint) -> AnswerCheck | None:
    return AnswerCheck(endpoint.answer, Redactor()) if endpoint.answer else None


def cpu_us(check: AnswerCheck | None) -> float:
    """Of a check, in the best block."""
    if check is None:
        return 0.0
    best = float("inf")
    header = Response(200, b"OK", [(b"content-type", b"application/json"), (b"etag", b"x")], "HTTP/1.1").header
    for _ in range(BLOCKS):
        started = time.process_time_ns()
        for _ in range(CHECKS):
            check.problem(header, BODY)
        best = min(best, (time.process_time_ns() - started) / CHECKS / 1000)
    return best


def measure(requests: int) -> list[Row]:
    cpus = keep_apart()
    with tempfile.TemporaryDirectory() as folder, service(DELAY_MS, cpus, BODY) as url:
        (Path(folder) / "schema.json").write_text(json.dumps(SCHEMA))
        file = Path(folder) / "baselines.yaml"
        lines = [f"  '{kind}': {{path: /, {keys}}}" for kind, keys in {**KINDS, **NOT_JUDGED}.items()]
        text = "\n".join(["version: 1", f"service: {{base_url: '{url}'}}", "endpoints:", *lines])
        file.write_text(text, encoding="utf-8")
        baseline = load_baseline(file, {})
        endpoints = {endpoint.name: endpoint for endpoint in baseline.endpoints}
        with Client(baseline.service, redact=Redactor()) as client:
            medians = medians_ms(client, endpoints, requests)
        compiled = {kind: check_of(endpoint) for kind, endpoint in endpoints.items()}
    # Without the service, whose clock watches a CPU that may be half of this one.
    return [
        Row(kind, medians[kind], medians[kind] / medians[WITHOUT], cpu_us(check)) for kind, check in compiled.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000, help="for each row (default: 1000)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    rows = measure(options.requests)
    print(f"{len(BODY):,} bytes of JSON\n")
    print("| expectation | median latency | ratio | CPU between requests |\n|---|---:|---:|---:|")
    for row in rows:
        print(f"| {row.kind} | {row.median_ms:.3f} ms | {row.ratio:.3f} | {row.cpu_us:.1f} us |")
    judged = [row for row in rows if row.kind not in NOT_JUDGED]
    slowest, dearest = max(row.ratio for row in judged), max(row.cpu_us for row in judged)
    passed = slowest <= MOST_TIMES and dearest <= MOST_CPU_US
    print(
        f"\nlatency at most {slowest:.3f} times (limit {MOST_TIMES}), a check at most {dearest:.1f} us "
        f"(limit {MOST_CPU_US:.0f} us): {'pass' if passed else 'FAIL'}"
    )
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
