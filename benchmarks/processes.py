"""Programs that benchmarks run: where they are, on which CPUs, what they cost, and a noisy neighbour for them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import Process
from pathlib import Path
from threading import Timer

PERFCHECK = str(Path(sys.executable).with_name("perfcheck"))
Range = tuple[float, float]


def find(program: str) -> str | None:
    """On the path, or next to this interpreter."""
    return shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent))


def run(program: str, *arguments: str, timeout_s: float = 120.0) -> str:
    """What it prints. Raises SystemExit where it is not installed, and CalledProcessError when it fails."""
    path = find(program)
    if path is None:
        raise SystemExit(f"{program} is not installed")
    return subprocess.run([path, *arguments], check=True, capture_output=True, text=True, timeout=timeout_s).stdout


def keep_apart(own: int = 0) -> set[int]:
    """Keep this process and the programs it starts on so many CPUs, and return the others, for the service alone.

    With 0, all but one. Waking a process on the same CPU takes a third of the time it takes on another, and the
    scheduler's choice differs from block to block: a tool would look quicker for sharing a CPU with the service. Empty
    where this is not possible.
    """
    if sys.platform != "linux" or len(cpus := sorted(os.sched_getaffinity(0))) < 2:
        return set()
    own = own or len(cpus) - 1
    os.sched_setaffinity(0, cpus[:own])
    return set(cpus[own:])


# --- What a process costs --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    seconds: float
    cpu_s: float  # of it, in which the process had a CPU: what an idle machine would take, about
    megabytes: float  # resident, at most
    exit_code: int


def cost(command: Sequence[str], *, allowed: Collection[int] = (0,), timeout_s: float = 3600.0) -> Cost:
    """Of a process, from its start to its end. Raises SystemExit for an exit code that is not allowed.

    This module starts it, as a small program of its own: on Linux the peak memory of a process counts that of the
    process which started it.
    """
    starter = [sys.executable, "-S", __file__, str(timeout_s), *command]
    done = subprocess.run(starter, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command} could not be started: {done.stderr}")
    found = Cost(**json.loads(done.stdout))
    if found.exit_code not in allowed:
        raise SystemExit(f"{command} ended with exit code {found.exit_code}: {done.stderr}")
    return found


def _cost_here(command: Sequence[str], timeout_s: float) -> Cost:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    timer = Timer(timeout_s, process.kill)
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        timer.cancel()
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    code = process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6, code)


# --- A noisy neighbour -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def neighbour(burst_s: Range, pause_s: Range, *, cpus: Collection[int] = (), seed: int = 1) -> Iterator[None]:
    """Processes that spin in bursts for as long as the block runs: one on each of these CPUs, all at once, or just one.

    Bursts and pauses are uniform in their range. Their times are fixed by the seed, and kept on a machine that is late.
    """
    begin = time.monotonic()
    pinned: Sequence[set[int]] = [{cpu} for cpu in cpus] or [set()]
    spinners = [Process(target=_spin, args=(begin, burst_s, pause_s, own, seed), daemon=True) for own in pinned]
    for spinner in spinners:
        spinner.start()
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.terminate()
            spinner.join()


def _spin(begin: float, burst_s: Range, pause_s: Range, cpus: set[int], seed: int) -> None:
    if cpus:
        os.sched_setaffinity(0, cpus)
    rng = random.Random(seed)
    for is_burst in itertools.cycle((True, False)):
        begin += rng.uniform(*burst_s if is_burst else pause_s)
        while is_burst and time.monotonic() < begin:
            pass
        time.sleep(max(begin - time.monotonic(), 0))


if __name__ == "__main__":
    print(json.dumps(asdict(_cost_here(sys.argv[2:], float(sys.argv[1])))))
