"""What a shell offers as the value of an argument or option.

Offline, and silent about whatever is wrong: someone is in the middle of typing. Nothing is imported before it is asked
for, since a wait at the Tab key is felt.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from perfcheck.text import clean

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
    """``FORMAT``, ``FORMAT=``, and a file behind it."""
    from perfcheck.cli.reports import FORMATS

    name, separator, path = incomplete.partition("=")
    if separator:
        return [CompletionItem(path, type="file")] if name in FORMATS else []
    return matching((form for name in FORMATS for form in (name, f"{name}=")), incomplete)


def matching(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Those that begin so. A name that a terminal cannot show as it is would be no help to its reader."""
    return [
        CompletionItem(name)
        for name in names
        if name.startswith(incomplete) and len(name) <= _LONGEST_NAME and name == clean(name)
    ]


def _keys(ctx: click.Context, section: str) -> list[str]:
    """The names in a section of the baseline; of a wrong baseline too, as long as it is YAML."""
    from perfcheck.baseline.find import find_baseline
    from perfcheck.baseline.nodes import Mapping
    from perfcheck.baseline.problems import Problems
    from perfcheck.baseline.reading import decode, read_bytes
    from perfcheck.baseline.tree import compose
    from perfcheck.demo.baseline import demo_baseline

    named = ctx.params.get("baseline")
    file = demo_baseline() if ctx.params.get("demo") and not named else find_baseline(named, os.environ, Path.cwd())
    text = decode(read_bytes(file.expanduser()))
    root = compose(text, Problems(text))
    if not isinstance(root, Mapping):
        return []
    found = next((node for key, node in root.pairs if key.text == section), None)
    return [key.text for key, _ in found.pairs] if isinstance(found, Mapping) else []
