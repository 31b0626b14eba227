"""Completion: bash itself, and for the other shells the protocol that their scripts speak."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from simulation.runs import run
from support.command import PERFCHECK, environment, perfcheck
from support.repositories import git, repository

from perfcheck.history.store import open_history

BASELINE = """\
version: 1
service: {base_url: http://localhost, headers: {Authorization: "${UNSET_TOKEN}"}}
groups: {core: {title: Core}, other: {}}
endpoints:
  videos.list: {path: /, target: 1s}
  videos.get: {path: /, target: 1s}
  api:one: {path: /, target: 1s}
  api:two: {path: /, target: 1s}
  two words: {path: /, target: 1s}
  $(touch harm): {path: /, target: 1s}
  "line\\nbreak": {path: /, target: 1s}
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    (folder / "baselines.yaml").write_text(BASELINE, encoding="utf-8")
    other = "version: 1\nservice: {base_url: http://localhost}\nendpoints: {elsewhere: {path: /, target: 1s}}\n"
    (folder / "other.yaml").write_text(other, encoding="utf-8")
    (folder / "broken.yaml").write_text("endpoints: {a: [\n", encoding="utf-8")
    (folder / "report.html").write_text("")
    with open_history(None, folder) as store:
        store.save(replace(run(), label="v1.4"))
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path, dirs_exist_ok=True)


def with_perfcheck(**variables: str) -> dict[str, str]:
    return environment(**{"PATH": f"{Path(PERFCHECK).parent}:{os.environ['PATH']}", **variables})


def test_compare_offers_runs_branches_and_tags(folder: Path) -> None:
    repository(folder)
    git(folder, "branch", "v2/feature")
    git(folder, "tag", "v1.5")
    assert bash(folder, "compare", "v") == ["v1.4", "v2/feature", "v1.5"]


# --- bash ----------------------------------------------------------------------------------------------------------

# The words as bash takes them apart at = and :, the last one being the one that is completed.
CALL = """\
eval "$SCRIPT"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_perfcheck_completion perfcheck
printf '%s\\n' "${COMPREPLY[@]}"
"""


@cache
def script() -> str:
    return perfcheck("completion", "bash").stdout


def bash(folder: Path, *words: str, **variables: str) -> list[str]:
    done = subprocess.run(
        ["bash", "--norc", "-c", CALL, "bash", "perfcheck", *words],
        cwd=folder,
        env=with_perfcheck(SCRIPT=script(), **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["r"], ["run", "report"]),
        (["help", "de"], ["demo"]),
        (["history", "l"], ["list", "label"]),
        (["help", "history", "li"], ["list"]),
        (["history", "show", "v"], ["videos.list", "videos.get", "v1.4"]),
        (["history", "show", "5e"], ["5e0cbd2e"]),
        (["history", "list", "--label", ""], ["v1.4"]),
        (["history", "label", "--history", "absent.sqlite", ""], []),
        (["history", "list", "--source", "m"], ["measured", "monitored"]),
        (["run", "--base"], ["--baseline", "--base-url"]),
        (["run", "--fail-on", ""], ["warning", "critical", "never"]),
        (["run", "--fail-on", "=", "w"], ["warning"]),
        (["run", "--fail-on", "="], ["warning", "critical", "never"]),
        (["demo", "--regress", "sl"], ["slow-settings", "slow-tail", "slower-search", "slow-step"]),
        (["run", "--demo", "--regress", "n"], ["n-plus-one"]),
        (["run", "videos."], ["videos.list", "videos.get"]),
        (["run", "videos.list", "videos."], ["videos.get"]),
        (["run", "api", ":"], ["one", "two"]),
        (["run", "api", ":", "t"], ["two"]),
        (["run", "two"], ["'two words'"]),
        (["run", "'$"], ["'$(touch harm)'"]),
        (["run", "line"], []),
        (["run", "-g", ""], ["core", "other"]),
        (["run", "--group", "=", "o"], ["other"]),
        (["run", "-f", "other.yaml", ""], ["elsewhere"]),
        (["run", "--baseline", "=", "other.yaml", ""], ["elsewhere"]),
        (["run", "--demo", "videos.l"], ["videos.list"]),
        (["run", "-f", "absent.yaml", ""], []),
        (["run", "-f", "broken.yaml", ""], []),
        (["run", "--report", "js"], ["json"]),
        (["run", "--report", "=", "js"], ["json"]),
        (["report", "--report", "ht"], ["html"]),
        (["run", "--no-such", "vid"], ["videos.list", "videos.get"]),
        (["completion", "z"], ["zsh"]),
        (["baseline", "u"], ["update"]),
        (["baseline", "update", "videos."], ["videos.list", "videos.get"]),
        (["baseline", "update", "--lo"], ["--loosen"]),
    ],
)
def test_bash_offers(folder: Path, words: list[str], offered: list[str]) -> None:
    assert bash(folder, *words) == offered


def test_the_baseline_is_the_one_in_force(folder: Path) -> None:
    assert bash(folder, "run", "", PERFCHECK_BASELINE="other.yaml") == ["elsewhere"]
    below = folder / "below"
    below.mkdir()
    assert bash(below, "run", "v") == []
    (folder / ".git").mkdir()
    assert bash(below, "run", "v") == ["videos.list", "videos.get"]


def test_a_wrong_value_in_the_environment_does_not_disturb(folder: Path) -> None:
    assert bash(folder, "run", "v", PERFCHECK_BUDGET="60", PERFCHECK_BASEURL="x") == ["videos.list", "videos.get"]


def in_bash(folder: Path, typed: str, wanted: str) -> str:
    """What an interactive bash shows when ``typed`` is typed."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        cwd=folder,
        env=with_perfcheck(TERM="dumb", PS1="ready> "),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,  # not in the terminal of whoever runs the tests
    )
    os.close(theirs)
    shown, end = "", time.monotonic() + 30
    to_do = ['eval "$(perfcheck completion bash)"\n', typed]
    try:
        while wanted not in shown and time.monotonic() < end:
            if to_do and shown.endswith("ready> "):
                os.write(terminal, to_do.pop(0).encode())
                shown = ""
            if select.select([terminal], [], [], 0.1)[0]:
                shown += os.read(terminal, 4096).decode()
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    return shown


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("perfcheck run --report html=rep\t", "html=report.html "),
        ("perfcheck run -o rep\t", "-o report.html "),
        ("perfcheck run api:t\t", "api:two "),
        ("perfcheck run --fail-on=n\t", "--fail-on=never "),
        ("perfcheck val\toth\t", "perfcheck validate other.yaml "),
    ],
)
def test_the_tab_key_in_bash(folder: Path, typed: str, wanted: str) -> None:
    assert wanted in in_bash(folder, typed, wanted)


# --- The protocol of the others ------------------------------------------------------------------------------------


def ask(folder: Path, shell: str, line: str, word: str | int, **variables: str) -> str:
    """As the script of ``shell`` asks; ``word`` is its idea of where the cursor is."""
    protocol = {"_PERFCHECK_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": str(word)}
    done = perfcheck(cwd=folder, env={**protocol, **variables})
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("line", "word", "answer"),
    [
        ("perfcheck run vid", 2, "plain\nvideos.list\n_\nplain\nvideos.get\n_\n"),
        ("perfcheck run --fail-on=w", 2, "plain\n--fail-on=warning\n_\n"),
        ("perfcheck run --report html=rep", 3, "plain\nhtml=report.html\n_\n"),
        ("perfcheck run -o re", 3, "file\nre\n_\n"),
        ("perfcheck val", 1, "plain\nvalidate\nCheck the baseline file, offline.\n"),
        ("perfcheck run -f broken.yaml ", 4, ""),
    ],
)
def test_zsh_is_answered(folder: Path, line: str, word: int, answer: str) -> None:
    assert ask(folder, "zsh", line, word) == answer


@pytest.mark.parametrize(
    ("line", "word", "answer"),
    [
        ("perfcheck run vid", "vid", "plain,videos.list\nplain,videos.get\n"),
        ("perfcheck run --fail-on=w", "--fail-on=w", "plain,--fail-on=warning\n"),
        ("perfcheck run --report html=rep", "html=rep", "plain,html=report.html\n"),
        ("perfcheck val", "val", "plain,validate\tCheck the baseline file, offline.\n"),
        ("perfcheck run --group ", "", "plain,core\nplain,other\n"),
    ],
)
def test_fish_is_answered(folder: Path, line: str, word: str, answer: str) -> None:
    assert ask(folder, "fish", line, word) == answer


@pytest.mark.parametrize(
    "instruction", ["bash_complete", "zsh_complete", "fish_complete", "tcsh_complete", "bash_frobnicate", "x", "_"]
)
def test_a_question_that_makes_no_sense_has_no_answer(folder: Path, instruction: str) -> None:
    done = perfcheck("run", cwd=folder, env={"_PERFCHECK_COMPLETE": instruction})
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_an_unreadable_baseline_is_no_trouble(folder: Path) -> None:
    for content in (b"\xff\xfe\x00", b"- a\n- b\n", b"endpoints: 3\n", b"", b"\x00" * 100):
        (folder / "baselines.yaml").write_bytes(content)
        assert ask(folder, "zsh", "perfcheck run ", 2).strip() == ""
    (folder / "baselines.yaml").unlink()
    (folder / "baselines.yaml").mkdir()
    assert ask(folder, "zsh", "perfcheck run ", 2).strip() == ""


def test_a_baseline_with_mistakes_still_has_names(folder: Path) -> None:
    (folder / "baselines.yaml").write_text("endpoints:\n  good: {path: /, target: 300}\n  b ad: {}\n", encoding="utf-8")
    assert ask(folder, "fish", "perfcheck run ", "") == "plain,good\nplain,b ad\n"


# --- The command ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_the_one_that_the_protocol_gives(shell: str) -> None:
    done = perfcheck("completion", shell)
    assert done.returncode == 0
    assert done.stderr == ""
    assert f"_PERFCHECK_COMPLETE={shell}_complete" in done.stdout
    assert perfcheck(env={"_PERFCHECK_COMPLETE": f"{shell}_source"}).stdout == done.stdout
    assert perfcheck("completion", env={"SHELL": f"/usr/local/bin/{shell}"}).stdout == done.stdout


def test_the_bash_script_is_valid() -> None:
    script = perfcheck("completion", "bash").stdout
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("shell", "reason"),
    [("/bin/tcsh", "SHELL is 'tcsh', which is not supported"), ("", "SHELL is not set")],
)
def test_a_shell_that_cannot_be_guessed(shell: str, reason: str) -> None:
    done = perfcheck("completion", env={"SHELL": shell})
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"error: no shell given, and {reason}",
        "help: give one: perfcheck completion bash|zsh|fish",
    ]


def test_the_name_of_a_command_is_completed_without_importing_any() -> None:
    code = (
        "import sys\n"
        "from perfcheck.cli.app import run_command_line\n"
        "assert run_command_line([]) == 0\n"
        "print(sorted(name for name in sys.modules if name.startswith('perfcheck.')), file=sys.stderr)\n"
    )
    protocol = {"_PERFCHECK_COMPLETE": "zsh_complete", "COMP_WORDS": "perfcheck ", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(**protocol),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "plain\nrun\n" in done.stdout
    for part in ("cli.run", "cli.report'", "cli.validate", "cli.demo", "baseline", "demo", "measure", "model"):
        assert f"perfcheck.{part}" not in done.stderr


@pytest.mark.parametrize("words", ["perfcheck run ", "perfcheck run --report "])
def test_values_are_completed_without_what_measures(folder: Path, words: str) -> None:
    code = (
        "import sys\n"
        "from perfcheck.cli.app import run_command_line\n"
        "assert run_command_line([]) == 0\n"
        "print(sorted(sys.modules), file=sys.stderr)\n"
    )
    protocol = {"_PERFCHECK_COMPLETE": "zsh_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(**protocol),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout
    for heavy in ("'httpx'", "'rich'", "perfcheck.measure", "'jinja2'"):
        assert heavy not in done.stderr
