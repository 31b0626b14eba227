"""``perfcheck init``: a baseline for a service that has none."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcheck.cli.measuring import base_url_option
from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files
from perfcheck.cli.ui.options import LINE, option, quiet_option
from perfcheck.cli.ui.terminal import Interrupts, show_note, status_line
from perfcheck.errors import EXIT_OK, CouldNotMeasureError, UsageError
from perfcheck.words import and_more, plural

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.discover.left_out import ReasonGroup
    from perfcheck.engine.init import Draft

_EXAMPLES = """\b
Examples:
  perfcheck init http://localhost:8000             write baselines.yaml
  perfcheck init http://localhost:8000 --dry-run   print it
  perfcheck init URL --header 'Authorization: Bearer ${API_TOKEN}'
  perfcheck init URL --allow 'POST /videos/search'

\b
Exit codes:
  0  written               2  usage error, or the file exists
  3  nothing to measure    4  a bug in perfcheck
  130  interrupted
"""
_USUAL_PORTS = (8000, 5000, 8080, 3000, 5001)
_MOST_REASONS = 6
_MOST_NAMED = 2


@click.command("init", cls=Command, epilog=_EXAMPLES)
@click.argument("url", required=False)
@base_url_option
@option(
    "-f",
    "--baseline",
    metavar="FILE",
    default="baselines.yaml",
    show_default=True,
    shell_complete=complete_files,
    help="The file to write.",
)
@option("--dry-run", is_flag=True, help="Print the file to stdout, and write nothing.")
@option("--force", is_flag=True, help="Replace a file that exists.")
@option(
    "--header",
    multiple=True,
    type=LINE,
    metavar="'NAME: VALUE'",
    help="A header of every request, such as 'Authorization: Bearer ${API_TOKEN}': written as it is, sent with the "
    "value of the variable. Repeatable.",
)
@option(
    "--allow",
    multiple=True,
    type=LINE,
    metavar="OPERATION",
    help="Measure what looks like an action ('/cache/clear') or may change something ('POST /videos/search'): it is "
    "sent many times. A pattern; repeatable.",
)
@quiet_option
@click.pass_obj
def command(
    session: Session,
    /,
    url: str | None,
    base_url: str | None,
    baseline: str,
    header: tuple[str, ...],
    allow: tuple[str, ...],
    *,
    dry_run: bool,
    force: bool,
    quiet: bool,
) -> int:
    """Write a baseline for a running service: its endpoints, each with a target that it keeps now.

    Finds the operations of the service at URL in its OpenAPI document, its monitor and its links, sends one request to
    each that only reads, measures those that respond as they should, and checks the file before it is written.
    """
    file = Path(baseline)
    if not dry_run:
        _check_file(file, force=force)
    address = url or base_url or _requested_address()
    with Interrupts():
        draft = _draft(session, address, file, header, allow, quiet=quiet)
    _require_endpoints(draft)
    if dry_run:
        click.echo(draft.text(), nl=False)
    else:
        _write(file, draft.text())
    for line in _summary(draft, file, written=not dry_run, quiet=quiet):
        click.echo(line, err=dry_run)
    return EXIT_OK


def _draft(
    session: Session, address: str, file: Path, header: Sequence[str], allow: Sequence[str], *, quiet: bool
) -> Draft:
    from perfcheck.baseline.addresses import base_url_option as checked_url
    from perfcheck.client.client import Client
    from perfcheck.engine.discover import discover
    from perfcheck.engine.init import NewService, make_draft, service_baseline
    from perfcheck.text import Redactor

    service = NewService(checked_url(address), tuple(map(_header, header)))
    baseline = service_baseline(service, file)
    session.redact = redact = Redactor(baseline.secrets)
    found = None
    with status_line(quiet=quiet) as show:
        try:
            with Client(baseline.service, redact=redact) as client:
                show("looking for operations")
                client.wait_until_ready()
                found = discover(
                    baseline.service, client, allowed=allow, progress=lambda done, total: show(f"trying {done}/{total}")
                )
            return make_draft(service, baseline, found, file, progress=show)
        except KeyboardInterrupt:
            what = ""
            if found is not None:
                ready = plural(len(found.survey.candidates), "endpoint")
                what = f"; {plural(len(found.operations), 'operation')} found, {ready} to be measured"
            show_note(f"interrupted: nothing was written{what}")
            raise


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not value.strip():
        raise UsageError(f"--header {name.strip()}: no 'NAME: VALUE'", "--header 'Authorization: Bearer ${API_TOKEN}'")
    return name.strip(), value.strip()


def _check_file(file: Path, *, force: bool) -> None:
    """Before anything is measured."""
    from perfcheck.cli.reports import check_writable

    check_writable(file)
    if file.exists() and not force:
        remedy = (
            "--force replaces it, -f FILE writes another, --dry-run prints what it would be; "
            "'perfcheck coverage' lists what it lacks"
        )
        raise UsageError(f"{file} exists already", remedy)


def _requested_address() -> str:
    """On a terminal: the first usual port on which something listens is offered."""
    import sys

    if not (sys.stdin.isatty() and sys.stderr.isatty()) or os.environ.get("CI"):
        raise UsageError("which service? No address was given", "perfcheck init http://localhost:8000")
    return str(click.prompt("Address of the service", default=_listening(), err=True))


def _listening() -> str:
    import socket

    for port in _USUAL_PORTS:
        try:
            with socket.create_connection(("localhost", port), timeout=0.2):
                return f"http://localhost:{port}"
        except OSError:
            continue
    return f"http://localhost:{_USUAL_PORTS[0]}"


def _require_endpoints(draft: Draft) -> None:
    if draft.kept:
        return
    found = len(draft.discovery.operations)
    if not found:
        raise CouldNotMeasureError(
            f"no operation of {draft.service.base_url} was found: no OpenAPI document, no monitor, no links",
            "name what knows them: --openapi, --har, --source",
            is_down=False,
        )
    from perfcheck.discover.left_out import by_reason

    groups = by_reason(draft.left_out)
    reasons = "; ".join(f"{each.reason} ({len(each.operations)})" for each in groups[:3])
    remedy = next((each.remedy for each in groups if each.remedy), None)
    message = f"none of {plural(found, 'operation')} can be measured, so nothing was written: {reasons}"
    raise CouldNotMeasureError(message, remedy, is_down=False)


def _write(file: Path, text: str) -> None:
    from perfcheck.runfile import write_atomically

    try:
        write_atomically(file, text.encode(), keep_mode=True)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}", "--dry-run prints it") from error


def _summary(draft: Draft, file: Path, *, written: bool, quiet: bool) -> Iterator[str]:
    from perfcheck.discover.left_out import by_reason
    from perfcheck.engine.init import sources

    kept, operations = draft.kept, draft.discovery.operations
    left_out = draft.left_out
    if not quiet:
        yield f"found {plural(len(operations), 'operation')} ({sources(operations)})"
    unchecked = sum(result.lacked_time for result in draft.results.values())
    checked = "all OK when checked" if not unchecked else f"OK when checked, {unchecked} for want of time not checked"
    yield f"{'wrote' if written else 'would write'} {file}: {plural(len(kept), 'endpoint')}, {checked}"
    if quiet:
        return
    if left_out:
        yield f"left out {plural(len(left_out), 'operation')}, listed at the end of the file:"
        groups = by_reason(left_out)
        for group in groups[:_MOST_REASONS]:
            yield from _reason(group)
        if len(groups) > _MOST_REASONS:
            more = sum(len(group.operations) for group in groups[_MOST_REASONS:])
            yield f"{more:>5}  for {plural(len(groups) - _MOST_REASONS, 'other reason')}"
    if written:
        yield f"next: perfcheck run{'' if str(file) == 'baselines.yaml' else f' -f {shlex.quote(str(file))}'}"


def _reason(group: ReasonGroup) -> Iterator[str]:
    yield f"{len(group.operations):>5}  {group.reason}: {and_more(group.names, _MOST_NAMED)}"
    if group.remedy:
        yield f"       {group.remedy}"
