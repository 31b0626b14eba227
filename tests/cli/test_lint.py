"""``perfcheck lint`` as a process: exit codes, streams, options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import perfcheck
from support.sources import write

OPEN = "from flask import Flask\napp = Flask(__name__)\n@app.get('/videos')\ndef videos(): ...\n"
COVERED = OPEN + "from perfcheck.monitor.flask import init_app\ninit_app(app)\n"


def test_0_when_every_handler_is_monitored(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": COVERED})
    done = perfcheck("lint", ".", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 handler in 1 file: 1 monitored, 0 ignored, 0 not monitored\n"


def test_1_with_a_line_for_each_finding(tmp_path: Path) -> None:
    write(tmp_path, {"src/app.py": OPEN})
    done = perfcheck("lint", "src", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "src/app.py:4:1: videos (GET /videos) is not monitored"
    assert lines[1].startswith("help: ")
    assert lines[-1] == "1 handler in 1 file: 0 monitored, 0 ignored, 1 not monitored"


def test_1_for_an_ignore_without_a_reason_alone(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": COVERED + "# perfcheck: ignore\n"})
    assert perfcheck("lint", "app.py", cwd=tmp_path).returncode == 1


def test_1_for_a_handler_that_is_not_known_to_be_monitored(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": COVERED, "views.py": "def register(app):\n    @app.get('/')\n    def index(): ...\n"})
    done = perfcheck("lint", ".", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "views.py:3:5: index (GET /) is not known to be monitored: its app cannot be determined"
    assert lines[-1] == "2 handlers in 2 files: 1 monitored, 0 ignored, 0 not monitored, 1 unknown"


def test_the_app_without_a_monitor_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": COVERED + "internal = Flask('internal')\n@internal.get('/')\ndef index(): ...\n"})
    done = perfcheck("lint", ".", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[0] == "app.py:9:1: index (GET /) is not monitored: its app, internal (app.py:7), has no monitor"
    assert "      without a monitor: internal (app.py:7:12)" in lines


def test_a_service_of_another_framework_is_not_taken_for_monitored(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": "from sanic import Sanic\napp = Sanic('x')\n@app.get('/')\ndef index(request): ...\n"})
    done = perfcheck("lint", ".", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "0 handlers in 1 file: 0 monitored, 0 ignored, 0 not monitored\n")
    assert done.stderr == (
        "note: no handler of Flask, FastAPI, Starlette or Django found: other frameworks' are not known to the lint\n"
    )


def test_0_for_an_ignore_that_is_not_needed(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": COVERED + "# perfcheck: ignore[once needed]\n"})
    done = perfcheck("lint", "app.py", cwd=tmp_path)
    assert done.returncode == 0
    assert "app.py:7:1: note: this ignore is not needed" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("nowhere",), ("empty",), ("--format", "xml", "."), ("--exclude", "*", ".")])
def test_2_for_what_is_no_valid_command(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    write(tmp_path, {"app.py": COVERED})
    (tmp_path / "empty").mkdir()
    done = perfcheck("lint", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")


def test_2_for_a_file_that_does_not_parse_next_to_what_the_others_hold(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": OPEN, "broken.py": "def f(:\n"})
    done = perfcheck("lint", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "broken.py:1:7: does not parse: invalid syntax\n"
    assert "app.py:4:1: videos" in done.stdout
    assert done.stdout.endswith("1 not monitored; 1 file could not be read\n")


def test_json(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": OPEN})
    done = perfcheck("lint", ".", "--format", "json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert (done.returncode, document["format"]) == (1, "perfcheck.lint/1")
    assert [(one["file"], one["line"], one["handler"]) for one in document["findings"]] == [("app.py", 4, "videos")]


@pytest.mark.parametrize(
    ("arguments", "env", "stream"),
    [
        (("--format", "github"), {}, "stdout"),
        (("--format=github",), {"GITHUB_ACTIONS": "true"}, "stdout"),
        ((), {"GITHUB_ACTIONS": "true"}, "stderr"),
        (("--format", "json"), {"GITHUB_ACTIONS": "true"}, "stderr"),
        (("--github",), {}, "stderr"),
        ((), {}, None),
        (("--no-github",), {"GITHUB_ACTIONS": "true"}, None),
        ((), {"GITHUB_ACTIONS": "true", "PERFCHECK_GITHUB": "false"}, None),
    ],
)
def test_annotations(tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], stream: str | None) -> None:
    write(tmp_path, {"app.py": OPEN})
    done = perfcheck("lint", ".", *arguments, cwd=tmp_path, env=env)
    line = "::warning file=app.py,line=4,col=1,title=Not monitored::videos (GET /videos) is not monitored\n"
    assert (done.returncode, line in done.stdout, line in done.stderr) == (1, stream == "stdout", stream == "stderr")


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("--exclude", "a.py", "--exclude", "legacy"), {}),
        ((), {"PERFCHECK_EXCLUDE": "a.py legacy"}),
    ],
)
def test_exclude(tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str]) -> None:
    write(tmp_path, {"a.py": OPEN, "b.py": OPEN, "legacy/c.py": OPEN})
    done = perfcheck("lint", ".", *arguments, cwd=tmp_path, env=env)
    assert [line.split(":")[0] for line in done.stdout.splitlines() if "is not monitored" in line] == ["b.py"]


@pytest.mark.parametrize(
    ("arguments", "env", "found"),
    [((), {}, 1), (("--include-tests",), {}, 2), ((), {"PERFCHECK_INCLUDE_TESTS": "1"}, 2)],
)
def test_include_tests(tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], found: int) -> None:
    write(tmp_path, {"app.py": OPEN, "tests/test_app.py": OPEN})
    done = perfcheck("lint", ".", *arguments, cwd=tmp_path, env=env)
    assert done.stdout.count("is not monitored") == found


def test_nothing_of_what_is_read_is_executed(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": "import pathlib\npathlib.Path('executed').write_text('')\n" + OPEN})
    assert perfcheck("lint", ".", cwd=tmp_path).returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.py"]


def test_the_command_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """A hook runs it at every commit."""
    write(tmp_path, {"app.py": COVERED})
    done = perfcheck("lint", ".", cwd=tmp_path, env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "perfcheck.lint" in imported
    assert not {name.split(".")[0] for name in imported} & {"httpx", "rich", "flask", "django", "msgspec", "yaml"}
