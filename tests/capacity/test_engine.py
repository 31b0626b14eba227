"""Load by the real engine on a real service: what it sends, what it counts, and what happens without a worker."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from copy import deepcopy
from io import BytesIO
from itertools import islice

import pytest
from apps.load_service import LoadService, load_service, planned
from support.command import environment
from support.processes import descendants, is_running
from support.waiting import eventually

from perfcheck.capacity.engine import engine as engine_module
from perfcheck.capacity.engine.blocks import BlockAssembler, LoadBlock
from perfcheck.capacity.engine.counts import merged
from perfcheck.capacity.engine.engine import Engine
from perfcheck.capacity.engine.plan import Arrivals, LoadPlan, PlannedRequest
from perfcheck.capacity.engine.recorder import BlockPart
from perfcheck.capacity.engine.remote import RemoteWorkers, await_master, key_for
from perfcheck.client.request_template import Inserted, RequestTemplate
from perfcheck.engine.capacity import _worker_findings
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.model import Encoding, Failure, LoadModel, ThinkTime

SECRET = "s3cret-of-the-service"


@pytest.fixture
def service() -> Iterator[LoadService]:
    with load_service() as running:
        yield running


def plan_of(service: LoadService, *requests: PlannedRequest, **options: object) -> LoadPlan:
    values = {"model": LoadModel.USERS, "think_s": 0.02, **options}
    return LoadPlan("127.0.0.1", service.port, requests=requests, **values)  # type: ignore[arg-type]


def blocks(engine: Engine, step: int, count: int) -> list[LoadBlock]:
    return list(islice(engine.blocks(step), count))


def workers_of(engine: Engine) -> list[int]:
    """The processes of the workers, in order: those that have started none."""
    family = descendants(os.getpid())
    return sorted(
        pid for pid, command in family.items() if "capacity.engine.process" in command and not descendants(pid)
    )


def test_the_counts_of_two_workers_add_up_to_what_the_service_got(
    service: LoadService, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: dict[int, list[BlockPart]] = {0: [], 1: []}  # by worker

    def add(assembler: BlockAssembler, worker: int, part: BlockPart) -> None:
        reported[worker].append(part)
        add_part(assembler, worker, part)

    add_part = BlockAssembler.add
    monkeypatch.setattr(BlockAssembler, "add", add)
    requests = (
        planned("quick", "/quick", f"Authorization: {SECRET}", weight=3, limit_ms=20_000),
        planned("slow", "/wait/30", method="POST", body=b"{}"),
    )
    with Engine(plan_of(service, *requests, think_time=ThinkTime.FIXED), workers=2) as engine:
        commands = [command for command in descendants(os.getpid()).values() if "capacity.engine" in command]
        step = engine.step(5)
        measured = blocks(engine, step, 3)
        again = engine.step(2)
        measured += blocks(engine, again, 1)
        engine.drain()
        totals = [engine.totals(number) for number in (step, again)]
    assert len(commands) == 4  # the supervisor, the master and two workers
    assert not any(SECRET in command for command in commands)
    assert {part for head in service.heads for part in head.split(b"\r\n")} >= {f"Authorization: {SECRET}".encode()}
    for endpoint, path in (("quick", "/quick"), ("slow", "/wait/30")):
        assert sum(total[endpoint].latency.total() for total in totals) == service.requests[path]
    assert service.requests["/quick"] > service.requests["/wait/30"] > 0
    assert [(block.step, block.index, block.missing) for block in measured] == [
        *((step, index, frozenset()) for index in range(3)),
        (again, 0, frozenset()),
    ]
    of_workers = [merged(part.counts for part in parts if part.step == step) for parts in reported.values()]
    assert all(counts["quick"].requests > 0 for counts in of_workers)
    assert merged(of_workers) == totals[0]
    slow_ms = totals[0]["slow"].latency.quantile_ms(0.01)
    assert (slow_ms or 0) > 29.8
    assert not totals[0]["slow"].uncorrected


def test_a_redirect_is_a_failure_and_is_not_followed(service: LoadService) -> None:
    with load_service() as elsewhere:
        service.redirect_to = f"http://127.0.0.1:{elsewhere.port}/"
        with Engine(plan_of(service, planned("moved", "/redirect"))) as engine:
            (block,) = blocks(engine, engine.step(1), 1)
    failures = block.counts["moved"].failures
    assert failures[Failure.STATUS] == failures.total() > 0
    assert not elsewhere.requests


def test_the_open_model_counts_from_the_intended_start_and_sheds_what_is_too_much(service: LoadService) -> None:
    request = planned("one at a time", "/alone/50", limit_ms=50)
    plan = plan_of(service, request, model=LoadModel.RATE, arrivals=Arrivals.EVEN, smallest_pool=20)
    with Engine(plan) as engine:
        step = engine.step(100)
        (*_, last) = blocks(engine, step, 4)
        engine.drain()
        total = engine.totals(step)["one at a time"]
    assert last.counts["one at a time"].over(200) > 0
    assert last.counts["one at a time"].shed > 0
    assert service.requests["/alone/50"] == total.latency.total() == total.uncorrected.total()
    corrected_ms, uncorrected_ms = (counts.quantile_ms(0.5) or 0 for counts in (total.latency, total.uncorrected))
    assert corrected_ms >= uncorrected_ms > 49


def test_an_overload_is_known_before_its_requests_are_answered(service: LoadService) -> None:
    request = planned("stuck", "/never", timeout_s=600, limit_ms=50)
    with Engine(plan_of(service, request)) as engine:
        first, second = blocks(engine, engine.step(3), 2)
    assert first.counts["stuck"].pending == first.counts["stuck"].over(50) == 3
    assert not second.counts


def test_a_worker_that_ends_voids_its_part_and_no_other(service: LoadService) -> None:
    with Engine(plan_of(service, planned("quick", "/quick")), workers=2) as engine:
        finished = engine.step(4)
        before = blocks(engine, finished, 2)
        step = engine.step(4)
        before += blocks(engine, step, 1)
        kept = deepcopy((before, engine.totals(finished)))
        os.kill(workers_of(engine)[1], signal.SIGKILL)
        void = next(block for block in engine.blocks(step) if block.missing)
        assert engine.lost == {1: "it ended with exit code -9"}
        (after,) = blocks(engine, engine.step(4), 1)
        assert (before, engine.totals(finished)) == kept
    assert [block.missing for block in before] == [frozenset()] * 3
    assert [void.missing, after.missing] == [frozenset({1}), frozenset()]
    assert after.counts["quick"].requests > 0


def test_a_worker_that_is_silent_has_no_part_until_it_reports_again(service: LoadService) -> None:
    with Engine(plan_of(service, planned("quick", "/quick")), workers=2) as engine:
        step = engine.step(4)
        blocks(engine, step, 1)
        _, silent = workers_of(engine)
        os.kill(silent, signal.SIGSTOP)
        void = next(block for block in engine.blocks(step) if block.missing)
        assert (void.missing, engine.silent) == (frozenset({1}), {1})
        (alone,) = blocks(engine, engine.step(4), 1)
        os.kill(silent, signal.SIGCONT)
        next(block for block in engine.blocks(engine.step(4)) if not engine.silent)
        again = engine.step(4)
        (together,) = blocks(engine, again, 1)
        engine.drain()
        quick = sum(engine.totals(number)["quick"].latency.total() for number in range(step, again + 1))
    assert [alone.missing, together.missing, engine.lost] == [frozenset(), frozenset(), {}]
    assert quick == service.requests["/quick"]


# --- Remote workers ------------------------------------------------------------------------------------------------


WORKER = """
import sys
from perfcheck.capacity.engine import worker
worker.LOST_S, worker._CONNECT_TIMEOUT_S = map(float, sys.argv[2:])
worker.main("127.0.0.1", int(sys.argv[1]), owns_host=False, quiet=False)
"""
KEY = "of the workers of this test"


class Joining:
    """Starts workers as soon as the master listens, and takes note of how many have joined."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []
        self.count = 2
        self.lost_s = 15.0
        self.port = 0
        self.joined: list[int] = []

    def __call__(self, port: int, joined: int) -> None:
        self.port = port
        self.joined.append(joined)
        while len(self.processes) < self.count:
            self.start()

    def start(self, key: str = KEY, connect_s: float = 60) -> None:
        command = [sys.executable, "-c", WORKER, *map(str, (self.port, self.lost_s, connect_s))]
        env = environment(PERFCHECK_WORKERS_KEY=key)
        self.processes.append(subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True))

    def ended(self, index: int) -> tuple[int, str]:
        _, err = self.processes[index].communicate(timeout=60)
        return self.processes[index].returncode, err


@pytest.fixture
def joining() -> Iterator[Joining]:
    starter = Joining()
    yield starter
    for process in starter.processes:
        process.kill()
        process.communicate()


def test_remote_workers_send_the_load_and_end_with_it(service: LoadService, joining: Joining) -> None:
    request = planned("quick", "/quick", f"Authorization: {SECRET}")
    with Engine(plan_of(service, request), RemoteWorkers(2, "127.0.0.1", 0, joining, KEY)) as engine:
        step = engine.step(4)
        blocks(engine, step, 2)
        engine.drain()
        assert engine.totals(step)["quick"].latency.total() == service.requests["/quick"] > 0
        joining.start()  # one too many
        assert joining.ended(2) == (2, "error: the master refused it: it has its 2 workers\n")
        step = engine.step(4)
        blocks(engine, step, 1)
        leaver = joining.processes[0]
        leaver.send_signal(signal.SIGSTOP)
        (silent,) = next(block for block in engine.blocks(step) if block.missing).missing
        assert (engine.silent, engine.silences, engine.lost) == ({silent}, {silent: 1}, {})
        (alone,) = blocks(engine, engine.step(4), 1)
        assert not alone.missing
        leaver.send_signal(signal.SIGCONT)
        leaver.send_signal(signal.SIGTERM)
        next(_ for _ in engine.blocks(engine.step(4)) if engine.lost)
        assert engine.lost == {silent: "it was interrupted"}
    assert any(SECRET.encode() in head for head in service.heads)
    assert joining.joined[0] == 0
    assert joining.ended(0) == (130, f"joined as worker {silent + 1} of 2\nerror: it was interrupted\n")
    assert joining.ended(1) == (0, f"joined as worker {2 - silent} of 2\n")


def test_a_remote_worker_has_the_key_of_its_master_and_ends_when_that_is_gone(
    service: LoadService, joining: Joining
) -> None:
    joining.count, joining.lost_s = 1, 3
    workers = RemoteWorkers(1, "127.0.0.1", 0, joining, KEY)
    with Engine(plan_of(service, planned("quick", "/quick")), workers) as engine:
        joining.start(KEY.upper(), connect_s=2)
        step = engine.step(1)
        blocks(engine, step, 1)
        while joining.processes[1].poll() is None:
            blocks(engine, step, 1)
        code, err = joining.ended(1)
        assert code == 3
        assert f"no master of a capacity search answered at 127.0.0.1:{joining.port}" in err
        assert "set PERFCHECK_WORKERS_KEY to the master's" in err
        for pid, command in descendants(os.getpid()).items():
            if "python" in command and "engine.process" in command and not descendants(pid):
                os.kill(pid, signal.SIGKILL)
        with pytest.raises(CouldNotMeasureError, match="the generator of the load has ended"):
            list(engine.blocks(step))
    code, err = joining.ended(0)
    assert code == 3
    assert "the master did not send anything for 15 s" in err


def test_a_remote_worker_can_be_interrupted_while_it_connects(joining: Joining) -> None:
    with socket.create_server(("127.0.0.1", 0)) as no_master:
        joining.port = no_master.getsockname()[1]
        joining.start()
        connection, _ = no_master.accept()
        with connection:
            joining.processes[0].send_signal(signal.SIGTERM)
            assert joining.ended(0) == (130, "error: it was interrupted\n")


def test_the_run_has_a_note_for_each_worker_that_was_silent_or_lost(service: LoadService) -> None:
    engine = Engine(plan_of(service), workers=3)
    engine.silences[2] = 2
    engine.lost[0] = "it was interrupted"
    assert [finding.message for finding in _worker_findings(engine)] == [
        "worker 3 of the load fell silent (2 times): the half seconds without its part were not judged",
        "worker 1 of the load was lost: it was interrupted; later steps were without it",
    ]


def test_workers_that_do_not_join_in_time_are_not_waited_for(
    service: LoadService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "JOIN_TIMEOUT_S", 0.5)
    with (
        pytest.raises(CouldNotMeasureError, match="0 of 2 workers joined within 0 s") as raised,
        Engine(plan_of(service, planned("quick", "/quick")), RemoteWorkers(2, "127.0.0.1", 0)),
    ):
        pass
    assert "perfcheck capacity --worker --master HOST:" in (raised.value.remedy or "")


def test_a_master_that_does_not_listen_in_time_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(CouldNotMeasureError, match=f"no master listened at 127.0.0.1:{port} within 0 s"):
        await_master("127.0.0.1", port, timeout_s=0)


def test_workers_of_other_machines_need_a_key_that_nobody_guesses() -> None:
    assert key_for("127.0.0.1", {}) is None
    for host, key in (("0.0.0.0", ""), ("10.0.0.5", "x" * 15), ("127.0.0.1", "short")):
        with pytest.raises(UsageError, match="they need a key: 16 characters or more") as raised:
            key_for(host, {"PERFCHECK_WORKERS_KEY": key})
        assert re.search(r"for example to: [0-9a-f]{32}$", raised.value.remedy or "")
    assert key_for("10.0.0.5", {"PERFCHECK_WORKERS_KEY": KEY}) == KEY


@pytest.mark.parametrize(
    ("target", "master", "owns_host", "message"),
    [
        ({"host": "192.0.2.1"}, "192.0.2.9", False, "about to be pointed at another machine, 192.0.2.1"),
        ({"host": "192.0.2.1"}, "192.0.2.9", True, None),
        ({"host": "localhost"}, "127.0.0.1", False, None),
        ({"host": "localhost"}, "192.0.2.9", True, "the service is at localhost, which is another one on each machine"),
        ({"unix_socket": "/run/api"}, "192.0.2.9", True, "the service is at /run/api"),
    ],
)
def test_a_worker_sends_no_load_to_a_host_that_is_not_meant(
    target: dict[str, str], master: str, *, owns_host: bool, message: str | None
) -> None:
    plan = LoadPlan(**{"host": "127.0.0.1", "port": 80, "model": LoadModel.USERS, "requests": (), **target})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=message) if message else nullcontext():
        plan.check_target(master, owns_host=owns_host)


def test_without_a_worker_there_is_no_load(service: LoadService) -> None:
    with Engine(plan_of(service, planned("quick", "/quick"))) as engine:
        step = engine.step(1)
        blocks(engine, step, 1)
        os.kill(workers_of(engine)[0], signal.SIGKILL)
        with pytest.raises(CouldNotMeasureError, match="no worker of the load is left: it ended with exit code -9"):
            list(engine.blocks(step))


@pytest.mark.parametrize("model", LoadModel)
def test_a_request_that_cannot_be_sent_ends_the_load_with_its_reason(service: LoadService, model: LoadModel) -> None:
    template = RequestTemplate(b"GET", (b"/", Inserted("data.missing", Encoding.PLAIN)), ())
    with Engine(plan_of(service, PlannedRequest("bad", template), model=model)) as engine:
        step = engine.step(5)
        with pytest.raises(CouldNotMeasureError) as raised:
            list(engine.blocks(step))
    assert raised.value.exit_code == 3
    assert "KeyError: 'missing'" in raised.value.output
    assert not service.requests


def test_a_request_that_never_ends_is_not_waited_for(service: LoadService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_DRAIN_GRACE_S", 0.0)
    plan = plan_of(service, planned("quick", "/quick", timeout_s=0.0))
    engine = Engine(plan)
    engine._commands = BytesIO()
    for step in (1, 1, 1):
        engine._events.put({"event": "report", "worker": 0, "step": step, "in_flight": 1, "parts": []})
    with pytest.raises(CouldNotMeasureError, match="requests are in flight 0 s after the load has ended"):
        engine.drain()


def test_a_report_that_the_end_of_the_master_cuts_off_is_its_end(service: LoadService) -> None:
    engine = Engine(plan_of(service))
    reports, end = os.pipe()
    os.write(end, b'{"event": "ready"}\n{"event": "rep')
    os.close(end)
    engine._read(reports)
    assert [engine._events.get_nowait(), engine._events.get_nowait()] == [{"event": "ready"}, None]


def test_without_locust_the_extra_is_named(service: LoadService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError) as raised, Engine(plan_of(service, planned("quick", "/quick"))):
        pass
    assert "perfcheck[load]" in (raised.value.remedy or "")


# --- However it ends, the load ends --------------------------------------------------------------------------------

DRIVER = r"""
import sys
from perfcheck.capacity.engine.engine import Engine
from perfcheck.capacity.engine.plan import LoadPlan, PlannedRequest
from perfcheck.model import LoadModel
head = f"GET {sys.argv[2]} HTTP/1.1\r\n\r\n"
requests = (PlannedRequest("only", head.encode(), timeout_s=600, limit_ms=10),)
plan = LoadPlan("127.0.0.1", int(sys.argv[1]), LoadModel.USERS, requests, think_s=0.02)
with Engine(plan, workers=2) as engine:
    for block in engine.blocks(engine.step(4)):
        print(block.index, block.lag_ms, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_however_the_one_that_drives_it_ends(service: LoadService, number: signal.Signals) -> None:
    command = [sys.executable, "-c", DRIVER, str(service.port), "/never"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as driver:
        assert driver.stdout
        driver.stdout.readline()
        family = descendants(driver.pid)
        driver.send_signal(number)
        driver.communicate(timeout=60)
    assert len(family) == 4
    eventually(lambda: not any(map(is_running, family)))


def test_there_is_no_load_while_the_one_that_drives_it_is_stopped(service: LoadService) -> None:
    """As by Ctrl-Z; what it finds when it goes on is the next half second, which is void."""
    command = [sys.executable, "-c", DRIVER, str(service.port), "/quick"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as driver:
        assert driver.stdout
        driver.stdout.readline()
        driver.send_signal(signal.SIGSTOP)
        eventually(lambda: is_idle(service))
        before = service.requests["/quick"]
        driver.send_signal(signal.SIGCONT)
        eventually(lambda: service.requests["/quick"] > before)
        shown = [driver.stdout.readline().split() for _ in range(10)]
        driver.send_signal(signal.SIGINT)
        driver.communicate(timeout=60)
    assert [int(index) for index, _ in shown] == list(range(1, 11))
    lags_ms = [float(lag_ms) for _, lag_ms in shown]
    assert max(lags_ms) > 500


def is_idle(service: LoadService) -> bool:
    """No request for half a second."""
    before = service.requests["/quick"]
    time.sleep(0.5)
    return service.requests["/quick"] == before


def test_a_process_that_stops_the_load_leaves_none(service: LoadService) -> None:
    with Engine(plan_of(service, planned("never", "/never"))) as engine:
        engine.step(2)
        family = {pid for pid, command in descendants(os.getpid()).items() if "capacity.engine" in command}
    assert not any(map(is_running, family))
    engine.stop()  # once more
    with pytest.raises(ValueError, match="the engine is stopped"):
        engine.step(1)
