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
from perfcheck.text import Redactor, clean
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
    from perfcheck.baseline.from_urls import baseline_of_service
    from perfcheck.engine.checkouts import Recipe, checked_out
    from perfcheck.engine.compare_live import compare_live
    from perfcheck.engine.editable_installs import editable_installs
    from perfcheck.engine.selection import select_endpoints
    from perfcheck.engine.sides import find_sides, what_sides_are
    from perfcheck.service_process import ServiceProcess

    options, folder, report = frame.options, Path.cwd(), _reporter(quiet=frame.options.quiet)
    sides = find_sides(folder, *options.sides)
    report(f"before: {sides[0].shown}, after: {sides[1].shown}")
    recipe = Recipe(options.setup, options.setup_inputs, options.copy)
    with checked_out(folder, sides, recipe, report) as checkouts, ExitStack() as stack:
        processes = [stack.enter_context(ServiceProcess(keep_output=options.verbose)) for _ in checkouts]
        baselines = _load(frame, checkouts, [process.port for process in processes], report)
        bare = baselines or [baseline_of_service(process.url) for process in processes]
        if baselines:
            select_endpoints(baselines[1], options.names, options.group)
        start = start_command(options.start or "", bare[1])
        if socket := bare[1].service.unix_socket:
            message = f"two services cannot listen on one Unix socket: {clean(socket)}"
            raise UsageError(message, "leave service.unix_socket out of the baseline: they listen on $PORT here")
        for checkout in checkouts:
            checkout.set_up(recipe, report)
        for checkout, process in zip(checkouts, processes, strict=True):
            process.redact = Redactor(bare[1].secrets)
            process.start(start, cwd=_folder_of_command(frame, checkout, bare[1]), env=checkout.env)
            if process.log:
                report(f"{checkout.side.name}: output of the service: {process.log}")
        before, after = baselines or _discovered(frame, frame.prepare(*bare), processes[1], checkouts[1].folder, report)
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
                callbacks=_reporting_when_ready(callbacks, report),
            )


def _load(frame: Frame, checkouts: Sequence[Checkout], ports: Sequence[int], report: Report) -> list[Baseline] | None:
    """The baseline of the commit after, else of the one before, for the service at each port; None without any."""
    from perfcheck.baseline import find_baseline

    named = frame.options.baseline or os.environ.get("PERFCHECK_BASELINE")
    for checkout in reversed(checkouts):
        try:
            found = find_baseline(named, os.environ, checkout.folder).expanduser()
        except UsageError:  # it has none
            continue
        file = checkout.folder / found
        if not file.exists():
            continue
        if checkout is not checkouts[-1]:
            report(f"{checkouts[-1].side.name} has no baseline: taken from {checkout.side.name}")
        shown_as = str(found) if named else os.path.relpath(file, checkout.folder)
        return frame.load(*ports, file=(file, shown_as))
    if named:
        message = f"neither {checkouts[0].side.shown} nor {checkouts[1].side.shown} has {clean(named)}"
        raise UsageError(message, "commit it, or name it with its full path: -f /path/to/baselines.yaml")
    return None


def _folder_of_command(frame: Frame, checkout: Checkout, baseline: Baseline) -> Path:
    """The command of a baseline runs in its folder, which is that of the same name in either checkout."""
    is_of_checkout = not frame.options.start and not Path(baseline.file).is_absolute()
    return checkout.folder / Path(baseline.file).parent if is_of_checkout else checkout.folder


def _discovered(
    frame: Frame, baselines: Sequence[Baseline], process: ServiceProcess, folder: Path, report: Report
) -> list[Baseline]:
    """With the operations that the service after turns out to have, and without targets."""
    from perfcheck.client.client import Client
    from perfcheck.discover.endpoint_names import groups_of, in_order_of_groups, named
    from perfcheck.engine.discover import discover
    from perfcheck.engine.init import sources
    from perfcheck.engine.session import Callbacks, wait_for

    service, redact = baselines[1].service, frame.session.redact
    with status_line(quiet=frame.options.quiet) as show, Client(service, redact=redact) as client:
        show("waiting for the service")
        if error := wait_for(client, (), service.ready_timeout_s, Callbacks(), process=process):
            raise error
        known = []
        with suppress(UsageError):  # a service that is not written in Python
            known = [source_operations([str(folder)], service.base_url)]
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


def _reporting_when_ready(callbacks: Callbacks, report: Report) -> Callbacks:
    """``callbacks`` that also report when both services are ready."""
    started_s, waits = time.monotonic(), iter(("", "both"))

    @contextmanager
    def waiting(timeout_s: float) -> Iterator[None]:
        with callbacks.waiting(timeout_s):
            yield
        if next(waits, ""):
            report(f"both ready in {format_ms((time.monotonic() - started_s) * 1000)}")

    return replace(callbacks, waiting=waiting)
