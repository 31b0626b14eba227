"""The shell in the templates, run for real: it starts a service, checks it, and leaves reports and the exit code."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.command import PERFCHECK, environment
from support.steps import ROOT, load, path_with

CI = ROOT / "docs" / "ci"
GITLAB = load(CI / "gitlab-ci.yml")["perfcheck"]
JENKINS = (CI / "Jenkinsfile").read_text(encoding="utf-8")

# On a Unix socket: its address is known before it runs, and nobody else can have taken it.
SERVICE = """
import http.server, os, pathlib, socketserver

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass

pathlib.Path("service.pid").write_text(str(os.getpid()))
print("the service speaks", flush=True)
socketserver.ThreadingUnixStreamServer.daemon_threads = True
socketserver.ThreadingUnixStreamServer("service.sock", Handler).serve_forever()
"""
BASELINE = """version: 1
service:
  base_url: ${{PERFCHECK_BASE_URL:-http://localhost}}
  unix_socket: service.sock
  ready: /
  ready_timeout: {ready_timeout}
sampling: {{confirm: 0}}
endpoints: {{it: {{path: /, target: {target}}}}}
"""


@dataclass(frozen=True)
class Workspace:
    """A checkout of a user, with a service."""

    folder: Path

    def baseline(self, *, target: str = "2s", ready_timeout: str = "20s") -> None:
        (self.folder / "baselines.yaml").write_text(BASELINE.format(target=target, ready_timeout=ready_timeout))

    def shell(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = environment(PATH=path_with(Path(PERFCHECK).parent), **variables)
        return subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, check=False, timeout=60
        )

    def service_answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.connect(os.path.relpath(self.folder / "service.sock"))
            return True
        return False

    def report(self, name: str) -> Path:
        return self.folder / "perfcheck-reports" / name


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "start-service.sh").write_text(f'#!/bin/sh\nexec "{sys.executable}" service.py\n')
    (tmp_path / "start-service.sh").chmod(0o755)
    (tmp_path / ".perfcheck" / "bin").mkdir(parents=True)
    (tmp_path / ".perfcheck" / "bin" / "perfcheck").symlink_to(PERFCHECK)
    made = Workspace(tmp_path)
    made.baseline()
    yield made
    if made.service_answers():
        with suppress(ProcessLookupError):
            os.kill(int((tmp_path / "service.pid").read_text()), signal.SIGKILL)


def failures(junit: Path) -> int:
    return len(ET.parse(junit).getroot().findall(".//failure"))


# --- check.sh --------------------------------------------------------------------------------------------------------

CHECK = str(CI / "check.sh")


@pytest.mark.parametrize(("target", "code"), [("2s", 0), ("1us", 1)])
def test_check_sh_starts_checks_and_stops(workspace: Workspace, target: str, code: int) -> None:
    workspace.baseline(target=target)
    done = workspace.shell(CHECK, "./start-service.sh")
    assert done.returncode == code, done.stderr
    assert "perfcheck" in done.stdout
    assert workspace.report("run.json").exists()
    assert workspace.report("report.html").exists()
    assert failures(workspace.report("junit.xml")) == code
    assert workspace.report("service.log").read_text() == "the service speaks\n"
    assert not workspace.service_answers()


def test_check_sh_keeps_every_word_of_the_command(workspace: Workspace) -> None:
    (workspace.folder / "service.py").rename(workspace.folder / "a service; exit 1.py")
    done = workspace.shell(CHECK, sys.executable, "a service; exit 1.py", REPORTS="kept in/here")
    assert done.returncode == 0, done.stderr
    assert (workspace.folder / "kept in" / "here" / "run.json").exists()


def test_check_sh_shows_why_a_service_did_not_start(workspace: Workspace) -> None:
    workspace.baseline(ready_timeout="300ms")
    done = workspace.shell(CHECK, "sh", "-c", "echo no database >&2; exit 1")
    assert done.returncode == 3
    assert "the started service has exited" in done.stderr
    assert "no database" in done.stderr


def test_check_sh_warns_when_another_service_responded(workspace: Workspace) -> None:
    """The port is taken by an old instance: what was checked is not what was built."""
    old = subprocess.Popen(["./start-service.sh"], cwd=workspace.folder, stdout=subprocess.DEVNULL)
    try:
        wait_until(workspace.service_answers)
        done = workspace.shell(CHECK, "sh", "-c", "exit 1")
    finally:
        old.kill()
        old.wait()
    assert done.returncode == 0
    assert "another one may have responded" in done.stderr


def test_check_sh_leaves_no_report_of_the_check_before(workspace: Workspace) -> None:
    assert workspace.shell(CHECK, "./start-service.sh").returncode == 0
    workspace.baseline(target="soon")
    assert workspace.shell(CHECK, "./start-service.sh").returncode == 2
    assert [path.name for path in workspace.report("").iterdir()] == ["service.log"]


def test_check_sh_needs_a_command(workspace: Workspace) -> None:
    done = workspace.shell(CHECK)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage" in done.stderr


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_check_sh_stops_the_service_when_it_is_stopped(workspace: Workspace, sent: signal.Signals, code: int) -> None:
    """As CI systems do it: to the whole group of processes."""
    workspace.baseline(ready_timeout="1h")
    (workspace.folder / "start-service.sh").write_text("#!/bin/sh\ntouch started\nexec sleep 1000\n")
    env = environment(PATH=path_with(Path(PERFCHECK).parent))
    process = subprocess.Popen(
        [CHECK, "./start-service.sh"],
        cwd=workspace.folder,
        env=env,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    assert "waiting" in process.stderr.readline()  # perfcheck is there, and waits for the service
    os.killpg(process.pid, sent)
    process.communicate(timeout=30)
    assert process.returncode == code
    wait_until(lambda: not is_running(process.pid))


def is_running(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not become true")


# --- GitLab, Jenkins -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "code"), [("2s", 0), ("1us", 1)])
def test_the_script_for_gitlab(workspace: Workspace, target: str, code: int) -> None:
    workspace.baseline(target=target)
    lines = [line for line in GITLAB["script"] if "pip install" not in line and "venv" not in line]
    assert len(lines) == len(GITLAB["script"]) - 2
    done = workspace.shell("bash", "-eo", "pipefail", "-c", "\n".join(lines), **GITLAB["variables"])
    assert done.returncode == code, done.stderr
    reports = GITLAB["artifacts"]["reports"]
    assert failures(workspace.folder / reports["junit"]) == code
    assert (workspace.folder / reports["metrics"]).read_text().endswith("# EOF\n")
    assert {path.suffix for path in workspace.report("").iterdir()} == {".html", ".json", ".log", ".txt", ".xml"}


@pytest.mark.parametrize(("target", "code"), [("2s", 0), ("1us", 1)])
def test_the_script_for_jenkins(workspace: Workspace, target: str, code: int) -> None:
    workspace.baseline(target=target)
    workspace.report("").mkdir()
    workspace.report("of-the-build-before.html").touch()
    (script,) = (block for block in re.findall(r"sh '''(.*?)'''", JENKINS, re.DOTALL) if "perfcheck run" in block)
    done = workspace.shell("sh", "-xe", "-c", script.replace("\\\n", ""))
    assert done.returncode == code, done.stderr
    (junit,) = re.findall(r"junit testResults: '(.*?)'", JENKINS)
    assert failures(workspace.folder / junit) == code
    assert not workspace.report("of-the-build-before.html").exists()
    wait_until(lambda: not workspace.service_answers())
