"""``perfcheck compare REF REF --start``: both commits checked out, set up, started, and compared."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcheck.cli.discovery import source_operations
from perfcheck.cli.measuring import Frame, rerun_command
from perfcheck.cli.services import start_command
from perfcheck.cli.ui.terminal import status_line
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.text import clean
from perfcheck.units import format_ms
from perfcheck.words import plural

if TYPE_CHECKING:
    from perfcheck.engine.checkouts import Checkout
    from perfcheck.engine.session import Callbacks, Outcome
    from perfcheck.model import Baseline
    from perfcheck.service_process import ServiceProcess

Report = Callable[[str], None]


def compare_refs(frame: Frame) -> Outcome:
    """What can be wrong on the command line and in the baseline is reported before anything is run."""
    from perfcheck.engine.checkouts import Recipe, checked_out
    from perfcheck.engine.compare_live import compare_live
    from perfcheck.engine.editable_installs import editable_installs
    from perfcheck.engine.sides import find_sides, what_sides_are
    from perfcheck.service_process import ServiceProcess

    options, folder, report = frame.options, Path.cwd(), _reporter(quiet=frame.options.quiet)
    sides = find_sides(folder, *options.sides)
    report(f"before: {sides[0].shown}, after: {sides[1].shown}")
    recipe = Recipe(options.setup, options.setup_inputs, options.copy)
    with checked_out(folder, sides, recipe, report) as checkouts, ExitStack() as stack:
        processes = [stack.enter_context(ServiceProcess(keep_output=options.verbose)) for _ in checkouts]
        baselines = _load(frame, checkouts, [process.port for process in processes], report)
        command = _start_command(frame, baselines)
        for checkout in checkouts:
            checkout.set_up(recipe, report)
        for checkout, process in zip(checkouts, processes, strict=True):
            process.redact = frame.session.redact
            process.start(command, cwd=_folder_of_command(frame, checkout, baselines), env=checkout.env)
            if process.log:
                report(f"{checkout.side.name}: output of the service: {process.log}")
        started_s = time.monotonic()
        before, after = baselines or _discovered(frame, processes, checkouts[1], report)
        with frame.callbacks() as callbacks:
            return compare_live(
                before,
                after,
                names=options.names,
                groups=options.group,
                sides=sides,
                fail_on=options.lowest_failing,
                command=rerun_command("compare", options),
                max_pairs=options.max_pairs,
                seed=options.seed,
                processes=processes,
                notes=[*what_sides_are(*sides), *(() if options.setup else editable_installs(folder))],
                callbacks=_reporting_when_ready(callbacks, started_s, report),
                redact=frame.session.redact,
            )


def _load(frame: Frame, checkouts: Sequence[Checkout], ports: Sequence[int], report: Report) -> list[Baseline]:
    """For the service at each port, the baseline of the commit after, else of the one before, else of the working tree.

    None of them has one: an empty list, unless a file was named.
    """
    from perfcheck.baseline import find_baseline

    named = frame.options.baseline or os.environ.get("PERFCHECK_BASELINE")
    folders = {checkout.side.name: checkout.folder for checkout in reversed(checkouts)}
    for owner, folder in (folders | {"the working tree": Path.cwd()}).items():
        try:
            found = find_baseline(named, os.environ, folder).expanduser()
        except UsageError:  # it has none
            continue
        file = folder / found
        if not file.exists() or (named and owner not in folders):
            continue
        if owner != "after":
            report(f"after has no baseline: taken from {owner}")
        return frame.load(*ports, file=(file, str(found) if named else os.path.relpath(file, folder)))
    if named:
        message = f"neither {checkouts[0].side.shown} nor {checkouts[1].side.shown} has {clean(named)}"
        raise UsageError(message, "commit it, or name it with its full path: -f /path/to/baselines.yaml")
    return []


def _start_command(frame: Frame, baselines: Sequence[Baseline]) -> str:
    """Raises UsageError for what cannot be started, and for a name that the baseline does not have."""
    from perfcheck.baseline.from_urls import baseline_of_service
    from perfcheck.engine.selection import select_endpoints

    options = frame.options
    after = baselines[1] if baselines else baseline_of_service("http://localhost")
    if baselines:
        select_endpoints(after, options.names, options.group)
    if socket := after.service.unix_socket:
        message = f"two services cannot listen on one Unix socket: {clean(socket)}"
        raise UsageError(message, "leave service.unix_socket out of the baseline: they listen on $PORT here")
    return start_command(options.start or "", after)


def _folder_of_command(frame: Frame, checkout: Checkout, baselines: Sequence[Baseline]) -> Path:
    """The command of a baseline runs in its folder, which is that of the same name in either checkout."""
    if frame.options.start or Path(baselines[1].file).is_absolute():
        return checkout.folder
    return checkout.folder / Path(baselines[1].file).parent


def _discovered(frame: Frame, processes: Sequence[ServiceProcess], after: Checkout, report: Report) -> list[Baseline]:
    """For the services of these processes, the operations that the one after turns out to have, without targets."""
    from perfcheck.baseline.from_urls import baseline_of_service
    from perfcheck.client.client import Client
    from perfcheck.discover.endpoint_names import groups_of, in_order_of_groups, named
    from perfcheck.engine.discover import discover
    from perfcheck.engine.init import sources
    from perfcheck.engine.session import Callbacks, wait_for
    from perfcheck.engine.sides import of_side

    baselines = frame.prepare(*(baseline_of_service(process.url) for process in processes))
    service, redact = baselines[1].service, frame.session.redact
    with status_line(quiet=frame.options.quiet) as show, Client(service, redact=redact) as client:
        show("waiting for the service")
        timeout_s = service.ready_timeout_s
        if error := of_side(after.side, wait_for(client, (), timeout_s, Callbacks(), process=processes[1])):
            raise error
        known = []
        with suppress(UsageError):  # a service that is not written in Python
            known = [source_operations([str(after.folder)], service.base_url)]
        found = discover(service, client, redact, known=known, progress=show)
    candidates = in_order_of_groups(named(found.survey.candidates))
    if not candidates:
        message = "neither commit has a baseline, and no operation that can be measured was found"
        raise CouldNotMeasureError(message, "commit a baselines.yaml: 'perfcheck init' writes one", is_down=False)
    what = f"{plural(len(candidates), 'endpoint')} found ({sources(each.operation for each in candidates)})"
    report(f"neither commit has a baseline: {what}, {plural(len(found.survey.left_out), 'operation')} left out")
    endpoints, groups = tuple(each.endpoint for each in candidates), tuple(groups_of(candidates))
    return [replace(baseline, endpoints=endpoints, groups=groups) for baseline in baselines]


def _reporter(*, quiet: bool) -> Report:
    def report(line: str) -> None:
        with suppress(OSError):
            click.echo(line, err=True)

    return (lambda _: None) if quiet else report


def _reporting_when_ready(callbacks: Callbacks, started_s: float, report: Report) -> Callbacks:
    """``callbacks`` that also report when both services, which are waited for one after the other, are ready."""
    waits = iter(("before", "both"))

    @contextmanager
    def waiting(timeout_s: float) -> Iterator[None]:
        with callbacks.waiting(timeout_s):
            yield
        if next(waits) == "both":
            report(f"both ready in {format_ms((time.monotonic() - started_s) * 1000)}")

    return replace(callbacks, waiting=waiting)
