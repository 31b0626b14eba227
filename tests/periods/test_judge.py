"""What is found in a period, from bare values: changes and how they ended, and the endpoints at its end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.past import MACHINE, at, commit, measurement, note, past_run, report_on, series

from perfcheck.history.model import PastMeasurement
from perfcheck.model import Changed, Source, Verdict
from perfcheck.periods.judge.judge import judge_periods
from perfcheck.periods.judge.series_changes import rows_of_endpoints
from perfcheck.periods.judge.tally import MAX_COMPARED, is_same_commit, machine_key, tally_runs
from perfcheck.periods.model import (
    BaselineHistory,
    ChangeKind,
    LatencyChange,
    Period,
    PeriodKind,
    PeriodReport,
    RankedBy,
)
from perfcheck.periods.report.finding_words import outcome, worse_items
from perfcheck.periods.report.period_words import checklist, headline


def noisy(*levels: tuple[float, int], seed: int = 1) -> list[float | None]:
    """Levels, each with its number of runs, and 2% noise."""
    rng = random.Random(seed)
    return [level * rng.lognormvariate(0, 0.02) for level, runs in levels for _ in range(runs)]


def days(changes: tuple[LatencyChange, ...]) -> list[tuple[str, str]]:
    return [(one.endpoint, one.at.run_id) for one in changes]


# --- Regressions and how they end ----------------------------------------------------------------------------------


def test_a_step_up_that_stays() -> None:
    report = report_on(series("a", noisy((100, 70), (130, 20))), 60, 90)
    assert days(report.regressions) == [("a", "run00070")]
    (one,) = report.regressions
    assert one.previous is not None
    assert one.previous.run_id == "run00069"
    assert one.ratio == pytest.approx(1.3, rel=0.02)
    assert one.before_ms == pytest.approx(100, rel=0.02)
    assert one.stands
    assert one.resolved is None
    assert not one.began_before
    assert one.score is not None
    assert one.score > 4
    assert report.verdict is Verdict.WARNING
    assert not report.improvements


def test_a_step_up_that_was_fixed_is_one_regression_and_no_improvement() -> None:
    report = report_on(series("a", noisy((100, 60), (150, 20), (100, 20))), 50, 100)
    (one,) = report.regressions
    assert one.resolved is not None
    assert one.resolved.run_id == "run00080"
    assert not one.stands
    assert report.improvements == ()
    assert report.verdict is Verdict.OK
    (summary,) = report.endpoints
    assert summary.changed is Changed.NO_CHANGE
    assert summary.steps == 2


def test_a_fix_that_goes_half_way_is_no_improvement_and_resolves_nothing() -> None:
    report = report_on(series("a", noisy((100, 60), (200, 20), (140, 20))), 50, 100)
    (one,) = report.regressions
    assert one.resolved is None
    assert one.stands
    assert one.now_ms == pytest.approx(140, rel=0.03)
    assert report.improvements == ()


def test_a_fix_that_goes_further_is_an_improvement_over_the_level_before() -> None:
    report = report_on(series("a", noisy((100, 60), (150, 20), (60, 20))), 50, 100)
    assert days(report.regressions) == [("a", "run00060")]
    (better,) = report.improvements
    assert better.before_ms == pytest.approx(100, rel=0.02)
    assert better.after_ms == pytest.approx(60, rel=0.03)
    assert better.ratio == pytest.approx(0.6, rel=0.03)


def test_two_steps_up_end_one_by_one() -> None:
    levels = noisy((100, 60), (130, 20), (180, 20), (130, 20))
    report = report_on(series("a", levels), 50, 120)
    ended = {one.at.run_id: one.resolved and one.resolved.run_id for one in report.regressions}
    assert ended == {"run00060": None, "run00080": "run00100"}


def test_a_regression_from_before_is_reported_when_it_is_resolved() -> None:
    report = report_on(series("a", noisy((100, 40), (150, 40), (100, 20))), 70, 100)
    (one,) = report.regressions
    assert one.began_before
    assert one.at.run_id == "run00040"
    assert one.resolved is not None
    assert one.resolved.run_id == "run00080"


def test_a_regression_from_before_that_continues_is_not_reported_again() -> None:
    report = report_on(series("a", noisy((100, 40), (150, 60))), 70, 100)
    assert report.regressions == ()
    assert report.endpoints[0].changed is Changed.NO_CHANGE


def test_no_change_falls_between_two_reports() -> None:
    """A step in the last days of one month cannot be shown by its runs alone: the next month has it, once."""
    values = series("a", noisy((100, 88), (130, 58)))
    reports = [report_on(values, since, since + 30) for since in (30, 60, 90, 110)]
    assert [days(report.regressions) for report in reports] == [[], [], [("a", "run00088")], []]
    (forming,) = reports[1].forming
    assert (forming.at.run_id, forming.runs) == ("run00088", 2)
    assert reports[2].regressions[0].began_before


def test_a_level_that_is_back_without_a_step_yet_does_not_stand() -> None:
    report = report_on(series("a", noisy((100, 60), (115, 20), (100, 3))), 50, 83)
    (one,) = report.regressions
    assert one.resolved is None
    assert not one.stands


def test_an_improvement_has_its_runs() -> None:
    report = report_on(series("a", noisy((100, 60), (70, 20))), 50, 80)
    assert days(report.improvements) == [("a", "run00060")]
    assert report.regressions == ()
    assert report.endpoints[0].changed is Changed.FASTER


def test_a_slow_drift_is_no_step() -> None:
    values = [100 * (1 + max(0, i - 40) * 0.006) * random.Random(i).lognormvariate(0, 0.02) for i in range(120)]
    report = report_on(series("a", values), 60, 120)
    (one,) = report.drifts
    assert one.kind is ChangeKind.GETTING_SLOWER
    assert one.score is None
    assert report.regressions == ()
    assert report.endpoints[0].changed is Changed.SLOWER


def test_noise_is_nothing() -> None:
    rows = [one for i in range(8) for one in series(f"e{i}", noisy((100, 200), seed=i))]
    report = report_on(rows, 60, 200)
    assert (report.regressions, report.improvements, report.drifts, report.focus) == ((), (), (), ())
    assert {one.changed for one in report.endpoints} == {Changed.NO_CHANGE}


def test_a_spread_that_grows_is_a_loss_of_consistency() -> None:
    rng = random.Random(2)
    rows = [
        measurement("a", i, 100.0, spread=(0.05 if i < 60 else 0.3) * rng.lognormvariate(0, 0.2)) for i in range(90)
    ]
    report = report_on(rows, 50, 90)
    (one,) = report.consistency
    assert one.at.run_id == "run00060"
    assert one.ratio == pytest.approx(6, rel=0.2)


def test_critical_paths_come_first() -> None:
    small, large = series("small", noisy((100, 60), (120, 30))), series("large", noisy((100, 60), (190, 30)))
    small = [one._replace(critical_path=True) for one in small]
    report = report_on([*small, *large], 50, 90)
    assert [one.endpoint for one in report.regressions] == ["small", "large"]


# --- Values at the ends --------------------------------------------------------------------------------------------


def test_the_beginning_is_what_was_before_the_period() -> None:
    """Also where the change came with its very first run."""
    report = report_on(series("a", noisy((100, 60), (130, 30))), 60, 90)
    (one,) = report.endpoints
    assert one.begin_ms == pytest.approx(100, rel=0.03)
    assert one.end_ms == pytest.approx(130, rel=0.03)
    assert one.changed is Changed.SLOWER
    assert one.begin_headroom == pytest.approx(0.5, abs=0.03)
    assert one.end_headroom == pytest.approx(0.35, abs=0.03)


def test_few_runs_are_inconclusive() -> None:
    report = report_on(series("a", noisy((100, 4))), 0, 4)
    (summary,) = report.endpoints
    assert (summary.changed, summary.runs_needed) == (Changed.CANNOT_TELL, 2)
    assert report.forming == ()


def test_what_the_newest_runs_may_become() -> None:
    report = report_on(series("a", noisy((20, 7), (60, 2))), 0, 9)
    assert report.endpoints[0].changed is Changed.CANNOT_TELL
    (forming,) = report.forming
    assert (forming.at.run_id, forming.runs, forming.runs_needed) == ("run00007", 2, 1)
    assert "a" in dict(worse_items(report))
    checked = dict(checklist(report))
    assert checked["Degradation"] == "cannot tell yet: a"
    both = report_on([*series("a", noisy((20, 7), (60, 2))), *series("b", noisy((20, 9)))], 0, 9)
    assert headline(both).startswith("No changes found in 9 runs; cannot tell yet: a. ")


def test_an_incident_has_its_length() -> None:
    report = report_on(series("a", noisy((100, 30), (200, 3), (100, 20))), 20, 53)
    (regression,) = report.regressions
    assert regression.lasted_runs == 3
    assert "an incident of 3 runs" in outcome(regression)


def test_a_period_without_runs() -> None:
    report = report_on([], 0, 30)
    assert report.runs == 0
    assert report.verdict is Verdict.NOT_MEASURED
    assert report.first is None
    assert report.endpoints == ()


def test_runs_that_measured_nothing_count_and_give_no_value() -> None:
    report = report_on(series("a", [None] * 30), 10, 30)
    (one,) = report.endpoints
    assert (one.begin_ms, one.end_ms, one.points, one.levels) == (None, None, (), ())
    assert one.verdicts == {"not measured": 20}


# --- Standing ------------------------------------------------------------------------------------------------------


def test_slow_now_and_since_when() -> None:
    report = report_on(series("a", [100.0] * 70 + [350.0] * 10), 60, 80)
    (one,) = report.slow
    assert (one.verdict, one.since.run_id, one.runs) == (Verdict.WARNING, "run00070", 10)
    assert report.verdict is Verdict.WARNING


def test_a_recovery_takes_more_than_one_slow_run() -> None:
    twice = series("twice", [100.0] * 70 + [350.0, 500.0] + [100.0] * 8)
    once = series("once", [100.0] * 70 + [350.0] + [100.0] * 9)
    report = report_on([*twice, *once], 60, 80)
    (one,) = report.recoveries
    assert (one.endpoint, one.worst, one.ended.run_id, one.runs) == ("twice", Verdict.CRITICAL, "run00072", 2)


def test_new_and_gone_endpoints() -> None:
    old, new = series("old", [100.0] * 90), series("new", [100.0] * 20, 70)
    gone, long_gone = series("gone", [100.0] * 75), series("long gone", [100.0] * 50)
    report = report_on([*old, *new, *gone, *long_gone], 60, 90)
    assert [(one.endpoint, one.first.run_id) for one in report.new] == [("new", "run00070")]
    assert [(one.endpoint, one.last.run_id, one.runs_since) for one in report.gone] == [("gone", "run00074", 15)]
    assert report.slow == ()


def test_nothing_is_new_where_history_begins() -> None:
    report = report_on(series("a", [100.0] * 30), 0, 30)
    assert report.new == ()


def test_one_run_of_some_endpoints_makes_none_of_the_others_gone() -> None:
    report = report_on([*series("a", [100.0] * 30), *series("b", [100.0] * 29)], 10, 30)
    assert report.gone == ()


# --- Series, machines, the monitor ---------------------------------------------------------------------------------


def elsewhere(rows: list[PastMeasurement], machine: str, key: str) -> list[PastMeasurement]:
    return [one._replace(machine=machine, series=key) for one in rows]


def test_machines_are_not_compared_with_one_another() -> None:
    slow = elsewhere(series("a", noisy((200, 45)), 45), "Darwin 23 arm64, 8 CPUs", "two")
    fast = series("a", noisy((100, 45)))
    report = report_on([*fast, *slow], 10, 90)
    assert report.regressions == ()
    assert [one.series for one in report.endpoints] == ["one", "two"] or len(report.endpoints) == 2


def test_a_series_that_another_took_over_from_is_no_longer_current() -> None:
    before = series("a", [500.0] * 45)
    after = elsewhere(series("a", [100.0] * 45, 45), MACHINE, "two")
    report = report_on([*before, *after], 10, 90)
    assert {one.series: one.is_current for one in report.endpoints} == {"one": False, "two": True}
    assert report.slow == ()


def test_the_release_of_a_kernel_makes_no_other_machine() -> None:
    assert machine_key("Linux 6.1.0-13 x86_64, 2 CPUs", Source.MEASURED) == machine_key(
        "Linux 6.9 x86_64, 2 CPUs", Source.MEASURED
    )


def monitored(name: str, counts: list[int], first: int = 0) -> list[PastMeasurement]:
    rows = series(name, [100.0] * len(counts), first)
    return [
        one._replace(source=Source.MONITORED, series="monitor", requests=count)
        for one, count in zip(rows, counts, strict=True)
    ]


def with_monitor(rows: list[PastMeasurement], since: int, until: int) -> PeriodReport:
    days_of = {one.started_at for one in rows}
    both = [past_run(i, source=source) for i in range(until) for source in Source if at(i) in days_of]
    return report_on(rows, since, until, runs=both)


def test_traffic_is_what_the_monitor_counted_between_its_readings() -> None:
    counts = [100 * i for i in range(1, 21)] + [50, 250]  # the service began anew before the last but one
    rows = [*series("a", [100.0] * 22), *monitored("a", counts)]
    report = with_monitor(rows, 10, 22)
    traffic = {one.source: one.traffic for one in report.endpoints}
    assert traffic == {Source.MEASURED: 1000 + 50 + 200, Source.MONITORED: 1250}


def test_focus_is_ranked_by_time_lost_where_all_traffic_is_known() -> None:
    busy = [*series("busy", noisy((100, 60), (115, 30))), *monitored("busy", [10_000 * i for i in range(90)])]
    quiet = [*series("quiet", noisy((100, 60), (190, 30))), *monitored("quiet", list(range(90)))]
    report = with_monitor([*busy, *quiet], 50, 90)
    assert report.ranked_by is RankedBy.TIME
    assert [one.endpoint for one in report.focus] == ["busy", "quiet"]
    unknown = report_on([one for one in (*busy, *quiet) if one.source is Source.MEASURED], 50, 90)
    assert unknown.ranked_by is RankedBy.SHARE
    assert [one.endpoint for one in unknown.focus] == ["quiet", "busy"]


def test_a_new_endpoint_that_the_monitor_does_not_see() -> None:
    rows = [*series("old", [100.0] * 60), *monitored("old", list(range(60))), *series("new", [100.0] * 20, 40)]
    (one,) = with_monitor(rows, 30, 60).new
    assert one.is_monitored is False


# --- Notes ---------------------------------------------------------------------------------------------------------


def test_notes_go_to_what_they_are_about() -> None:
    fixed, stays = series("fixed", noisy((100, 60), (150, 20), (100, 20))), series("stays", noisy((100, 70), (150, 30)))
    notes = [
        note(1, run=60),
        note(2, of_commit=commit(80)[:8]),
        note(3, run=71, incident="noticed a run later"),
        note(4, run=65, incident="fixed is still slow"),
        note(5, run=92),
        note(6, run=10, incident="long ago"),
    ]
    report = report_on([*fixed, *stays], 50, 100, notes=notes)
    assert {one.endpoint: [n.id for n in one.notes] for one in report.regressions} == {"fixed": [1, 2, 4], "stays": [3]}
    assert [one.id for one in report.other_notes] == [5]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0123abcdef", "0123abc", True),
        ("0123ABC", "0123abcdef", True),
        ("0123ab", "0123abcdef", False),  # too short to be sure
        ("0123abd", "0123abcdef", False),
        (None, "0123abc", False),
        ("", "", False),
    ],
)
def test_commits_may_be_written_short(one: str | None, other: str | None, same: bool) -> None:  # noqa: FBT001
    assert is_same_commit(one, other) is same


# --- Many runs -----------------------------------------------------------------------------------------------------


def test_a_service_that_is_started_for_each_run_is_one_service() -> None:
    urls = [
        *(f"http://localhost:{20_000 + i}/v2" for i in range(9)),
        *["https://shop.example:8443"] * 5,
        "http://[::1]",
    ]
    runs = [replace(past_run(i), base_url=url) for i, url in enumerate(urls)]
    tally = tally_runs(Period(PeriodKind.SPAN, "", "~"), (), runs)
    assert tally.services == ("http://localhost/v2", "https://shop.example:8443", "http://[::1]")


def test_very_many_runs_are_compared_in_blocks_and_the_step_has_its_run() -> None:
    count, step = 6 * MAX_COMPARED, 4 * MAX_COMPARED + 21
    values = noisy((100, step), (112, count - step))
    rows = [
        measurement("a", 0, value)._replace(run_id=str(i), started_at=f"{i:09}", commit=None)
        for i, value in enumerate(values)
    ]
    runs = [replace(past_run(0), id=str(i), started_at=f"{i:09}") for i in range(count)]
    tally = tally_runs(Period(PeriodKind.SPAN, "", "~"), (), runs)
    assert tally.block == 6
    [judge] = judge_periods([tally], rows)
    report = judge.report(BaselineHistory(""), tool_version="", generated_at="")
    (one,) = report.regressions
    assert abs(int(one.at.run_id) - step) <= 3
    assert report.endpoints[0].block_runs == 6
    assert len(report.endpoints[0].points) <= 430


def test_measurements_are_read_as_they_are_needed() -> None:
    """Of one endpoint at a time: memory does not grow with their number."""
    read: list[str] = []

    def stream() -> Iterator[PastMeasurement]:
        for name in ("a", "b", "c"):
            for one in series(name, [100.0] * 30):
                read.append(name)
                yield one

    found = rows_of_endpoints(stream())
    next(found)
    assert set(read) <= {"a", "b"}
    assert read.count("b") <= 1
