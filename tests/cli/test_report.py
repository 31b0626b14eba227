"""``perfcheck report``: saved runs rendered again, by the installed command."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from simulation.runs import example_results, hostile_run, run
from support.command import PERFCHECK, environment, perfcheck

from perfcheck.cli.reports import FORMATS
from perfcheck.model import Run
from perfcheck.runfile import encode_run, read_run

OLD_RUN = Path(__file__).parent.parent / "runfile" / "versions" / "run-1.json"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    file = tmp_path / "results.json"
    file.write_bytes(encode_run(run()))
    return file


@pytest.mark.parametrize("make", [run, hostile_run, lambda: run([])], ids=["example", "hostile", "empty"])
def test_every_format_is_written_at_once(make: Callable[[], Run], tmp_path: Path) -> None:
    (tmp_path / "results.json").write_bytes(encode_run(make()))
    options = [part for name in FORMATS for part in ("--report", f"{name}=out.{name}")]
    done = perfcheck("report", "--from", "results.json", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr  # whatever the verdict says: it was judged when it was measured
    for name in FORMATS:
        assert (tmp_path / f"out.{name}").stat().st_size > (0 if name == "github" else 10), name
    assert (tmp_path / "out.json").read_bytes() == (tmp_path / "results.json").read_bytes()
    assert "\x1b" not in done.stdout + done.stderr


def test_it_looks_as_it_did_when_it_was_measured(saved: Path) -> None:
    done = perfcheck("report", "--from", saved.name, cwd=saved.parent)
    assert done.stdout.splitlines()[0] == "perfcheck 0.1.0 · http://localhost:5001 · baselines.yaml · v1.2.3"
    assert " ".join(done.stdout.split()).endswith("exit 1: CRITICAL fails the check")
    assert done.stderr == ""


def test_from_stdin_to_stdout(saved: Path) -> None:
    piped = subprocess.run(
        [PERFCHECK, "report", "--from", "-", "--report", "json"],
        input=saved.read_bytes(),
        capture_output=True,
        env=environment(),
        timeout=60,
        check=True,
    )
    assert piped.stdout == saved.read_bytes()
    assert piped.stderr == b""


def test_a_run_of_the_first_format_is_rendered(tmp_path: Path) -> None:
    done = perfcheck("report", "--from", str(OLD_RUN), "--report", "markdown=out.md", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_run(OLD_RUN).verdict in (tmp_path / "out.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("style", ["markdown", "html", "console"])
def test_changes_since_an_earlier_run(style: str, saved: Path) -> None:
    slower = example_results()
    before = run([one for one in slower if one.name != "videos.search"])
    (saved.parent / "before.json").write_bytes(encode_run(before))
    done = perfcheck("report", "--from", saved.name, "--compare-to", "before.json", "--report", style, cwd=saved.parent)
    assert done.returncode == 0, done.stderr
    assert "no clear change" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--from"),
        (["--from", "none.json"], "file not found: none.json, and no history yet"),
        (["--from", "."], ". is a folder, and no history yet"),
        (["--from", "empty.json"], "empty.json is not a run file"),
        (["--from", "results.json", "--report", "junitt=x"], "did you mean 'junit'?"),
        (["--from", "results.json", "--report", "html"] * 2, "two reports would be written to stdout"),
        (["--from", "results.json", "--report", "html=no/such/folder.html"], "mkdir -p no/such"),
        (["--from", "results.json", "--compare-to", "empty.json"], "empty.json is not a run file"),
    ],
)
def test_mistakes_are_reported(arguments: list[str], message: str, saved: Path) -> None:
    (saved.parent / "empty.json").write_bytes(b"")
    done = perfcheck("report", *arguments, cwd=saved.parent)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_reports_are_named_in_the_environment_as_well(saved: Path) -> None:
    env = {"PERFCHECK_FROM": saved.name, "PERFCHECK_REPORT": "junit=out.xml markdown=out.md"}
    done = perfcheck("report", cwd=saved.parent, env=env)
    assert done.returncode == 0, done.stderr
    assert (saved.parent / "out.xml").exists()
    assert (saved.parent / "out.md").exists()


def test_two_names_of_one_place_are_noticed(saved: Path) -> None:
    (saved.parent / "link").symlink_to("out.xml")
    for one, other in (("csv=link", "junit=out.xml"), ("csv=/dev/fd/1", "junit")):
        done = perfcheck("report", "--from", saved.name, "--report", one, "--report", other, cwd=saved.parent)
        assert done.returncode == 2
        assert "two reports would be written to" in done.stderr


def test_a_comparison_with_nothing_in_common_says_so(saved: Path) -> None:
    (saved.parent / "other.json").write_bytes(encode_run(run([])))
    for style in ("console", "markdown", "html"):
        done = perfcheck(
            "report", "--from", saved.name, "--compare-to", "other.json", "--report", style, cwd=saved.parent
        )
        assert re.search(r"measured\s+none\s+of\s+these\s+endpoints\s+by\s+the\s+same\s+metric", done.stdout)
