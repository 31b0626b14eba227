"""Results as JSON on stdout, one to a line, however many there are."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from perfcheck.history import PastRun


def print_runs(runs: Iterable[PastRun]) -> None:
    """``{"runs": [...]}``, each run as soon as it is known, so that memory does not grow with their number."""
    write = sys.stdout.write  # click.echo would send every line by itself
    write('{"runs": [')
    separator = "\n"
    for run in runs:
        # Not asdict for all of it, which copies every value: that takes longer than reading the run.
        fields = {name: getattr(run, name) for name in PastRun.__slots__} | {"counts": asdict(run.counts)}
        write(f"{separator}{as_json(fields)}")
        separator = ",\n"
    write("\n]}\n" if separator == ",\n" else "]}\n")


def as_json(value: Any) -> str:
    """On one line, in plain ASCII: any terminal and any pipe takes it."""
    return json.dumps(value, allow_nan=False)
