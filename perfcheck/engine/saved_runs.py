"""Saved runs: found by file, label or id, compared with each other, and a new run compared with one of them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from perfcheck.baseline import find_baseline, load_compare_limits
from perfcheck.engine.selection import select_results
from perfcheck.engine.session import Outcome
from perfcheck.errors import EXIT_INTERRUPTED, EXIT_NOT_MEASURED, EXIT_OK, UsageError
from perfcheck.judge.compare_runs import compare_runs, nothing_compared
from perfcheck.judge.run_verdict import judge_run
from perfcheck.model import CompareLimits, Rule, Run, Verdict
from perfcheck.runfile import read_run


def find_run(reference: str, history: str | None = None, *, of_capacity: bool = False) -> Run:
    """The run in the file of this name, or on stdin for ``-``; else the one of this label or id in the history.

    ``history`` is a file or the URL of a database (None: the usual file); ``of_capacity`` as of its ``run``. Raises
    NoSuchRunError, with the nearest names, when it is none of these, and UsageError for one that cannot be read.
    """
    if "://" in reference:
        remedy = "'perfcheck compare BEFORE AFTER' compares two running services"
        raise UsageError(f"{reference} is an address; expected a saved run", remedy)
    if reference == "-":
        return read_run(Path("/dev/stdin"))
    path = Path(reference)
    if path.is_file() or path.is_fifo():
        return read_run(path)
    from perfcheck.history.store import open_history

    try:
        with open_history(history, Path.cwd(), create=False) as store:
            return store.run(reference, of_capacity=of_capacity)
    except UsageError as error:
        if path.is_dir():
            raise UsageError(f"{reference} is a folder, and {error.message}", error.remedy) from None
        if reference.endswith(".json") or os.sep in reference:
            raise type(error)(f"file not found: {reference}, and {error.message}", error.remedy) from None
        raise


def find_earlier_run(reference: str, history: str | None = None, *, of_capacity: bool = False) -> Run:
    """A run to compare another with. Raises UsageError as ``find_run``, and for one that it cannot be compared with."""
    run = find_run(reference, history, of_capacity=of_capacity)
    if run.is_comparison:
        raise UsageError(f"{reference} is a comparison, not a run", "name one of the two runs that it compared")
    if run.capacity is not None and not of_capacity:
        raise UsageError(f"{reference} is a search for a capacity", f"perfcheck capacity --against {reference}")
    return run


def limits_in_force(baseline: str | None) -> CompareLimits:
    """Those of the baseline file that was named or is found, else the defaults. Raises UsageError for a wrong one."""
    try:
        file = find_baseline(baseline, os.environ, Path.cwd())
    except UsageError:
        if baseline:
            raise
        return CompareLimits()
    return load_compare_limits(file, os.environ)


def compare_saved(
    before: Run,
    after: Run,
    *,
    names: Sequence[str] = (),
    groups: Sequence[str] = (),
    limits: CompareLimits = CompareLimits(),  # noqa: B008 - frozen
    fail_on: Verdict | None = Verdict.CRITICAL,
    command: tuple[str, ...] = ("perfcheck", "compare"),
) -> Outcome:
    """Two saved runs compared by their samples. Parameters as of ``check``; raises UsageError for an unknown name."""
    after = replace(after, endpoints=select_results(after, names, groups))
    run = _compared(before, after, limits, fail_on, with_targets=False, selected=bool(names or groups))
    return Outcome(replace(run, id=str(uuid.uuid4()), command=command))


def compared_with(
    before: Run,
    outcome: Outcome,
    limits: CompareLimits,
    fail_on: Verdict | None,
    *,
    selected: bool,
    allow_partial: bool = False,
) -> Outcome:
    """The outcome of a check with its comparison to an earlier run, which counts into the verdicts.

    A run that was cut short keeps its exit code; one of which nothing could be compared does not pass. ``selected``:
    not all endpoints were to be measured, so that others are not gone. ``allow_partial`` as of ``check``.
    """
    run = outcome.run
    compared = _compared(
        before, run, limits, fail_on, with_targets=True, selected=selected, allow_partial=allow_partial
    )
    if outcome.error is not None or run.exit_code == EXIT_INTERRUPTED:
        compared = replace(compared, exit_code=run.exit_code)
    return Outcome(compared, outcome.error)


def _compared(
    before: Run,
    after: Run,
    limits: CompareLimits,
    fail_on: Verdict | None,
    *,
    with_targets: bool,
    selected: bool,
    allow_partial: bool = False,
) -> Run:
    """``after``, judged by its comparison with ``before``, and by its targets as well if ``with_targets``."""
    if selected:
        names = {result.name for result in after.endpoints}
        before = replace(before, endpoints=tuple(result for result in before.endpoints if result.name in names))
    results, against, findings = compare_runs(before, after, limits, with_targets=with_targets)
    # What was found against its targets; a busy runner is judged again, by the changes as well.
    own = [finding for finding in after.findings if with_targets and finding.rule is not Rule.RUNNER]
    of_service = [finding for finding in own if finding.rule is Rule.ERROR_RATE]
    verdict, counts, exit_code = judge_run(results, fail_on, of_service, allow_partial=allow_partial)
    return replace(
        after,
        verdict=verdict,
        counts=counts,
        exit_code=EXIT_NOT_MEASURED if exit_code == EXIT_OK and nothing_compared(results) else exit_code,
        findings=(*own, *findings),
        endpoints=results,
        against=against,
    )
