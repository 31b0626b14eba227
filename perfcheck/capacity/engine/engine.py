"""Load on a service, by Locust in processes of its own, and what becomes of it."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Thread
from time import monotonic
from typing import IO, Any, Self

from perfcheck.capacity.engine.blocks import BlockAssembler, LoadBlock
from perfcheck.capacity.engine.counts import EndpointCounts
from perfcheck.capacity.engine.plan import LoadPlan
from perfcheck.capacity.engine.recorder import BlockPart
from perfcheck.capacity.engine.remote import ENVIRONMENT, JOIN_TIMEOUT_S, KEY_VARIABLE, RemoteWorkers, worker_count
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.model import LoadModel
from perfcheck.service_process import ShellCommand
from perfcheck.text import Redactor
from perfcheck.units import format_about

_PROCESS = "perfcheck.capacity.engine.process"
_START_TIMEOUT_S = 60.0
_KEEP_ALIVE_S = 0.5  # without a command for 2 s the workers pause, as when this process is stopped by Ctrl-Z
_SILENCE_TIMEOUT_S = 15.0  # of the master, which reports ten times a second
_DRAIN_GRACE_S = 15.0
_STOP_TIMEOUT_S = 1.0
_GRACE_S = 1.0


class Engine:
    """A context manager, in which there is load. However this process ends, the load ends.

    One thread uses it, but for ``stop``.
    """

    def __init__(self, plan: LoadPlan, workers: int | RemoteWorkers = 1, redact: Redactor | None = None) -> None:
        """``workers``: processes that send requests, each with a CPU; ``redact``: for what is shown of their output."""
        self.silences: Counter[int] = Counter()  # of each worker: how many times it did not report for 1.5 s
        self.lost: dict[int, str] = {}  # the workers that have ended, and why
        self.silent: set[int] = set()  # those that do not report now; without a share of the steps that begin meanwhile
        self._plan = plan
        self._remote = workers if isinstance(workers, RemoteWorkers) else None
        self._workers = worker_count(workers)
        self._redact = redact or Redactor()
        self._joined: set[int] = set()
        self._port = 0
        self._load: dict[str, Any] = {"step": 0, "shares": [0] * self._workers}
        self._sent_s = 0.0
        self._assembler = BlockAssembler()
        self._step = 0
        self._idle_in: dict[int, int] = {}  # worker -> the last step in which it had no request in flight
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._commands: IO[bytes] | None = None
        self._processes: ShellCommand | None = None

    def __enter__(self) -> Self:
        """Raises UsageError without Locust, and CouldNotMeasureError where its processes do not start."""
        require_locust()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def step(self, load: float) -> int:
        """Begin a step: from now on so many users, or requests a second, shared by the workers that are left.

        The number of the step.
        """
        self._step += 1
        self._assembler.begin(self._step, self._live)
        shares = _shares(load, self._live, self._plan.model)
        self._load = {"step": self._step, "shares": [shares.get(worker, 0) for worker in range(self._workers)]}
        self._send(self._load)
        return self._step

    def blocks(self, step: int) -> Iterator[LoadBlock]:
        """The half seconds of a step, each as soon as the outcome of its requests is known. Ends only by an error.

        Raises CouldNotMeasureError when no worker is left.
        """
        while True:
            if block := self._assembler.next_of(step, self._absent):
                yield block
            else:
                self._await_event(_SILENCE_TIMEOUT_S)

    def drain(self) -> None:
        """End all load, and wait until no request is in flight.

        Raises CouldNotMeasureError where that takes longer than the longest turn, in the time that this process runs.
        """
        step, waited_s = self.step(0), 0.0
        longest_s = max((request.longest_s for request in self._plan.requests), default=0.0) + _DRAIN_GRACE_S
        while any(self._idle_in.get(worker, 0) < step for worker in self._live):
            before_s = monotonic()
            self._await_event(_SILENCE_TIMEOUT_S)
            waited_s += min(monotonic() - before_s, _KEEP_ALIVE_S)
            if waited_s > longest_s:
                raise self._error(f"requests are in flight {format_about(longest_s)} after the load has ended")

    def amended(self, block: LoadBlock) -> LoadBlock:
        """With what has become of its requests that were in flight when it was complete."""
        return self._assembler.amended(block)

    def totals(self, step: int) -> dict[str, EndpointCounts]:
        """What has become of all requests of a step so far, by endpoint."""
        return self._assembler.totals(step)

    def stop(self) -> None:
        """End all load at once, and the processes. May be called again."""
        commands, self._commands = self._commands, None
        processes, self._processes = self._processes, None
        try:
            if commands:
                with suppress(BrokenPipeError):
                    commands.close()  # by which the master ends the load of all workers
                self._await_end()
        finally:
            if processes:
                processes.stop()

    @property
    def _absent(self) -> set[int]:
        return self.silent | self.lost.keys()

    @property
    def _live(self) -> list[int]:
        """All, where none reports: whoever does so first goes on."""
        everyone = set(range(self._workers))
        return sorted(everyone - self._absent or everyone - self.lost.keys())

    def _start(self) -> None:
        (commands, our_commands), (our_reports, reports) = os.pipe(), os.pipe()
        try:
            self._processes = ShellCommand(grace_s=_GRACE_S, pass_fds=(commands, reports))
            self._processes.redact = self._redact
            self._commands = os.fdopen(our_commands, "wb")
            Thread(target=self._read, args=(our_reports,), daemon=True).start()
            python = shlex.quote(sys.executable)
            self._processes.start(f"exec {python} -P -m {_PROCESS} {commands} {reports}", env=ENVIRONMENT)
        finally:
            os.close(commands)
            os.close(reports)
        order: dict[str, object] = {"plan": self._plan.to_json(), "workers": self._workers}
        if self._remote:
            order |= {"bind": (self._remote.host, self._remote.port), "key": self._remote.key}
        self._send(order)
        timeout_s = JOIN_TIMEOUT_S if self._remote else _START_TIMEOUT_S
        deadline_s = monotonic() + timeout_s
        while (kind := self._await_event(timeout_s)) != "ready":
            for worker, reason in self.lost.items():
                raise self._error(f"worker {worker + 1} of the load did not start: {reason}")
            if self._remote and kind in {"listening", "report"}:
                self._remote.waiting(self._port, len(self._joined))
            if monotonic() > deadline_s:
                raise self._too_few()

    def _send(self, command: Mapping[str, object]) -> None:
        if self._commands is None:
            raise ValueError("the engine is stopped")
        self._sent_s = monotonic()
        with suppress(BrokenPipeError):  # it has ended, which the next event reports
            self._commands.write(json.dumps(command).encode() + b"\n")
            self._commands.flush()

    def _read(self, reports: int) -> None:
        """In a thread of its own, so that the engine never waits for this process."""
        try:
            with os.fdopen(reports, "rb") as lines:
                for line in lines:
                    if line.endswith(b"\n"):  # not cut off by the end of the master
                        self._events.put(json.loads(line))
        finally:
            self._events.put(None)

    def _await_event(self, timeout_s: float) -> str:
        """Takes note of the next event; its kind."""
        event = self._next_event(timeout_s)
        match event:
            case None:
                raise self._error("the generator of the load has ended")
            case {"event": "listening", "port": port}:
                self._port = port
            case {"event": "report", "worker": worker, "step": step, "in_flight": in_flight, "parts": parts}:
                self.silent.discard(worker)
                self._joined.add(worker)
                for part in parts:
                    self._assembler.add(worker, BlockPart.from_json(part))
                if not in_flight:
                    self._idle_in[worker] = step
            case {"event": "silent", "worker": worker}:
                self.silent.add(worker)
                self.silences[worker] += 1
            case {"event": "lost", "worker": worker, "reason": reason}:
                self.lost[worker] = reason = self._redact.clean(reason)
                if len(self.lost) == self._workers:
                    raise self._error(f"no worker of the load is left: {reason}")
        return str(event["event"])

    def _next_event(self, timeout_s: float) -> dict[str, Any] | None:
        """Counts the time in which this process runs: while it is stopped, nobody is late."""
        for _ in range(round(timeout_s / _KEEP_ALIVE_S)):
            if self._commands and monotonic() - self._sent_s > _KEEP_ALIVE_S:
                self._send(self._load)
            with suppress(queue.Empty):
                return self._events.get(timeout=_KEEP_ALIVE_S)
        if self._remote and not self._step:
            raise self._too_few()
        raise self._error(f"the generator of the load did not respond for {timeout_s:g} s")

    def _too_few(self) -> CouldNotMeasureError:
        if not self._remote:
            return self._error(f"the generator of the load did not start within {_START_TIMEOUT_S:g} s")
        joined = f"{len(self._joined)} of {self._workers} workers joined within {format_about(JOIN_TIMEOUT_S)}"
        start = f"perfcheck capacity --worker --master HOST:{self._port or self._remote.port}"
        return CouldNotMeasureError(joined, f"on each machine start, with the same {KEY_VARIABLE}: {start}")

    def _await_end(self) -> None:
        deadline_s = monotonic() + _STOP_TIMEOUT_S
        with suppress(queue.Empty):
            while self._events.get(timeout=max(0.0, deadline_s - monotonic())) is not None:
                pass

    def _error(self, message: str) -> CouldNotMeasureError:
        output = self._processes.output() if self._processes else ()
        return CouldNotMeasureError(message, "see its output" if output else None, output=output)


def require_locust() -> None:
    """Raises UsageError where it is not installed."""
    if not all(map(importlib.util.find_spec, ("locust", "geventhttpclient"))):
        raise UsageError("load needs Locust, which is not installed", "run `pip install 'perfcheck[load]'`")


def _shares(load: float, workers: Sequence[int], model: LoadModel) -> dict[int, float]:
    """By worker. Users are whole; a rate is shared evenly."""
    if model is LoadModel.RATE:
        return dict.fromkeys(workers, load / len(workers))
    each, more = divmod(round(load), len(workers))
    return {worker: each + (place < more) for place, worker in enumerate(workers)}
