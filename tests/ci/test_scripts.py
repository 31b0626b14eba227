"""The shell in the templates, run for real: it starts a service, checks it, and leaves reports and the exit code."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.command import PERFCHECK, environment
from support.repositories import PAUSING_APP, commit, git, repository
from support.steps import ROOT, load, path_with

CI = ROOT / "docs" / "ci"
GITLAB = load(CI / "gitlab-ci.yml")["perfcheck"]
GITLAB_CHANGE = load(CI / "gitlab-ci.yml")["perfcheck-change"]
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
    assert {path.suffix for path in workspace.report("").iterdir()} == {".html", ".json", ".txt", ".xml"}
    assert not workspace.service_answers()


@pytest.mark.parametrize(("pause_s", "code"), [("0", 0), ("0.05", 1)])
def test_the_script_for_a_merge_request_on_gitlab(tmp_path: Path, pause_s: str, code: int) -> None:
    baseline = "version: 1\nservice: {base_url: http://localhost}\nendpoints: {it: {path: /}}\n"
    origin = repository(tmp_path / "origin", {"app.py": PAUSING_APP, "baselines.yaml": baseline})
    base = git(origin, "rev-parse", "HEAD")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")  # as GitLab has it
    git(origin, "switch", "-q", "-c", "feature")
    commit(origin, {"app.py": PAUSING_APP.replace("PAUSE_S = 0", f"PAUSE_S = {pause_s}")})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{origin}", "clone")
    lines = [line for line in GITLAB_CHANGE["script"] if "pip install" not in line and "venv" not in line]
    assert len(lines) == len(GITLAB_CHANGE["script"]) - 2
    script = "\n".join(lines).replace("/opt/perfcheck/bin/", "")
    commands = {"PERFCHECK_SETUP": "touch set-up", "PERFCHECK_START": f"[ -e set-up ] && exec {sys.executable} app.py"}
    assert commands.keys() == GITLAB_CHANGE["variables"].keys()
    workspace = Workspace(tmp_path / "clone")
    done = workspace.shell(
        *("bash", "-eo", "pipefail", "-c", script), CI_MERGE_REQUEST_DIFF_BASE_SHA=base, GITLAB_CI="true", **commands
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert f"before: {base[:10]} · now: HEAD (" in " ".join(done.stdout.split())
    assert failures(workspace.folder / GITLAB_CHANGE["artifacts"]["reports"]["junit"]) == code
    assert "slower" in workspace.report("change.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("target", "code"), [("2s", 0), ("1us", 1)])
def test_the_script_for_jenkins(workspace: Workspace, target: str, code: int) -> None:
    workspace.baseline(target=target)
    workspace.report("").mkdir()
    workspace.report("of-the-build-before.html").touch()
    (script,) = (block for block in re.findall(r"sh '''(.*?)'''", JENKINS, re.DOTALL) if "perfcheck run" in block)
    start = dict(re.findall(r"(PERFCHECK_START) = '(.*?)'", JENKINS))
    done = workspace.shell("sh", "-xe", "-c", script.replace("\\\n", ""), **start)
    assert done.returncode == code, done.stderr
    (junit,) = re.findall(r"junit testResults: '(.*?)'", JENKINS)
    assert failures(workspace.folder / junit) == code
    assert not workspace.report("of-the-build-before.html").exists()
    assert not workspace.service_answers()
