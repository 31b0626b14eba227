"""The baseline file: YAML in, ``perfcheck.model.Baseline`` out, every error with its line and its remedy."""

from __future__ import annotations

from perfcheck.baseline.find import find_baseline
from perfcheck.baseline.load import Summary, check_baseline, load_baseline, load_compare_limits
from perfcheck.baseline.problems import BaselineError, Problem, format_problems

__all__ = [
    "BaselineError",
    "Problem",
    "Summary",
    "check_baseline",
    "find_baseline",
    "format_problems",
    "load_baseline",
    "load_compare_limits",
]
