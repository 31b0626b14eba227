"""Processes that save runs into one history at once, and are killed in the middle of it: ``python savers.py HOW URL``.

They are forked from one process that has imported all it needs, so that they really begin together. What was saved for
sure (the call came back) stands on stdout, an id to a line.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perfcheck.model import Run

SHARED = "00000000-0000-4000-8000-000000000000"  # the run that every process saves
_SIMULATION = Path(__file__).parents[2] / "benchmarks"


def saved_run() -> Run:
    """What every process saves, each time with another id: small, since it is saved hundreds of times."""
    from simulation.runs import example_results, run  # noqa: PLC0415 - the processes find it only once they run

    return run(example_results()[:4])


def together(url: str, processes: int, runs: int) -> list[str]:
    """Each of the processes opens the history, saves SHARED and ``runs`` of its own; the ids that were saved."""
    return _run("together", url, str(processes), str(runs))


def killed(url: str, kills: int) -> list[str]:
    """As many processes, one after the other, each killed while it saves; the ids whose saving came back."""
    return _run("killed", url, str(kills))


def _run(*arguments: str) -> list[str]:
    command = [sys.executable, __file__, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(_SIMULATION)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


# --- In the processes ----------------------------------------------------------------------------------------------


def _together(url: str, processes: int, runs: int) -> None:
    ready, go = os.pipe()

    def child(number: int) -> None:
        os.close(go)
        os.read(ready, 1)  # until the pipe is closed: everyone at once
        _save(url, [SHARED, *(_id(number, i) for i in range(runs))])

    children = [_fork(child, number) for number in range(1, processes + 1)]
    os.close(go)
    assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)


def _killed(url: str, kills: int) -> None:
    rng = random.Random(1)
    for number in range(1, kills + 1):
        said, says = os.pipe()

        def child(number: int, says: int = says) -> None:
            _save(url, (_id(number, i) for i in range(10_000)), first_saved=lambda: os.write(says, b"x"))

        pid = _fork(child, number)
        os.close(says)
        os.read(said, 1)  # it is in the middle of its work
        os.close(said)
        time.sleep(rng.uniform(0, 0.05))
        os.kill(pid, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def _save(url: str, ids: Iterable[str], first_saved: Callable[[], object] = lambda: None) -> None:
    from perfcheck.history.store import open_history  # noqa: PLC0415

    one = saved_run()
    with open_history(url, Path.cwd()) as store:
        for name in ids:
            if store.save(replace(one, id=name)):
                os.write(1, f"{name}\n".encode())
            first_saved()


def _id(process: int, number: int) -> str:
    return f"{process:08x}-0000-4000-8000-{number:012x}"


def _fork(work: Callable[[int], None], number: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        work(number)
    except BaseException as error:  # noqa: BLE001 - told by the parent
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    import simulation.runs

    import perfcheck.history.store  # noqa: F401 - before they part

    assert simulation.runs
    how, address, *numbers = sys.argv[1:]
    if how == "together":
        _together(address, *map(int, numbers))
    else:
        _killed(address, *map(int, numbers))
