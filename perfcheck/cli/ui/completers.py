"""What a shell offers as the value of an argument or option: from the baseline, and from a history in a file.

Offline, and silent about whatever is wrong: someone is in the middle of typing. Nothing is imported before it is asked
for, since a wait at the Tab key is felt.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from perfcheck.text import clean

_MOST = 200  # of the newest runs
_LABELS = "SELECT label FROM perfcheck_runs WHERE label IS NOT NULL ORDER BY started_at DESC LIMIT ?"
_IDS = "SELECT substr(id, 1, 8) FROM perfcheck_runs ORDER BY started_at DESC LIMIT ?"
_LONGEST_NAME = 200  # what is longer is not typed, and not read in a list either


def complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Left to the shell, which knows how its user wants files shown."""
    return [CompletionItem(incomplete, type="file")]


def complete_endpoints(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Endpoints of the baseline that the command would use, without those that are typed already."""
    typed = ctx.params.get(param.name or "") or ()
    return [item for item in matching(_keys(ctx, "endpoints"), incomplete) if item.value not in typed]


def complete_groups(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Groups of the baseline that the command would use."""
    return matching(_keys(ctx, "groups"), incomplete)


def complete_report(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """``FORMAT``, or the file behind ``FORMAT=``."""
    from perfcheck.cli.reports import FORMATS

    name, separator, path = incomplete.partition("=")
    if separator:
        return [CompletionItem(path, type="file", prefix=f"{name}=")] if name in FORMATS else []
    return matching(FORMATS, incomplete)


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


def matching(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Those that begin so. A name that a terminal cannot show as it is would be no help to its reader."""
    return [
        CompletionItem(name)
        for name in names
        if name.startswith(incomplete) and len(name) <= _LONGEST_NAME and name == clean(name)
    ]


def _keys(ctx: click.Context, section: str) -> list[str]:
    """The names in a section of the baseline; of a wrong baseline too, as long as it is YAML."""
    from perfcheck.baseline.files import decode, find_baseline, read_bytes
    from perfcheck.baseline.tree import names_in_section
    from perfcheck.demo import demo_baseline

    named = ctx.params.get("baseline")
    file = demo_baseline() if ctx.params.get("demo") and not named else find_baseline(named, os.environ, Path.cwd())
    file = file.expanduser()
    return names_in_section(decode(read_bytes(file), str(file)), section)


def _names(ctx: click.Context, query: str) -> list[str]:
    """By the driver alone: SQLAlchemy takes longer to import than one likes to wait at the Tab key."""
    import sqlite3

    from perfcheck.history.locations import default_file

    named = ctx.params.get("history") or os.environ.get("PERFCHECK_HISTORY")
    if named and "://" in named and not named.startswith("sqlite"):
        return []
    file = Path(named.removeprefix("sqlite:///")) if named else default_file(Path.cwd())
    if not file.is_file():
        return []
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return [name for (name,) in connection.execute(query, (_MOST,))]
