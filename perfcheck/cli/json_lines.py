"""Results as JSON on stdout, one to a line, however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click

from perfcheck.history import Note, PastMeasurement, PastRun


def print_list(name: str, items: Iterable[PastRun | PastMeasurement | Note]) -> None:
    """``{"name": [...]}``, each item as soon as it is known, so that memory does not grow with their number."""
    separator = "\n"
    click.echo(f'{{"{name}": [', nl=False)
    for item in items:
        click.echo(f"{separator}{as_json(asdict(item))}", nl=False)
        separator = ",\n"
    click.echo("\n]}" if separator == ",\n" else "]}")


def as_json(value: Any) -> str:
    """On one line, in plain ASCII: any terminal and any pipe takes it."""
    return json.dumps(value, allow_nan=False)
