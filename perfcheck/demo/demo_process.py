"""The sample service in a process of its own, which never outlives this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Self

from perfcheck.errors import CouldNotMeasureError
from perfcheck.text import clean

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 5.0
_OPTIONS = "PERFCHECK_"  # variables that set options of this process, not of the child
_PASSED_ON = "PERFCHECK_DEBUG"
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]


class DemoProcess:
    """A sample service that is starting or running. Stop it, or use it as a context manager."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._url: str | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    def base_url(self) -> str:
        """Wait until the service listens. Raises CouldNotMeasureError when it does not come up."""
        if self._url is None:
            self._url = self._read_url()
        return self._url

    def stop(self) -> int:
        """Terminate it, kill it after a timeout; its exit code. May be called again."""
        if self._process.returncode is None:
            self._process.terminate()
            try:
                self._process.communicate(timeout=_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()
        return self._process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read_url(self) -> str:
        too_late = Timer(_START_TIMEOUT_S, self._process.kill)  # which ends the wait for a line on every system
        too_late.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else ""
        finally:
            too_late.cancel()
        for word in line.split():
            if word.startswith("http://"):
                return word
        self._process.kill()
        _, errors = self._process.communicate()
        reason = clean(errors) or f"it ended with exit code {self._process.returncode} and no message"
        raise CouldNotMeasureError(f"The sample service did not start: {reason}", "Try `perfcheck demo` alone.")


def start_demo(regressions: Sequence[str] = (), *, options: Sequence[str] = ()) -> DemoProcess:
    """Start `perfcheck demo` on a free port and return at once; ``options`` are further options of the command.

    The child is in a session of its own, so that Ctrl-C reaches only this process, which then stops it. It also ends
    when its standard input does: however this process dies, the child ends too.
    """
    command = [sys.executable, "-m", "perfcheck", "demo", "--port", "0", "--stop-with-stdin", *options]
    command += [f"--regress={name}" for name in regressions]
    environment = {
        name: value for name, value in os.environ.items() if name == _PASSED_ON or not name.startswith(_OPTIONS)
    }
    try:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment,
            cwd=_PACKAGE_PARENT,  # the current folder comes first on the path of -m, and may hold a json.py
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except OSError as error:
        message = f"The sample service did not start: {error.strerror or error}"
        raise CouldNotMeasureError(message, "Try `perfcheck demo` alone.") from error
    return DemoProcess(process)


@contextmanager
def running_demo(regressions: Sequence[str] = (), *, options: Sequence[str] = ()) -> Iterator[str]:
    """The base URL of a sample service that runs during the block. Raises CouldNotMeasureError."""
    with start_demo(regressions, options=options) as process:
        yield process.base_url()
