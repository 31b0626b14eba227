"""The search for the capacity on a real service, ``queueing_server.c``, compared with queueing theory."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from acceptance import Criterion, conclude, show, table
from load_engine import queueing_server
from processes import PERFCHECK
from simulation.searching import SITUATIONS, Situation

MODELS = tuple(
    each for each in SITUATIONS if each.name in ("closed, exponential, think 100 ms, p95 50 ms", "M/M/4, p95 50 ms")
)
TOLERANCE = 0.10
MAX_TIME_S = 180
_TIMEOUT_S = 2 * MAX_TIME_S

Json = dict[str, Any]


def main(tries: int, at_once: int) -> int:
    """The exit code: 1 where a criterion is missed. ``at_once`` searches run side by side."""
    return conclude(show("Capacity, of a real service", section(tries, at_once)))


def section(tries: int, at_once: int) -> Iterator[str | Criterion]:
    rows = []
    for situation in MODELS:
        truth = situation.truth()
        with ThreadPoolExecutor(at_once) as pool:
            found = list(pool.map(searched, [situation] * tries))
        known = sorted(each["value"] for each in found if each["value"] is not None)
        intervals = [each["interval"] for each in found if None not in each["interval"]]
        within = sum(abs(value / truth - 1) <= TOLERANCE for value in known)
        cover = sum(low <= truth <= high for low, high in intervals)
        answers = f"{known[0]:.4g} to {known[-1]:.4g}" if known else "none"
        seconds = f"{statistics.median(each['seconds'] for each in found):.0f} s"
        rows.append([situation.name, f"{truth:.4g}", answers, f"{within} of {tries}", f"{cover} of {tries}", seconds])
        yield Criterion(f"{situation.name}: within 10%", within, tries - tries // 20, "", at_least=True)
    yield from table(["service", "theory", "answers", "within 10%", "intervals cover", "median time"], rows)


def searched(situation: Situation) -> Json:
    """The capacity, as the run file has it."""
    servers = situation.servers
    distribution = "fixed" if servers.is_fixed else "exponential"
    with (
        tempfile.TemporaryDirectory() as folder,
        queueing_server(servers.count, distribution, servers.service_s * 1e3) as port,
    ):
        file, out = Path(folder, "baselines.yaml"), Path(folder, "run.json")
        file.write_text(yaml.safe_dump(baseline(situation, port)), encoding="utf-8")
        command = [PERFCHECK, "capacity", "-f", str(file), "-q", "-o", str(out)]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, timeout=_TIMEOUT_S)
        capacity: Json = json.loads(out.read_text(encoding="utf-8"))["capacity"]
    return capacity


def baseline(situation: Situation, port: int) -> Json:
    limit = f"{1e3 * situation.servers.limit_s:g}ms"
    load = {"model": "rate"} if situation.think_s is None else {"think": {"exponential": f"{situation.think_s}s"}}
    return {
        "version": 1,
        "service": {"base_url": f"http://127.0.0.1:{port}"},
        "endpoints": {"home": {"path": "/", "target": limit}},
        "capacity": {
            **load,
            "limit": limit,
            "within": f"{100 * (1 - situation.share):g}%",
            "max_time": f"{MAX_TIME_S}s",
        },
    }
