"""The services that a command starts itself: sample services for --demo, any other by the command of --start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from perfcheck.errors import UsageError
from perfcheck.model import Baseline

if TYPE_CHECKING:
    from perfcheck.cli.measuring import Frame
    from perfcheck.service_process import ServiceProcess


@contextmanager
def sample_services(*regressions: Sequence[str]) -> Iterator[list[ServiceProcess]]:
    """A sample service for each of these, all starting at once."""
    with ExitStack() as stack:
        if regressions:
            from perfcheck.demo.demo_process import start_demo
        yield [stack.enter_context(start_demo(names)) for names in regressions]


@contextmanager
def service_of(
    frame: Frame, load: Callable[[str | int | None], Baseline]
) -> Iterator[tuple[Baseline, ServiceProcess | None]]:
    """The baseline, and the process of its service while that runs: with --demo or --start, else None.

    ``load`` returns the baseline for the service at an address, on a port of this machine, or at its own base_url.
    """
    options = frame.options
    if options.demo:
        with sample_services(options.regress) as (process,):
            yield load(process.url), process
    elif options.start is None:
        yield load(options.base_url), None
    else:
        from perfcheck.service_process import ServiceProcess

        given = load(options.base_url) if options.base_url or options.urls else None
        port = _host_and_port(given)[1] if given else None
        with ServiceProcess(port, keep_output=options.verbose) as process:
            baseline = given or load(process.port)
            _check_nothing_listens(baseline, is_given=bool(given))
            process.redact = frame.session.redact  # which learns what the service hands out
            if given is None:
                process.alternative = "; -u gives the address of a command that always listens on the same port"
            folder = None if options.start else Path(baseline.file).parent
            process.start(start_command(options.start, baseline), cwd=folder)
            if process.log and not options.quiet:
                with suppress(OSError):
                    click.echo(f"output of the service: {process.log}", err=True)
            yield baseline, process


def start_command(typed: str, baseline: Baseline) -> str:
    """The command that ``--start`` was given, else that of the baseline. Raises UsageError without either."""
    if any(typed == endpoint.name for endpoint in baseline.endpoints):
        message = f"'{typed}' is an endpoint, and --start takes the word after it as its command"
        raise UsageError(message, f"write --start last, or: --start= {typed}")
    command = typed or baseline.service.start
    if command is None:
        message = "--start has no command, and the baseline has no service.start"
        raise UsageError(message, "write, for example, --start 'flask run'")
    return command


def _check_nothing_listens(baseline: Baseline, *, is_given: bool) -> None:
    """At an address that is not ours to choose, where another service would be measured in place of the one started."""
    from perfcheck.client.prepared_request import without_password
    from perfcheck.service_process import accepts_connections

    service = baseline.service
    address: str | tuple[str, int]
    if service.unix_socket:
        address = shown = service.unix_socket
        remedy = "stop it, or leave out --start to measure it"
    elif is_given:
        address, shown = _host_and_port(baseline), without_password(service.base_url)
        remedy = "stop it; or leave out the address, and the command gets a free port as $PORT"
    else:
        return
    if accepts_connections(address):
        raise UsageError(
            f"something already listens at {shown}, so it would be measured, not what --start starts", remedy
        )


def _host_and_port(baseline: Baseline) -> tuple[str, int]:
    parts = urlsplit(baseline.service.base_url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
