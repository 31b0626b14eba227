"""The sample service in a process of its own, which never outlives this one."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from perfcheck.demo import DEFAULT_HOST
from perfcheck.errors import CouldNotMeasureError
from perfcheck.service_process import ServiceProcess, accepts_connections

_START_TIMEOUT_S = 30.0
_POLL_S = 0.02
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]


def start_demo(regressions: Sequence[str] = (), *, options: Sequence[str] = ()) -> ServiceProcess:
    """Start `perfcheck demo` on a free port and return at once; ``options`` are further options of the command."""
    process = ServiceProcess()
    command = [sys.executable, "-m", "perfcheck", "demo", "--port", str(process.port), *options]
    command += [f"--regress={name}" for name in regressions]
    try:
        # The current folder comes first on the path of -m, and may hold a json.py.
        process.start(f"exec {shlex.join(command)}", cwd=_PACKAGE_PARENT)
    except BaseException:
        process.stop()
        raise
    return process


@contextmanager
def running_demo(regressions: Sequence[str] = (), *, options: Sequence[str] = ()) -> Iterator[str]:
    """The base URL of a sample service that listens during the block. Raises CouldNotMeasureError."""
    with start_demo(regressions, options=options) as process:
        too_late_s = time.monotonic() + _START_TIMEOUT_S
        while not accepts_connections((DEFAULT_HOST, process.port)):
            if error := process.ended():
                raise error
            if time.monotonic() > too_late_s:
                raise CouldNotMeasureError("the sample service did not start", "try `perfcheck demo` alone")
            time.sleep(_POLL_S)
        yield process.url
