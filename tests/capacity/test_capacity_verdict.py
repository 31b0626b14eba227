"""What the answer of a search is worth: the verdict, the findings and the exit code."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.capacities import capacity_run, found

from perfcheck.capacity.model import Ending
from perfcheck.capacity.verdict import judge_capacity
from perfcheck.model import CapacityChange, CapacityResult, Finding, LoadModel, Rule, Severity, Verdict

CRITICAL, WARNING, OK, NONE = Verdict.CRITICAL, Verdict.WARNING, Verdict.OK, Verdict.NOT_MEASURED


def judged(
    result: CapacityResult, before: CapacityResult | None = None, fail_on: Verdict | None = CRITICAL
) -> tuple[Verdict, int, list[str]]:
    earlier = capacity_run(before) if before else None
    result, findings, exit_code = judge_capacity(result, earlier, fail_on, 12)
    return result.verdict, exit_code, [shown(finding) for finding in findings]


def shown(finding: Finding) -> str:
    return f"{finding.severity}: {finding.message}"


@pytest.mark.parametrize(
    ("result", "verdict", "exit_code", "first"),
    [
        (found(), OK, 0, "note: the limits hold for 42 users (39 to 45 users)"),
        (
            found(at_least=39),
            OK,
            0,
            "note: the limits hold for 42 users (39 to 45 users); needed: at least 39 users",
        ),
        (
            found(at_least=42),
            WARNING,
            3,
            "WARNING: the limits hold for 42 users (39 to 45 users), which does not prove",
        ),
        (
            found(at_least=46),
            CRITICAL,
            1,
            "CRITICAL: the limits hold for 42 users (39 to 45 users); needed: at least 46 users",
        ),
        (found(None, (None, None), Ending.GENERATOR, at_least=5), NONE, 3, "WARNING: the generator of the load was"),
        (found(None, (None, None), Ending.RARE), NONE, 3, "WARNING: cannot tell in this time"),
        (found(None, (20, 80), Ending.RARE, at_least=50), NONE, 3, "WARNING: cannot tell in this time: 20 to 80"),
        (
            found(None, (20, 80), Ending.RARE, at_least=10),
            OK,
            0,
            "note: the limits hold for 20 to 80 users; needed: at least 10 users",
        ),
        (found(None, (20, 80), Ending.RARE, at_least=90), CRITICAL, 1, "CRITICAL: the limits hold for 20 to 80"),
        (
            found(None, (20, None), Ending.RARE, at_least=20),
            OK,
            0,
            "note: the limits hold for at least 20 users; needed: at least 20 users",
        ),
        (found(None, (None, 20), Ending.RARE, at_least=20), NONE, 3, "WARNING: cannot tell in this time: at most 20"),
        (found(None, (None, 20), Ending.RARE, at_least=21), CRITICAL, 1, "CRITICAL: the limits hold for at most 20"),
        (found(None, (None, 20), Ending.COLLAPSE, at_least=20), CRITICAL, 1, "CRITICAL: the limits hold for less than"),
        (found(None, (20, 80), Ending.STOPPED), NONE, 3, "note: the search was stopped before the capacity was known"),
        (found(None, (500, None), Ending.HOLDS), OK, 0, "note: the limits hold for at least 500 users"),
        (found(None, (None, 1), Ending.FAILS), WARNING, 0, "WARNING: the limits do not hold even for 1 user, the"),
        (found(None, (None, 1), Ending.FAILS, at_least=5), CRITICAL, 1, "CRITICAL: the limits do not hold even for 1"),
        (
            found(None, (None, None), Ending.COLLAPSE),
            NONE,
            3,
            "WARNING: the service did not recover from an overload, though the load was taken off",
        ),
    ],
)
def test_the_verdict(result: CapacityResult, verdict: Verdict, exit_code: int, first: str) -> None:
    was, code, findings = judged(result)
    assert (was, code) == (verdict, exit_code)
    assert findings[0].startswith(first)


@pytest.mark.parametrize(
    ("result", "fail_on", "exit_code"),
    [
        (found(at_least=46), None, 0),
        (found(at_least=42), None, 0),
        (found(at_least=42), WARNING, 3),  # it is not proven that there is something to fail
        (found(None, (None, 1), Ending.FAILS), WARNING, 1),
        (found(None, (None, None), Ending.RARE), None, 3),
    ],
)
def test_what_fails_is_a_matter_of_the_option(result: CapacityResult, fail_on: Verdict | None, exit_code: int) -> None:
    assert judged(result, fail_on=fail_on)[1] == exit_code


@pytest.mark.parametrize(
    ("before", "change", "verdict", "exit_code", "words"),
    [
        (found(60, (55, 65)), CapacityChange.LOWER, CRITICAL, 1, "lower than in v1: 42 users (39 to 45 users)"),
        (found(20, (18, 22)), CapacityChange.HIGHER, OK, 0, "higher than in v1"),
        (found(44, (41, 47)), CapacityChange.NO_CHANGE, OK, 0, "no change since v1, which had 44 users"),
        (found(None, (20, 80)), CapacityChange.CANNOT_TELL, WARNING, 3, "cannot be compared with v1"),
        (found(None, (None, 30), Ending.FAILS), CapacityChange.HIGHER, OK, 0, "higher than in v1"),
    ],
)
def test_compared_with_an_earlier_run(
    before: CapacityResult, change: CapacityChange, verdict: Verdict, exit_code: int, words: str
) -> None:
    result, findings, code = judge_capacity(found(), capacity_run(before, label="v1"), CRITICAL, 0)
    assert (result.verdict, code) == (verdict, exit_code)
    assert result.before is not None
    assert result.before.changed is change
    assert findings[-1].message.startswith(words)


@pytest.mark.parametrize(
    ("interval", "change", "verdict", "exit_code"),
    [
        ((None, 30), CapacityChange.LOWER, CRITICAL, 1),
        ((70, None), CapacityChange.HIGHER, OK, 0),
        ((None, 50), CapacityChange.CANNOT_TELL, NONE, 3),
    ],
)
def test_a_change_may_be_proven_before_the_capacity_is_known(
    interval: tuple[float | None, float | None], change: CapacityChange, verdict: Verdict, exit_code: int
) -> None:
    result, _, code = judge_capacity(found(None, interval, Ending.RARE), capacity_run(found(55, (50, 60))), CRITICAL, 0)
    assert result.before is not None
    assert (result.before.changed, result.verdict, code) == (change, verdict, exit_code)


@pytest.mark.parametrize(
    ("result", "remedy"),
    [
        (found(at_least=42), "lower capacity.at_least, or make the service faster"),
        (found(None, (500, None), Ending.HOLDS, at_least=600), "raise capacity.to"),
        (found(ended=Ending.TIME, at_least=42), "give it more time"),
        (found(ended=Ending.STOPPED, at_least=42), "run it again, to its end"),
    ],
)
def test_more_time_is_the_remedy_only_where_it_can_help(result: CapacityResult, remedy: str) -> None:
    _, findings, _ = judge_capacity(result, None, CRITICAL, 0)
    assert findings[0].rule is Rule.UNDECIDED
    assert (findings[0].remedy or "").startswith(remedy)


@pytest.mark.parametrize(
    ("result", "over", "near"),
    [
        (replace(found(), first="videos.get"), {"videos.list": 0.002, "videos.get": 0.06}, "42 users"),
        (replace(found(), first="videos.get"), {"videos.list": 0.049, "videos.get": 0.06}, None),
        (found(None, (None, 1), Ending.FAILS), {"videos.list": 0.002, "videos.get": 0.06}, "1 user"),
        (found(None, (None, 1), Ending.FAILS), {}, None),
    ],
)
def test_the_endpoint_that_leaves_its_limit_first_is_named_where_it_clearly_does(
    result: CapacityResult, over: dict[str, float], near: str | None
) -> None:
    _, findings, _ = judge_capacity(replace(result, over=over), None, CRITICAL, 0)
    note = f"near {near} 6% of its requests are over 75 ms, and 1.65% of all are over theirs"
    named = [finding.message for finding in findings if "first" in finding.message]
    assert named == ([f"videos.get leaves its limit first: {note}"] if near else [])


def test_a_rate_is_shown_as_one_and_every_finding_has_its_figures() -> None:
    result = replace(found(212.4, (200.0, 225.0), at_least=300.0), model=LoadModel.RATE)
    _, (finding,), _ = judge_capacity(result, None, CRITICAL, 12)
    assert finding.message == "the limits hold for 212/s (200/s to 225/s); needed: at least 300/s"
    assert (finding.rule, finding.severity, finding.line) == (Rule.CAPACITY, Severity.CRITICAL, 12)
    assert (finding.value, finding.limit, finding.unit) == (212.4, 300.0, "per second")


@pytest.mark.parametrize(
    ("seconds_needed", "remedy"),
    [
        (None, "give it more time (--max-time)"),
        (250.0, "a precise answer takes about 4 min: --max-time 5m"),
        (20_000.0, "the steps differ too much: measure on a quiet machine, or with more requests"),
    ],
)
def test_what_would_make_the_answer_precise_is_named(seconds_needed: float | None, remedy: str) -> None:
    short = replace(found(ended=Ending.TIME), seconds_needed=seconds_needed)
    _, findings, _ = judge_capacity(short, None, CRITICAL, 0)
    assert findings[-1].remedy == remedy
