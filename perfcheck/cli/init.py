"""``perfcheck init``: a baseline for a service that has none."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.discovery import Found, discovered, discovery_options, require_operations
from perfcheck.cli.measuring import Frame, Options
from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files
from perfcheck.cli.ui.options import LINE, option
from perfcheck.cli.ui.terminal import show_note
from perfcheck.errors import EXIT_OK, CouldNotMeasureError, UsageError
from perfcheck.model import Baseline
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
@option(
    "-f",
    "--baseline",
    metavar="FILE",
    default="baselines.yaml",
    show_default=True,
    shell_complete=complete_files,
    help="The file to write.",
)
@discovery_options
@option(
    "--header",
    multiple=True,
    type=LINE,
    metavar="'NAME: VALUE'",
    help="A header of every request, such as 'Authorization: Bearer ${API_TOKEN}': written as it is, sent with the "
    "value of the variable. Repeatable.",
)
@option("--dry-run", is_flag=True, help="Print the file to stdout, and write nothing.")
@option("--force", is_flag=True, help="Replace a file that exists.")
@click.pass_obj
def command(
    session: Session,
    /,
    url: str | None,
    allow: tuple[str, ...],
    header: tuple[str, ...],
    *,
    dry_run: bool,
    force: bool,
    **options: Any,
) -> int:
    """Write a baseline for a running service: its endpoints, each with a target that it keeps now.

    Finds the operations of the service at URL in its OpenAPI document, its monitor and its links, sends one request to
    each that only reads, measures those that respond as they should, and checks the file before it is written.
    """
    given = Options(**options)
    file = Path(options["baseline"])
    if not dry_run:
        _check_file(file, force=force)
    address = url or given.base_url
    if address is None and given.start is None:
        address = _requested_address()
    headers = tuple(map(_header, header))
    draft = _draft(session, replace(given, base_url=address), file, headers, allow)
    _require_endpoints(draft)
    if dry_run:
        click.echo(draft.text(), nl=False)
    else:
        _write(file, draft.text())
    for line in _summary(draft, file, written=not dry_run, quiet=given.quiet):
        click.echo(line, err=dry_run)
    return EXIT_OK


def _draft(
    session: Session, options: Options, file: Path, headers: tuple[tuple[str, str], ...], allow: Sequence[str]
) -> Draft:
    from perfcheck.baseline.addresses import base_url_option as checked_url
    from perfcheck.engine.init import NewService, make_draft, service_baseline
    from perfcheck.text import Redactor

    def service_at(url: str) -> NewService:
        return NewService(url, headers, start=options.start, has_own_port=options.base_url is None)

    def load(_: Frame, address: str | int | None) -> Baseline:
        url = f"http://127.0.0.1:{address}" if isinstance(address, int) else checked_url(address or "")
        baseline = service_baseline(service_at(url), file, insecure=options.insecure)
        session.redact = Redactor(baseline.secrets)
        return baseline

    found = None
    try:
        with discovered(session, options, load, allow) as found:
            require_operations(found.discovery, found.client.base_url_shown)
            service = replace(
                service_at(found.baseline.service.base_url),
                monitor=found.discovery.monitor,
                openapi=found.discovery.openapi,
            )
            return make_draft(
                service, found.baseline, found.discovery, file, process=found.process, progress=found.show
            )
    except KeyboardInterrupt:
        _note_interruption(found)
        raise


def _note_interruption(found: Found | None) -> None:
    what = ""
    if found is not None:
        ready = plural(len(found.discovery.survey.candidates), "endpoint")
        what = f"; {plural(len(found.discovery.operations), 'operation')} found, {ready} to be measured"
    show_note(f"interrupted: nothing was written{what}")


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
        yield f"next: {shlex.join(_next_command(draft, file))}"


def _next_command(draft: Draft, file: Path) -> list[str]:
    named = [] if str(file) == "baselines.yaml" else ["-f", str(file)]
    return ["perfcheck", "run", *named, *["--start"] * draft.service.has_own_port]


def _reason(group: ReasonGroup) -> Iterator[str]:
    yield f"{len(group.operations):>5}  {group.reason}: {and_more(group.names, _MOST_NAMED)}"
    if group.remedy:
        yield f"       {group.remedy}"
