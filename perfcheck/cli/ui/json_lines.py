"""Results as JSON on stdout, one to a line, however many there are."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from perfcheck.history.model import PastRun
from perfcheck.model import Counts

_encode = json.JSONEncoder(allow_nan=False).encode  # json.dumps would make one for each value


def print_runs(runs: Iterable[PastRun]) -> None:
    """``{"runs": [...]}``, each run as soon as it is known, so that memory does not grow with their number."""
    write = sys.stdout.write  # click.echo would send every line by itself
    write('{"runs": [')
    separator = "\n"
    for run in runs:
        # Not asdict, which copies every value: that takes longer than reading the run.
        fields = {name: getattr(run, name) for name in PastRun.__slots__}
        fields["counts"] = {name: getattr(run.counts, name) for name in Counts.__slots__}
        write(f"{separator}{as_json(fields)}")
        separator = ",\n"
    write("\n]}\n" if separator == ",\n" else "]}\n")


def as_json(value: Any) -> str:
    """On one line, in plain ASCII: any terminal and any pipe takes it."""
    return _encode(value)
