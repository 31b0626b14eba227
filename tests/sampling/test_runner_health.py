"""Whether the runner was the bottleneck, from declared figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfcheck.client.exchange import RunQueue
from perfcheck.model import Failure, Phases, RunnerHealth, Sample
from perfcheck.sampling.runner_health import RunnerMonitor


def sample(*, wait_ms: float = 9.0, run_queue_ms: float | None = 0.0, cpu_ms: float | None = 0.2) -> Sample:
    phases = Phases(wait_ms=wait_ms, download_ms=1.0)
    return Sample(at_s=0.0, latency_ms=wait_ms + 1.0, phases=phases, cpu_ms=cpu_ms, run_queue_ms=run_queue_ms)


def health(stat: Path, samples: list[Sample], *, steal: int = 0, spent: int = 1000) -> RunnerHealth:
    stat.write_text("cpu  100 0 100 800 0 0 0 10 0 0\ncpu0 ...\n", encoding="ascii")
    monitor = RunnerMonitor(stat)
    stat.write_text(f"cpu  {100 + spent - steal} 0 100 800 0 0 0 {10 + steal} 0 0\n", encoding="ascii")
    return monitor.finish(samples)


@pytest.fixture
def stat(tmp_path: Path) -> Path:
    return tmp_path / "stat"


def test_a_quiet_runner_has_nothing_to_say(stat: Path) -> None:
    found = health(stat, [sample(cpu_ms=0.2), sample(cpu_ms=0.4, run_queue_ms=0.5)])
    assert found.message is None
    assert found.cpu_ms_per_request == pytest.approx(0.3)
    assert found.run_queue_share == pytest.approx(0.025)
    assert found.steal_share == 0.0


def test_waiting_for_a_cpu_is_reported_with_a_remedy(stat: Path) -> None:
    found = health(stat, [sample(run_queue_ms=1.5)] * 10)
    assert found.run_queue_share == pytest.approx(0.15)
    assert found.message is not None
    assert found.message.startswith("perfcheck waited for a free CPU during 15% of the time in requests")
    assert "run less alongside it" in found.message


def test_exactly_a_tenth_is_not_too_much(stat: Path) -> None:
    assert health(stat, [sample(run_queue_ms=1.0)] * 10).message is None


def test_the_wake_ups_of_very_quick_requests_are_ordinary(stat: Path) -> None:
    found = health(stat, [sample(wait_ms=-0.9, run_queue_ms=0.05)] * 10)
    assert found.run_queue_share == pytest.approx(0.5)
    assert found.message is None


def test_stolen_time_is_reported_with_a_remedy(stat: Path) -> None:
    found = health(stat, [sample()], steal=60)
    assert found.steal_share == pytest.approx(0.06)
    assert found.message is not None
    assert found.message.startswith("the host took 6% of this machine's CPU time (steal)")
    assert "--confirm 2" in found.message


def test_exactly_a_twentieth_stolen_is_not_too_much(stat: Path) -> None:
    assert health(stat, [sample()], steal=50).message is None


def test_failed_requests_do_not_blur_the_figures(stat: Path) -> None:
    refused = Sample(at_s=0.0, latency_ms=None, failure=Failure.REFUSED, run_queue_ms=5.0)
    assert health(stat, [sample(run_queue_ms=0.5), refused]).run_queue_share == pytest.approx(0.05)


@pytest.mark.parametrize("content", [None, "", "cpu\n", "cpu a b c d e f g h\n", "intr 1 2 3 4 5 6 7 8\n"])
def test_a_system_that_does_not_tell(stat: Path, content: str | None) -> None:
    if content is not None:
        stat.write_text(content, encoding="ascii")
    monitor = RunnerMonitor(stat)
    found = monitor.finish([sample(run_queue_ms=None, cpu_ms=None)])
    assert (found.steal_share, found.run_queue_share, found.cpu_ms_per_request) == (None, None, None)
    assert found.message is None


def test_nothing_measured(stat: Path) -> None:
    found = health(stat, [])
    assert (found.run_queue_share, found.cpu_ms_per_request, found.message) == (None, None, None)


def test_the_run_queue_of_a_thread(tmp_path: Path) -> None:
    path = tmp_path / "schedstat"
    path.write_text("1061896799 253397 348\n")
    queue = RunQueue(str(path))
    assert queue.waited_ns() == 253397
    queue.close()
    assert queue.waited_ns() is None
    queue.close()


@pytest.mark.parametrize("content", [None, "", "1061896799", "a b c"])
def test_a_run_queue_that_is_not_reported(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "schedstat"
    if content is not None:
        path.write_text(content)
    assert RunQueue(str(path)).waited_ns() is None
