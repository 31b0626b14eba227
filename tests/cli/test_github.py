"""What GitHub Actions gets to see by itself, and how to keep it from that."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import perfcheck
from support.runs import run, warning

from perfcheck.record.run_file import encode_run

LIMIT = 1024 * 1024


@pytest.fixture
def runner(tmp_path: Path) -> dict[str, str]:
    """The environment of a step, with its files where the runner puts them."""
    (tmp_path / "results.json").write_bytes(encode_run(run()))
    for name in ("summary", "output"):
        (tmp_path / name).touch()
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }


def test_annotations_summary_and_outputs_come_by_themselves(runner: dict[str, str], tmp_path: Path) -> None:
    done = perfcheck("report", "--from", "results.json", "--report", "html=out.html", cwd=tmp_path, env=runner)
    assert done.returncode == 0, done.stderr
    assert "::error file=baselines.yaml,line=" in done.stderr
    assert "::" not in done.stdout  # which may be a file
    assert "videos.list" in (tmp_path / "summary").read_text(encoding="utf-8")
    outputs = (tmp_path / "output").read_text(encoding="utf-8").splitlines()
    assert {"verdict=CRITICAL", "exit-code=1", "critical=3", str(tmp_path / "out.html")} <= set(outputs)


def test_the_baseline_is_named_from_the_root_of_the_workspace(runner: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    done = perfcheck("report", "--from", "../results.json", cwd=tmp_path / "api", env=runner)
    assert "::error file=api/baselines.yaml,line=" in done.stderr


@pytest.mark.parametrize(("option", "env"), [("--no-github", {}), (None, {"PERFCHECK_GITHUB": "false"})])
def test_it_can_be_turned_off(option: str | None, env: dict[str, str], runner: dict[str, str], tmp_path: Path) -> None:
    options = [option] if option else []
    done = perfcheck("report", "--from", "results.json", *options, cwd=tmp_path, env={**runner, **env})
    assert done.returncode == 0
    assert done.stderr == ""
    assert (tmp_path / "summary").read_bytes() == (tmp_path / "output").read_bytes() == b""


def test_elsewhere_nothing_of_it_appears_unless_asked_for(runner: dict[str, str], tmp_path: Path) -> None:
    del runner["GITHUB_ACTIONS"]
    assert perfcheck("report", "--from", "results.json", cwd=tmp_path, env=runner).stderr == ""
    asked = perfcheck("report", "--from", "results.json", "--github", cwd=tmp_path, env=runner)
    assert "::error" in asked.stderr


def test_annotations_asked_for_on_stdout_do_not_come_twice(runner: dict[str, str], tmp_path: Path) -> None:
    done = perfcheck("report", "--from", "results.json", "--report", "github", cwd=tmp_path, env=runner)
    assert done.stdout.startswith("::error")
    assert "::" not in done.stderr
    assert (tmp_path / "summary").stat().st_size > 0


def test_what_other_steps_wrote_stays_and_the_whole_stays_under_the_limit(
    runner: dict[str, str], tmp_path: Path
) -> None:
    before = "x" * (LIMIT - 2000) + "\n"
    (tmp_path / "summary").write_text(before, encoding="utf-8")
    assert perfcheck("report", "--from", "results.json", cwd=tmp_path, env=runner).returncode == 0
    after = (tmp_path / "summary").read_text(encoding="utf-8")
    assert after.startswith(before)
    assert len(before) < len(after.encode()) <= LIMIT


def test_a_summary_that_cannot_be_written_changes_nothing_else(runner: dict[str, str], tmp_path: Path) -> None:
    runner["GITHUB_STEP_SUMMARY"] = str(tmp_path / "no" / "such" / "folder")
    done = perfcheck("report", "--from", "results.json", cwd=tmp_path, env=runner)
    assert done.returncode == 0
    assert "cannot write to GITHUB_STEP_SUMMARY: No such file or directory" in done.stderr
    assert "verdict=CRITICAL" in (tmp_path / "output").read_text(encoding="utf-8")


def test_a_wrong_baseline_is_annotated_where_it_is_wrong(runner: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "baselines.yaml").write_text("version: 1\nendpoints:\n  a: {paht: /a}\n", encoding="utf-8")
    done = perfcheck("run", cwd=tmp_path, env=runner)
    assert done.returncode == 2
    assert "::error file=baselines.yaml,line=3,col=7,title=Wrong baseline::" in done.stderr
    off = perfcheck("run", "--no-github", cwd=tmp_path, env=runner)
    assert off.returncode == 2
    assert "::error" not in off.stderr


def test_no_message_reaches_the_runner_as_a_command(runner: dict[str, str], tmp_path: Path) -> None:
    told = "x" * 79 + " ::error::injected ##[error]injected"
    (tmp_path / "results.json").write_bytes(encode_run(run(None, warning(told))))
    done = perfcheck("report", "--from", "results.json", cwd=tmp_path, env={**runner, "COLUMNS": "100"})
    assert "injected" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.lstrip().startswith("::") or "##[" in line]
