"""A full check of the sample service, compared with its limit and with k6: ``python benchmarks/whole_check.py``.

- The limit is the sum of the service's own response times: anything else that a check does is overhead.
- The peer is a k6 script with the same thresholds (2x target at the same statistic), one virtual user, endpoints in
  turn, at the fixed number of requests that brings its error rate down to that of perfcheck under bursts; the number
  comes from ``benchmarks/decisions.py`` (a point estimate of 100 requests), and k6 at 10 requests is shown too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from perfcheck.demo.demo_process import running_demo

PERFCHECK = str(Path(sys.executable).with_name("perfcheck"))
ALLOWED_RATIO, ALLOWED_EXTRA_S = 1.5, 1.0


def timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    return time.perf_counter() - started


def perfcheck_demo(folder: Path) -> tuple[float, dict[str, Any]]:
    file = folder / "run.json"
    took = timed([PERFCHECK, "run", "--demo", "-o", str(file)])
    return took, json.loads(file.read_text())


def service_seconds(run: dict[str, Any]) -> float:
    """What the service itself took for all requests of the run, warm-up included."""
    return sum(ms or 0.0 for one in run["endpoints"] for ms in one["timeline"]["latency_ms"]) / 1000


def k6_script(run: dict[str, Any], base_url: str, iterations: int) -> str:
    """The same endpoints with the same thresholds as a k6 user would write them down."""
    urls, thresholds = [], {}
    for one in run["endpoints"]:
        path = one["url"].split("/", 3)[3]
        urls.append({"url": f"{base_url}/{path}", "name": one["name"]})
        statistic = "med" if one["metric"] == "median" else f"p({one['metric'][1:]})"
        limit = min(one["critical_ms"], one["ceiling_ms"] or float("inf"))
        thresholds[f"http_req_duration{{name:{one['name']}}}"] = [f"{statistic}<{limit}"]
    options = json.dumps({"vus": 1, "iterations": iterations, "thresholds": thresholds})
    return (
        "import http from 'k6/http';\n"
        f"export const options = {options};\nconst urls = {json.dumps(urls)};\n"
        "export default function () {\n"
        "  for (const { url, name } of urls) http.get(url, { tags: { name } });\n}\n"
    )


def k6_seconds(k6: str, run: dict[str, Any], folder: Path, iterations: int) -> float:
    script = folder / "check.js"
    started = time.perf_counter()
    with running_demo() as base_url:  # started for each run, as perfcheck run --demo does
        script.write_text(k6_script(run, base_url, iterations))
        timed([k6, "run", "--quiet", str(script)])
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--equal-requests", type=int, default=100, help="requests an endpoint for k6's equal error rate"
    )
    options = parser.parse_args()
    k6 = shutil.which("k6", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    times: dict[str, list[float]] = {}
    limits: list[float] = []
    requests = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(options.repeats):
            took, run = perfcheck_demo(folder)
            times.setdefault("perfcheck run --demo", []).append(took)
            limits.append(service_seconds(run))
            requests = sum(one["requests"]["sent"] + one["requests"]["warmup"] for one in run["endpoints"])
            if k6:
                times.setdefault("k6, 10 requests an endpoint", []).append(k6_seconds(k6, run, folder, 10))
        if k6:
            label = f"k6, {options.equal_requests} requests an endpoint"
            times[label] = [k6_seconds(k6, run, folder, options.equal_requests)]
    limit, own = statistics.median(limits), statistics.median(times["perfcheck run --demo"])
    print(f"| check of the sample service ({len(run['endpoints'])} endpoints) | median time | ratio to perfcheck |")
    print("|---|---:|---:|")
    print(f"| sum of the service's response times ({requests} requests) | {limit:.2f} s | {limit / own:.2f} |")
    for label, took_all in times.items():
        print(f"| {label} | {statistics.median(took_all):.2f} s | {statistics.median(took_all) / own:.2f} |")
    allowed = ALLOWED_RATIO * limit + ALLOWED_EXTRA_S
    verdict = "pass" if own <= allowed else "FAIL"
    print(f"\nperfcheck takes {own:.2f} s, allowed are 1.5x {limit:.2f} s + 1 s = {allowed:.2f} s: {verdict}")
    return 0 if own <= allowed else 1


if __name__ == "__main__":
    sys.exit(main())
