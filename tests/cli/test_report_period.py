"""``perfcheck report --period``, by the installed command, over a history in a file."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from simulation.year import STEP_FIXED, baseline_text, commit_baseline, commit_of, fill, run_id, year
from support import histories
from support.command import perfcheck

from perfcheck.history.store import open_history
from perfcheck.periods.model import Period, PeriodKind
from perfcheck.periods.period_report import period_of
from perfcheck.runfile import encode_run

NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose baseline moved twice, with the history of its first 150 days."""
    path = tmp_path_factory.mktemp("repository")
    targets = {"videos.list": "350ms", "health": "50ms"}
    commit_baseline(path, baseline_text(targets), "2025-11-01T10:00:00Z", "Begin")
    commit_baseline(path, "version: 1\nendpoints: [broken\n", "2026-03-12T10:00:00Z", "Break it")
    targets |= {"videos.list": "300ms"}
    commit_baseline(path, baseline_text(targets), "2026-03-20T10:00:00Z", "Promise the list within 300 ms")
    targets |= {"search.new": "500ms"}
    commit_baseline(path, baseline_text(targets), "2026-04-20T10:00:00Z", "Promise a new search")
    with open_history(None, path) as store:
        fill(store, year(150))
    return path


def in_json(folder: Path, *arguments: str) -> dict[str, Any]:
    done = perfcheck("report", *arguments, "--report", "json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_month_in_every_format(folder: Path) -> None:
    month = ["--period", "month", "--until", "2026-04-01"]
    reports = [part for name in ("markdown", "html", "json") for part in ("--report", f"{name}=out.{name}")]
    done = perfcheck("report", *month, *reports, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "March 2026" in done.stdout
    assert done.stderr.splitlines() == ["wrote out.markdown", "wrote out.html", "wrote out.json"]
    assert "# Performance report: March 2026" in (folder / "out.markdown").read_text(encoding="utf-8")
    assert "<title>Performance report: March 2026</title>" in (folder / "out.html").read_text(encoding="utf-8")
    found = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    assert found["format"] == "perfcheck.period/1"
    assert [one["at"]["run_id"] for one in found["regressions"]] == [run_id(STEP_FIXED)]
    assert found["regressions"][0]["notes"][0]["incident"] == "The list of videos became slow for everyone"


def test_the_baseline_shows_its_own_changes(folder: Path) -> None:
    found = in_json(folder, "--since", "2026-03-01", "--until", "2026-05-01")["baseline"]
    told = [(one["endpoint"], one["before_ms"], one["after_ms"], one["committed_at"]) for one in found["changes"]]
    assert told == [
        ("videos.list", 350.0, 300.0, "2026-03-20T10:00:00.000Z"),
        ("search.new", None, 500.0, "2026-04-20T10:00:00.000Z"),
    ]
    assert (found["commits"], found["unreadable"], found["message"]) == (3, 1, None)


def test_a_release_and_two_that_are_named(folder: Path) -> None:
    period = in_json(folder, "--period", "release")["period"]
    assert (period["since_label"], period["until_label"]) == ("v2.4.0", "v2.5.0")
    found = in_json(folder, "--period", "release", "--since", "v2.3.0", "--until", "v2.4.0")
    assert (found["runs"], found["last"]["label"]) == (28, "v2.4.0")
    assert found["first"]["commit"] == commit_of(3 * 28 + 1)


def test_another_branch_is_left_out_and_named(tmp_path: Path) -> None:
    """Neither its regression nor its commits are those of main; a release without a branch is that of a tag."""
    main = histories.past_runs({"a": [20.0] * 15})
    feature = histories.past_runs(
        {"a": [150.0] * 12}, environment=replace(histories.HERE, branch="feature", commit="f" * 40)
    )
    tagged = [
        replace(one, label=f"v{i}", environment=replace(histories.HERE, branch=None))
        for i, one in enumerate(histories.past_runs({"a": [20.0] * 2}, first=histories.FIRST + timedelta(days=6)))
    ]
    labelled = replace(feature[-1], label="experiment")
    renamed = [replace(one, id=f"other-{i}") for i, one in enumerate([*feature[:-1], labelled, *tagged])]
    histories.fill(tmp_path / ".perfcheck.sqlite", main, renamed)
    named = ["--history", ".perfcheck.sqlite", "--since", "2026-09-01", "--until", "2026-11-01"]
    found = in_json(tmp_path, *named)
    assert (found["branch"], found["runs"], found["regressions"], found["commits"]) == ("main", 15, [], 1)
    assert found["other_branches"] == [{"branch": "feature", "runs": 12}, {"branch": None, "runs": 2}]
    console = " ".join(perfcheck("report", *named, cwd=tmp_path).stdout.split())
    left_out = "12 runs of branch feature (--branch feature), 2 runs without a branch (--branch -)"
    assert f"Left out: {left_out}." in console
    markdown = perfcheck("report", *named, "--branch", "-", "--report", "markdown", cwd=tmp_path).stdout
    assert "- Branch: none: only runs without one" in markdown
    assert in_json(tmp_path, *named, "--branch", "feature")["runs"] == 12
    release = in_json(tmp_path, "--history", ".perfcheck.sqlite", "--period", "release")["period"]
    assert (release["since_label"], release["until_label"]) == ("v0", "v1")


def test_a_history_that_is_named(folder: Path, tmp_path: Path) -> None:
    file = folder / ".perfcheck" / "history.sqlite"
    done = perfcheck("report", "--since", "2026-01-01", "--history", str(file), "--report", "markdown", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Not known: baselines.yaml not found" in done.stdout.replace("`", "")


def test_a_while_without_runs(folder: Path) -> None:
    done = perfcheck("report", "--period", "month", "--until", "2024-01-01", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "No runs in this period." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to report on"),
        (["--until", "2026-01-01"], "nothing to report on"),
        (["--from", "run.json", "--period", "week"], "--from reports one run, --period and --since many"),
        (["--from", "run.json", "--since", "7d"], "--from reports one run, --period and --since many"),
        (["--from", "run.json", "--until", "7d"], "--from reports one run, --period and --since many"),
        (["--period", "weekly"], "is not one of 'day', 'week', 'month', 'release'"),
        (["--period", "week", "--since", "7d"], "--period week takes no --since"),
        (["--since", "soon"], "'soon' is not a date"),
        (["--since", "2026-02-01", "--until", "2026-01-01"], "the period ends before it begins"),
        (["--period", "week", "--report", "junit"], "a period has no junit report"),
        (["--period", "week", "--compare-to", "run.json"], "--compare-to goes with --from"),
        (["--period", "week", "--history", "none.sqlite"], "none.sqlite"),
        (["--period", "week", "-f", "none.yaml"], "no such baseline: none.yaml"),
        (["--period", "release", "--since", "v2.9"], "no run 'v2.9' in the history"),
        (["--period", "release", "--since", "v2.4.0", "--until", "v2.3.0"], "is not before that of --until"),
        (["--period", "release", "--until", "v2.0.0"], "no labelled run before v2.0.0"),
    ],
)
def test_mistakes_are_reported(arguments: list[str], message: str, folder: Path) -> None:
    (folder / "run.json").write_bytes(encode_run(next(year(1))))
    done = perfcheck("report", *arguments, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_release_without_labels(tmp_path: Path) -> None:
    with open_history(None, tmp_path) as store:
        store.save_all(list(year(3))[1:])
    done = perfcheck("report", "--period", "release", cwd=tmp_path)
    assert done.returncode == 2
    assert "no run in the history has a label" in done.stderr


# --- Which period is meant -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "since", "until", "begin", "end"),
    [
        ("day", None, None, "2026-11-24T09:30", "2026-11-25T09:30"),
        ("week", None, None, "2026-11-18T09:30", "2026-11-25T09:30"),
        ("week", None, "2026-11-23", "2026-11-16T00:00", "2026-11-23T00:00"),
        ("week", None, "7d", "2026-11-11T09:30", "2026-11-18T09:30"),
        ("month", None, None, "2026-11-01T00:00", "2026-11-25T09:30"),
        ("month", None, "2026-11-01", "2026-10-01T00:00", "2026-11-01T00:00"),
        ("month", None, "2026-10-15", "2026-10-01T00:00", "2026-11-01T00:00"),
        ("month", None, "2026-01-01", "2025-12-01T00:00", "2026-01-01T00:00"),
        ("month", None, "2024-02-29", "2024-02-01T00:00", "2024-03-01T00:00"),
        ("span", "2026-11-01", None, "2026-11-01T00:00", "2026-11-25T09:30"),
        ("span", "4w", None, "2026-10-28T09:30", "2026-11-25T09:30"),
        ("span", "2026-11-01T00:00+02:00", "2026-11-02", "2026-10-31T22:00", "2026-11-02T00:00"),
    ],
)
def test_periods(kind: str, since: str | None, until: str | None, begin: str, end: str) -> None:
    expected = Period(PeriodKind(kind), f"{begin}:00.000Z", f"{end}:00.000Z")
    assert period_of(PeriodKind(kind), since, until, NOW) == expected


def test_the_first_moment_of_a_month() -> None:
    """Nothing of that month is over: it is the end of the one before."""
    now = datetime(2026, 11, 1, tzinfo=UTC)
    period = period_of(PeriodKind.MONTH, None, None, now)
    assert (period.since, period.until) == ("2026-10-01T00:00:00.000Z", "2026-11-01T00:00:00.000Z")
    period = period_of(PeriodKind.MONTH, None, None, now + timedelta(milliseconds=1))
    assert period.since == "2026-11-01T00:00:00.000Z"
