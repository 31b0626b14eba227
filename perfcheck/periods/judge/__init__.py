"""A period of the history, judged: what changed, what was resolved, what is slow, and what to work on next.

Pure, like all of ``judge``: past runs and measurements in, a PeriodReport out. A series is one endpoint on one machine,
by one baseline, request and metric; only within a series are values compared.
"""

from __future__ import annotations

from perfcheck.periods.judge.judge import judge_period
from perfcheck.periods.judge.tally import CONTEXT_RUNS, Tally, tally_runs

__all__ = ["CONTEXT_RUNS", "Tally", "judge_period", "tally_runs"]
