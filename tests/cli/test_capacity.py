"""``perfcheck capacity`` with the real engine on a real service: exit codes, safety, and what is in the run file."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apps.load_service import LoadService, load_service
from support.capacities import capacity_run, found
from support.command import PERFCHECK, environment, perfcheck
from support.histories import fill
from support.processes import descendants, is_running
from support.waiting import eventually

from perfcheck.cli.app import run_command_line
from perfcheck.runfile import encode_run

WORKING = "videos.list: {path: /quick, target: 10s, metric: p95, timeout: 30s}"
FAILING = "videos.list: {path: /status/500, target: 10s, timeout: 30s, expect: 2xx}"


@pytest.fixture
def service() -> Iterator[LoadService]:
    with load_service() as running:
        yield running


def baseline(folder: Path, service: LoadService, endpoints: str, capacity: str = "{}", more: str = "") -> Path:
    file = folder / "baselines.yaml"
    address = f"base_url: http://127.0.0.1:{service.port}, ready: /quick{more}"
    file.write_text(
        f"version: 1\nservice: {{{address}}}\ncapacity: {capacity}\nendpoints:\n  {endpoints}\n", encoding="utf-8"
    )
    return file


def saved(folder: Path) -> dict[str, Any]:
    run: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return run


def test_a_service_that_fails_holds_less_than_the_smallest_load(service: LoadService, tmp_path: Path) -> None:
    baseline(tmp_path, service, FAILING, "{at_least: 50 users, think: 50ms}")
    done = perfcheck("capacity", "-o", "run.json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert (
        "CRITICAL The limits do not hold even for 1 user, the smallest load; needed: at least 50 users." in done.stdout
    )
    run = saved(tmp_path)
    assert (run["verdict"], run["exit_code"], run["endpoints"]) == ("CRITICAL", 1, [])
    capacity = run["capacity"]
    assert (capacity["ended"], capacity["interval"], capacity["at_least"]) == (
        "fails at the lower bound",
        [None, 1.0],
        50.0,
    )
    assert capacity["limits_ms"] == {"videos.list": 15000.0}
    (step,) = capacity["steps"]
    assert (step["load"], step["failed"]) == (1.0, 1.0)
    assert service.requests["/status/500"] >= step["requests"] > 0


def test_what_the_time_does_not_suffice_for_is_not_known(service: LoadService, tmp_path: Path) -> None:
    baseline(tmp_path, service, WORKING, "{mix: {videos.list: 2}}")
    done = perfcheck("capacity", "--max-time", "2s", "--model", "rate", "-o", "run.json", "--save", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "not measured Cannot tell in this time" in done.stdout
    assert "exit 3: the capacity is not known" in done.stdout
    assert "trying 1/s" in done.stderr
    capacity = saved(tmp_path)["capacity"]
    assert (capacity["model"], capacity["value"], capacity["seconds"]) == ("rate", None, 2.0)
    assert (capacity["within"], capacity["think_s"]) == ({"videos.list": 0.95}, None)
    assert " in .perfcheck/history.sqlite" in done.stderr
    (listed,) = json.loads(perfcheck("history", "list", "--json", cwd=tmp_path).stdout)["runs"]
    assert (listed["source"], listed["verdict"]) == ("load", "not measured")


def test_the_load_has_the_login_of_the_setup_and_no_secret_is_shown(service: LoadService, tmp_path: Path) -> None:
    more = ", headers: {Authorization: 'Bearer ${TOKEN}'}"
    baseline(tmp_path, service, FAILING, "{think: 50ms}", more)
    done = perfcheck("capacity", "-o", "run.json", cwd=tmp_path, env={"TOKEN": "hunter2-hunter2"})
    assert done.returncode == 0, done.stderr
    assert "WARNING The limits do not hold even for 1 user, the smallest load." in done.stdout
    heads = [head for head in service.heads if b"/status/500" in head]
    assert heads
    assert all(b"Authorization: Bearer hunter2-hunter2" in head for head in heads)
    assert "hunter2" not in done.stdout + done.stderr + (tmp_path / "run.json").read_text(encoding="utf-8")


def test_an_interruption_ends_the_load_and_keeps_what_is_known(service: LoadService, tmp_path: Path) -> None:
    baseline(tmp_path, service, WORKING, "{think: 20ms}")
    command = [PERFCHECK, "capacity", "-o", "run.json"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert eventually(lambda: service.requests["/quick"] > 100)
        family = [pid for pid in descendants(process.pid) if pid != process.pid]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in out
    assert not any(map(is_running, family))
    run = saved(tmp_path)
    assert (run["exit_code"], run["complete"], run["capacity"]["ended"]) == (130, False, "stopped")
    assert run["capacity"]["steps"]


def test_what_was_measured_is_shown_where_the_generator_fails(service: LoadService, tmp_path: Path) -> None:
    baseline(tmp_path, service, WORKING, "{think: 20ms}")
    command = [PERFCHECK, "capacity", "-o", "run.json"]
    pipes: dict[str, Any] = {"env": environment(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as process:
        assert eventually(lambda: service.requests["/quick"] > 10)
        for pid in descendants(process.pid):
            if pid != process.pid:
                os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert "1 user " in out
    assert "note run: the search was stopped before the capacity was known" in out
    run = saved(tmp_path)
    assert (run["verdict"], run["findings"][-1]["rule"]) == ("not measured", "runner")
    assert run["capacity"]["steps"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-time", "0s"), "a duration must be more than 0"),
        (("--at-least", "50 users"), "--at-least is beyond the 20 users of 'to', so it would never be tried"),
        (("--model", "rate"), "not used with the model rate: capacity.at_least and capacity.to"),
        (("--at-least", "9/s"), "not used with the model rate: capacity.to\n"),
    ],
)
def test_the_command_line_is_checked_as_the_baseline_is(
    tmp_path: Path, arguments: tuple[str, ...], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "baselines.yaml"
    capacity, address = "{at_least: 10 users, to: 20 users}", "http://192.0.2.1:1"  # which is refused in any case
    file.write_text(f"version: 1\nservice: {{base_url: '{address}'}}\ncapacity: {capacity}\nendpoints:\n  {WORKING}\n")
    assert run_command_line(["capacity", "-f", str(file), *arguments]) == 2
    assert message in capfd.readouterr().err


def test_another_machine_takes_a_promise(service: LoadService, tmp_path: Path) -> None:
    file = baseline(tmp_path, service, WORKING)
    done = perfcheck("capacity", "-f", str(file), "-u", "http://192.0.2.1:1")
    assert done.returncode == 2
    assert "a load test is about to be pointed at another machine, 192.0.2.1" in done.stderr
    assert "--i-own-this-host" in done.stderr
    moved = file.read_text(encoding="utf-8").replace("ready:", "connect_to: '192.0.2.1:80', ready:")
    file.write_text(moved, encoding="utf-8")
    assert "another machine, 192.0.2.1" in perfcheck("capacity", "-f", str(file)).stderr


@pytest.mark.parametrize(
    ("more", "endpoints", "message"),
    [
        (", http2: true", WORKING, "load is made over HTTP/1.1 alone, and service.http2 is set"),
        (
            "",
            "videos.save: {path: /, method: POST, repeatable: true, target: 1s}",
            "no endpoint of the baseline can be",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(
    service: LoadService, tmp_path: Path, more: str, endpoints: str, message: str
) -> None:
    file = baseline(tmp_path, service, endpoints, more=more)
    done = perfcheck("capacity", "-f", str(file))
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--at-least", "50"), "a load needs a unit: did you mean 50 users, or 50/s?"),
        (("--at-least", "50/s", "--model", "users"), "--at-least is not of --model users"),
        (("--workers", "0"), "--workers"),
        (("--demo", "-u", "http://localhost:1"), "name different services"),
        (("--against", "absent.json"), "absent.json"),
        (("--expect-workers", "2"), "--expect-workers needs the address at which they join"),
        (("--bind", "0.0.0.0"), "--bind needs --expect-workers"),
        (("--expect-workers", "2", "--bind", "192.0.2.1"), "workers cannot join at 192.0.2.1:5557: "),
        (("--expect-workers", "2", "--bind", "a:b"), "'a:b' is not a host, or a host and a port"),
        (("--expect-workers", "2", "--bind", "127.0.0.1:0", "--workers", "2"), "leave one of them out"),
        (("--expect-workers", "2", "--bind", "0.0.0.0:0"), "so they need a key: 16 characters or more"),
        (("--worker",), "--worker needs the address of its master"),
        (("--master", "127.0.0.1"), "--master needs --worker"),
        (("--worker", "--master", "127.0.0.1", "--max-time", "2s"), "--max-time is the master's"),
    ],
)
def test_a_wrong_option_costs_no_load(
    service: LoadService, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    baseline(tmp_path, service, WORKING)
    done = perfcheck("capacity", *arguments, cwd=tmp_path)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert not service.requests


def test_a_remote_worker_makes_the_load_of_a_search(service: LoadService, tmp_path: Path) -> None:
    baseline(tmp_path, service, FAILING, "{think: 50ms}")
    master = [PERFCHECK, "capacity", "--expect-workers", "1", "--bind", "127.0.0.1:0"]
    pipes: dict[str, Any] = {"env": environment(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(master, cwd=tmp_path, **pipes) as search:
        assert search.stderr
        (port,) = re.findall(r"waiting for 1 worker at 127\.0\.0\.1:(\d+), at most 5 min", search.stderr.readline())
        done = perfcheck("capacity", "--worker", "--master", f"127.0.0.1:{port}")
        out, err = search.communicate(timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert re.fullmatch(rf"waiting for the master at 127\.0\.0\.1:{port}, .*\njoined as worker 1 of 1\n", done.stderr)
    assert search.returncode == 0, err
    assert "The limits do not hold even for 1 user, the smallest load." in out
    assert service.requests["/status/500"] > 0


def test_an_earlier_run_has_to_have_a_capacity_of_the_same_kind(service: LoadService, tmp_path: Path) -> None:
    file = baseline(tmp_path, service, WORKING, "{think: 250ms}")
    earlier = tmp_path / "earlier.json"
    earlier.write_bytes(encode_run(capacity_run(found())))
    done = perfcheck("capacity", "-f", str(file), "--against", str(earlier), "--model", "rate")
    assert (done.returncode, "add --model users" in done.stderr) == (2, True), done.stderr
    history = ("--history", str(tmp_path / "history.sqlite"))
    fill(tmp_path / "history.sqlite", [capacity_run(found())])
    done = perfcheck("capacity", "-f", str(file), "--against", "v1.2.3", *history)
    assert done.returncode == 2, done.stderr
    assert "the earlier run cannot be compared: different mix, limits" in done.stderr
    assert not service.requests


def test_without_the_extra_one_line_says_how_to_get_it(
    service: LoadService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = baseline(tmp_path, service, WORKING)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(os, "environ", environment())
    assert run_command_line(["capacity", "-f", str(file)]) == 2
    assert "pip install 'perfcheck[load]'" in capfd.readouterr().err
    assert not service.requests
