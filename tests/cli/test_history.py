"""``perfcheck history``, and what ``run --save`` puts into it: as processes."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from apps.service import ok, service, slow
from simulation.runs import decision, endpoint, result, run, samples, spread
from support.command import PERFCHECK, environment, perfcheck
from support.postgres import postgres_database

from perfcheck.cli.app import run_command_line
from perfcheck.history.model import Note, PastRun
from perfcheck.history.store import open_history
from perfcheck.model import Run, Source, Verdict
from perfcheck.runfile import encode_run, read_run

SECRET = "s3cr3t-password"


def on_day(day: int, *, value: float = 40.0, **changes: Any) -> Run:
    """A run of one endpoint, on a day of October."""
    measured = result(endpoint("videos.list"), samples(1, spread(value, 9, day)), decision(Verdict.OK, value))
    one = run([measured])
    environment_ = replace(one.environment, commit=f"{day:02}abcdef0123")
    started_at = f"2026-10-{day:02}T12:00:00.000Z"
    return replace(
        one, id=f"{day:08}-0000", label=None, started_at=started_at, **{"environment": environment_, **changes}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a history of thirty runs, in which videos.list becomes slower on the sixteenth."""
    with open_history(None, tmp_path) as store:
        store.save_all(on_day(day, value=(200.0 if day < 16 else 260.0) + day % 3) for day in range(1, 31))
        store.save(run())
    return tmp_path


class Console:
    """``perfcheck history``, asked within this process: most of a small command's time is that of its start."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.stderr = ""

    def __call__(self, line: str, code: int = 0, env: Mapping[str, str] | None = None, *, command: bool = False) -> str:
        """What ``perfcheck history LINE``, or ``perfcheck LINE`` with another ``command``, prints on stdout."""
        with self._monkeypatch.context() as patch:
            patch.chdir(self.folder)
            for name in set(os.environ) - set(environment()):
                patch.delenv(name)
            for name, value in environment(**(env or {})).items():
                patch.setenv(name, value)
            done = run_command_line([*["history"] * (not command), *shlex.split(line)])
        captured = self._capsys.readouterr()
        self.stderr = captured.err
        assert done == code, captured
        return captured.out


@pytest.fixture
def history(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(folder, monkeypatch, capsys)


# --- Saving --------------------------------------------------------------------------------------------------------


@pytest.fixture
def healthy(tmp_path: Path) -> Iterator[Path]:
    with service({"/a": ok()}) as url:
        text = f"version: 1\nservice: {{base_url: '{url}'}}\nendpoints: {{a: {{path: /a, target: 2s}}}}\n"
        (tmp_path / "baselines.yaml").write_text(text, encoding="utf-8")
        yield tmp_path


def test_a_run_is_saved_as_it_is_reported(healthy: Path) -> None:
    done = perfcheck("run", "--save", "-o", "run.json", "--label", "v1", cwd=healthy)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^saved [0-9a-f]{8} in \.perfcheck/history\.sqlite$", done.stderr, re.MULTILINE)
    with open_history(None, healthy, create=False) as store:
        assert store.document(store.past_run("v1").id) == (healthy / "run.json").read_bytes()
    assert perfcheck("run", "--save", "-q", cwd=healthy).stderr == ""
    assert len(json.loads(perfcheck("history", "list", "--json", cwd=healthy).stdout)["runs"]) == 2


def test_a_run_goes_into_the_database_of_a_team(healthy: Path, postgres: str) -> None:
    with postgres_database(postgres) as url:
        done = perfcheck("run", cwd=healthy, env={"PERFCHECK_HISTORY": url, "PERFCHECK_SAVE": "true"})
        assert re.fullmatch(r"saved [0-9a-f]{8} in postgresql\+psycopg://\S+\n", done.stderr)
        listed = perfcheck("history", "list", "--json", "--history", url, cwd=healthy)
        (past,) = json.loads(listed.stdout)["runs"]
        assert past["verdict"] == "OK"
    assert not (healthy / ".perfcheck").exists()


def unreachable() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"postgresql://user:{SECRET}@127.0.0.1:{taken.getsockname()[1]}/db"


@pytest.mark.parametrize("place", ["baselines.yaml", "baselines.yaml/x", "mysql://x:y@z/db", "absent/x", "server"])
def test_trouble_with_saving_changes_neither_verdict_nor_reports(healthy: Path, place: str) -> None:
    url = unreachable() if place == "server" else place
    done = perfcheck("run", "--save", "-o", "run.json", cwd=healthy, env={"PERFCHECK_HISTORY": url})
    assert done.returncode == 0
    assert "exit 0: passed" in done.stdout
    assert read_run(healthy / "run.json").verdict is Verdict.OK
    assert re.search(r"^error: the run was not saved: .+\nhelp: .+history import FILE", done.stderr, re.MULTILINE)
    assert SECRET not in done.stdout + done.stderr
    assert perfcheck("history", "import", "run.json", cwd=healthy).returncode == 0


def test_a_full_disk_changes_neither_verdict_nor_reports(tmp_path: Path) -> None:
    """A limit on the size of files: a write fails in its middle, as on a disk that is full."""
    with service({"/a": slow(0.05)}) as url:
        text = f"version: 1\nservice: {{base_url: '{url}'}}\nendpoints: {{a: {{path: /a, target: 1ms}}}}\n"
        (tmp_path / "baselines.yaml").write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["bash", "-c", 'ulimit -f 16; exec "$0" run --save -o run.json', PERFCHECK],
            cwd=tmp_path,
            # Without coverage, which could not write its own file either.
            env={name: value for name, value in environment().items() if not name.startswith("COVERAGE")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "1 critical" in done.stdout
    assert read_run(tmp_path / "run.json").verdict is Verdict.CRITICAL
    assert "error: the run was not saved: cannot use the history .perfcheck/history.sqlite: " in done.stderr
    assert "free some space" in done.stderr.lower()
    assert "Traceback" not in done.stderr


# --- list ----------------------------------------------------------------------------------------------------------


def test_a_list_is_the_newest_twenty(history: Console) -> None:
    head, *lines = history("list", env={"COLUMNS": "110"}).splitlines()
    assert head.split() == ["when", "(UTC)", "run", "label", "verdict", "endpoints", "branch@commit"]
    assert [line[:10] for line in lines][:3] == ["2026-11-23", "2026-10-30", "2026-10-29"]
    assert len([line for line in lines if line.startswith("2026")]) == 20


def test_a_list_in_json_has_fields_that_stay(history: Console) -> None:
    (first,) = json.loads(history("list --limit 1 --json"))["runs"]
    assert list(first) == [field.name for field in fields(PastRun)]
    assert (first["id"], first["verdict"], first["label"]) == (run().id, "CRITICAL", "v1.2.3")
    assert first["counts"] == {"ok": 3, "warning": 3, "critical": 3, "not_measured": 1}
    assert json.loads(history("list --label none --json")) == {"runs": []}


@pytest.mark.parametrize(
    ("options", "days"),
    [
        ("--since 2026-10-29", [30, 29]),
        ("--until 2026-10-03", [2, 1]),
        ("--since 2026-10-05T12:00 --until 2026-10-06T12:00:00+00:00", [5]),
        ("--since 9999d --branch main --source measured --limit 2 --until 2026-11-01", [30, 29]),
        ("--branch other", []),
        ("--source monitored", []),
    ],
)
def test_a_list_is_filtered(history: Console, options: str, days: list[int]) -> None:
    runs = json.loads(history(f"list --json --until 2026-11-01 {options}"))["runs"]
    assert [int(one["started_at"][8:10]) for one in runs] == days


# --- show ----------------------------------------------------------------------------------------------------------


def test_a_run_is_shown_as_it_was_reported_with_its_notes(folder: Path, history: Console) -> None:
    (folder / "run.json").write_bytes(encode_run(run()))
    report = perfcheck("report", "--from", "run.json", cwd=folder).stdout
    assert history("show v1.2.3") == report
    history("note 5e0c --incident 'search was slow' --cause 'index dropped' --fix 'index is back'")
    noted = history("show 5e0cbd2e")
    assert noted.startswith(report)
    assert noted.splitlines()[-1].endswith(": search was slow; cause: index dropped; fix: index is back")
    shown = json.loads(history("show v1.2.3 --json"))
    assert shown["run"] == json.loads(encode_run(run()))
    assert [note["incident"] for note in shown["notes"]] == ["search was slow"]


def test_an_endpoint_is_shown_over_time_with_its_change(history: Console) -> None:
    history("note 16abcdef01 --incident 'search was slow'")
    shown = history("show videos.list --until 2026-11-01")
    assert shown.splitlines()[0] == "videos.list · runs of branch main"
    assert re.search(
        r"^ 1 2026-10-16  commit 16abcdef01  run 00000016: 201 → 261 ms, \+30%, \|z\| ", shown, re.MULTILINE
    )
    assert re.search(r"^ ! 2026-10-16 .*: search was slow$", shown, re.MULTILINE)
    for env in ({"COLUMNS": "60", "LC_ALL": "C"}, {"COLUMNS": "60", "NO_COLOR": "1", "FORCE_COLOR": "1"}):
        narrow = history("show videos.list --until 2026-11-01", env=env)
        assert max(map(len, narrow.splitlines())) <= 60
        assert narrow.isascii() is ("LC_ALL" in env)
        assert "\x1b" not in narrow


def test_an_endpoint_in_json_has_fields_that_stay(history: Console) -> None:
    shown = json.loads(history("show videos.list --until 2026-11-01 --limit 25 --json"))
    assert list(shown) == ["endpoint", "branch", "series"]
    assert shown["branch"] == "main"
    (series,) = shown["series"]
    assert list(series) == [
        "series",
        "earlier",
        "points",
        "steps",
        "drift",
        "forming",
        "state",
        "smallest_ratio",
        "runs_needed",
        "spread_steps",
        "spread_drift",
        "notes",
    ]
    assert (len(series["points"]), series["earlier"]) == (25, 5)
    (step,) = series["steps"]
    assert series["points"][step["index"]]["started_at"] == "2026-10-16T12:00:00.000Z"
    assert step["after"] / step["before"] == pytest.approx(1.3, abs=0.01)


def sizes(shown: str) -> list[int]:
    return [len(one["points"]) for one in json.loads(shown)["series"]]


def test_another_machine_is_another_series(folder: Path, history: Console) -> None:
    other = on_day(31, environment=replace(run().environment, cpus=64))
    with open_history(None, folder) as store:
        store.save(other)
    shown = history("show videos.list")
    assert "series that cannot be compared" in shown
    assert "64 CPUs" in shown
    assert sizes(history("show videos.list --json")) == [31, 1]


def of_branch(branch: str | None, day: int) -> Run:
    one = on_day(day, value=900.0)
    return replace(one, id=f"{branch}-{day}", environment=replace(one.environment, branch=branch))


def test_a_series_is_of_the_default_branch_unless_another_one_is_named(folder: Path, history: Console) -> None:
    """A branch that was thrown away neither ends a series of main nor begins one."""
    with open_history(None, folder) as store:
        store.save_all(of_branch("feature", day) for day in range(20, 26))
        store.save_all(of_branch(None, day) for day in (27, 28))
    shown = history("show videos.list --until 2026-11-01")
    assert "|z|" in shown
    assert "900" not in shown
    assert shown.splitlines()[0] == "videos.list · runs of branch main"
    others = "6 runs of branch feature (--branch feature), 2 runs without a branch (--branch -)"
    assert " ".join(" ".join(shown.splitlines()[-2:]).split()) == f"not shown: {others}"
    assert sizes(history("show videos.list --json")) == [31]
    assert sizes(history("show videos.list --branch feature --json")) == [6]
    assert history("show videos.list --branch -").startswith("videos.list · runs without a branch\n")
    without = history("show videos.list --branch - --json")
    assert (json.loads(without)["branch"], sizes(without)) == (None, [2])
    assert len(json.loads(history("list --limit 100 --json"))["runs"]) == 39  # a list is no series
    assert len(json.loads(history("list --branch - --json"))["runs"]) == 2
    assert history("show videos.list --branch featrue", code=2) == ""
    assert history.stderr.startswith("error: no runs of branch featrue in the history\nhelp: did you mean 'feature'?")
    assert history("show videos.list --since 2026-10-19 --until 2026-10-27 --branch -", code=2) == ""
    assert "without a branch\nhelp: there are 8 runs of branch main (--branch main), 6 runs of" in history.stderr


def test_a_history_without_branches_is_one_series(tmp_path: Path, history: Console) -> None:
    with open_history("detached.sqlite", tmp_path) as store:
        store.save_all(of_branch(None, day) for day in range(1, 7))
    shown = history("show videos.list --history detached.sqlite")
    assert shown.splitlines()[0] == "videos.list"
    assert "branch" not in shown
    assert sizes(history("show videos.list --history detached.sqlite --json")) == [6]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("show videos.lits", "no run and no endpoint 'videos.lits' in the history\nhelp: did you mean 'videos.list'"),
        ("show v1.2.4", "no run and no endpoint 'v1.2.4' in the history\nhelp: did you mean 'v1.2.3'"),
        (
            "show videos.list --until 2020-01-01",
            "no measurement of 'videos.list' in that time among the runs of branch main\nhelp: leave out --since",
        ),
        ("label 0000 x", "several run ids begin with '0000'\nhelp: use a longer prefix: 000000"),
        ("label v1.2.3", "no label given\nhelp: perfcheck history label v1.2.3 TEXT, or --remove"),
        ("label v1.2.3 x --remove", "a label and --remove exclude each other"),
        ("note nothing --incident x", "no run 'nothing' in the history"),
        ("note v1.2.3 --incident ''", "--incident is empty\nhelp: describe what happened"),
        ("prune", "which runs? Without a condition nothing is removed\nhelp: --older-than 1y, or --keep 1000"),
        ("export", "several runs need a folder\nhelp: -o DIR writes a file for each"),
        ("export v1.2.3 -o absent/run.json", "cannot write absent/run.json: No such file or directory"),
        ("list --history absent.sqlite", "no history yet: absent.sqlite does not exist\nhelp: 'perfcheck run"),
    ],
)
def test_mistakes(history: Console, line: str, message: str) -> None:
    assert history(line, code=2) == ""
    assert history.stderr.startswith(f"error: {message}")


# --- import and export ---------------------------------------------------------------------------------------------


def test_import_says_of_each_file_what_became_of_it(folder: Path, history: Console) -> None:
    (folder / "new.json").write_bytes(encode_run(on_day(31)))
    (folder / "old.json").write_bytes(encode_run(run()))
    (folder / "bad.json").write_text("hello", encoding="utf-8")
    told = history("import bad.json old.json absent.json new.json", code=2)
    assert told == "old.json: already there\nnew.json: new\n"
    assert "error: bad.json is not a run file" in history.stderr
    assert "error: cannot read absent.json: No such file or directory" in history.stderr
    again = json.loads(history("import new.json --json"))
    assert again == {"new": [], "already_there": ["new.json"], "failed": []}


def test_export_and_import_are_exact(folder: Path, history: Console) -> None:
    odd = json.dumps(json.loads(encode_run(on_day(31))), indent=2).encode() + b"\n\n"
    (folder / "odd.json").write_bytes(odd)
    history("import odd.json")
    history("label 00000031 v9")
    history("export v9 -o again.json")
    assert (folder / "again.json").read_bytes() == odd
    assert history("export v9").encode() == odd
    history("export -o all")
    files = sorted((folder / "all").iterdir())
    assert len(files) == 32
    assert files[0].name == "20261001T120000Z-00000001-0000.json"
    history(f"import --history copy.sqlite {' '.join(str(file) for file in files)}")
    with open_history("copy.sqlite", folder) as copy, open_history(None, folder) as store:
        assert all(copy.document(past.id) == store.document(past.id) for past in store.runs())
        assert copy.past_run("00000031-0000").label is None
    history("export v9 v1.2.3 --output some/")
    assert len(list((folder / "some").iterdir())) == 2
    for run_id in ("build/7", "build_7"):
        (folder / "run.json").write_bytes(encode_run(replace(on_day(31), id=run_id)))
        history("import run.json")
    history("export build/7 build_7 -o alike")
    assert len(list((folder / "alike").iterdir())) == 2
    history("export --since 2026-10-29 --until 2026-10-31 -o span")
    assert len(list((folder / "span").iterdir())) == 2


# --- label, note, prune --------------------------------------------------------------------------------------------


def test_a_label_is_given_and_taken_away(folder: Path, history: Console) -> None:
    assert history("label 00000016 v2") == ""
    assert history.stderr == "00000016: v2\n"
    assert json.loads(history("list --label v2 --json"))["runs"][0]["id"] == "00000016-0000"
    assert "· v2" in history("show v2").splitlines()[0]
    history("label v2 --remove")
    assert history.stderr == "00000016: no label (before: v2)\n"


def test_a_note_of_a_run_or_a_commit(folder: Path, history: Console) -> None:
    note = json.loads(history("note v1.2.3 --incident a --cause b --fix c --json"))
    assert list(note) == [field.name for field in fields(Note)]
    assert (note["run_id"], note["commit"], note["incident"]) == (run().id, None, "a")
    history("note 0123ABCD --incident x")
    assert history.stderr == "note 2: commit 0123abcd\n"


@pytest.mark.parametrize(
    "line",
    [
        "list",
        "list --json",
        "show 00000001",
        "show 00000001-0000 --json",
        "show videos.list",
        "show videos.list --json",
        "show nothing",
        "label 00000001 v1",
        "note 00000001 --incident slow",
        "export -o all",
        "site public",
        "report --since 2026-01-01",
        "report --from 00000001",
        "report --period release --since v1 --until v2",
        "compare 00000001 00000002",
        "baseline update",
        "run --against 00000001",
        "run --compare-to 00000001",
    ],
)
def test_a_damaged_history_is_an_error_of_the_file_in_every_command(folder: Path, history: Console, line: str) -> None:
    """Whatever is read of it: the rows of the runs, or those of their measurements."""
    (folder / "baselines.yaml").write_text(
        "version: 1\nservice: {base_url: http://127.0.0.1:9}\nendpoints: {videos.list: {path: /, target: 1s}}\n"
    )
    with closing(sqlite3.connect(folder / ".perfcheck" / "history.sqlite")) as connection:
        connection.execute("UPDATE perfcheck_runs SET duration_ms = 'long', label = x'ff'")
        connection.execute("UPDATE perfcheck_measurements SET value_ms = 'slow'")
        connection.commit()
    words = line.split()
    history(line, code=2, command=words[0] in {"report", "compare", "baseline", "run"})
    assert "the history .perfcheck/history.sqlite is damaged: " in history.stderr
    assert "help: restore it from a backup; " in history.stderr


def test_prune_spares_what_is_labelled_or_noted(folder: Path, history: Console) -> None:
    history("label 00000001 first")
    history("note 00000002 --incident x")
    assert history("prune --older-than 2026-10-11 --keep 5 --dry-run") == "would remove 8 runs\n"
    assert json.loads(history("prune --older-than 2026-10-11 --keep 5 --json")) == {
        "removed": 8,
        "dry_run": False,
    }
    assert history("prune --older-than 2026-10-11") == "removed 0 runs\n"
    with open_history(None, folder) as store:
        assert len(list(store.runs())) == 23


def test_checks_of_the_monitor_are_of_their_own_kind(folder: Path, history: Console) -> None:
    monitored = replace(on_day(31), command=("perfcheck", "health"))
    with open_history(None, folder) as store:
        store.save(monitored)
    (past,) = json.loads(history("list --source monitored --json"))["runs"]
    assert (past["id"], past["source"]) == (monitored.id, Source.MONITORED)
    assert "1 OK by the monitor" in history("list --source monitored")
