"""The errors of a baseline for GitHub Actions, beside the lines they are about."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import click

from perfcheck.baseline import BaselineError
from perfcheck.report.workflow_commands import file_in, workflow_command

_MOST = 10  # GitHub shows no more errors of one step


def annotate_baseline(error: BaselineError, env: Mapping[str, str]) -> None:
    """On stderr, which the runner reads as it reads stdout."""
    workspace = env.get("GITHUB_WORKSPACE")
    file = file_in(Path(workspace) if workspace else None, error.file)
    for found in error.errors[:_MOST]:
        message = f"{found.message}\nhelp: {found.remedy}"
        title = "Wrong baseline"
        line = workflow_command("error", message, title=title, file=file, line=found.line, col=found.column)
        with contextlib.suppress(OSError):
            click.echo(line, err=True)
