"""Past runs and measurements out of bare values, for what is judged of a history without a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

from simulation.runs import HOSTILE_NAME, hostile_names

from perfcheck.history.model import Note, PastMeasurement, PastRun
from perfcheck.model import Counts, Metric, Source, Verdict
from perfcheck.periods.judge.judge import judge_periods
from perfcheck.periods.judge.tally import tally_runs
from perfcheck.periods.model import BaselineHistory, Period, PeriodKind, PeriodReport, TargetChange, TargetKey

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MACHINE = "Linux 6.1 x86_64, 2 CPUs"
GENERATED = "2026-12-01T09:00:00.000Z"


def at(number: int) -> str:
    """The time of the run of this number: one a day."""
    return (BEGIN + timedelta(days=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def commit(number: int) -> str:
    return f"{number + 1:07x}" + "c0ffee" * 5 + "abc"


def past_run(number: int, machine: str = MACHINE, source: Source = Source.MEASURED) -> PastRun:
    return PastRun(
        id=f"run{number:05}",
        label=None,
        started_at=at(number),
        duration_ms=1000.0,
        verdict=Verdict.OK,
        exit_code=0,
        complete=True,
        counts=Counts(1, 0, 0, 0),
        source=source,
        commit=commit(number),
        branch="main",
        dirty=False,
        ci=None,
        machine=machine,
        base_url="http://localhost:5001",
        baseline_file="baselines.yaml",
        baseline_sha256="0" * 64,
    )


def measurement(
    endpoint: str, number: int, value_ms: float | None, *, target_ms: float | None = 200.0, spread: float = 0.05
) -> PastMeasurement:
    """WARNING over 1.5 times its target, CRITICAL over twice; without a value it is not measured."""
    ratio = value_ms / target_ms if value_ms and target_ms else 0.0
    verdict = Verdict.CRITICAL if ratio > 2 else Verdict.WARNING if ratio > 1.5 else Verdict.OK
    return PastMeasurement(
        run_id=f"run{number:05}",
        started_at=at(number),
        label=None,
        commit=commit(number),
        endpoint=endpoint,
        group=None,
        series="one",
        machine=MACHINE,
        source=Source.MEASURED,
        verdict=verdict if value_ms is not None else Verdict.NOT_MEASURED,
        decided=True,
        metric=Metric.MEDIAN,
        value_ms=value_ms,
        interval_ms=(None, None),
        median_ms=value_ms,
        p95_ms=None if value_ms is None else value_ms * 1.2,
        spread=spread,
        target_ms=target_ms,
        ideal_ms=None,
        error_rate=0.0,
        requests=5,
        critical_path=False,
    )


def series(endpoint: str, values: Sequence[float | None], first: int = 0) -> list[PastMeasurement]:
    """A measurement a day."""
    return [measurement(endpoint, first + i, value) for i, value in enumerate(values)]


def report_on(
    measurements: Iterable[PastMeasurement],
    since: int,
    until: int,
    *,
    notes: Sequence[Note] = (),
    runs: Sequence[PastRun] | None = None,
    baseline: BaselineHistory | None = None,
) -> PeriodReport:
    """Of the days from ``since`` up to ``until``, with a run on each day that has a measurement, unless given."""
    period = Period(PeriodKind.SPAN, at(since), at(until))
    known = sorted(measurements, key=lambda one: (one.endpoint, one.series, one.started_at))
    times = {one.started_at for one in known}
    every = [one for one in map(past_run, range(2000)) if one.started_at in times] if runs is None else runs
    tally = tally_runs(period, notes, (one for one in every if period.since <= one.started_at < period.until))
    earlier = [one for one in every if one.started_at < period.since][::-1][: tally.context_runs]
    for one in earlier:
        tally.add_earlier(one)
    begin = earlier[-1].started_at if earlier else period.since
    read = (one for one in known if begin <= one.started_at < period.until)
    [judge] = judge_periods([tally], read)
    return judge.report(baseline or BaselineHistory(""), tool_version="0.1.0", generated_at=GENERATED)


def note(number: int, *, run: int | None = None, of_commit: str | None = None, incident: str = "an incident") -> Note:
    run_id = None if run is None else f"run{run:05}"
    return Note(number, GENERATED, run_id, of_commit, incident, "its cause", "its fix")


def example_report() -> PeriodReport:
    """Something in every part: a regression that stands and one that is resolved, an improvement, a drift, ..."""
    wave = [1 + 0.02 * ((i * 7919) % 11 - 5) / 5 for i in range(150)]  # looks like noise, and is always the same
    levels: Mapping[str, Sequence[float]] = {
        "stands": [130.0] * 110 + [170.0] * 40,
        "was fixed": [100.0] * 100 + [150.0] * 20 + [100.0] * 30,
        "better": [150.0] * 110 + [90.0] * 40,
        "drifts": [60.0] * 70 + [60.0 + 0.5 * i for i in range(80)],
        "slow": [100.0] * 130 + [430.0] * 20,
        "recovered": [100.0] * 120 + [350.0] * 6 + [100.0] * 24,
        "steady": [40.0] * 150,
    }
    rows = [
        series(name, [value * factor for value, factor in zip(some, wave, strict=True)])
        for name, some in levels.items()
    ]
    rows += [series("new", [50.0] * 12, 138), series("gone", [50.0] * 120)]
    changes = (
        TargetChange("better", TargetKey.TARGET, Metric.MEDIAN, 200.0, 150.0, commit(115), at(115), "Keep what we won"),
        TargetChange("new", TargetKey.TARGET, Metric.MEDIAN, None, 200.0, commit(138), at(138), "Promise a new one"),
    )
    notes = [note(1, run=110), note(2, of_commit=commit(120)), note(3, run=133, incident="the disk was full")]
    return report_on(
        chain.from_iterable(rows), 90, 150, notes=notes, baseline=BaselineHistory("baselines.yaml", changes, 2)
    )


def hostile_report() -> PeriodReport:
    """Every kind of finding, under names (and with notes, labels, machines, subjects) made to do harm in a report."""
    names = hostile_names()
    shapes: Mapping[str, Sequence[float]] = {
        "up": [100.0] * 60 + [180.0] * 30,
        "up and down": [100.0] * 50 + [320.0] * 20 + [100.0] * 20,
        "down": [180.0] * 60 + [100.0] * 30,
        "drift": [100.0] * 30 + [100.0 + i for i in range(60)],
        "slow": [500.0] * 90,
    }
    kinds = list(shapes.values())
    rows = [series(name, kinds[i % len(kinds)]) for i, name in enumerate(names)]
    rows += [series(f"new {names[0]}", [50.0] * 5, 85), series(f"gone {names[0]}", [50.0] * 60)]
    hostile = [
        one._replace(label=HOSTILE_NAME, machine=HOSTILE_NAME, commit=HOSTILE_NAME) for one in chain.from_iterable(rows)
    ]
    runs = [
        replace(past_run(i), label=HOSTILE_NAME, machine=HOSTILE_NAME, base_url=HOSTILE_NAME, branch=HOSTILE_NAME)
        for i in range(90)
    ]
    notes = [
        Note(i, GENERATED, f"run{run:05}", None, text, text, text)
        for i, (text, run) in enumerate(zip([*names, *names], [60, 50, 70, 80] * 8, strict=False))
    ]
    changes = tuple(
        TargetChange(name, TargetKey.TARGET, Metric.MEDIAN, 300.0, 250.0, "0123abc", at(70), name) for name in names
    )
    baseline = BaselineHistory(HOSTILE_NAME, changes, len(changes))
    return report_on(hostile, 45, 90, notes=notes, runs=runs, baseline=baseline)
