"""``perfcheck init``: a baseline for a service that has none."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.discovery import Found, Sources, discovered, discovery_options, require_operations
from perfcheck.cli.measuring import Frame, Options
from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files
from perfcheck.cli.ui.options import LINE, option
from perfcheck.cli.ui.terminal import show_note
from perfcheck.errors import EXIT_OK, UsageError
from perfcheck.model import Baseline
from perfcheck.words import plural

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.engine.init import Draft
    from perfcheck.engine.pipelines import Pipeline

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
_TIMEOUT_S = 5.0
_USUAL_PORTS = (8000, 5000, 8080, 3000, 5001)


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
@option(
    "--ci",
    type=click.Choice(["github", "gitlab"]),
    help="Also write the pipeline that runs the check: .github/workflows/perfcheck.yml or .gitlab-ci.yml.",
)
@click.pass_obj
def command(
    session: Session,
    /,
    url: str | None,
    header: tuple[str, ...],
    ci: str | None,
    *,
    dry_run: bool,
    force: bool,
    **options: Any,
) -> int:
    """Write a baseline for a running service: its endpoints, each with a target that it keeps now.

    Finds the operations of the service at URL in its OpenAPI document, its monitor and its links, sends one request to
    each that only reads, measures those that respond as they should, and checks the file before it is written.
    """
    sources, given = Sources.taken_from(options), Options(**options)
    file = Path(options["baseline"])
    if not dry_run:
        _check_file(file, force=force)
    elif ci:
        raise UsageError("--ci writes a file, and --dry-run writes none", "leave one of them out")
    headers = tuple(map(_header, header))
    made = _pipeline(ci, file, headers, starts=bool(given.start), force=force) if ci else None
    address = url or given.base_url
    if address is None and given.start is None:
        address = _requested_address()
    from perfcheck.cli.init_summary import require_endpoints, summary

    draft = _draft(session, replace(given, base_url=address), file, headers, sources)
    require_endpoints(draft)
    if dry_run:
        click.echo(draft.text(), nl=False)
    else:
        _write(file, draft.text())
    for line in summary(draft, file, written=not dry_run, quiet=given.quiet):
        click.echo(line, err=dry_run)
    if made is not None:
        _write_pipeline(made)
    return EXIT_OK


def _pipeline(system: str, file: Path, headers: tuple[tuple[str, str], ...], *, starts: bool, force: bool) -> Pipeline:
    """Before anything is measured, so that an error costs no time."""
    from perfcheck.engine.pipelines import pipeline

    return pipeline(system, file, starts=starts, force=force, headers=headers)


def _write_pipeline(made: Pipeline) -> None:
    from perfcheck.engine.pipelines import write_pipeline

    if made.is_to_be_pasted:
        click.echo(f"{made.shown} exists and was not changed; add this job to it:\n\n{made.text}", nl=False)
    else:
        write_pipeline(made)
        secrets = f", and set {', '.join(made.secrets)} in CI, from a secret" if made.secrets else ""
        click.echo(f"wrote {made.shown}: adapt the lines marked CHANGE{secrets}")


def _draft(
    session: Session, options: Options, file: Path, headers: tuple[tuple[str, str], ...], sources: Sources
) -> Draft:
    from perfcheck.baseline.addresses import base_url_option as checked_url
    from perfcheck.engine.init import NewService, make_draft, service_baseline
    from perfcheck.text import Redactor

    def service_at(url: str) -> NewService:
        return NewService(url, headers, start=options.start, has_own_port=options.base_url is None)

    def load(_: Frame, address: str | int | None) -> Baseline:
        url = f"http://127.0.0.1:{address}" if isinstance(address, int) else checked_url(address or "")
        baseline = service_baseline(service_at(url), file, insecure=options.insecure)
        if options.start is None:  # somebody has just typed the address of a service that runs
            baseline = replace(baseline, service=replace(baseline.service, ready_timeout_s=_TIMEOUT_S))
        session.redact = Redactor(baseline.secrets)
        return baseline

    found = None
    try:
        with discovered(session, options, load, sources) as found:
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


def _write(file: Path, text: str) -> None:
    from perfcheck.runfile import write_atomically

    try:
        write_atomically(file, text.encode(), keep_mode=True)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}", "--dry-run prints it") from error
