"""What a shell offers as the value of an argument or option: from the baseline, and from a history in a file.

Offline, and silent about errors: the user is in the middle of typing. Imports are late, since a wait at the Tab key is
felt.
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
_LONGEST_NAME = 200  # a longer one is neither typed nor read in a list


def complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Left to the shell, which knows how its user likes files listed."""
    return [CompletionItem(incomplete, type="file")]


def complete_endpoints(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Endpoints of the baseline that the command would use, without those already typed."""
    typed = ctx.params.get(param.name or "") or ()
    return [item for item in matching(_keys(ctx, "endpoints"), incomplete) if item.value not in typed]


def complete_groups(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Groups of the baseline that the command would use."""
    return matching(_keys(ctx, "groups"), incomplete)


def complete_report(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """``FORMAT``, or the file after ``FORMAT=``."""
    from perfcheck.cli.reports import FORMATS, MESSAGES

    name, separator, path = incomplete.partition("=")
    if separator:
        return [CompletionItem(path, type="file", prefix=f"{name}=")] if name in FORMATS else []
    return matching((*FORMATS, *(f"{name}=" for name in MESSAGES)), incomplete)


def complete_labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Labels of saved runs."""
    return matching(_names(ctx, _LABELS), incomplete)


def complete_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Labels of saved runs; ids too, once the user has begun to type one."""
    ids = _names(ctx, _IDS) if incomplete else []
    return matching(dict.fromkeys((*_names(ctx, _LABELS), *ids)), incomplete)


def complete_sides(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Runs, and the branches and tags of the repository."""
    from perfcheck.engine.sides import names_of_commits

    try:
        names = list(dict.fromkeys(names_of_commits(Path.cwd())))
    except Exception:  # noqa: BLE001 - no repository, or no git
        names = []
    return complete_runs(ctx, param, incomplete) + matching(names, incomplete)


def complete_runs_and_endpoints(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Endpoints of the baseline, then runs."""
    try:
        endpoints = complete_endpoints(ctx, param, incomplete)
    except Exception:  # noqa: BLE001 - the history needs no baseline
        endpoints = []
    return endpoints + complete_runs(ctx, param, incomplete)


def matching(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Names that start with ``incomplete``, without those that a terminal cannot show as they are."""
    return [
        CompletionItem(name)
        for name in names
        if name.startswith(incomplete) and len(name) <= _LONGEST_NAME and name == clean(name)
    ]


def _keys(ctx: click.Context, section: str) -> list[str]:
    """The names in a section of the baseline, even an invalid one, as long as it is YAML."""
    from perfcheck.baseline.load import decode, find_baseline, read_bytes
    from perfcheck.baseline.tree import names_in_section
    from perfcheck.demo import demo_baseline

    named = ctx.params.get("baseline")
    file = demo_baseline() if ctx.params.get("demo") and not named else find_baseline(named, os.environ, Path.cwd())
    file = file.expanduser()
    return names_in_section(decode(read_bytes(file), str(file)), section)


def _names(ctx: click.Context, query: str) -> list[str]:
    """With sqlite3 alone: importing SQLAlchemy would be a noticeable wait at the Tab key."""
    import sqlite3

    from perfcheck.history import default_file

    named = ctx.params.get("history") or os.environ.get("PERFCHECK_HISTORY")
    if named and "://" in named and not named.startswith("sqlite"):
        return []
    file = Path(named.removeprefix("sqlite:///")) if named else default_file(Path.cwd())
    if not file.is_file():
        return []
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return [name for (name,) in connection.execute(query, (_MOST,))]
