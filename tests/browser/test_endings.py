"""However perfcheck ends, nothing of its browser is left; and what it reports where there is no browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from apps.pages import Answer, Request, html, page_service
from support.browser import browser_path
from support.command import PERFCHECK, environment, perfcheck
from support.processes import descendants, is_running
from support.waiting import eventually

from perfcheck.browser.program import VARIABLE

MARKS = ("perfcheck.browser.worker", "/driver/", "--type=renderer")  # of the worker, of Playwright, and of Chromium


def write(folder: Path, url: str, endpoints: str) -> None:
    text = f"version: 1\nservice: {{base_url: {url}}}\nsampling: {{warmup: 0, errors: quick}}\nendpoints:\n{endpoints}"
    (folder / "baselines.yaml").write_text(text, encoding="utf-8")


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [PERFCHECK, "run", *arguments],
        cwd=folder,
        env=environment(**{VARIABLE: browser_path()}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def browser_below(pid: int) -> set[int] | None:
    below = descendants(pid)
    return set(below) if all(any(mark in line for line in below.values()) for mark in MARKS) else None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_in_the_middle_of_a_load(tmp_path: Path, number: signal.Signals) -> None:
    in_the_middle, is_over = threading.Event(), threading.Event()

    def hangs(request: Request) -> Answer:
        if service.paths().count("/page") == 1:
            return 200, {}, html("ok")
        in_the_middle.set()
        is_over.wait(60)
        return 200, {}, html("ok")

    with page_service({"/page": hangs}) as service:
        write(tmp_path, service.url, "  page: {kind: page, path: /page, target: 60s, timeout: 100s}\n")
        try:
            with running(tmp_path, "-o", "results.json") as process:
                assert in_the_middle.wait(100)
                below = eventually(lambda: browser_below(process.pid))
                process.send_signal(number)
                out, err = process.communicate(timeout=60)
        finally:
            is_over.set()
    eventually(lambda: not any(map(is_running, below)))
    assert "Traceback" not in out + err
    if number is not signal.SIGKILL:
        assert process.returncode == 130
        assert "interrupted: these are the measurements up to then" in out
        (page,) = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["endpoints"]
        assert page["requests"]["sent"] == 1


def test_a_passed_run_leaves_neither_a_process_nor_a_file(tmp_path: Path) -> None:
    """And imports nothing from its folder, which may have the tests of a project's own pages in ``playwright``."""
    modules = {f"{name}.py" for name in ("playwright", "msgspec", "select")}
    for name in modules:
        (tmp_path / name).write_text("raise SystemExit('the wrong one')", encoding="utf-8")
    pids: set[int] = set()

    def page(_: Request) -> Answer:
        pids.update(descendants(process.pid))
        return 200, {}, html("ok")

    with page_service({"/": page}) as service:
        write(tmp_path, service.url, "  page: {kind: page, path: /, target: 60s, timeout: 100s}\n")
        with running(tmp_path) as process:
            out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert pids
    assert not any(map(is_running, pids))
    assert {file.name for file in tmp_path.iterdir()} == {"baselines.yaml", *modules}


# --- No browser --------------------------------------------------------------------------------------------------


WITHOUT_PLAYWRIGHT = """import importlib.machinery
found = importlib.machinery.PathFinder.find_spec
def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] == "playwright" else found(name, path, target)
importlib.machinery.PathFinder.find_spec = find_spec
"""


@pytest.mark.parametrize(
    ("variables", "code", "message"),
    [
        (
            {"PYTHONPATH": "blocked"},
            2,
            "pages are loaded by Playwright, which is not installed help: pip install 'perfcheck[browser]'",
        ),
        ({VARIABLE: "no-such-browser"}, 2, f"{VARIABLE} names no program: no-such-browser"),
        ({VARIABLE: "/dev/null"}, 2, f"{VARIABLE} names no program: /dev/null"),
        ({VARIABLE: ""}, 2, "pages are loaded by Chromium, and there is none on this machine"),
        ({VARIABLE: "/bin/false"}, 3, "the browser did not start"),
    ],
)
def test_one_clear_line_before_anything_is_sent(
    tmp_path: Path, variables: dict[str, str], code: int, message: str
) -> None:
    """On a machine with Python and a shell only."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sh").symlink_to(shutil.which("sh") or "")
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text(WITHOUT_PLAYWRIGHT, encoding="utf-8")
    alone = {"PATH": str(programs), "HOME": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    with page_service({"/": html("ok")}) as service:
        write(tmp_path, service.url, "  page: {kind: page, path: /, target: 9s}\n")
        if "PYTHONPATH" in variables:
            variables = {"PYTHONPATH": str(blocked)}
        done = perfcheck("run", cwd=tmp_path, env={**alone, **variables}, timeout=100)
        assert not service.requests
    assert done.returncode == code, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "error" in line]
    assert message in " ".join(done.stderr.split())
    assert os.linesep not in line
