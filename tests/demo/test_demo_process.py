"""The command and the process around it: how they start, how they end, and that nothing stays behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from perfcheck.cli.app import cli
from perfcheck.cli.demo import run_demo
from perfcheck.demo import Regression
from perfcheck.demo.demo_process import running_demo, start_demo
from perfcheck.errors import CouldNotMeasureError, UsageError

PATIENCE_S = 20.0


def get(url: str, path: str) -> httpx.Response:
    return httpx.get(url + path, trust_env=False, timeout=PATIENCE_S)


def listens(url: str) -> bool:
    address = httpx.URL(url)
    try:
        socket.create_connection((address.host, address.port or 0), timeout=1).close()
    except OSError:
        return False
    return True


def within_time(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def demo_command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a user runs it."""
    line = [sys.executable, "-m", "perfcheck", "demo", "--port", "0", *arguments]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


# --- As a child ----------------------------------------------------------------------------------------------------


def test_the_service_runs_as_long_as_the_block() -> None:
    with running_demo() as url:
        assert get(url, "/api/health").json()["status"] == "ok"
        assert get(url, "/api/videos/").headers["X-Query-Count"] == "5"
    assert not listens(url)


def test_regressions_and_options_reach_the_child() -> None:
    with running_demo(["n-plus-one", "large-body"], options=["--round-trip", "0ms"]) as url:
        assert get(url, "/api/videos/").headers["X-Query-Count"] == "152"
        assert len(get(url, "/api/artists/").content) > 1_000_000


def test_token_lifetime_and_rate_limit_reach_the_child() -> None:
    with running_demo(options=["--token-lifetime", "2m", "--rate-limit", "1"]) as url:
        granted = httpx.post(f"{url}/api/login", json={"user": "demo", "password": "demo"}, trust_env=False).json()
        assert granted["expires_in"] == 120
        assert {get(url, "/api/limited").status_code for _ in range(30)} == {200, 429}


def test_the_same_seed_serves_the_same_in_every_process() -> None:
    with running_demo() as one, running_demo() as same, running_demo(options=["--seed", "2"]) as other:
        path = "/api/videos/?sort=artist_name&limit=200"
        assert get(one, path).json() == get(same, path).json() != get(other, path).json()


def test_a_child_that_does_not_come_up_is_reported_with_its_own_words() -> None:
    with pytest.raises(CouldNotMeasureError) as caught, running_demo(options=["--sesame"]):
        pass
    assert "ended with exit code 2" in caught.value.message
    assert any("--sesame" in line for line in caught.value.output)
    assert caught.value.remedy


def test_a_child_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfcheck.demo.demo_process._START_TIMEOUT_S", 0.0)
    with pytest.raises(CouldNotMeasureError, match="did not start"), running_demo():
        pass


def test_an_interpreter_that_is_gone_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(CouldNotMeasureError, match="No such file"):
        start_demo()


def test_neither_variables_nor_files_of_the_caller_disturb_the_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PERFCHECK_REGRESS", "nonsense")
    monkeypatch.setenv("PERFCHECK_VERBOSE", "1")
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with running_demo() as url:
        assert get(url, "/api/health").status_code == 200


# --- As a command --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_ends_cleanly(ending: signal.Signals) -> None:
    with demo_command("--regress", "errors", "-v") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split()[4]
        assert line == f"Sample service listening on {url} (Ctrl-C stops it)\n"
        with httpx.Client(base_url=url, trust_env=False) as client:  # its connection is still open at the end
            assert client.get("/api/health").status_code == 200
            process.send_signal(ending)
            rest, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert rest == ""
    injected, hint, logged = told.splitlines()
    assert injected == f"Injected: errors ({Regression.ERRORS.description})"
    assert hint == f"Check it in another terminal: perfcheck run --base-url {url}"
    assert logged.startswith("GET /api/health HTTP/1.1 -> 200")


def test_without_verbose_it_says_nothing_about_requests() -> None:
    with demo_command() as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[4]
        assert get(url, "/api/health").status_code == 200
        process.terminate()
        _, told = process.communicate(timeout=PATIENCE_S)
    assert told.count("\n") == 1


def test_a_port_in_use_is_reported_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            run_demo("127.0.0.1", port)
        with demo_command("--port", str(port)) as process:
            rest, told = process.communicate(timeout=PATIENCE_S)
    assert caught.value.message == f"Port {port} on 127.0.0.1 is in use by another program."
    assert "--port 0" in (caught.value.remedy or "")
    assert process.returncode == 2
    assert rest == ""
    assert caught.value.message in told
    assert "Traceback" not in told


@pytest.mark.parametrize("host", ["192.0.2.1", "a" * 300])
def test_an_address_of_another_machine_is_reported(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        run_demo(host, 0)
    assert caught.value.message.startswith("Cannot listen on ")
    assert "--host 127.0.0.1" in (caught.value.remedy or "")


def test_a_signal_handler_of_the_caller_is_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(UsageError):
        run_demo("192.0.2.1", 0)
    assert signal.getsignal(signal.SIGTERM) is before


def test_help_shows_every_regression_with_its_description() -> None:
    shown = " ".join(CliRunner().invoke(cli, ["demo", "--help"]).output.split())  # however it is laid out
    for regression in Regression:
        assert f"{regression} " in shown
        assert regression.description in shown
    assert "perfcheck demo --regress n-plus-one" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--regress", "faster"], "n-plus-one"),
        (["--port", "70000"], "65535"),
        (["--round-trip", "4"], "did you mean 4ms?"),
        (["--seed", "apple"], "integer"),
    ],
)
def test_wrong_options_are_refused(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(cli, ["demo", *arguments])
    assert result.exit_code == 2
    assert words in result.output
