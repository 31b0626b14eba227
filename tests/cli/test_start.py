"""``--start``: the command starts the service that it measures, and leaves nothing of it, however it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from support.command import PERFCHECK, environment, perfcheck
from support.processes import FAMILY, FAMILY_SIZE, is_running, written_pids
from support.waiting import eventually

from perfcheck.service_process import ServiceProcess, accepts_connections

APP = """
import os, signal, time
from flask import Flask

app = Flask(__name__)
with open("pids", "a") as file:
    print(os.getpid(), file=file)


@app.get("/v2/fast")
def fast():
    return {"fast": True}


@app.get("/v2/slow")
def slow():
    with open("requested", "a") as file:
        print(file=file)
    time.sleep(0.1)
    return {"slow": True}


@app.get("/v2/dies")
def dies():
    os.kill(os.getpid(), signal.SIGKILL)
"""
BIN = str(Path(sys.executable).parent)
FLASK = f"'{BIN}/flask' run"
GUNICORN = f"'{BIN}/gunicorn' --no-control-socket -w 2 app:app"
FAST = "  fast: {path: /fast, target: 5s}\n"
SLOW = "  slow: {path: /slow, target: 5s, metric: p95}\n"
# It accepts connections and answers, once it has started others that have to end with it.
WITH_FAMILY = f"({FAMILY}) & {FLASK}"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The folder of an application, with a baseline for it that names another port."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.py").write_text(APP, encoding="utf-8")
    baseline(folder, FAST)
    return folder


def baseline(folder: Path, endpoints: str, *, service: str = "", base_url: str = "http://localhost:5001/v2") -> None:
    text = f"version: 1\nservice:\n  base_url: {base_url}\n{service}endpoints:\n{endpoints}"
    (folder / "baselines.yaml").write_text(text, encoding="utf-8")


def checked_url(folder: Path) -> httpx.URL:
    """The address in the run file."""
    return httpx.URL(json.loads((folder / "run.json").read_text(encoding="utf-8"))["service"]["base_url"])


# --- It is started, measured and ended -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [FLASK, GUNICORN, f"{GUNICORN} --bind 127.0.0.1:{{port}}", f"true && {FLASK}"],
    ids=["flask", "workers", "port", "list"],
)
def test_the_service_runs_on_a_free_port_while_it_is_measured(shop: Path, command: str) -> None:
    done = perfcheck("run", "--start", command, "-o", "run.json", cwd=shop)
    assert done.returncode == 0, done.stdout + done.stderr
    url = checked_url(shop)
    assert (url.host, url.path) == ("localhost", "/v2")
    assert url.port not in {None, 5001}
    assert not accepts_connections((url.host, url.port or 0))
    assert not any(map(is_running, written_pids(shop, 1)))


def test_the_command_of_the_baseline_is_run_in_its_folder_and_only_on_request(shop: Path) -> None:
    (shop / ".git").mkdir()
    baseline(shop, FAST, service=f'  start: "PORT=${{PORT}} {FLASK}"\n  ready_timeout: 20s\n')
    (shop / "below").mkdir()
    done = perfcheck("run", "--start", cwd=shop / "below")
    assert done.returncode == 0, done.stderr
    baseline(shop, FAST, service=f'  start: "{FLASK}"\n  ready_timeout: 200ms\n', base_url=closed_url())
    assert perfcheck("run", cwd=shop).returncode == 3
    written_pids(shop, 1)
    assert len((shop / "pids").read_text(encoding="ascii").split()) == 1


def test_the_base_url_of_the_baseline_may_be_unknown_or_of_another_machine(shop: Path) -> None:
    for base_url, path in {"${NOT_SET}": "/v2/fast", "https://shop.example/v2": "/fast"}.items():
        baseline(shop, f"  fast: {{path: {path}, target: 5s}}\n", base_url=f"'{base_url}'")
        done = perfcheck("run", "--start", FLASK, "-o", "run.json", cwd=shop)
        assert done.returncode == 0, done.stderr
        assert (checked_url(shop).scheme, checked_url(shop).host) == ("http", "127.0.0.1")


def test_an_address_that_is_given_is_where_the_command_listens(shop: Path) -> None:
    with ServiceProcess() as reserved:
        url = f"http://127.0.0.1:{reserved.port}"
    options = "--start", f"{FLASK} --port {reserved.port}", "-o", "run.json"
    for arguments in (("-u", f"{url}/v2"), (f"{url}/v2/fast",)):
        done = perfcheck("run", *arguments, *options, cwd=shop)
        assert done.returncode == 0, done.stderr
        assert checked_url(shop).port == reserved.port


def test_a_service_that_listens_there_already_is_not_measured_in_its_place(shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = perfcheck("run", "-u", url, "--start", "touch started", cwd=shop)
    assert done.returncode == 2
    assert f"something already listens at {url}" in done.stderr
    assert not (shop / "started").exists()


def test_a_unix_socket_of_the_baseline_is_where_the_command_listens(shop: Path) -> None:
    baseline(shop, FAST, service=f'  unix_socket: http.sock\n  start: "{GUNICORN} --bind unix:http.sock"\n')
    done = perfcheck("run", "--start", cwd=shop)
    assert done.returncode == 0, done.stdout + done.stderr
    with socket.socket(socket.AF_UNIX) as listener:
        (shop / "http.sock").unlink(missing_ok=True)
        listener.bind(str(shop / "http.sock"))
        listener.listen()
        assert "something already listens at " in perfcheck("run", "--start", cwd=shop).stderr


def test_with_verbose_the_output_is_kept(shop: Path, tmp_path: Path) -> None:
    done = perfcheck("run", "-v", "--start", FLASK, cwd=shop, env={"TMPDIR": str(tmp_path)})
    (file,) = tmp_path.glob("perfcheck-*.log")
    assert done.stderr.splitlines()[0] == f"output of the service: {file}"
    assert '"GET /v2/fast HTTP/1.1" 200' in file.read_text(encoding="utf-8")


def test_the_rerun_of_an_endpoint_starts_the_service_too(shop: Path) -> None:
    baseline(shop, "  fast: {path: /fast, target: 1us, ideal: 1us}\n", service=f'  start: "{FLASK}"\n')
    rerun = re.search(r"rerun +(perfcheck .*)", perfcheck("run", "--start", cwd=shop).stdout)
    assert rerun
    assert rerun[1] == "perfcheck run --start= fast"
    done = perfcheck(*rerun[1].split()[1:], cwd=shop)
    assert done.returncode == 1
    assert "CRITICAL" in done.stdout
    typed = perfcheck("run", "--start", FLASK, cwd=shop).stdout
    assert "rerun     perfcheck run --start " in typed


def test_the_monitor_of_a_service_that_is_started(shop: Path) -> None:
    monitored = "from perfcheck.monitor import flask as monitor\nmonitor.init_app(app)\n"
    (shop / "app.py").write_text(f"{APP}\n{monitored}", encoding="utf-8")
    baseline(shop, FAST, base_url="http://localhost:5001")
    done = perfcheck("health", "--start", FLASK, cwd=shop)
    assert "the monitor responds" in done.stdout + done.stderr, done.stderr
    (shop / "baselines.yaml").unlink()
    done = perfcheck("health", "--start", "exit 7", cwd=shop)
    assert done.returncode == 3
    assert "exit code 7" in done.stderr


# --- It does not start ---------------------------------------------------------------------------------------------


def test_a_command_that_ends_is_reported_with_its_last_lines(shop: Path) -> None:
    done = perfcheck(
        "run", "-o", "run.json", "--start", "for i in $(seq 1000); do echo line $i; done; exit 3", cwd=shop
    )
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    first = lines.index("its last output:")
    assert lines[first - 1].startswith("error: the command that starts the service ended with exit code 3: for i in ")
    assert lines[first + 1 :] == [*(f"  line {i}" for i in range(901, 1001)), "help: see its output"]
    assert json.loads((shop / "run.json").read_text(encoding="utf-8"))["exit_code"] == 3


def test_a_command_that_listens_elsewhere_is_reported_with_its_port(shop: Path) -> None:
    baseline(shop, FAST, service="  ready_timeout: 5s\n")
    done = perfcheck("run", "--start", "echo listening on 8000; echo $$ >> pids; exec sleep 1000", cwd=shop)
    assert done.returncode == 3
    port = re.search(r"error: http://localhost:(\d+)/v2/fast is not ready after ", done.stderr)
    assert port
    assert "its last output:\n  listening on 8000\n" in done.stderr
    assert (
        f"help: the command has to listen on $PORT, here {port[1]}, which also replaces {{port}} in it" in done.stderr
    )
    assert "; -u gives the address of a command that always listens on the same port\n" in done.stderr
    assert not any(map(is_running, written_pids(shop, 1)))


def test_secrets_are_in_neither_the_output_nor_the_message(shop: Path) -> None:
    baseline(shop, FAST, service="  headers: {Authorization: '${TOKEN}'}\n")
    env = {"TOKEN": "s3cret-t0ken"}
    done = perfcheck("run", "-o", "run.json", "--start", "echo $TOKEN; exit 1 # s3cret-t0ken", cwd=shop, env=env)
    assert "  ***\n" in done.stderr
    assert "exit 1 # ***" in done.stderr
    assert env["TOKEN"] not in done.stdout + done.stderr + (shop / "run.json").read_text(encoding="utf-8")


def test_a_service_that_dies_while_it_is_measured_is_reported(shop: Path) -> None:
    baseline(shop, f"{FAST}  dies: {{path: /dies, target: 5s}}\n")
    done = perfcheck("run", "--start", f"exec {FLASK}", cwd=shop)
    assert done.returncode == 1
    shown = " ".join(done.stdout.split())
    assert "during the measurement the command that starts the service ended with exit code 137 (SIGKILL)" in shown


@pytest.mark.parametrize(
    ("arguments", "message", "remedy"),
    [
        (["run", "--start"], "--start has no command, and the baseline has no service.start", "--start 'flask run'"),
        (["run", "--start", "fast"], "'fast' is an endpoint, and --start takes the word after it", "--start= fast"),
        (["run", "--demo", "--start", "true"], "--demo and --start name two services", "leave one of them out"),
        (["run", "--start", "true", "--skip-unreachable"], "--skip-unreachable is for a service that may be down", ""),
        (["run", "--start", "true", "-u", "localhost"], "--base-url: the URL has no scheme", "http://localhost"),
        (["health", "--start"], "--start has no command", ""),
    ],
)
def test_2_for_what_contradicts_itself(shop: Path, arguments: list[str], message: str, remedy: str) -> None:
    done = perfcheck(*arguments, cwd=shop)
    assert done.returncode == 2
    assert message in done.stderr
    assert remedy in done.stderr


def test_options_from_the_environment(shop: Path) -> None:
    env = {"PERFCHECK_START": FLASK}
    assert perfcheck("run", cwd=shop, env=env).returncode == 0
    assert perfcheck("run", "--demo", "settings.get", cwd=shop, env=env).returncode == 0
    assert len(written_pids(shop, 1)) == 1


# --- It is interrupted ---------------------------------------------------------------------------------------------


@contextmanager
def running(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [PERFCHECK, "run", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def children_left(folder: Path, count: int) -> bool:
    return any(map(is_running, written_pids(folder, count)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interruption_while_it_starts_leaves_nothing(shop: Path, number: signal.Signals) -> None:
    with running(shop, "--start", FAMILY) as process:
        written_pids(shop, FAMILY_SIZE)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    if number is signal.SIGKILL:
        eventually(lambda: not children_left(shop, FAMILY_SIZE))
    else:
        assert process.returncode == 130
        assert not children_left(shop, FAMILY_SIZE)
    assert "Traceback" not in out + err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interruption_while_it_is_measured_leaves_nothing(shop: Path, number: signal.Signals) -> None:
    baseline(shop, SLOW)
    with running(shop, "--start", WITH_FAMILY, "-o", "run.json") as process:
        eventually(lambda: (shop / "requested").exists() and (shop / "requested").stat().st_size > 10)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    count = FAMILY_SIZE + 1
    assert "Traceback" not in out + err
    if number is signal.SIGKILL:
        eventually(lambda: not children_left(shop, count))
    else:
        assert process.returncode == 130
        assert not children_left(shop, count)
        assert "interrupted: these are the measurements up to then" in out
        assert not accepts_connections(("localhost", checked_url(shop).port or 0))


def closed_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/v2"
