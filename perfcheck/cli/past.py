"""An earlier run, by whatever it is named with: a file, a label, an id in the history."""

from __future__ import annotations

import os
from pathlib import Path

from perfcheck.errors import UsageError
from perfcheck.model import Run
from perfcheck.runfile import read_run


def run_named(reference: str, history: str | None) -> Run:
    """A run to hold another against. Raises UsageError as ``saved_run``, and for a comparison, which is no such run."""
    run = saved_run(reference, history)
    if run.is_comparison:
        raise UsageError(f"{reference} is a comparison, not a run", "name one of the two runs that it compared")
    return run


def saved_run(reference: str, history: str | None) -> Run:
    """The run in the file of this name, or on stdin for ``-``; else the one of this label or id in the history.

    Raises UsageError, naming what there is, when it is neither.
    """
    if "://" in reference:
        remedy = "'perfcheck compare BEFORE AFTER' compares two running services"
        raise UsageError(f"{reference} is an address, and a saved run is needed", remedy)
    if reference == "-":
        return read_run(Path("/dev/stdin"))
    path = Path(reference)
    if path.is_file() or path.is_fifo():
        return read_run(path)
    from perfcheck.cli.ui.options import opened

    try:
        with opened(history) as store:
            return store.run(reference)
    except UsageError as error:
        if path.is_dir():
            raise UsageError(f"{reference} is a folder, and {error.message}", error.remedy) from None
        if reference.endswith(".json") or os.sep in reference:
            raise UsageError(f"there is no file {reference}, and {error.message}", error.remedy) from None
        raise
