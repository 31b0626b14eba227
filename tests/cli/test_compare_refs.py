"""``perfcheck compare REF REF --start`` on real repositories: what it finds, and what it leaves behind: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.command import PERFCHECK, environment, perfcheck
from support.repositories import commit, git, repository
from support.waiting import eventually

from perfcheck.model import ComparedHow, Verdict
from perfcheck.runfile import read_run

BASELINE = "version: 1\nservice: {base_url: http://localhost:1}\nendpoints:\n  list: {path: /list}\n"
# Notes its process, and its first request, in the folder that NOTES names.
APP = """
import os, pathlib
from http.server import BaseHTTPRequestHandler, HTTPServer
side, notes = os.environ["PERFCHECK_SIDE"], pathlib.Path(os.environ["NOTES"])
(notes / f"{side}.pid").write_text(str(os.getpid()))
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        (notes / f"{side}.requested").touch()
        self.send_response(200 if pathlib.Path("ok").exists() else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
server.serve_forever()
"""
FLASK_APP = """
import time
from flask import Flask, Response
app = Flask(__name__)
QUERIES = 2
@app.get("/list")
def list_():
    time.sleep(0.004 * QUERIES)
    return Response("[]", headers={"Server-Timing": f'db;dur={4 * QUERIES};desc="{QUERIES} queries"'})
@app.get("/other")
def other():
    return "other"
"""
DESCRIBED_APP = """
import json, os, time
from http.server import BaseHTTPRequestHandler, HTTPServer
PAUSE_S = 0.001
ANSWER = {"200": {"description": "OK"}}
BY_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
PATHS = {
    "/things": {"get": {"responses": ANSWER}, "post": {"responses": ANSWER}},
    "/things/{id}": {"get": {"parameters": [BY_ID], "responses": ANSWER}},
}
INFO = {"title": "Things", "version": "1"}
BODIES = {
    "/things": [{"id": 7}],
    "/things/7": {"id": 7},
    "/openapi.json": {"openapi": "3.1.0", "info": INFO, "paths": PATHS},
}
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(PAUSE_S if self.path.endswith("/7") else 0)
        body = json.dumps(BODIES.get(self.path)).encode()
        self.send_response(200 if self.path in BODIES else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
START = f"exec {sys.executable} app.py"
FEW = ("--max-pairs", "5")


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where worktrees and logs are."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def env(tmp_path: Path, temporary: Path) -> dict[str, str]:
    (tmp_path / "notes").mkdir()
    return {"TMPDIR": str(temporary), "NOTES": str(tmp_path / "notes"), "HOME": str(tmp_path)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = repository(
        tmp_path / "source", {"app.py": APP, "baselines.yaml": BASELINE, "ok": "", ".gitignore": ".env\n"}
    )
    git(folder, "switch", "-q", "-c", "feature")
    commit(folder, {"feature": ""})
    return folder


def assert_nothing_is_left(source: Path, temporary: Path) -> None:
    assert len(git(source, "worktree", "list").splitlines()) == 1
    assert git(source, "for-each-ref", "--format=%(refname:short)").split() == ["feature", "main"]
    assert not git(source, "status", "--porcelain", "--ignored")
    assert not list(temporary.iterdir())
    for file in (source.parent / "notes").glob("*.pid"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)


# --- What it finds -------------------------------------------------------------------------------------------------


def test_a_regression_is_found_with_its_cause_and_nothing_is_left(
    tmp_path: Path, temporary: Path, env: dict[str, str]
) -> None:
    endpoints = "  other: {path: /other}\n"
    source = repository(tmp_path / "source", {"app.py": FLASK_APP, "baselines.yaml": BASELINE + endpoints})
    before = git(source, "rev-parse", "HEAD")
    git(source, "switch", "-q", "-c", "feature")
    after = commit(source, {"app.py": FLASK_APP.replace("QUERIES = 2", "QUERIES = 9")})
    start = f"exec {sys.executable} -m flask run --port $PORT"
    run_file, page, suite = (tmp_path / f"run.{suffix}" for suffix in ("json", "html", "xml"))
    reports = ("-o", str(run_file), "--report", f"html={page}", "--report", f"junit={suite}")
    done = perfcheck("compare", "main", "HEAD", "--start", start, *reports, cwd=source, env=env)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"before: main ({before[:10]})" in done.stdout
    assert f"now: HEAD ({after[:10]})" in done.stdout
    assert "CRITICAL list" in done.stdout
    assert "db 8 -> 36 ms (2 queries -> 9 queries)" in done.stdout
    assert "baselines.yaml:4" in done.stdout
    assert f"perfcheck compare --start '{start}' main HEAD list" in " ".join(done.stdout.split())
    assert "<title>CRITICAL: main -&gt; HEAD</title>" in page.read_text(encoding="utf-8")
    assert f'name="before" value="main ({before[:10]})"' in suite.read_text(encoding="utf-8")
    run = read_run(run_file)
    assert run.against is not None
    assert (run.against.how, run.against.label, run.against.commit) == (ComparedHow.LIVE, "main", before)
    assert (run.label, run.environment.commit, run.environment.branch) == ("HEAD", after, "feature")
    assert [(result.name, result.verdict) for result in run.endpoints] == [
        ("list", Verdict.CRITICAL),
        ("other", Verdict.OK),
    ]
    assert_nothing_is_left(source, temporary)


@pytest.mark.parametrize("sides", [("main", "main"), ("HEAD", "."), (".", ".")])
def test_a_commit_is_not_slower_than_itself(
    sides: tuple[str, str], source: Path, temporary: Path, env: dict[str, str]
) -> None:
    done = perfcheck("compare", *sides, "--start", START, *FEW, cwd=source, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "both sides are commit" in done.stdout
    assert_nothing_is_left(source, temporary)


def test_the_working_tree_is_compared_with_its_uncommitted_changes(
    source: Path, temporary: Path, env: dict[str, str]
) -> None:
    (source / "ok").unlink()
    done = perfcheck("compare", "HEAD", ".", "--start", START, *FEW, cwd=source, env=env)
    assert done.returncode == 1
    assert "working tree (" in done.stdout
    assert "500 Internal Server Error" in done.stdout
    assert "with uncommitted changes" in done.stderr
    git(source, "checkout", "-q", "ok")
    assert_nothing_is_left(source, temporary)


def test_the_progress_is_a_few_lines(source: Path, env: dict[str, str]) -> None:
    done = perfcheck("compare", "main", "feature", "--start", START, "--setup", "true", *FEW, cwd=source, env=env)
    lines = done.stderr.splitlines()
    assert lines[0].startswith("before: main (")
    assert ", after: feature (" in lines[0]
    assert [line.partition(" in ")[0] for line in lines[1:] if "waiting" not in line][:5] == [
        "before: setting up: true",
        "before: set up",
        "after: setting up: true",
        "after: set up",
        "both ready",
    ]
    quiet = perfcheck("compare", "main", "feature", "--start", START, *FEW, "-q", cwd=source, env=env)
    assert not quiet.stderr


# --- The commands --------------------------------------------------------------------------------------------------


def test_a_setup_runs_in_each_checkout_where_the_service_does(
    source: Path, env: dict[str, str], tmp_path: Path
) -> None:
    sub = source / "sub"
    commit(source, {"sub/app.py": APP, "sub/ok": ""})
    git(source, "branch", "-f", "main", "HEAD")
    (source / "sub" / ".env").write_text("SECRET=1\n")
    setup = (
        'cp .env "$NOTES/$PERFCHECK_SIDE.env"; echo "$PWD ${PORT-none} ${GIT_DIR-none}" >"$NOTES/$PERFCHECK_SIDE.setup"'
    )
    start = f'pwd >"$NOTES/$PERFCHECK_SIDE.start"; exec {sys.executable} app.py'
    options = ("--setup", setup, "--start", start, "--copy", ".env", *FEW)
    within_hook = {**env, "GIT_DIR": str(source / ".git"), "GIT_WORK_TREE": str(source)}
    done = perfcheck("compare", "main", "HEAD", *options, cwd=sub, env=within_hook)
    assert done.returncode == 0, done.stdout + done.stderr
    notes = tmp_path / "notes"
    for side in ("before", "after"):
        folder, *variables = (notes / f"{side}.setup").read_text().split()
        assert folder.endswith(f"/{side}/sub")
        assert variables == ["none", "none"]
        assert (notes / f"{side}.start").read_text().strip() == folder
        assert (notes / f"{side}.env").read_text() == "SECRET=1\n"


def test_a_setup_that_fails_ends_it_with_its_last_lines(source: Path, temporary: Path, env: dict[str, str]) -> None:
    setup = 'seq 200; echo "no such package" >&2; exit 7'
    done = perfcheck("compare", "main", "HEAD", "--start", START, "--setup", setup, cwd=source, env=env)
    assert done.returncode == 3
    assert "the setup of before failed with exit code 7" in done.stderr
    assert "\n  199\n  200\n  no such package\n" in done.stderr
    assert "\n  100\n" not in done.stderr
    assert_nothing_is_left(source, temporary)


def test_a_service_that_ends_is_named_with_its_commit(source: Path, temporary: Path, env: dict[str, str]) -> None:
    start = f'[ "$PERFCHECK_SIDE" = before ] || {{ echo "no database" >&2; exit 9; }}; {START}'
    done = perfcheck("compare", "main", "HEAD", "--start", start, cwd=source, env=env)
    assert done.returncode == 3
    assert "error: HEAD (" in done.stderr
    assert "exit code 9" in done.stderr
    assert "no database" in done.stderr
    assert "help: see its output; a checkout has no file that git ignores: bring it with --copy or" in done.stderr
    assert_nothing_is_left(source, temporary)


def test_a_setup_is_used_again_while_its_inputs_stay_the_same(
    source: Path, temporary: Path, env: dict[str, str], tmp_path: Path
) -> None:
    commit(source, {"requirements.txt": "flask\n"})
    git(source, "branch", "-f", "main", "HEAD")
    setup = 'echo >>"$NOTES/setups"; touch installed'
    start = f"[ -e installed ] && {START}"
    arguments = ("compare", "main", "HEAD", "--setup", setup, "--start", start, "--setup-inputs", "req*.txt", *FEW)
    for content, setups in (("flask\n", 2), ("flask\n", 2), ("django\n", 3)):
        commit(source, {"requirements.txt": content})
        done = perfcheck(*arguments, cwd=source, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (tmp_path / "notes" / "setups").read_text().count("\n") == setups
    assert "before: the setup of an earlier comparison is used again\n" in done.stderr
    assert len(git(source, "worktree", "list").splitlines()) == 1 + 3
    assert len(list(temporary.iterdir())) == 3


# --- The baseline --------------------------------------------------------------------------------------------------


def test_the_baseline_is_that_of_the_commit_after_else_that_before(source: Path, env: dict[str, str]) -> None:
    commit(source, {"baselines.yaml": BASELINE.replace("list:", "renamed:")})
    (source / "baselines.yaml").write_text("not a baseline")
    done = perfcheck("compare", "main", "HEAD", "--start", START, *FEW, cwd=source, env=env)
    assert "renamed" in done.stdout
    (source / "baselines.yaml").unlink()
    commit(source)
    done = perfcheck("compare", "main", "HEAD", "--start", START, *FEW, cwd=source, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "after has no baseline: taken from before\n" in done.stderr
    assert "list" in done.stdout
    git(source, "branch", "-f", "main", "HEAD")
    (source / "baselines.yaml").write_text(BASELINE.replace("list:", "uncommitted:"))
    done = perfcheck("compare", "main", "HEAD", "--start", START, *FEW, cwd=source, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "after has no baseline: taken from the working tree\n" in done.stderr
    assert "uncommitted" in done.stdout


def test_a_baseline_may_be_named_with_its_full_path(source: Path, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(BASELINE.replace("list:", "elsewhere:"))
    named = ("-f", str(tmp_path / "other.yaml"))
    done = perfcheck("compare", "main", "HEAD", "--start", START, *FEW, *named, cwd=source, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "elsewhere" in done.stdout


def test_the_command_of_the_baseline_runs_in_its_folder(source: Path, env: dict[str, str], tmp_path: Path) -> None:
    start = f"pwd >$NOTES/$PERFCHECK_SIDE.start; {START}"
    commit(source, {"baselines.yaml": BASELINE.replace("localhost:1", f"localhost:1, start: '{start}'"), "sub/x": ""})
    git(source, "branch", "-f", "main", "HEAD")
    done = perfcheck("compare", "main", "HEAD", *FEW, "--start", cwd=source / "sub", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    for side in ("before", "after"):
        assert (tmp_path / "notes" / f"{side}.start").read_text().endswith(f"/{side}\n")
    commit(source, {"baselines.yaml": BASELINE.replace("localhost:1", "localhost:1, unix_socket: /tmp/x")})
    done = perfcheck("compare", "main", "HEAD", "--start", START, cwd=source, env=env)
    assert done.returncode == 2
    assert "two services cannot listen on one Unix socket: /tmp/x" in done.stderr


def test_a_wrong_baseline_costs_no_setup(source: Path, temporary: Path, env: dict[str, str], tmp_path: Path) -> None:
    setup = ("--setup", 'touch "$NOTES/setup"')
    for names, baseline in ((("nope",), BASELINE), ((), BASELINE.replace("path:", "pth:"))):
        commit(source, {"baselines.yaml": baseline})
        done = perfcheck("compare", "main", "HEAD", *names, "--start", START, *setup, cwd=source, env=env)
        assert done.returncode == 2
        assert "baselines.yaml:4" in done.stderr or "no endpoint 'nope'" in done.stderr
        assert str(temporary) not in done.stderr
    assert not (tmp_path / "notes" / "setup").exists()
    assert_nothing_is_left(source, temporary)


def test_without_a_baseline_the_endpoints_are_those_that_the_service_has(
    source: Path, temporary: Path, env: dict[str, str], tmp_path: Path
) -> None:
    git(source, "switch", "-q", "--orphan", "other")
    git(source, "branch", "-q", "-D", "main", "feature")
    first = commit(source, {"app.py": DESCRIBED_APP})
    git(source, "branch", "main")
    git(source, "switch", "-q", "-c", "feature")
    commit(source, {"app.py": DESCRIBED_APP.replace("PAUSE_S = 0.001", "PAUSE_S = 0.05")})
    git(source, "branch", "-q", "-D", "other")
    done = perfcheck("compare", "main", "HEAD", "--start", START, cwd=source, env=env)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "neither commit has a baseline: 2 endpoints found (OpenAPI 2), 1 operation left out\n" in done.stderr
    assert "CRITICAL things.by_id" in done.stdout
    assert f"before: main ({first[:10]})" in done.stdout
    assert_nothing_is_left(source, temporary)
    commit(source, {"app.py": APP})
    done = perfcheck("compare", "HEAD", "HEAD", "--start", START, cwd=source, env=env)
    assert done.returncode == 3
    assert "no operation that can be measured was found" in done.stderr
    assert_nothing_is_left(source, temporary)


# --- What is wrong on the command line -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["main", "nope"], "'nope' is not a commit of this repository"),
        (["main", "HEAD", "--demo"], "--demo and --start name two services"),
        (["main", "http://localhost:1"], "is an address, and --start takes two commits"),
        (["main", "HEAD", "--copy", "nope"], "--copy: nope does not exist"),
        (["main", "HEAD", "--copy", "../notes"], "--copy: ../notes is not in the working tree"),
        (
            ["main", "HEAD", "--setup", "true", "--setup-inputs", "*.nope"],
            "neither side has a file that matches *.nope",
        ),
        (["main", "HEAD", "-f", "nope.yaml"], ") has nope.yaml"),
        (["main", "HEAD", "--aa"], "--aa and --start exclude each other"),
        (["main"], "BEFORE and AFTER are needed; --start has taken"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error(arguments: list[str], message: str, source: Path, temporary: Path, env: dict[str, str]) -> None:
    done = perfcheck("compare", *arguments, "--start", START, cwd=source, env=env)
    assert done.returncode == 2
    assert message in done.stderr
    assert "help: " in done.stderr
    assert_nothing_is_left(source, temporary)


@pytest.mark.parametrize("option", ["--setup", "--setup-inputs", "--copy"])
def test_an_option_that_needs_start(option: str, source: Path) -> None:
    done = perfcheck("compare", "main", "HEAD", option, "x", cwd=source)
    assert done.returncode == 2
    assert f"{option} needs --start" in done.stderr


def test_refs_without_start_name_the_option(source: Path, env: dict[str, str]) -> None:
    done = perfcheck("compare", "main", "HEAD", cwd=source, env=env)
    assert done.returncode == 2
    assert "perfcheck compare main HEAD --start" in done.stderr


# --- Cut short -----------------------------------------------------------------------------------------------------

PHASES = {
    # What runs, and the file that shows that it does.
    "setup": (
        ("--setup", 'echo $$ >"$NOTES/setup.pid"; touch "$NOTES/reached"; sleep 60', "--start", START),
        "reached",
    ),
    "wait": (("--start", 'echo $$ >"$NOTES/$PERFCHECK_SIDE.pid"; touch "$NOTES/reached"; exec sleep 60'), "reached"),
    "measure": (("--start", START, "--max-pairs", "10000"), "after.requested"),
}


@pytest.fixture(params=PHASES)
def running(
    request: pytest.FixtureRequest, source: Path, env: dict[str, str], tmp_path: Path
) -> Iterator[subprocess.Popen[str]]:
    """A comparison in one of its phases."""
    options, reached = PHASES[request.param]
    with started(source, env, tmp_path / "notes" / reached, *options) as process:
        yield process


@contextmanager
def started(source: Path, env: dict[str, str], reached: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [PERFCHECK, "compare", "main", "HEAD", *options],
        cwd=source,
        env=environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            eventually(reached.exists)
            yield process
        finally:
            process.kill()


def test_nothing_is_left_after_an_interruption_of_the_checkout(
    source: Path, temporary: Path, env: dict[str, str], tmp_path: Path
) -> None:
    commit(source, {".gitattributes": "slow filter=slow\n", "slow": ""})
    git(source, "config", "filter.slow.smudge", 'echo $$ >"$NOTES/smudge.pid"; touch "$NOTES/reached"; sleep 60')
    with started(source, env, tmp_path / "notes" / "reached", "--start", START) as process:
        assert len(list(temporary.iterdir())) == 2
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, out + err
    eventually(lambda: not is_running(int((tmp_path / "notes" / "smudge.pid").read_text())))  # reaped by the system
    assert_nothing_is_left(source, temporary)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_after_an_interruption(
    number: signal.Signals, running: subprocess.Popen[str], source: Path, temporary: Path
) -> None:
    running.send_signal(number)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130, out + err
    assert "Traceback" not in err
    assert_nothing_is_left(source, temporary)


def test_what_is_left_after_a_kill_is_removed_by_the_next_call(
    running: subprocess.Popen[str], source: Path, temporary: Path, env: dict[str, str], tmp_path: Path
) -> None:
    running.kill()
    running.communicate(timeout=30)
    written = [file.read_text() for file in (tmp_path / "notes").glob("*.pid")]
    pids = [int(pid) for pid in written if pid]  # killed before it wrote its own, a command leaves an empty file
    assert pids
    eventually(lambda: not any(map(is_running, pids)))
    assert len(git(source, "worktree", "list").splitlines()) == 3
    done = perfcheck("compare", "main", "HEAD", "--start", START, *FEW, cwd=source, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_nothing_is_left(source, temporary)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
