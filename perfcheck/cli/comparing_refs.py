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

from perfcheck.cli.measuring import Frame, rerun_command
from perfcheck.cli.services import start_command
from perfcheck.errors import UsageError
from perfcheck.text import Redactor, clean
from perfcheck.units import format_ms

if TYPE_CHECKING:
    from perfcheck.engine.checkouts import Checkout
    from perfcheck.engine.session import Callbacks, Outcome
    from perfcheck.model import Baseline

Report = Callable[[str], None]


def compare_refs(frame: Frame) -> Outcome:
    """What can be wrong on the command line and in the baseline is reported before anything is run."""
    from perfcheck.engine.checkouts import Recipe, checked_out
    from perfcheck.engine.compare_live import compare_live
    from perfcheck.engine.selection import select_endpoints
    from perfcheck.engine.sides import find_sides
    from perfcheck.service_process import ServiceProcess

    options, folder, report = frame.options, Path.cwd(), _reporter(quiet=frame.options.quiet)
    sides = find_sides(folder, *options.sides)
    report(f"before: {sides[0].shown}, after: {sides[1].shown}")
    recipe = Recipe(options.setup, options.setup_inputs, options.copy)
    with checked_out(folder, sides, recipe) as checkouts, ExitStack() as stack:
        processes = [stack.enter_context(ServiceProcess(keep_output=options.verbose)) for _ in checkouts]
        before, after = _load(frame, checkouts, [process.port for process in processes], report)
        select_endpoints(after, options.names, options.group)
        start = start_command(options.start or "", after)
        for checkout in checkouts:
            checkout.set_up(recipe, report)
        for checkout, process in zip(checkouts, processes, strict=True):
            process.redact = Redactor(after.secrets)
            process.start(start, cwd=checkout.folder, env=checkout.env)
            if process.log:
                report(f"{checkout.side.name}: output of the service: {process.log}")
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
                callbacks=_reporting_when_ready(callbacks, report),
            )


def _load(frame: Frame, checkouts: Sequence[Checkout], ports: Sequence[int], report: Report) -> list[Baseline]:
    """The baseline of the commit after, else of the one before, for the service at each of the ports."""
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
    what = clean(named) if named else "baselines.yaml in this folder or above"
    raise UsageError(
        f"neither {checkouts[0].side.shown} nor {checkouts[1].side.shown} has {what}",
        "commit one, or name the file with its full path: -f /path/to/baselines.yaml",
    )


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
