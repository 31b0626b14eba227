"""The users of Locust that make the load, and what they share in one worker: the plan, the load now, and the counts.

Locust's own waiting times and spawn rates are not used: a step begins at once, by one message, in both models, and a
user ends between two requests, never within one, since the requests that were cut off would be the slow ones.
"""

from __future__ import annotations

import math
import random
import signal
from itertools import accumulate
from time import perf_counter
from typing import ClassVar

import gevent
from gevent.event import Event
from locust import User, task
from locust.exception import StopUser
from locust.runners import Runner

from perfcheck.capacity.engine.connection import LoadConnection
from perfcheck.capacity.engine.plan import Arrivals, LoadPlan, PlannedRequest
from perfcheck.capacity.engine.recorder import BlockRecorder, InFlight
from perfcheck.capacity.engine.turns import UserTurns
from perfcheck.model import LoadModel, ThinkTime

_SHORTEST_TIMER_S = 1e-5  # of no microsecond, it would not go off
_PAUSE_AFTER_FAILURE_S = 0.05  # a service that refuses connections is not flooded by users without think time


class WorkerLoad:
    """The share of the load that one worker has."""

    def __init__(self, plan: LoadPlan, runner: Runner, worker: int, workers: int) -> None:
        """``worker`` of ``workers``, from 0."""
        self.plan = plan
        self.turns = UserTurns(plan, worker, workers)
        self.step = 0
        self.level = 0.0  # users, or requests a second
        self.changes = 0  # of the level
        self.silent_s = 0.0  # since the master was heard of
        self.wake = Event()  # of the dispatcher, for the next step or the next request
        self.recorder = BlockRecorder()
        self.planned_s = math.inf  # the next intended start of the open model
        self.vacant: list[int] = []  # places of users that are about to begin
        self.places: set[int] = set()  # of all users: those at or over the level leave before their next request
        self._workers = workers
        self._pool_size = 0.0
        self._paused_s: float | None = None  # since when
        self._runner = runner
        self._weights = list(accumulate(request.weight for request in plan.requests))
        if plan.model is LoadModel.RATE:
            runner.spawn_users({Dispatcher.__name__: 1})

    def receive(self, step: int, level: float) -> None:
        """What the master requests: a new step, or the one that there is, which it sends again and again."""
        now = perf_counter()
        self.silent_s = 0.0
        paused_s, self._paused_s = self._paused_s, None
        if step != self.step:
            self.step = step
            self.recorder.begin(step, now)
        elif paused_s is None:
            return
        else:
            self.recorder.skip(paused_s, now)
        self._set_level(level, now)

    def pause(self, now: float) -> None:
        """No load, until the master is heard of again: nobody would end it."""
        if self._paused_s is None:
            self._paused_s = now
            self._set_level(0, now)

    @property
    def is_paused(self) -> bool:
        """A pause is no part of the step, and nothing is reported in it."""
        return self._paused_s is not None

    def planned_from(self, now_s: float) -> float:
        """Before this time no request will have its intended start."""
        return min(now_s, self.planned_s) if self.plan.model is LoadModel.RATE else now_s

    def _set_level(self, level: float, now: float) -> None:
        self.level = level
        self._pool_size = self.plan.pool_size(level, self._workers)
        self.planned_s = now
        self.changes += 1
        self.wake.set()
        if self.plan.model is LoadModel.USERS:
            self.vacant = sorted(set(range(int(level))) - self.places)
            self._runner.spawn_users({VirtualUser.__name__: len(self.vacant)})

    def choose(self) -> PlannedRequest:
        return random.choices(self.plan.requests, cum_weights=self._weights)[0]  # noqa: S311

    @property
    def is_full(self) -> bool:
        """Whether what begins now is shed."""
        return self.recorder.in_flight >= self._pool_size


class LoadUser(User):
    abstract = True
    load: ClassVar[WorkerLoad]  # set before the first is spawned

    def __init__(self, environment: object) -> None:
        super().__init__(environment)
        self.connections: list[LoadConnection] = []  # those that are free

    def send(self, sent: InFlight, *, from_start: bool) -> bool:
        """Whether it succeeded. ``from_start``: the real start is counted, too."""
        start_s = perf_counter()
        spent_s, error = self.load.turns.take(sent.request, self.connections)
        if error is None:
            self.load.recorder.succeed(sent, start_s + spent_s, start_s if from_start else None)
        else:
            self.load.recorder.fail(sent, error)
        return error is None


class VirtualUser(LoadUser):
    """The closed model: one user, with a connection of its own.

    Users leave by their places, not as they wake up: those who stay go on as before, so that the load is right at once.
    """

    def __init__(self, environment: object) -> None:
        super().__init__(environment)
        self._place = self.load.vacant.pop()
        self.load.places.add(self._place)

    @task
    def use(self) -> None:
        plan = self.load.plan
        # Begins within its think time, so that users who begin together do not stay together.
        pause_s = random.uniform(0, plan.think_s) if plan.think_time is ThinkTime.FIXED else self._think_s()  # noqa: S311
        while True:
            gevent.sleep(pause_s)
            if self._place >= self.load.level:
                self.load.places.remove(self._place)
                raise StopUser
            sent = self.load.recorder.start(self.load.choose(), perf_counter())
            is_success = self.send(sent, from_start=False)
            pause_s = max(self._think_s(), 0 if is_success else _PAUSE_AFTER_FAILURE_S)

    def _think_s(self) -> float:
        plan = self.load.plan
        if not plan.think_s or plan.think_time is ThinkTime.FIXED:
            return plan.think_s
        return random.expovariate(1 / plan.think_s)

    def on_stop(self) -> None:
        for connection in self.connections:
            connection.close()


class Dispatcher(LoadUser):
    """The open model: one in each worker, which starts each request when it is due, however many are in flight.

    Latency counts from then: a request that starts late because others are slow has waited (no coordinated omission).
    """

    @task
    def dispatch(self) -> None:
        load = self.load
        alarm = gevent.get_hub().loop.signal(signal.SIGALRM)
        alarm.start(load.wake.set)
        while True:
            change = load.changes
            if not load.level:
                load.planned_s = math.inf
                self._wait(math.inf)
                continue
            load.planned_s = perf_counter() + self._gap_s()
            while load.changes == change:
                now = perf_counter()
                while load.planned_s <= now:
                    self._start(load.planned_s)
                    load.planned_s += self._gap_s()
                self._wait(load.planned_s - perf_counter())

    def _wait(self, seconds: float) -> None:
        """So long, or until the next step, or less; lets requests run, too, where it is not positive.

        By a timer of the system: those of gevent are up to a millisecond late, which would be in every latency.
        """
        if seconds <= 0:
            gevent.sleep(0)
            return
        if seconds < math.inf:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, _SHORTEST_TIMER_S))
        self.load.wake.wait()
        self.load.wake.clear()

    def _start(self, intended_s: float) -> None:
        load = self.load
        if load.is_full:
            load.recorder.shed(load.choose(), intended_s)
        else:
            gevent.spawn(self._send, load.recorder.start(load.choose(), intended_s))

    def _send(self, sent: InFlight) -> None:
        try:
            self.send(sent, from_start=True)
        except Exception as error:  # noqa: BLE001 - Locust reports those of users alone, and this is no user
            self.environment.events.user_error.fire(user_instance=self, exception=error, tb=error.__traceback__)

    def _gap_s(self) -> float:
        rate = self.load.level
        return random.expovariate(rate) if self.load.plan.arrivals is Arrivals.POISSON else 1 / rate
