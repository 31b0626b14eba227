"""The baseline file: YAML in, ``perfcheck.model.Baseline`` out, every error with its line and its remedy."""

from __future__ import annotations

from perfcheck.baseline.file_errors import BaselineError
from perfcheck.baseline.load import Summary, check_baseline, find_baseline, load_baseline, load_compare_limits

__all__ = ["BaselineError", "Summary", "check_baseline", "find_baseline", "load_baseline", "load_compare_limits"]
