"""What init and coverage share: their options, and the way from a running service to what was found of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from perfcheck.cli.measuring import Frame, Options, base_url_option
from perfcheck.cli.services import service_of
from perfcheck.cli.ui.completers import complete_files
from perfcheck.cli.ui.options import (
    LINE,
    insecure_option,
    option,
    quiet_option,
    start_option,
    verbose_option,
)
from perfcheck.cli.ui.terminal import Interrupts, show_note, status_line
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.model import Baseline

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.client.client import Client
    from perfcheck.engine.discover import Discovery
    from perfcheck.model.operation import Discovered
    from perfcheck.service_process import ServiceProcess
    from perfcheck.text import Redactor

F = TypeVar("F", bound=Callable[..., Any])

_SOURCES = (
    option(
        "--openapi",
        metavar="FILE|URL|PATH",
        shell_complete=complete_files,
        help="The OpenAPI document: a file, a URL, or a path of the service. Default: that of the baseline, else "
        "wherever the service has one.",
    ),
    option(
        "--har",
        multiple=True,
        metavar="FILE",
        shell_complete=complete_files,
        help="Requests that a browser recorded (HAR). Repeatable.",
    ),
    option(
        "--curl",
        metavar="FILE|-",
        shell_complete=complete_files,
        help="curl commands, as browsers and documentation have them; '-' reads them from stdin.",
    ),
    option(
        "--postman",
        multiple=True,
        metavar="FILE",
        shell_complete=complete_files,
        help="A Postman collection (v2.0 or v2.1). Repeatable.",
    ),
    option(
        "--access-log",
        multiple=True,
        metavar="FILE",
        shell_complete=complete_files,
        help="An access log of the service; what is requested most comes first. Repeatable.",
    ),
    option(
        "--source",
        multiple=True,
        metavar="PATH",
        shell_complete=complete_files,
        help="Python source that registers routes (Flask, FastAPI, Starlette, Django). Default: this folder with "
        "--start, else none. Repeatable.",
    ),
    option(
        "--allow",
        multiple=True,
        type=LINE,
        metavar="OPERATION",
        help="Send requests also to what looks like an action ('/cache/clear') or may change something ('POST "
        "/videos/search'). A pattern; repeatable.",
    ),
)


def discovery_options(command: F) -> F:
    """The options that both commands have, but for the file."""
    for decorate in reversed((base_url_option, start_option, *_SOURCES, insecure_option, quiet_option, verbose_option)):
        command = decorate(command)
    return command


@dataclass(frozen=True, slots=True)
class Sources:
    """What the command line names, in addition to what the service itself has."""

    openapi: str | None = None
    har: tuple[str, ...] = ()
    curl: str | None = None
    postman: tuple[str, ...] = ()
    access_log: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Sources:
        """Of the options of a command, which then has the others left."""
        return cls(**{field.name: options.pop(field.name) for field in fields(cls)})

    def read(self, base_url: str, *, is_started: bool) -> list[Discovered]:
        """What the files have; also the source in this folder, where the service is started from it.

        Raises UsageError for a file that cannot be read.
        """
        from perfcheck.discover.access_log import read_access_log
        from perfcheck.discover.curl import read_curl
        from perfcheck.discover.har import read_har
        from perfcheck.discover.postman import read_postman

        found = [read_har(file, base_url) for file in self.har]
        if self.curl is not None:
            found.append(read_curl(_text_of(self.curl), base_url, _shown(self.curl)))
        found += [read_postman(file, base_url) for file in self.postman]
        found += [read_access_log(file, base_url) for file in self.access_log]
        if self.source:
            found.append(source_operations(self.source, base_url))
        elif is_started:
            with suppress(UsageError):  # no Python file
                found.append(source_operations(["."], base_url))
        return found


def _shown(file: str) -> str:
    return "standard input" if file == "-" else file


def _text_of(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {_shown(file)}: {error.strerror}", "name a file with curl commands") from error
    return content.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Found:
    """A running service, and what was found of it. ``show`` is what goes on, on stderr."""

    baseline: Baseline
    discovery: Discovery
    client: Client
    process: ServiceProcess | None
    show: Callable[[str], None]


@contextmanager
def discovered(
    session: Session, options: Options, load: Callable[[Frame, str | int | None], Baseline], sources: Sources
) -> Iterator[Found]:
    """The operations of the service of the baseline that ``load`` returns for an address, started where need be.

    Raises CouldNotMeasureError where it does not respond.
    """
    with (
        Interrupts() as interrupts,
        status_line(quiet=options.quiet) as show,
        service_of(frame := Frame(options, session, interrupts, annotate=False), lambda url: load(frame, url)) as (
            baseline,
            process,
        ),
    ):
        from perfcheck.client.client import Client
        from perfcheck.engine.discover import discover
        from perfcheck.engine.session import Callbacks, wait_for

        known = sources.read(baseline.service.base_url, is_started=process is not None)
        with Client(baseline.service, redact=session.redact) as client, _torn_down(client, baseline, session.redact):
            show("waiting for the service")
            timeout_s = baseline.service.ready_timeout_s
            error = wait_for(client, baseline.endpoints, timeout_s, Callbacks(), process=process)
            if error is not None:
                raise error
            client.set_up(baseline.setup)
            discovery = discover(
                baseline.service,
                client,
                session.redact,
                known=known,
                openapi=sources.openapi,
                allowed=sources.allow,
                progress=show,
            )
            show("")
            for note in discovery.notes:
                show_note(note)
            yield Found(baseline, discovery, client, process, show)


@contextmanager
def _torn_down(client: Client, baseline: Baseline, redact: Redactor) -> Iterator[None]:
    from perfcheck.engine.session import torn_down

    with torn_down(client, baseline.teardown, redact) as notes:
        yield
    for note in notes:
        show_note(note.message)


def source_operations(paths: Sequence[str], base_url: str) -> Discovered:
    """The routes that Python source registers. Raises UsageError for a path without any Python file."""
    from perfcheck.discover.routes import source_operations as operations
    from perfcheck.lint.route_list import source_routes

    routes = source_routes(paths)
    return operations([(method, each.template) for each in routes for method in each.methods or (None,)], base_url)


def require_operations(discovery: Discovery, base_url: str) -> None:
    """Raises CouldNotMeasureError where nothing was found at all."""
    if not discovery.operations:
        raise CouldNotMeasureError(
            f"no operation of {base_url} was found: it has no OpenAPI document, no monitor and no links",
            "name what knows its operations, such as --openapi FILE, --har FILE or --source FOLDER",
            is_down=False,
        )
