"""One thread, one selector, many requests: each is a generator that yields what it waits for."""

from __future__ import annotations

import math
import selectors
import socket
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
T = TypeVar("T")


class Wait(NamedTuple):
    sock: socket.socket
    events: int  # READ or WRITE
    deadline_ns: int  # of time.perf_counter_ns


Steps = Generator[Wait, bool | None, T]  # receives whether the socket is ready: False at the deadline


@dataclass(eq=False, slots=True)
class _Task:
    steps: Steps[Any]
    tag: object
    wait: Wait | None = None


def pause(duration_ns: int) -> Steps[None]:
    """The loop waits for sockets, so for one that nothing is sent to."""
    here, there = socket.socketpair()
    with here, there:
        yield Wait(here, READ, time.perf_counter_ns() + duration_ns)


class Loop:
    """Runs steps until they end. What they return is kept, with their tag, until ``wait`` hands it over."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._tasks: dict[object, _Task] = {}
        self._ended: dict[object, Any] = {}  # what was returned, by tag
        self._idle: dict[object, Callable[[], None]] = {}

    def start(self, steps: Steps[Any], tag: object) -> None:
        """Run ``steps`` up to their first wait. ``tag`` is hashable, and differs from all that are in flight."""
        if tag in self._tasks or tag in self._ended:
            raise ValueError(f"{tag!r} is in flight")
        task = self._tasks[tag] = _Task(steps, tag)
        self._resume(task, ready=None)

    def when_idle(self, key: object, work: Callable[[], None]) -> None:
        """Do ``work`` once, while nothing else is to be done; another one with this ``key`` takes its place."""
        self._idle[key] = work

    def cancel(self, tag: object) -> None:
        """Abandon what was started with ``tag``, or what it returned. An unknown tag is ignored."""
        if task := self._tasks.get(tag):
            try:
                task.steps.close()
            finally:
                self._forget(task)
        self._ended.pop(tag, None)

    def wait(self, until_s: float | None = None) -> list[tuple[object, Any]]:
        """Run until at least one has ended, or until ``until_s`` of ``time.perf_counter``; returns (tag, result) pairs.

        With nothing in flight: sleeps until then, or returns at once for None.
        """
        until_ns = math.inf if until_s is None else until_s * 1e9
        while not self._ended and (self._tasks or until_ns < math.inf):
            self._advance(until_ns)
            if time.perf_counter_ns() >= until_ns:
                break
        ended, self._ended = self._ended, {}
        return list(ended.items())

    def run(self, steps: Steps[T]) -> T:
        """Run ``steps`` to their end, and whatever else is in flight meanwhile."""
        tag = object()
        try:
            self.start(steps, tag)
            while tag not in self._ended:
                self._advance(math.inf)
        except BaseException:
            self.cancel(tag)
            raise
        result: T = self._ended.pop(tag)
        return result

    def close(self) -> None:
        """Abandon everything."""
        for tag in list(self._tasks):
            self.cancel(tag)
        self._selector.close()

    def _advance(self, until_ns: float) -> None:
        if self._idle and not self._selector.select(0):
            self._idle.pop(next(iter(self._idle)))()
        due_ns = min([until_ns, *(task.wait.deadline_ns for task in self._tasks.values() if task.wait)])
        left_s = max(due_ns - time.perf_counter_ns(), 0) / 1e9
        for key, _ in self._selector.select(left_s):
            self._resume(key.data, ready=True)
        now_ns = time.perf_counter_ns()
        for task in [task for task in self._tasks.values() if task.wait and task.wait.deadline_ns <= now_ns]:
            self._resume(task, ready=False)

    def _resume(self, task: _Task, *, ready: bool | None) -> None:
        try:
            wait = task.steps.send(ready)
        except StopIteration as end:
            self._forget(task)
            self._ended[task.tag] = end.value
        except BaseException:
            self._forget(task)
            raise
        else:
            self._watch(task, wait)

    def _watch(self, task: _Task, wait: Wait) -> None:
        before, task.wait = task.wait, wait
        if before is not None and before.sock is wait.sock:
            if before.events != wait.events:
                self._selector.modify(wait.sock, wait.events, task)
            return
        if before is not None:
            self._selector.unregister(before.sock)
        self._selector.register(wait.sock, wait.events, task)

    def _forget(self, task: _Task) -> None:
        del self._tasks[task.tag]
        if task.wait is not None:
            with suppress(KeyError, ValueError):  # an interruption may have come just before it was registered
                self._selector.unregister(task.wait.sock)
