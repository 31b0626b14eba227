"""What GitHub Actions gets to see by itself, and how to keep it from that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from simulation.runs import run, warning
from support.command import perfcheck

from perfcheck.runfile import encode_run

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


def test_annotations_summary_and_outputs(runner: dict[str, str], tmp_path: Path) -> None:
    done = perfcheck(
        "report", "--github", "--from", "results.json", "--report", "html=out.html", cwd=tmp_path, env=runner
    )
    assert done.returncode == 0, done.stderr
    assert "::error file=baselines.yaml,line=" in done.stderr
    assert "::" not in done.stdout  # which may be a file
    assert "videos.list" in (tmp_path / "summary").read_text(encoding="utf-8")
    outputs = (tmp_path / "output").read_text(encoding="utf-8").splitlines()
    assert {"verdict=CRITICAL", "exit-code=1", "critical=3", str(tmp_path / "out.html")} <= set(outputs)


def test_the_baseline_is_named_from_the_root_of_the_workspace(runner: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    done = perfcheck("report", "--github", "--from", "../results.json", cwd=tmp_path / "api", env=runner)
    assert "::error file=api/baselines.yaml,line=" in done.stderr


def check(folder: Path, env: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """A real check, of a service that is down: the quickest there is."""
    (folder / "baselines.yaml").write_text(
        "version: 1\nservice: {base_url: 'http://127.0.0.1:9', ready_timeout: 10ms}\n"
        "endpoints:\n  a: {path: /a, target: 1s}\n",
        encoding="utf-8",
    )
    return perfcheck("run", *options, cwd=folder, env=env)


def test_a_check_reports_to_github_by_itself(runner: dict[str, str], tmp_path: Path) -> None:
    done = check(tmp_path, runner, "--report", "console=console.txt")
    assert done.returncode == 3
    assert "::error file=baselines.yaml,line=4,title=not measured%3A a::" in done.stderr
    assert "is not ready" in (tmp_path / "summary").read_text(encoding="utf-8")
    assert "is not ready" in (tmp_path / "console.txt").read_text(encoding="utf-8")
    outputs = (tmp_path / "output").read_text(encoding="utf-8").splitlines()
    assert {"verdict=not measured", "exit-code=3", str(tmp_path / "console.txt")} <= set(outputs)


@pytest.mark.parametrize(("options", "env"), [(["--no-github"], {}), ([], {"PERFCHECK_GITHUB": "false"})])
def test_it_can_be_turned_off(options: list[str], env: dict[str, str], runner: dict[str, str], tmp_path: Path) -> None:
    done = check(tmp_path, {**runner, **env}, *options)
    assert done.returncode == 3
    assert "::" not in done.stderr
    assert (tmp_path / "summary").read_bytes() == (tmp_path / "output").read_bytes() == b""


def test_a_check_that_is_skipped_is_reported(runner: dict[str, str], tmp_path: Path) -> None:
    done = check(tmp_path, runner, "--skip-unreachable")
    assert done.returncode == 0
    assert "::warning title=perfcheck::SKIPPED" in done.stderr


def test_elsewhere_and_for_an_old_run_nothing_of_it_appears_unless_requested(
    runner: dict[str, str], tmp_path: Path
) -> None:
    assert perfcheck("report", "--from", "results.json", cwd=tmp_path, env=runner).stderr == ""
    del runner["GITHUB_ACTIONS"]
    assert "::" not in check(tmp_path, runner).stderr
    assert "::error" in check(tmp_path, runner, "--github").stderr


def test_annotations_requested_on_stdout_do_not_come_twice(runner: dict[str, str], tmp_path: Path) -> None:
    done = perfcheck("report", "--github", "--from", "results.json", "--report", "github", cwd=tmp_path, env=runner)
    assert done.stdout.startswith("::error")
    assert "::" not in done.stderr
    assert (tmp_path / "summary").stat().st_size > 0


def test_what_other_steps_wrote_stays_and_the_whole_stays_under_the_limit(
    runner: dict[str, str], tmp_path: Path
) -> None:
    before = "x" * (LIMIT - 2000) + "\n"
    (tmp_path / "summary").write_text(before, encoding="utf-8")
    assert perfcheck("report", "--github", "--from", "results.json", cwd=tmp_path, env=runner).returncode == 0
    after = (tmp_path / "summary").read_text(encoding="utf-8")
    assert after.startswith(before)
    assert len(before) < len(after.encode()) <= LIMIT


def test_a_summary_that_cannot_be_written_changes_nothing_else(runner: dict[str, str], tmp_path: Path) -> None:
    runner["GITHUB_STEP_SUMMARY"] = str(tmp_path / "no" / "such" / "folder")
    done = perfcheck("report", "--github", "--from", "results.json", cwd=tmp_path, env=runner)
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
    done = perfcheck("report", "--github", "--from", "results.json", cwd=tmp_path, env={**runner, "COLUMNS": "100"})
    assert "injected" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.lstrip().startswith("::") or "##[" in line]


def test_a_report_that_was_not_written_is_no_output(runner: dict[str, str], tmp_path: Path) -> None:
    done = perfcheck(
        "report", "--github", "--from", "results.json", "--report", "csv=/dev/full", cwd=tmp_path, env=runner
    )
    assert done.returncode == 2  # to write it was all there was to do
    assert "cannot write /dev/full" in done.stderr
    assert "report-csv" not in (tmp_path / "output").read_text(encoding="utf-8")


def test_a_full_summary_is_reported(runner: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "summary").write_text("x" * (LIMIT - 5), encoding="utf-8")
    done = perfcheck("report", "--github", "--from", "results.json", cwd=tmp_path, env=runner)
    assert "GITHUB_STEP_SUMMARY is full" in done.stderr
    assert (tmp_path / "summary").stat().st_size == LIMIT - 5
