"""The options of ``perfcheck capacity`` for the processes that make its load: here, or on other machines."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from click.core import ParameterSource

from perfcheck.cli.ui.options import Parsed, option
from perfcheck.cli.ui.terminal import Interrupts, status_line
from perfcheck.errors import UsageError
from perfcheck.hosts import host_and_port
from perfcheck.units import format_about

if TYPE_CHECKING:
    from perfcheck.capacity.engine.remote import RemoteWorkers

F = TypeVar("F", bound=Callable[..., Any])

_MOST_WORKERS = 64
_PORT = 5557  # Locust's
_ADDRESS = Parsed("address", lambda text: host_and_port(text, _PORT))
_OF_A_WORKER = {"worker", "master", "owns_host", "quiet"}


def worker_options(command: F) -> F:
    decorators = (
        option(
            "--workers",
            type=click.IntRange(1, _MOST_WORKERS),
            metavar="N",
            default=1,
            show_default=True,
            help="Processes that make the load; each takes up to one CPU.",
        ),
        option(
            "--expect-workers",
            type=click.IntRange(1, _MOST_WORKERS),
            metavar="N",
            help="Start none, but wait until so many have joined from other machines. Needs --bind.",
        ),
        option(
            "--bind",
            type=_ADDRESS,
            metavar="HOST[:PORT]",
            help=f"Address of this machine at which workers join; 0.0.0.0 for all that it has. Port: {_PORT}. "
            "They need the key that PERFCHECK_WORKERS_KEY has here.",
        ),
        option("--worker", is_flag=True, help="Be a worker: make the load that a master requests. Needs --master."),
        option(
            "--master",
            type=_ADDRESS,
            metavar="HOST[:PORT]",
            help="Address at which the master waits for its workers, its --bind.",
        ),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def remote_workers(count: int | None, bind: tuple[str, int] | None) -> RemoteWorkers | None:
    """None where all are started here. Raises UsageError where they cannot join."""
    if count is None and bind is None:
        return None
    if count is None:
        raise UsageError("--bind needs --expect-workers", "give the number of workers that will join")
    if bind is None:
        message = "--expect-workers needs the address at which they join"
        raise UsageError(message, "--bind with an address of this machine, or --bind 0.0.0.0 for all that it has")
    if "workers" in _typed():
        raise UsageError("--workers starts them here, and --expect-workers waits for others", "leave one of them out")
    from perfcheck.capacity.engine.remote import RemoteWorkers, check_bind, key_for

    return RemoteWorkers(count, check_bind(*bind), bind[1], key=key_for(bind[0], os.environ))


def work_for(master: tuple[str, int] | None, *, is_worker: bool, owns_host: bool, quiet: bool) -> NoReturn:
    """Be a worker of this master, once it listens. Raises UsageError for options that a worker does not have."""
    if master is None:
        raise UsageError("--worker needs the address of its master", "--master HOST, or HOST:PORT")
    if not is_worker:
        raise UsageError("--master needs --worker", "add it; the master itself has --expect-workers and --bind")
    if others := sorted(_typed() - _OF_A_WORKER):
        name = f"--{others[0].replace('_', '-')}"
        raise UsageError(f"a worker does what its master requests, and {name} is the master's", f"leave out {name}")
    from perfcheck.capacity.engine.engine import require_locust
    from perfcheck.capacity.engine.remote import JOIN_TIMEOUT_S, await_master, become_worker

    require_locust()
    host, port = master
    with Interrupts(), status_line(quiet=quiet) as show:
        show(f"waiting for the master at {host}:{port}, at most {format_about(JOIN_TIMEOUT_S)}")
        await_master(host, port)
    become_worker(host, port, owns_host=owns_host, quiet=quiet)


def _typed() -> set[str]:
    """The options on the command line, by parameter."""
    context = click.get_current_context()
    return {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
