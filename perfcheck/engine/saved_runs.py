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
from perfcheck.judge.verdict import judge_run
from perfcheck.model import CompareLimits, EndpointResult, Run, Verdict
from perfcheck.runfile import read_run


def find_run(reference: str, history: str | None = None) -> Run:
    """The run in the file of this name, or on stdin for ``-``; else the one of this label or id in the history.

    ``history`` is a file or the URL of a database (None: the usual file). Raises UsageError, with the nearest names,
    when it is none of these.
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
            return store.run(reference)
    except UsageError as error:
        if path.is_dir():
            raise UsageError(f"{reference} is a folder, and {error.message}", error.remedy) from None
        if reference.endswith(".json") or os.sep in reference:
            raise UsageError(f"file not found: {reference}, and {error.message}", error.remedy) from None
        raise


def find_earlier_run(reference: str, history: str | None = None) -> Run:
    """A run to compare another with. Raises UsageError as ``find_run``, and for a comparison."""
    run = find_run(reference, history)
    if run.is_comparison:
        raise UsageError(f"{reference} is a comparison, not a run", "name one of the two runs that it compared")
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
    if names or groups:
        before = _only(before, after.endpoints)
    results, against, findings = compare_runs(before, after, limits, with_targets=False)
    verdict, counts, exit_code = judge_run(results, fail_on)
    run = replace(
        after,
        id=str(uuid.uuid4()),
        verdict=verdict,
        counts=counts,
        exit_code=_unless_nothing_compared(exit_code, results),
        findings=findings,
        endpoints=results,
        command=command,
        against=against,
    )
    return Outcome(run)


def compared_with(
    before: Run, outcome: Outcome, limits: CompareLimits, fail_on: Verdict | None, *, selected: bool
) -> Outcome:
    """The outcome of a check with its comparison to an earlier run, which counts into the verdicts.

    A run that was cut short keeps its exit code; one of which nothing could be compared does not pass. ``selected``:
    not all endpoints were to be measured, so that others are not gone.
    """
    run = outcome.run
    if selected:
        before = _only(before, run.endpoints)
    results, against, findings = compare_runs(before, run, limits, with_targets=True)
    verdict, counts, exit_code = judge_run(results, fail_on)
    cut_short = outcome.error is not None or run.exit_code == EXIT_INTERRUPTED
    compared = replace(
        run,
        verdict=verdict,
        counts=counts,
        exit_code=run.exit_code if cut_short else _unless_nothing_compared(exit_code, results),
        findings=(*run.findings, *findings),
        endpoints=results,
        against=against,
    )
    return Outcome(compared, outcome.error)


def _only(run: Run, endpoints: Sequence[EndpointResult]) -> Run:
    names = {result.name for result in endpoints}
    return replace(run, endpoints=tuple(result for result in run.endpoints if result.name in names))


def _unless_nothing_compared(exit_code: int, results: Sequence[EndpointResult]) -> int:
    return EXIT_NOT_MEASURED if exit_code == EXIT_OK and nothing_compared(results) else exit_code
