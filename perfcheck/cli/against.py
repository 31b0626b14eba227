"""A check that is held against an earlier release as well: what a release is decided by."""

from __future__ import annotations

from dataclasses import replace

from perfcheck.cli.assembly import Outcome
from perfcheck.judge.stored import compare_runs
from perfcheck.judge.verdict import judge_run
from perfcheck.model import CompareLimits, Run, Verdict


def held_against(outcome: Outcome, before: Run, limits: CompareLimits, fail_on: Verdict | None) -> Outcome:
    """The same run with the comparison beside every verdict, and counted into it.

    ``fail_on`` is the mildest verdict that fails the run. A run that was cut short keeps its exit code.
    """
    run = outcome.run
    results, against, findings = compare_runs(before, run, limits, with_targets=True)
    verdict, counts, exit_code = judge_run(results, fail_on)
    _, _, without = judge_run(run.endpoints, fail_on)
    held = replace(
        run,
        verdict=verdict,
        counts=counts,
        exit_code=exit_code if run.exit_code == without else run.exit_code,
        findings=(*run.findings, *findings),
        endpoints=results,
        against=against,
    )
    return Outcome(held, outcome.defect)
