"""A run that goes into the history after its reports: trouble with it is told, and changes nothing else."""

from __future__ import annotations

import contextlib

import click

from perfcheck.cli.ui.options import opened
from perfcheck.cli.ui.terminal import show_error
from perfcheck.errors import UsageError
from perfcheck.model import Run


def save_run(run: Run, history: str | None, *, quiet: bool) -> bool:
    """Whether it is there now. Never raises for a history that cannot be used."""
    try:
        with opened(history, create=True) as store:
            store.save(run)
            place = store.shown
    except UsageError as error:
        also = "-o FILE keeps the run, and 'perfcheck history import FILE' takes it in later"
        show_error(f"the run was not saved: {error.message}", f"{error.remedy}; {also}" if error.remedy else also)
        return False
    if not quiet:
        with contextlib.suppress(OSError):
            click.echo(f"saved {run.id[:8]} in {place}", err=True)
    return True
