"""What is printed is clean wherever it goes: files, narrow terminals, terminals without colour, the C locale."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from apps.service import ok, service, slow
from simulation.runs import hostile_run, run
from support.command import PERFCHECK, perfcheck
from support.golden import check_golden
from support.terminal import in_terminal

from perfcheck.runfile import encode_run

GOLDEN = Path(__file__).parent / "golden"
NARROW = 60
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "plain": {},
    "no-color": {"NO_COLOR": "1"},
    "dumb": {"TERM": "dumb"},
    "c-locale": {"LANG": "C"},
}
STYLE = re.compile(r"\x1b\[[0-9;]*m")
SHOW = ("report", "--from", "run.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With saved runs, a wrong baseline, and no right one."""
    folder = tmp_path_factory.mktemp("clean")
    (folder / "run.json").write_bytes(encode_run(run()))
    (folder / "hostile.json").write_bytes(encode_run(hostile_run()))
    (folder / "wrong.yaml").write_text(
        "version: 1\nservice: {base_url: http://localhost}\nendpoints:\n"
        "  a: {path: /a, taget: 2s}\n  b: {path: /b, target: 300, expect: [2xx, 'a rather long text to show here']}\n",
        encoding="utf-8",
    )
    return folder


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """With the baseline of a service that is up, one endpoint of which is too slow."""
    folder = tmp_path_factory.mktemp("checked")
    with service({"/a": ok(), "/slow": slow(0.06)}) as url:
        (folder / "baselines.yaml").write_text(
            f"version: 1\nservice: {{base_url: {url}}}\nendpoints:\n"
            "  catalogue.of.all.videos: {path: /a, target: 2s}\n  settings.get: {path: /slow, target: 20ms}\n",
            encoding="utf-8",
        )
        yield folder


def assert_clean(text: str, *, width: int) -> None:
    assert "\x1b" not in text
    assert "\r" not in text
    for line in text.splitlines():
        assert line == line.rstrip()
        assert len(line) <= width
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


# --- A saved run ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_report_piped_to_a_file(folder: Path, name: str) -> None:
    done = perfcheck(*SHOW, cwd=folder, env=ENVIRONMENTS[name])
    assert done.returncode == 0
    assert done.stderr == ""
    assert_clean(done.stdout, width=100)
    assert done.stdout.isascii() == (name in {"dumb", "c-locale"})
    check_golden(GOLDEN / f"piped-{name}.txt", done.stdout)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_report_in_a_terminal_of_60_columns(folder: Path, name: str) -> None:
    shown = in_terminal(*SHOW, columns=NARROW, cwd=folder, env=ENVIRONMENTS[name])
    assert shown.exit_code == 0
    text = shown.written.decode().replace("\r\n", "\n")
    if name not in {"no-color", "dumb"}:
        assert "\x1b[1;31mCRITICAL" in text
        text = STYLE.sub("", text)
    assert_clean(text, width=NARROW)
    assert shown.screen == text.splitlines()
    assert text.isascii() == (name in {"dumb", "c-locale"})
    check_golden(GOLDEN / f"terminal-{name}.txt", text)


def test_colour_into_a_pipe_where_it_is_requested(folder: Path) -> None:
    plain, coloured = (perfcheck(*SHOW, cwd=folder, env=env).stdout for env in ({}, {"FORCE_COLOR": "1"}))
    assert "\x1b[1;31mCRITICAL" in coloured
    assert [line.rstrip() for line in STYLE.sub("", coloured).splitlines()] == plain.splitlines()


def test_no_color_wins_over_force_color(folder: Path) -> None:
    done = perfcheck(*SHOW, cwd=folder, env={"FORCE_COLOR": "1", "NO_COLOR": "1"})
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_hostile_names_do_nothing_to_a_terminal(folder: Path, name: str) -> None:
    shown = in_terminal("report", "--from", "hostile.json", columns=NARROW, cwd=folder, env=ENVIRONMENTS[name])
    assert shown.exit_code == 0
    assert b"\x1b" not in STYLE.sub("", shown.written.decode()).encode()
    assert b"\x07" not in shown.written


# --- A live run ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_run_in_a_terminal_leaves_nothing_of_its_progress(checked: Path, name: str) -> None:
    confirm = "1" if name == "plain" else "0"  # once with the pause before a confirmation, which takes seconds
    shown = in_terminal("run", "--confirm", confirm, columns=NARROW, cwd=checked, env=ENVIRONMENTS[name])
    assert shown.exit_code == 1
    assert (b"measuring" in shown.written) == (name != "dumb")
    assert not shown.cursor_hidden
    screen = "\n".join(shown.screen)
    assert "measuring" not in screen
    assert shown.screen[0].startswith("perfcheck ")
    assert "exit 1: CRITICAL" in " ".join(shown.screen[-2:])
    if name in {"no-color", "dumb"}:
        assert not STYLE.search(shown.written.decode())
    if name in {"dumb", "c-locale"}:
        assert shown.written.isascii()


def test_a_run_whose_output_is_a_file_shows_progress_in_the_terminal_only(checked: Path) -> None:
    shown = in_terminal("run", "--confirm", "0", columns=NARROW, cwd=checked, stdout=checked / "out.txt")
    assert b"measuring" in shown.written
    assert shown.screen == []
    assert_clean((checked / "out.txt").read_text(encoding="utf-8"), width=100)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_run_piped_to_a_file(checked: Path, name: str) -> None:
    done = perfcheck("run", "--confirm", "0", cwd=checked, env=ENVIRONMENTS[name])
    assert done.returncode == 1
    assert done.stderr == ""
    assert_clean(done.stdout, width=100)
    assert done.stdout.isascii() == (name in {"dumb", "c-locale"})


# --- Messages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_errors_of_a_baseline(folder: Path, name: str) -> None:
    done = perfcheck("validate", "wrong.yaml", cwd=folder, env=ENVIRONMENTS[name])
    assert done.returncode == 2
    assert done.stdout == ""
    assert_clean(done.stderr, width=1000)  # lines of the file are shown as they are
    assert done.stderr.isascii()
    check_golden(GOLDEN / "validate.txt", done.stderr)


@pytest.mark.parametrize(("name", "coloured"), [("plain", True), ("no-color", False), ("c-locale", True)])
def test_the_errors_of_a_baseline_in_a_terminal(folder: Path, name: str, *, coloured: bool) -> None:
    shown = in_terminal("validate", "wrong.yaml", columns=NARROW, cwd=folder, env=ENVIRONMENTS[name])
    assert shown.exit_code == 2
    text = shown.written.decode().replace("\r\n", "\n")
    assert bool(STYLE.search(text)) == coloured
    assert STYLE.sub("", text) == (GOLDEN / "validate.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_help_in_a_terminal_of_60_columns(folder: Path, name: str) -> None:
    shown = in_terminal("run", "--help", columns=NARROW, cwd=folder, env=ENVIRONMENTS[name])
    assert shown.exit_code == 0
    text = shown.written.decode().replace("\r\n", "\n")
    assert bool(STYLE.search(text)) == (name not in {"no-color", "dumb"})
    text = STYLE.sub("", text)
    assert_clean(text, width=NARROW)
    assert text.isascii()


def test_an_error_into_a_closed_terminal_is_quiet(folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"'{PERFCHECK}' report --from absent.json 2>&-; echo $?"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "2\n"
