"""A check that is held against an earlier release as well: what a release is decided by."""

from __future__ import annotations

from dataclasses import replace

from perfcheck.engine.run_builder import Outcome
from perfcheck.errors import EXIT_INTERRUPTED, EXIT_NOT_MEASURED, EXIT_OK
from perfcheck.judge.compare_runs import compare_runs, nothing_compared
from perfcheck.judge.verdict import judge_run
from perfcheck.model import CompareLimits, Run, Verdict


def held_against(
    outcome: Outcome, before: Run, limits: CompareLimits, fail_on: Verdict | None, *, whole: bool
) -> Outcome:
    """The same run with the comparison beside every verdict, and counted into it.

    ``fail_on`` is the mildest verdict that fails the run. A run that was cut short keeps its exit code; one of which
    nothing could be compared does not pass. ``whole``: all endpoints were asked for, so that others are gone.
    """
    run = outcome.run
    if not whole:
        asked = {result.name for result in run.endpoints}
        before = replace(before, endpoints=tuple(one for one in before.endpoints if one.name in asked))
    results, against, findings = compare_runs(before, run, limits, with_targets=True)
    verdict, counts, exit_code = judge_run(results, fail_on)
    if exit_code == EXIT_OK and nothing_compared(results):
        exit_code = EXIT_NOT_MEASURED
    cut_short = outcome.defect is not None or run.exit_code == EXIT_INTERRUPTED
    held = replace(
        run,
        verdict=verdict,
        counts=counts,
        exit_code=run.exit_code if cut_short else exit_code,
        findings=(*run.findings, *findings),
        endpoints=results,
        against=against,
    )
    return Outcome(held, outcome.defect)
