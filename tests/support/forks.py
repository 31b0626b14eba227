"""Starts of perfcheck in milliseconds: a process that has imported it forks one more for each call.

An interpreter and its imports take longer than most commands take for their work, and the tests start a thousand of
them. What is forked has a process, streams, a folder, an environment and an end of its own, as the installed command
has. Only its pauses are shorter, which spread the requests of an endpoint over time and took the tests minutes. What
an interpreter reads only as it starts (``PYTHONPATH``, the locale) is for the installed command, and so is what one
command may import: tests of that start it.

``python forks.py FD MODULE...`` is the process that forks; FD is the socket on which it is called. With modules it
imports these, and not perfcheck: a program of somebody else has its imports in the forks alone.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

_LENGTH = struct.Struct("!I")
_STREAMS = 3
# For services, with frameworks of their own; and what patches the process that it is imported by.
_NOT_IMPORTED = ("perfcheck.monitor", "perfcheck.demo", "perfcheck.capacity.engine")
_PAUSES = {
    "perfcheck.sampling.pauses": ("_SHORT_PAUSE_S", "_PAUSE_S", "_GAP_S", "_FIRST_GAP_S", "_LATER_GAP_S"),
    "perfcheck.engine.first_look": ("_PAUSE_S",),
}
_SHORTER = 0.05  # than they are
_FLUSH_FAILED = 120  # what Python exits with when the last flush of its streams fails


def pauses_of_tests() -> Iterator[tuple[ModuleType, str, float]]:
    """The pauses of a run: the module and the name of each, and how long it is in tests, which do not look at it."""
    for module, names in _PAUSES.items():
        pausing = importlib.import_module(module)
        yield from ((pausing, name, _SHORTER * getattr(pausing, name)) for name in names)


class Forked:
    """A running command: the part of ``subprocess.Popen`` that tests use."""

    def __init__(self, reports: socket.socket) -> None:
        self._reports = reports
        self._returncode: int | None = None
        self.pid = self._number()

    def _number(self) -> int:
        return int(_LENGTH.unpack(_read(self._reports, _LENGTH.size))[0])

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, or the negative number of the signal that ended it."""
        if self._returncode is None:
            self._reports.settimeout(timeout)
            self._returncode = os.waitstatus_to_exitcode(self._number())
            self._reports.close()
        return self._returncode

    def send_signal(self, number: int) -> None:
        if self._returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        if self._returncode is None:
            os.kill(self.pid, signal.SIGKILL)


class Forks:
    """The process that forks, as its caller sees it."""

    def __init__(self, environment: Mapping[str, str], modules: Sequence[str] = ()) -> None:
        self._environment = dict(environment)
        self._calls, theirs = socket.socketpair()
        self._sending = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno()), *modules],
                env=self._environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def can_start(self, environment: Mapping[str, str]) -> bool:
        """Whether an interpreter that starts in this environment would be like the one that forks."""
        return _of_the_interpreter(environment) == _of_the_interpreter(self._environment)

    def start(
        self,
        argv: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        streams: Sequence[int],
        main: str,
    ) -> Forked:
        """``argv`` begins with the command's name; ``streams``: stdin, stdout and stderr, which stay the caller's.

        ``main`` is what it calls, as an entry point of a package: ``module:function``.
        """
        call = json.dumps({"argv": list(argv), "cwd": str(cwd), "env": dict(environment), "main": main}).encode()
        reports, theirs = socket.socketpair()
        with theirs, self._sending:
            socket.send_fds(self._calls, [_LENGTH.pack(len(call))], [*streams, theirs.fileno()])
            self._calls.sendall(call)
        return Forked(reports)

    def close(self) -> None:
        self._calls.close()
        self._process.wait()


def _of_the_interpreter(environment: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k.startswith(("PYTHON", "LC_", "LANG", "LD_", "MALLOC_"))}


def _read(stream: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        part = stream.recv(size - len(read))
        if not part:
            raise EOFError
        read += part
    return read


# --- In the process that forks -------------------------------------------------------------------------------------


def _serve(calls: socket.socket) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests; this process ends with its socket
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the processes that wait
    while True:
        length, fds, _, _ = socket.recv_fds(calls, _LENGTH.size, _STREAMS + 1)
        if not length:
            return
        call = json.loads(_read(calls, *_LENGTH.unpack(length)))
        if os.fork() == 0:
            calls.close()
            _report(call, fds[:_STREAMS], socket.socket(fileno=fds[_STREAMS]))
        for fd in fds:
            os.close(fd)


def _report(call: Mapping[str, Any], streams: Sequence[int], reports: socket.socket) -> NoReturn:
    """Start the command, and send its number and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        reports.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _be_the_command(call, streams)
    for fd in streams:
        os.close(fd)
    reports.sendall(_LENGTH.pack(pid))
    status = os.waitpid(pid, 0)[1]
    try:
        reports.sendall(_LENGTH.pack(status))
    finally:
        os._exit(0)


def _be_the_command(call: Mapping[str, Any], streams: Sequence[int]) -> NoReturn:
    """What ``bin/perfcheck`` does, and what Python does before and after it but for freeing every object."""
    for stream, fd in enumerate(streams):
        os.dup2(fd, stream)
        os.close(fd)
    os.chdir(call["cwd"])
    os.environ.clear()
    os.environ.update(call["env"])
    _open_streams()
    sys.argv = call["argv"]
    code = 1
    try:
        module, _, main = call["main"].partition(":")
        code = getattr(importlib.import_module(module), main)() or 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:  # noqa: BLE001 - as Python shows it
        sys.excepthook(*sys.exc_info())
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = _FLUSH_FAILED
    os._exit(code)


def _open_streams() -> None:
    """Anew, since whether they are terminals decides how they buffer."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, f"__{name}__")
        stream = open(  # noqa: SIM115 - as long as the process
            number,
            "w" if number else "r",
            buffering=1 if number == _STREAMS - 1 or os.isatty(number) else -1,
            encoding=old.encoding,
            errors=old.errors,
            closefd=False,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _modules_of_the_package() -> list[str]:
    package = importlib.import_module("perfcheck")
    names = [each.name for each in pkgutil.walk_packages(package.__path__, "perfcheck.", onerror=lambda _: None)]
    return [name for name in names if not name.startswith(_NOT_IMPORTED)]


def _import(modules: Sequence[str]) -> None:
    for each in modules:
        importlib.import_module(each)
    for module, name, pause_s in pauses_of_tests():
        setattr(module, name, pause_s)
    if "coverage" in sys.modules:  # so that not every fork writes the lines of the imports again
        current = sys.modules["coverage"].Coverage.current()
        if current:
            current.save()
    gc.collect()
    gc.freeze()  # so that the forks share these objects


if __name__ == "__main__":
    _import(sys.argv[2:] or _modules_of_the_package())
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        _serve(listening)
