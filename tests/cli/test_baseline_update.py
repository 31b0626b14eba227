"""``perfcheck baseline update`` as its user runs it, with a history in SQLite."""

from __future__ import annotations

import json
import random
import resource
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from support.command import perfcheck
from support.golden import check_golden
from support.histories import ELSEWHERE, FIRST, HERE, fill, past_runs

from perfcheck.baseline import load_baseline
from perfcheck.engine.update_targets import propose_update, write_update
from perfcheck.errors import UsageError
from perfcheck.history.propose import ProposalRule
from perfcheck.history.series import LatestSeriesReader, match_file_names
from perfcheck.history.store import open_history
from perfcheck.model import BaselineInfo, Metric, Verdict

GOLDEN = Path(__file__).parent / "golden"
BASELINE = """\
# What the catalogue promises.
version: 1
service: {base_url: "${SERVICE_URL}", headers: {Authorization: "Bearer ${API_TOKEN}"}}

endpoints:
  videos.list:        # the home page
    path: /api/videos/
    target:  300ms    # since v1.2
    ideal:   200ms
  videos.page: {path: /api/videos/1, target: 1.5s, ideal: '1s'}
  settings.get:
    path: /api/settings/
    metric: p95
    target: 100ms
  search.basic:
    path: /api/search/
    target: ${SEARCH_TARGET:-900ms}   # by the environment
  artists.list:
    path: /api/artists/   # no target yet
  health:
    path: /api/health
    target: 50ms
"""
STEADY = [1.0, 0.98, 1.02, 1.01, 0.99] * 4


def around(value: float, count: int = 20) -> list[float]:
    return [round(value * factor, 3) for factor in (STEADY * 10)[:count]]


LATER = FIRST + timedelta(days=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A baseline and a history of twenty runs."""
    (tmp_path / "baselines.yaml").write_text(BASELINE, encoding="utf-8")
    values = {
        "videos.list": around(100),
        "videos.page": around(600),
        "settings.get": around(40, 3),
        "search.basic": around(200),
        "artists.list": around(80),
        "health": around(48),
    }
    fill(tmp_path / "history.sqlite", past_runs(values))
    return tmp_path


def updated(folder: Path, *arguments: str, **environment: str) -> CompletedProcess[str]:
    return perfcheck(
        "baseline", "update", *arguments, cwd=folder, env={"PERFCHECK_HISTORY": "history.sqlite", **environment}
    )


def as_json(folder: Path, *arguments: str) -> dict[str, Any]:
    completed = updated(folder, *arguments, "--json")
    assert (completed.returncode, completed.stderr) == (0, "")
    found: dict[str, Any] = json.loads(completed.stdout)
    return found


def moves(found: dict[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    return {one["endpoint"]: (after(one["target"]), after(one["ideal"])) for one in found["endpoints"]}


def after(move: dict[str, float] | None) -> float | None:
    return move["after_ms"] if move else None


def text(folder: Path) -> str:
    return (folder / "baselines.yaml").read_bytes().decode()


# --- What is shown -------------------------------------------------------------------------------------------------


def test_the_proposals_and_the_diff(folder: Path) -> None:
    completed = updated(folder)
    assert (completed.returncode, completed.stderr) == (0, "")
    check_golden(GOLDEN / "baseline-update.txt", completed.stdout)
    assert text(folder) == BASELINE


def test_a_narrow_terminal(folder: Path) -> None:
    completed = updated(folder, "videos.*", COLUMNS="50")
    check_golden(GOLDEN / "baseline-update-50.txt", completed.stdout)


def test_colour_only_where_it_is_wanted(folder: Path) -> None:
    assert "\x1b" not in updated(folder).stdout
    assert "\x1b[32m+    target:  150ms    # since v1.2" in updated(folder, FORCE_COLOR="1").stdout
    assert "\x1b" not in updated(folder, FORCE_COLOR="1", NO_COLOR="1").stdout


def test_json_has_the_same(folder: Path) -> None:
    found = as_json(folder)
    assert {key: found[key] for key in found if key not in {"endpoints", "diff"}} == {
        "baseline": "baselines.yaml",
        "history": "history.sqlite",
        "branch": "main",
        "runs": 20,
        "margin": 0.2,
        "loosen": None,
        "written": False,
    }
    assert moves(found) == {
        "videos.list": (150, 120),
        "videos.page": (800, 700),
        "settings.get": (None, None),
        "search.basic": (250, None),
        "artists.list": (100, None),
        "health": (None, None),
    }
    by_hand = {one["endpoint"]: one["by_hand"] for one in found["endpoints"] if one["by_hand"]}
    assert by_hand == {
        "search.basic": [
            "baselines.yaml:17: change target to 250ms by hand: it is set by a variable: ${SEARCH_TARGET:-900ms}"
        ]
    }
    assert found["diff"].startswith("--- baselines.yaml\n+++ baselines.yaml\n@@ ")
    assert found["diff"] in updated(folder).stdout


# --- What is written -----------------------------------------------------------------------------------------------


def test_only_the_values_become_different(folder: Path) -> None:
    completed = updated(folder, "--write")
    assert completed.returncode == 0
    assert text(folder) == (
        BASELINE.replace("target:  300ms", "target:  150ms")
        .replace("ideal:   200ms", "ideal:   120ms")
        .replace("target: 1.5s, ideal: '1s'", "target: 0.8s, ideal: '0.7s'")
        .replace("# no target yet\n", "# no target yet\n    target: 100ms\n")
    )
    assert "5 values changed, and nothing else" in completed.stdout
    again = updated(folder, "--write")
    assert "baselines.yaml: nothing to change" in again.stdout


def test_names_and_patterns(folder: Path) -> None:
    assert set(moves(as_json(folder, "videos.*", "health"))) == {"videos.list", "videos.page", "health"}
    updated(folder, "videos.list", "--write")
    baseline = load_baseline(folder / "baselines.yaml", {"SERVICE_URL": "http://localhost", "API_TOKEN": "x"})
    assert [one.target_ms for one in baseline.endpoints[:2]] == [150, 1500]
    unknown = updated(folder, "video.list")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "did you mean 'videos.list'?" in unknown.stderr


def test_mode_and_links_stay(folder: Path) -> None:
    real = folder / "elsewhere.yaml"
    (folder / "baselines.yaml").rename(real)
    (folder / "baselines.yaml").symlink_to(real)
    real.chmod(0o640)
    assert updated(folder, "--write").returncode == 0
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert (folder / "baselines.yaml").is_symlink()
    assert "target:  150ms" in real.read_text(encoding="utf-8")


def test_a_file_that_changed_in_the_meantime_is_left_as_it_is(folder: Path) -> None:
    file = folder / "baselines.yaml"
    with open_history("history.sqlite", folder) as store:
        found = propose_update(file, (), store, ProposalRule())
    file.write_text(BASELINE + "# mine\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has changed since it was read"):
        write_update(found)
    assert text(folder) == BASELINE + "# mine\n"


def test_a_write_that_fails_leaves_the_file_as_it_was(folder: Path) -> None:
    file = folder / "baselines.yaml"
    with open_history("history.sqlite", folder) as store:
        found = propose_update(file, (), store, ProposalRule())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # no file may grow longer: like a full disk
    try:
        with pytest.raises(UsageError, match=r"cannot write .*baselines\.yaml: File too large"):
            write_update(found)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert text(folder) == BASELINE
    assert not list(folder.glob(".perfcheck-*"))


# --- Which runs count ----------------------------------------------------------------------------------------------


def test_loosening_needs_a_reason_and_states_it(folder: Path) -> None:
    tight = BASELINE.replace("target:  300ms", "target:  80ms").replace("ideal:   200ms", "ideal:   70ms")
    (folder / "baselines.yaml").write_text(tight, encoding="utf-8")
    assert moves(as_json(folder, "videos.list")) == {"videos.list": (None, None)}
    found = as_json(folder, "videos.list", "--loosen", "more columns since v1.4")
    assert (moves(found), found["loosen"]) == ({"videos.list": (150, 120)}, "more columns since v1.4")
    completed = updated(folder, "videos.list", "--loosen", "more columns since v1.4")
    assert "looser, because: more columns since v1.4" in completed.stdout
    colored = updated(folder, "videos.list", "--loosen", "more columns", FORCE_COLOR="1")
    assert "target 80 → \x1b[1;33m150 ms" in colored.stdout
    empty = updated(folder, "--loosen", " ")
    assert (empty.returncode, "--loosen needs a reason" in empty.stderr) == (2, True)


def test_critical_runs_keep_a_target_unless_it_is_loosened(folder: Path) -> None:
    slow = past_runs({"videos.list": around(900)}, verdict=Verdict.CRITICAL, first=FIRST + timedelta(days=30))
    fill(folder / "history.sqlite", slow)
    found = as_json(folder, "videos.list")
    assert found["endpoints"][0]["why"] == (
        "the last run was CRITICAL: fix that first, or accept it with --loosen REASON"
    )
    assert moves(as_json(folder, "videos.list", "--loosen", "accepted")) == {"videos.list": (1200, 1000)}


def test_runs_before_a_step_do_not_count(folder: Path) -> None:
    rng = random.Random(5)
    values = [round(level * rng.lognormvariate(0, 0.03), 3) for level in [250.0] * 20 + [100.0] * 10]
    fill(folder / "stepped.sqlite", past_runs({"videos.list": values}))
    found = as_json(folder, "videos.list", "--history", "stepped.sqlite")
    assert (moves(found)["videos.list"], found["endpoints"][0]["runs"]) == ((150, 120), 10)


def test_a_long_history_is_read_from_its_end(folder: Path) -> None:
    with open_history("history.sqlite", folder) as store:
        whole, end = (
            LatestSeriesReader(store, "baselines.yaml", 10),
            LatestSeriesReader(store, "baselines.yaml", 10, recent=10),
        )
        assert end.read("videos.list").points == whole.read("videos.list").points[10:]
        assert end.read("settings.get") == whole.read("settings.get")  # measured in the first three runs only
        assert len(end.read("settings.get").points) == 3


def test_runs_by_another_baseline_do_not_count(folder: Path) -> None:
    other = [
        replace(one, baseline=BaselineInfo("services/other/baselines.yaml", "0" * 64))
        for one in past_runs({"videos.list": around(20)}, environment=ELSEWHERE, first=LATER)
    ]
    fill(folder / "history.sqlite", other)
    assert moves(as_json(folder, "videos.list")) == {"videos.list": (150, 120)}
    (folder / "services" / "mine").mkdir(parents=True)
    (folder / "baselines.yaml").rename(folder / "services" / "mine" / "baselines.yaml")
    assert moves(as_json(folder, "videos.list", "-f", "services/mine/baselines.yaml")) == {"videos.list": (150, 120)}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("baselines.yaml", "baselines.yaml", 2),
        ("baselines.yaml", "../baselines.yaml", 1),
        ("baselines.yaml", "/srv/build/baselines.yaml", 1),
        ("services/a/baselines.yaml", "a/baselines.yaml", 1),
        ("services/a/baselines.yaml", "services/b/baselines.yaml", 0),
        ("baselines.yaml", "baseline.yaml", 0),
        ("baselines.yaml", "", 0),  # of a run without a baseline
    ],
)
def test_names_of_one_file(one: str, other: str, expected: int) -> None:
    assert match_file_names(one, other) == match_file_names(other, one) == expected


def test_runs_of_another_machine_do_not_count(folder: Path) -> None:
    elsewhere = past_runs({"videos.list": around(20, 3)}, environment=ELSEWHERE, first=LATER)
    fill(folder / "history.sqlite", elsewhere)
    found = as_json(folder, "videos.list")
    assert found["endpoints"][0]["why"] == (
        "3 good runs, 2 more occasions are needed, an hour apart; not counted: 20 runs of another machine, request or "
        "metric than the newest"
    )
    more = past_runs({"videos.list": around(20, 6)}, environment=ELSEWHERE, first=FIRST + timedelta(days=70))
    fill(folder / "history.sqlite", more)
    assert moves(as_json(folder, "videos.list")) == {"videos.list": (25, 25)}


def test_runs_of_another_branch_do_not_count(folder: Path) -> None:
    thrown_away = past_runs({"videos.list": around(20)}, environment=replace(HERE, branch="faster"), first=LATER)
    fill(folder / "history.sqlite", thrown_away)
    assert moves(as_json(folder, "videos.list")) == {"videos.list": (150, 120)}
    closing = updated(folder, "videos.list").stdout.partition("\n\nfrom ")[2]
    assert closing.startswith("runs of branch main; not used: 20 runs of branch faster (--branch faster)\n")
    assert moves(as_json(folder, "videos.list", "--branch", "faster")) == {"videos.list": (25, 25)}


def test_runs_by_another_metric_do_not_count(folder: Path) -> None:
    fill(folder / "p95.sqlite", past_runs({"settings.get": around(40)}, metric=Metric.P95))
    assert moves(as_json(folder, "settings.get", "--history", "p95.sqlite")) == {"settings.get": (50, None)}
    fill(folder / "median.sqlite", past_runs({"settings.get": around(40)}))
    found = as_json(folder, "settings.get", "--history", "median.sqlite")
    assert found["endpoints"][0]["why"] == "its runs measured the median, and the baseline now uses p95"


def test_the_rule_can_be_set(folder: Path) -> None:
    assert moves(as_json(folder, "videos.list", "--margin", "100%")) == {"videos.list": (250, 150)}
    assert as_json(folder, "videos.list", "--runs", "7")["endpoints"][0]["runs"] == 7
    wrong = updated(folder, "--margin", "20")
    assert (wrong.returncode, "did you mean 20%?" in wrong.stderr) == (2, True)
    assert updated(folder, "--runs", "4").returncode == 2
    twins = updated(folder, "videos.list", "--json", PERFCHECK_MARGIN="100%", PERFCHECK_RUNS="7")
    assert (json.loads(twins.stdout)["margin"], json.loads(twins.stdout)["runs"]) == (1.0, 7)


# --- What is not there ---------------------------------------------------------------------------------------------


def test_without_a_history(tmp_path: Path) -> None:
    (tmp_path / "baselines.yaml").write_text(BASELINE, encoding="utf-8")
    completed = updated(tmp_path)
    assert (completed.returncode, completed.stdout) == (2, "")
    assert "no history yet" in completed.stderr


def test_an_empty_history_proposes_nothing(tmp_path: Path) -> None:
    (tmp_path / "baselines.yaml").write_text(BASELINE, encoding="utf-8")
    fill(tmp_path / "history.sqlite")
    completed = updated(tmp_path, "--write")
    assert completed.returncode == 0
    assert completed.stdout.count("no runs of it in the history") == 6
    assert text(tmp_path) == BASELINE


def test_a_wrong_baseline_is_reported_with_its_line(folder: Path) -> None:
    (folder / "baselines.yaml").write_text(BASELINE.replace("50ms", "50"), encoding="utf-8")
    completed = updated(folder, "--write")
    assert completed.returncode == 2
    assert "baselines.yaml:22:13: error: target: a duration needs a unit" in completed.stderr
