"""A command that serves HTTP, started on a port of this machine; however perfcheck ends, all that it started ends."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO, Self

from perfcheck.errors import CouldNotMeasureError
from perfcheck.git import HOOK_VARIABLES
from perfcheck.text import Redactor, without_credentials

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_GRACE_S = 10.0
_LOOPBACK = "127.0.0.1"
_PORTS = range(20_000, 30_000)  # below those that systems give to outgoing connections, which might take a free one
_PORT_VARIABLES = ("PORT", "FLASK_RUN_PORT", "UVICORN_PORT")
_PORT_PLACE = re.compile(r"(?<!\$)\{port\}")  # ${port} is a variable of the shell
_OPTIONS = "PERFCHECK_"  # variables that set options of this process, not of the command
_PASSED_ON = ("PERFCHECK_MONITOR_", "PERFCHECK_DEBUG")
_CONNECT_TIMEOUT_S = 1.0
_LAST_LINES = 100  # enough for the reason before the tracebacks of a server that gives up
_LAST_BYTES = 64 * 1024
_LONGEST_LINE = 300
_DEEPEST_INDENT = 40
_SIGNALLED = 128  # added to the number of the signal that ended a command
_NOT_FOUND = 127
_IN_USE = re.compile(r"\b(in use|EADDRINUSE)\b", re.IGNORECASE)


class ShellCommand:
    """A command that runs in the background, run by the shell. A context manager that ends it.

    It is in a session of its own, which Ctrl-C in a terminal does not reach.
    """

    def __init__(self, *, keep_output: bool = False, grace_s: float = _GRACE_S, pass_fds: Collection[int] = ()) -> None:
        """``keep_output``: in the file ``log``, which stays; otherwise in one without a name, which cannot.

        ``grace_s``: between SIGTERM and SIGKILL. ``pass_fds``: file descriptors that the command gets.
        """
        self.command = ""
        self._grace_s = grace_s
        self._pass_fds = pass_fds
        self.redact = Redactor()  # of what is shown of the command and its output
        self._log = _log_file(keep=keep_output)
        self.log: str | None = self._log.name if keep_output else None
        self._supervisor: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, command: str, *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        """Run ``command``, with ``env`` added to the environment.

        Returns at once; may be called once. Raises CouldNotMeasureError where the system starts no process.
        """
        self.command = command
        try:
            self._supervisor = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-I", "-S", str(_SUPERVISOR), str(self._grace_s), command],
                cwd=cwd,
                env={**_environment(), **(env or {})},
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
                pass_fds=self._pass_fds,
            )
        except OSError as error:
            message = f"the command could not be started: {error.strerror or error}: {self._shown(command)}"
            raise CouldNotMeasureError(message) from error

    def exit_code(self) -> int | None:
        """Of the command once it has ended, and with it all that it started; None as long as it runs."""
        return self._supervisor.poll() if self._supervisor else None

    def wait(self) -> int:
        """Until the command has ended; its exit code."""
        return self._supervisor.wait() if self._supervisor else 0

    def output(self) -> tuple[str, ...]:
        """The last lines that the command wrote, without control characters."""
        size = os.fstat(self._log.fileno()).st_size
        written = os.pread(self._log.fileno(), _LAST_BYTES, max(size - _LAST_BYTES, 0)).decode(errors="replace")
        lines = [line for line in written.splitlines() if line.strip()]
        return tuple(self._shown_line(line) for line in lines[-_LAST_LINES:])

    def stop(self) -> None:
        """End the command and all that it started, and wait for that. May be called again."""
        try:
            if self._supervisor:
                _stop(self._supervisor)
        finally:
            self._log.close()

    def _shown(self, command: str) -> str:
        return self.redact.clean(without_credentials(command))

    def _shown_line(self, line: str) -> str:
        """With its indentation, so that a traceback stays readable."""
        expanded = line.expandtabs()
        indent = len(expanded) - len(expanded.lstrip())
        return " " * min(indent, _DEEPEST_INDENT) + self.redact.clean(line, _LONGEST_LINE)


class ServiceProcess(ShellCommand):
    """A port, reserved until ``start`` runs a command that is to listen there."""

    def __init__(self, port: int | None = None, *, keep_output: bool = False) -> None:
        """On any free port; ``port`` is that of a command that cannot be given one."""
        super().__init__(keep_output=keep_output)
        self.alternative = ""  # to listening on the port, for messages
        self._reserved = None if port else _reserve_port()
        self.port: int = self._reserved.getsockname()[1] if self._reserved else port or 0

    def start(self, command: str, *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        """The same, with the port in the environment, and in place of ``{port}`` in the command."""
        if self._reserved:
            self._reserved.close()
        on_port = dict.fromkeys(_PORT_VARIABLES, str(self.port))
        super().start(_PORT_PLACE.sub(str(self.port), command), cwd=cwd, env={**on_port, **(env or {})})
        self.command = command

    def ended(self) -> CouldNotMeasureError | None:
        """What is reported when the command has ended, with its last output; None as long as it runs."""
        code = self.exit_code()
        if code is None:
            return None
        output = self.output()
        if code == _NOT_FOUND:
            remedy = "a program in it was not found: correct its name, or activate the environment that has it"
        elif code == 0:
            remedy = "it has to stay in the foreground: leave out '&', '-d' or '--daemon'"
        elif any(_IN_USE.search(line) for line in output):
            remedy = f"{self._must_listen}{self.alternative}"
        else:
            remedy = "see its output"
        message = f"the command that starts the service ended with exit code {_shown_code(code)}"
        return CouldNotMeasureError(f"{message}: {self._shown(self.command)}", remedy, output=output)

    @property
    def url(self) -> str:
        return f"http://{_LOOPBACK}:{self.port}"

    @property
    def unreachable(self) -> str:
        """The remedy where nothing answers on the port."""
        return f"{self._must_listen}; raise service.ready_timeout if it needs more time{self.alternative}"

    @property
    def _must_listen(self) -> str:
        return f"the command has to listen on $PORT, here {self.port}, which also replaces {{port}} in it"

    def stop(self) -> None:
        if self._reserved:
            self._reserved.close()
        super().stop()


def _log_file(*, keep: bool) -> IO[bytes]:
    return NamedTemporaryFile(prefix="perfcheck-", suffix=".log", delete=False) if keep else TemporaryFile()


def accepts_connections(address: tuple[str, int] | str) -> bool:
    """Whether something listens there; a text is the path of a Unix socket."""
    try:
        if isinstance(address, str):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_CONNECT_TIMEOUT_S)
                connection.connect(address)
        else:
            socket.create_connection(address, _CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _reserve_port() -> socket.socket:
    """A socket that keeps a port of loopback from others."""
    for port in random.sample(_PORTS, len(_PORTS)):
        reserved = socket.socket()
        try:
            reserved.bind((_LOOPBACK, port))
        except OSError:
            reserved.close()
        else:
            return reserved
    remedy = f"free one of the ports {_PORTS[0]} to {_PORTS[-1]} of {_LOOPBACK}"
    raise CouldNotMeasureError("the system has no free port for the service", remedy)


def _environment() -> dict[str, str]:
    """As here, but for what is meant for perfcheck; Python writes at once, so that its last lines are not missing."""
    passed_on = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_PASSED_ON) or not (name.startswith(_OPTIONS) or name in HOOK_VARIABLES)
    }
    return {"PYTHONUNBUFFERED": "1", **passed_on}


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        if process.stdin:
            process.stdin.close()  # by which the supervisor ends everything
        process.wait()
    except BaseException:  # an impatient Ctrl-C
        process.terminate()
        process.wait()
        raise


def _shown_code(code: int) -> str:
    with suppress(ValueError):
        return f"{code} ({signal.Signals(code - _SIGNALLED).name})"
    return str(code)
