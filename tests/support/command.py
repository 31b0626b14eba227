"""The command, run as a process, as a user runs it."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.forks import Forked, Forks

PERFCHECK = str(Path(sys.executable).with_name("perfcheck"))
_CAN_FORK = sys.platform == "linux"  # macOS forbids much to a forked process
_forks: list[Forks] = []


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without what would change the result: our own options, colour, CI systems."""
    left_out = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "CI", "GITHUB_ACTIONS", "LC_ALL", "LC_CTYPE"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PERFCHECK_") and k not in left_out}
    return {**kept, "LANG": "C.UTF-8", **variables}


def perfcheck(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run it to its end. A traceback is a defect wherever it appears, so every call looks for one."""
    stdin, (stdout, our_stdout), (stderr, our_stderr) = os.open(os.devnull, os.O_RDONLY), os.pipe(), os.pipe()
    process = start(arguments, (stdin, our_stdout, our_stderr), cwd=cwd, env=environment(**(env or {})))
    for fd in (stdin, our_stdout, our_stderr):
        os.close(fd)
    try:
        out, err = _read_all([stdout, stderr], timeout)
        code = process.wait(timeout)
    finally:
        process.kill()
        os.close(stdout)
        os.close(stderr)
    assert "Traceback" not in out + err
    return subprocess.CompletedProcess([PERFCHECK, *arguments], code, out, err)


def start(
    arguments: Sequence[str], streams: Sequence[int], *, cwd: Path | None, env: Mapping[str, str]
) -> subprocess.Popen[bytes] | Forked:
    """Start the command with these as its stdin, stdout and stderr: forked, where that makes no difference to it."""
    argv = [PERFCHECK, *arguments]
    if _CAN_FORK:
        if not _forks:
            _forks.append(Forks(environment()))
        if _forks[0].can_start(env):
            return _forks[0].start(argv, cwd or Path.cwd(), env, streams)
    stdin, stdout, stderr = streams
    return subprocess.Popen(argv, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr)


def stop_forks() -> None:
    """When the last test has ended."""
    while _forks:
        _forks.pop().close()


def _read_all(pipes: Sequence[int], timeout: float) -> list[str]:
    """What was written until every writer had gone, with line ends as Python's text has them."""
    read = dict.fromkeys(pipes, b"")
    end = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(end - time.monotonic())
            assert ready, f"still running after {timeout:g} s: {read}"
            for key, _ in ready:
                part = os.read(key.fd, 65536)
                read[key.fd] += part
                if not part:
                    selector.unregister(key.fd)
    return [written.decode().replace("\r\n", "\n") for written in read.values()]
