"""The command, and pytest with its plugin, run as processes, as a user runs them."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from support.forks import Forked, Forks

Running: TypeAlias = subprocess.Popen[bytes] | Forked
PERFCHECK = str(Path(sys.executable).with_name("perfcheck"))
_CAN_FORK = sys.platform == "linux"  # macOS forbids much to a forked process
_PYTEST = str(Path(sys.executable).with_name("pytest"))
_PYTEST_IMPORTS = ("pytest", "perfcheck.engine.check", "flask", "fastapi")  # what its tests need, and take a second
_forks: dict[tuple[str, ...], Forks] = {}  # by what they have imported


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without what would change the result: our own options, colour, CI systems."""
    left_out = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "CI", "GITHUB_ACTIONS", "LC_ALL", "LC_CTYPE"}
    own = ("PERFCHECK_", "PYTEST_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(own) and k not in left_out}
    return {**kept, "LANG": "C.UTF-8", **variables}


def perfcheck(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run it to its end. A traceback is a defect wherever it appears, so every call looks for one."""

    def start_it(streams: Sequence[int]) -> Running:
        return start(arguments, streams, cwd=cwd, env=environment(**(env or {})))

    code, out, err = _run(start_it, timeout)
    assert "Traceback" not in out + err
    return subprocess.CompletedProcess([PERFCHECK, *arguments], code, out, err)


def run_pytest(*arguments: str, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it to its end in a project of its own."""

    def start_it(streams: Sequence[int]) -> Running:
        argv = [_PYTEST, *arguments]
        return _start(argv, streams, cwd, environment(**env), _PYTEST_IMPORTS, "pytest:main")

    code, out, err = _run(start_it, 300)
    return subprocess.CompletedProcess(["pytest", *arguments], code, out, err)


def _run(start_it: Callable[[Sequence[int]], Running], timeout: float) -> tuple[int, str, str]:
    stdin, (stdout, our_stdout), (stderr, our_stderr) = os.open(os.devnull, os.O_RDONLY), os.pipe(), os.pipe()
    process = start_it((stdin, our_stdout, our_stderr))
    for fd in (stdin, our_stdout, our_stderr):
        os.close(fd)
    try:
        out, err = _read_all([stdout, stderr], timeout)
        code = process.wait(timeout)
    finally:
        process.kill()
        os.close(stdout)
        os.close(stderr)
    return code, out, err


def start(arguments: Sequence[str], streams: Sequence[int], *, cwd: Path | None, env: Mapping[str, str]) -> Running:
    """Start the command with these as its stdin, stdout and stderr: forked, where that makes no difference to it."""
    return _start([PERFCHECK, *arguments], streams, cwd, env, (), "perfcheck.__main__:main")


def _start(
    argv: Sequence[str],
    streams: Sequence[int],
    cwd: Path | None,
    env: Mapping[str, str],
    imports: tuple[str, ...],
    main: str,
) -> Running:
    """``main``: the function that ``argv`` calls, for a fork of a process with these ``imports``."""
    if _CAN_FORK:
        forks = _forks.get(imports) or _forks.setdefault(imports, Forks(environment(), imports))
        if forks.can_start(env):
            return forks.start(argv, cwd or Path.cwd(), env, streams, main)
    stdin, stdout, stderr = streams
    return subprocess.Popen(argv, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr)


def stop_forks() -> None:
    """When the last test has ended."""
    while _forks:
        _forks.popitem()[1].close()


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
