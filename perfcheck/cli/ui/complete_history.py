"""What a shell offers from the history: only from a file, which is quick, and only if there is one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from perfcheck.cli.ui.complete_values import complete_endpoints, matching

_MOST = 200  # of the newest runs
_LABELS = "SELECT label FROM perfcheck_runs WHERE label IS NOT NULL ORDER BY started_at DESC LIMIT ?"
_IDS = "SELECT substr(id, 1, 8) FROM perfcheck_runs ORDER BY started_at DESC LIMIT ?"


def complete_labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Labels of saved runs."""
    return matching(_names(ctx, _LABELS), incomplete)


def complete_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Labels of saved runs, and ids for who began to type one."""
    ids = _names(ctx, _IDS) if incomplete else []
    return matching(dict.fromkeys((*_names(ctx, _LABELS), *ids)), incomplete)


def complete_runs_and_endpoints(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Endpoints of the baseline, then runs: the baseline is at hand where a history is on a server."""
    try:
        endpoints = complete_endpoints(ctx, param, incomplete)
    except Exception:  # noqa: BLE001 - there need be no baseline to look at the past
        endpoints = []
    return endpoints + complete_runs(ctx, param, incomplete)


def _names(ctx: click.Context, query: str) -> list[str]:
    """By the driver alone: SQLAlchemy takes longer to import than one likes to wait at the Tab key."""
    from perfcheck.history.locations import default_file

    named = ctx.params.get("history") or os.environ.get("PERFCHECK_HISTORY")
    if named and "://" in named and not named.startswith("sqlite"):
        return []
    file = Path(named.removeprefix("sqlite:///")) if named else default_file(Path.cwd())
    if not file.is_file():
        return []
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return [name for (name,) in connection.execute(query, (_MOST,))]
