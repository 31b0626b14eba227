"""The baseline of a command, with its errors where GitHub shows them."""

from __future__ import annotations

import os
from pathlib import Path

from perfcheck.baseline import BaselineError, load_baseline
from perfcheck.model import Baseline


def load_annotated(file: Path, *, annotate: bool, base_url: str | None = None, shown_as: str | None = None) -> Baseline:
    """The baseline in ``file``. ``annotate``: GitHub is told of its errors as well. Raises as ``load_baseline``."""
    try:
        return load_baseline(file, os.environ, base_url=base_url, shown_as=shown_as)
    except BaselineError as error:
        if annotate:
            from perfcheck.cli.annotations import annotate_baseline

            annotate_baseline(error, os.environ)
        raise
