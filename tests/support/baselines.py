"""Baselines written for one test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from perfcheck.baseline import load_baseline
from perfcheck.model import Baseline, Endpoint


def load(folder: Path, text: str, env: Mapping[str, str] | None = None, *, base_url: str | None = None) -> Baseline:
    file = folder / "baselines.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    return load_baseline(file, env or {}, base_url=base_url)


def load_endpoint(folder: Path, keys: str, env: Mapping[str, str] | None = None, *, above: str = "") -> Endpoint:
    """The one endpoint of a baseline: ``keys`` in braces, ``above`` its other sections."""
    text = f"version: 1\nservice: {{base_url: http://localhost}}\n{above}\nendpoints:\n  it: {{path: /it, {keys}}}\n"
    return load(folder, text, env).endpoints[0]
