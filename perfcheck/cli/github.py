"""For GitHub Actions: annotations in the log, the job summary, and outputs for the steps that follow."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from perfcheck.baseline import BaselineError
from perfcheck.model import EarlierRun, Run
from perfcheck.report.workflow_commands import file_in, workflow_command

_MOST_ERRORS = 10  # GitHub shows no more of one step
_LONGEST_SUMMARY = 1024 * 1024  # bytes a step; a longer one is not shown at all


def publish(
    run: Run, earlier: EarlierRun | None, env: Mapping[str, str], written: Mapping[str, Path], *, annotate: bool
) -> Iterator[str]:
    """Publish the run; ``written`` are the report files by format. Yields what could not be written.

    Annotations go to stderr, which the runner reads as well: stdout may be a file or another program's input.
    """
    from perfcheck.report import github

    if annotate:
        workspace = Path(env["GITHUB_WORKSPACE"]) if env.get("GITHUB_WORKSPACE") else None
        with contextlib.suppress(OSError):
            sys.stderr.write(github.render(run, earlier, workspace=workspace))
            sys.stderr.flush()
    yield from _append(env, "GITHUB_STEP_SUMMARY", lambda room: github.summary(run, earlier, room=room))
    yield from _append(env, "GITHUB_OUTPUT", lambda _: github.outputs(run, written))


def _append(env: Mapping[str, str], variable: str, text: Callable[[int], str]) -> Iterator[str]:
    if not env.get(variable):
        return
    path = Path(env[variable])
    try:
        there = path.stat().st_size if path.exists() else 0
        content = text(_LONGEST_SUMMARY - there)
        if not content:
            yield f"{variable} is full: what other steps wrote leaves no room"
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(content)
    except OSError as error:
        yield f"cannot write to {variable}: {error.strerror}"


def annotate_baseline(error: BaselineError, env: Mapping[str, str]) -> None:
    """The errors of a baseline, at their lines."""
    workspace = env.get("GITHUB_WORKSPACE")
    file = file_in(Path(workspace) if workspace else None, error.file) or error.file
    for file_error in error.errors[:_MOST_ERRORS]:
        message = f"{file_error.message}\nhelp: {file_error.remedy}"
        title = "Wrong baseline"
        line = workflow_command("error", message, title=title, file=file, line=file_error.line, col=file_error.column)
        with contextlib.suppress(OSError):
            click.echo(line, err=True)
