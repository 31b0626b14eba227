"""A command in the background: what it gets, what is known of it, and that nothing of it stays, however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from support.processes import FAMILY, FAMILY_SIZE, is_running, written_pids
from support.waiting import eventually

from perfcheck import supervisor
from perfcheck.errors import CouldNotMeasureError
from perfcheck.service_process import ServiceProcess, ShellCommand, accepts_connections
from perfcheck.text import Redactor

# It writes this when it gets SIGTERM, and goes on.
STUBBORN = "trap 'echo terminated >> terminated' TERM; echo $$ >> pids; while :; do sleep 0.05; done"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ended(process: ServiceProcess) -> CouldNotMeasureError:
    return eventually(process.ended)


# --- What the command gets -----------------------------------------------------------------------------------------


def test_it_gets_its_port_and_no_option_of_perfcheck(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PERFCHECK_BASE_URL", "http://example.com")
    monkeypatch.setenv("PERFCHECK_MONITOR_TOKEN", "for-the-monitor")
    monkeypatch.setenv("GIT_DIR", "/of/a/hook")
    (tmp_path / "below").mkdir()
    line = "port=1; echo $PORT {port} $FLASK_RUN_PORT $UVICORN_PORT ${port}; echo $PWD; echo $SIDE; cat; "
    line += "env | grep -E '^(PERFCHECK|GIT_DIR)'"
    with ServiceProcess() as process:
        process.start(line, cwd=tmp_path / "below", env={"SIDE": "before"})
        ended(process)
        ports, folder, side, *variables = process.output()
    assert ports.split() == [*[str(process.port)] * 4, "1"]
    assert (folder, side) == (str(tmp_path / "below"), "before")
    assert variables == ["PERFCHECK_MONITOR_TOKEN=for-the-monitor"]


def test_its_port_is_kept_from_others_until_it_starts() -> None:
    with ServiceProcess() as one, ServiceProcess() as other, socket.socket() as taken:
        assert one.port != other.port
        with pytest.raises(OSError, match="in use"):
            taken.bind(("127.0.0.1", one.port))
        one.start("exec python3 -m http.server --bind 127.0.0.1 {port}")
        eventually(lambda: accepts_connections(("127.0.0.1", one.port)))
    assert not accepts_connections(("127.0.0.1", one.port))
    with ServiceProcess(5001) as given:
        assert given.port == 5001


def test_a_unix_socket_accepts_connections_while_something_listens(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    assert not accepts_connections(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        assert accepts_connections(path)
    assert not accepts_connections(path)


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with ServiceProcess() as process, pytest.raises(CouldNotMeasureError, match="could not be started: No such file"):
        process.start("true", cwd=tmp_path / "absent")


# --- What is known of it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code", "remedy"),
    [
        ("exit 3", "3", "see its output"),
        ("kill -9 $$", "137 (SIGKILL)", "see its output"),
        ("no-such-program", "127", "a program in it was not found"),
        ("true", "0", "it has to stay in the foreground"),
        ("echo OSError: Address already in use; exit 1", "1", "the command has to listen on $PORT, here "),
    ],
)
def test_a_command_that_ended_is_reported_with_a_remedy(command: str, code: str, remedy: str) -> None:
    with ServiceProcess() as process:
        assert process.ended() is None
        process.start(command)
        error = ended(process)
    assert error.message == f"the command that starts the service ended with exit code {code}: {command}"
    assert error.exit_code == 3
    assert remedy in (error.remedy or "")


def test_its_last_lines_are_shown_clean_and_without_secrets() -> None:
    line = r"""for i in $(seq 1000); do echo "line $i"; done; printf '  in\033[31mdented\n\n\377 s3cret\n'"""
    with ServiceProcess() as process:
        process.redact = Redactor(["s3cret"])
        process.start(f"{line}; exit 1")
        output = ended(process).output
    assert len(output) == 100
    assert output[:2] == ("line 903", "line 904")
    assert output[-2:] == ("  in[31mdented", "\N{REPLACEMENT CHARACTER} ***")


def test_the_output_of_python_is_there_while_it_runs() -> None:
    with ServiceProcess() as process:
        process.start(f"""{sys.executable} -c 'import time; print("started"); time.sleep(1000)'""")
        assert eventually(process.output) == ("started",)


def test_output_is_kept_only_where_that_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for keep_output in (False, True):
        with ServiceProcess(keep_output=keep_output) as process:
            process.start("echo hello; exit 1")
            ended(process)
    assert process.log
    assert Path(process.log).read_text(encoding="utf-8") == "hello\n"
    assert [str(file) for file in tmp_path.iterdir()] == [process.log]


# --- How it ends ---------------------------------------------------------------------------------------------------


def test_everything_that_it_started_ends_with_it(tmp_path: Path) -> None:
    with ServiceProcess() as process:
        process.start(FAMILY)
        pids = written_pids(tmp_path, FAMILY_SIZE)
        assert all(map(is_running, pids))
    assert not any(map(is_running, pids))
    process.stop()  # once more


def test_what_goes_on_in_the_background_ends_when_the_command_does(tmp_path: Path) -> None:
    with ServiceProcess() as process:
        process.start("setsid sh -c 'echo $$ >> pids; sleep 1000; echo' & while ! [ -e pids ]; do sleep 0.01; done")
        ended(process)
        assert not any(map(is_running, written_pids(tmp_path, 1)))


def test_a_command_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    with ShellCommand(grace_s=0.2) as process:
        process.start(STUBBORN)
        pids = written_pids(tmp_path, 1)
    assert (tmp_path / "terminated").exists()
    assert not any(map(is_running, pids))


def test_an_interruption_ends_the_grace(tmp_path: Path) -> None:
    def interrupt() -> None:
        eventually((tmp_path / "terminated").exists)
        os.kill(os.getpid(), signal.SIGINT)

    with ShellCommand(grace_s=1000.0) as process:
        process.start(STUBBORN)
        pids = written_pids(tmp_path, 1)
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            process.stop()
        thread.join()
        assert not any(map(is_running, pids))


def test_it_follows_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from perfcheck.service_process import ServiceProcess\n"
        "process = ServiceProcess()\n"
        "process.start(sys.argv[1])\n"
        "time.sleep(1000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, FAMILY], cwd=tmp_path) as parent:
        pids = written_pids(tmp_path, FAMILY_SIZE)
        parent.kill()
    eventually(lambda: not any(map(is_running, pids)))


# --- On other systems, or for another user -------------------------------------------------------------------------


def supervised(command: str, change: str, cwd: Path) -> subprocess.Popen[bytes]:
    """The supervisor alone, with a change to its module ``s``."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(supervisor.__file__).parent)!r})\n"
        f"import supervisor as s\n{change}\n"
        "sys.exit(s._Supervisor(sys.argv[1], 0.2).run())\n"
    )
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code, command], cwd=cwd, stdin=pipe, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("missing", ["", "del s.os.waitid"], ids=["waitid", "no-waitid"])
@pytest.mark.parametrize("command", ["sleep 1000 & echo $! >> pids; echo $$ >> pids; wait", f"{STUBBORN} & {STUBBORN}"])
def test_without_adoption_the_process_group_ends(tmp_path: Path, missing: str, command: str) -> None:
    with supervised(command, f"s._adopt_orphans = lambda: False; {missing}", tmp_path) as process:
        pids = written_pids(tmp_path, 2)
        assert process.stdin
        process.stdin.close()
        assert process.wait(20) == 0
    eventually(lambda: not any(map(is_running, pids)))


def test_processes_that_may_not_be_signalled_are_given_up(tmp_path: Path) -> None:
    """Such as those of ``sudo``."""
    refusing = "def refuse(*_): raise PermissionError\ns.os.kill = s.os.killpg = refuse; s._GIVE_UP_S = 0.2"
    with supervised("echo $$ >> pids; exec sleep 1000", refusing, tmp_path) as process:
        (pid,) = written_pids(tmp_path, 1)
        assert process.stdin
        process.stdin.close()
        assert process.wait(20) == 0
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("missing", ["", "del s.os.waitid"], ids=["waitid", "no-waitid"])
@pytest.mark.parametrize(("command", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("no-such-program", 127)])
def test_its_exit_code_is_that_of_the_command(tmp_path: Path, missing: str, command: str, code: int) -> None:
    with supervised(command, f"s._adopt_orphans = lambda: not {missing!r}; {missing}", tmp_path) as process:
        assert process.wait(20) == code
