"""The capacity of the sample service under gunicorn: it grows with the workers, and a slower handler lowers it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from acceptance import Criterion, conclude, show, table
from processes import PERFCHECK
from services import service

WORKERS = (1, 2, 4)
SLOWER_BY = 0.2
_MAX_TIME_S = 180
_TIMEOUT_S = 3 * _MAX_TIME_S

Json = dict[str, Any]


def main() -> int:
    """The exit code: 1 where a criterion is missed."""
    with tempfile.TemporaryDirectory() as folder:
        return conclude(show("Capacity of the sample service under gunicorn", section(Path(folder))))


def section(folder: Path) -> Iterator[str | Criterion]:
    found = {workers: searched(folder, workers) for workers in WORKERS}
    slower = searched(folder, WORKERS[-1], slower_by=SLOWER_BY)
    named = {f"{workers} of gunicorn's workers": each for workers, each in found.items()}
    named[f"{WORKERS[-1]}, a handler that is 20% slower"] = slower
    yield from table(["service", "users", "interval", "verdict"], [[name, *row(each)] for name, each in named.items()])
    for fewer, more in pairwise(WORKERS):
        gain = found[more]["interval"][0] - found[fewer]["interval"][1]
        yield Criterion(f"{more} workers hold more than {fewer}, by the intervals: users", gain, 0.0, "", at_least=True)
    is_lower = slower["verdict"] == "CRITICAL"
    yield Criterion("the slower handler is CRITICAL against the run before", float(is_lower), 1.0, "", at_least=True)


def row(capacity: Json) -> list[str]:
    low, high = capacity["interval"]
    return [str(capacity["value"]), f"{low} to {high}", capacity["verdict"]]


def searched(folder: Path, workers: int, slower_by: float = 0.0) -> Json:
    """The capacity, as the run file has it; of the slower service against that of the same workers before."""
    file, out, before = (
        folder / "baselines.yaml",
        folder / f"{workers}-{slower_by}.json",
        folder / f"{workers}-0.0.json",
    )
    with service(f"sample-{workers}-{slower_by}") as url:
        file.write_text(yaml.safe_dump(baseline(url)), encoding="utf-8")
        command = [PERFCHECK, "capacity", "-f", str(file), "-q", "-o", str(out)]
        against = ["--against", str(before)] if slower_by else []
        subprocess.run([*command, *against], check=False, stdout=subprocess.DEVNULL, timeout=_TIMEOUT_S)
    capacity: Json = json.loads(out.read_text(encoding="utf-8"))["capacity"]
    return capacity


def baseline(url: str) -> Json:
    return {
        "version": 1,
        "service": {"base_url": url},
        "endpoints": {"settings": {"path": "/api/settings/", "target": "100ms"}},
        "capacity": {"think": {"exponential": "500ms"}, "within": "95%", "max_time": f"{_MAX_TIME_S}s"},
    }
