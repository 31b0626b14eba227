"""`perfcheck demo`: serve the sample service."""

from __future__ import annotations

import errno
from typing import Any, Unpack

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.options import duration, option
from perfcheck.cli.ui.terminal import Interrupts
from perfcheck.demo import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_RATE_LIMIT,
    DEFAULT_ROUND_TRIP_MS,
    DEFAULT_SEED,
    DEFAULT_TOKEN_LIFETIME_S,
    Regression,
    ServiceOptions,
)
from perfcheck.errors import EXIT_OK, UsageError

_WIDTH = max(len(name) for name in Regression)
_REGRESSIONS = "\n".join(f"  {name:<{_WIDTH}}  {name.description}" for name in Regression)
_EXAMPLES = f"""\b
Regressions:
{_REGRESSIONS}

\b
Examples:
  perfcheck demo                              within its targets
  perfcheck demo --regress n-plus-one         with a regression
  perfcheck run -u http://127.0.0.1:5001      the check, in another terminal
"""


def run_demo(
    host: str,
    port: int,  # 0: any free one
    *,
    verbose: bool = False,
    **options: Unpack[ServiceOptions],
) -> int:
    """Serve until interrupted; the exit code. Raises UsageError where it cannot listen."""
    from perfcheck.demo.demo_server import serve

    def ready(url: str) -> None:
        for name in dict.fromkeys(options.get("regressions", ())):
            click.echo(f"Injected: {name} ({Regression(name).description})", err=True)
        click.echo(f"Sample service listening on {url} (Ctrl-C stops it)")
        click.echo(f"Check it in another terminal: perfcheck run --base-url {url}", err=True)

    try:
        with Interrupts():
            serve(host, port, ready=ready, log=_log if verbose else None, monitor_log=_log, **options)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno in {errno.EPIPE, errno.ENOSPC, errno.EIO}:
            raise  # an error of our output, not of the port
        raise _cannot_listen(error, host, port) from error
    return EXIT_OK


def _log(line: str) -> None:
    click.echo(line, err=True)


def _cannot_listen(error: OSError | UnicodeError, host: str, port: int) -> UsageError:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        message = f"Port {port} on {host} is in use by another program."
        return UsageError(message, "Stop that program, or use any free port: --port 0.")
    if number == errno.EACCES:
        return UsageError(f"Port {port} is privileged.", "Use any free port: --port 0.")
    message = f"Cannot listen on {host}: {getattr(error, 'strerror', None) or error}."
    return UsageError(message, "Give an address of this machine, such as --host 127.0.0.1.")


@click.command("demo", cls=Command, epilog=_EXAMPLES)
@option("--host", default=DEFAULT_HOST, show_default=True, help="Address to listen on.")
@option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 for any free port.",
)
@option(
    "--regress",
    "regressions",
    metavar="NAME",
    multiple=True,
    type=click.Choice([str(name) for name in Regression]),
    help="Inject a regression (below). Repeatable.",
)
@option(
    "--round-trip",
    "round_trip_s",
    type=duration("ms"),
    default=f"{DEFAULT_ROUND_TRIP_MS:g}ms",
    show_default=True,
    help="Median round trip to the database, added to every query.",
)
@option(
    "--seed",
    type=int,
    metavar="N",
    default=DEFAULT_SEED,
    show_default=True,
    help="Seed of the catalogue and the jitter.",
)
@option(
    "--token-lifetime",
    "token_lifetime_s",
    type=duration(),
    default=f"{DEFAULT_TOKEN_LIFETIME_S / 60:g}m",
    show_default=True,
    help="How long a login is valid.",
)
@option(
    "--rate-limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=DEFAULT_RATE_LIMIT,
    show_default=True,
    help="Requests per second to /api/limited; more get a 429.",
)
@option("-v", "--verbose", is_flag=True, help="Log every request to stderr.")
def command(host: str, port: int, round_trip_s: float, **options: Any) -> int:
    """Serve a sample service: a music-video catalogue with an API and pages worth checking.

    It stays within the targets of the sample baseline unless a regression is injected. / shows its pages. /openapi.json
    describes the catalogue, /openapi-members.json the rest: logins (user demo, password demo), POST search, GraphQL,
    events.
    """
    return run_demo(host, port, round_trip_ms=1000 * round_trip_s, **options)
