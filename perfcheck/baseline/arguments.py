"""An endpoint whose keys are given in a program instead of a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from perfcheck.baseline.file_errors import BaselineError
from perfcheck.baseline.load import parse_baseline
from perfcheck.errors import UsageError
from perfcheck.model import Baseline


def baseline_of(name: str, keys: Mapping[str, object], *, base_url: str) -> Baseline:
    """A baseline of one endpoint with these keys, as they are in a file; a dollar sign is a dollar sign.

    It has no file. Raises UsageError with the first error.
    """
    document = {"version": 1, "service": {"base_url": base_url}, "endpoints": {name: _escaped(dict(keys))}}
    try:
        text = json.dumps(document, ensure_ascii=False)  # which YAML reads as well
    except (TypeError, ValueError) as error:
        raise UsageError(f"not a value of a baseline: {error}", "use text, numbers, lists and mappings") from None
    try:
        baseline = parse_baseline(text.encode(), Path(), {})
    except BaselineError as error:
        first = error.errors[0]
        raise UsageError(first.message, first.remedy) from None
    return replace(baseline, file="", sha256="")


def _escaped(value: object) -> object:
    """With ``$$`` for a dollar sign in values; keys, such as ``$.items``, are not interpolated."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value
