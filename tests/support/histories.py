"""Histories filled for a test: real stores, with runs that went through the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulation.runs import decision, endpoint, result, run, samples, spread

from perfcheck.history.store import open_history
from perfcheck.model import Environment, Metric, Run, Verdict

HERE = Environment("Linux 6.1 x86_64", 2, "GitHub Actions", "0123abc", "main", dirty=False)
ELSEWHERE = replace(HERE, cpus=16, ci=None)
FIRST = datetime(2026, 10, 1, tzinfo=UTC)


def past_runs(
    values: Mapping[str, Sequence[float]],
    *,
    environment: Environment = HERE,
    verdict: Verdict = Verdict.OK,
    metric: Metric = Metric.MEDIAN,
    first: datetime = FIRST,
) -> list[Run]:
    """The run number i, on day i, measured each endpoint at the value number i of its list."""
    count = max(len(series) for series in values.values())
    return [
        replace(
            run(
                [
                    result(endpoint(name, metric=metric), samples(1, spread(series[i])), decision(verdict, series[i]))
                    for name, series in values.items()
                    if i < len(series)
                ]
            ),
            id=f"{first:%Y%m%d%H}-{environment.cpus}-{i:04}",
            label=None,
            started_at=(first + timedelta(days=i)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            environment=environment,
        )
        for i in range(count)
    ]


def fill(file: Path, *some: Sequence[Run]) -> None:
    with open_history(str(file), file.parent) as store:
        for runs in some:
            store.save_all(runs)
