"""Whether the runner was the bottleneck, from declared figures."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from perfcheck.model import RunnerHealth
from perfcheck.sampling.runner_health import RunnerMonitor


def health(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    queued_ms: float = 0.0,
    steal: int = 0,
    requests: int = 100,
    took_s: float = 1.0,
) -> RunnerHealth:
    """Of a run of one second, if not another, in which perfcheck used 50 ms of CPU time."""
    stat, schedstat = folder / "stat", folder / "schedstat"
    clocks = iter([7.0, 7.0 + took_s]), iter([1.0, 1.05])
    monkeypatch.setattr(time, "perf_counter", clocks[0].__next__)
    monkeypatch.setattr(time, "thread_time", clocks[1].__next__)
    stat.write_text("cpu  100 0 100 800 0 0 0 10 0 0\ncpu0 ...\n", encoding="ascii")
    schedstat.write_text("1061896799 253397 348\n", encoding="ascii")
    monitor = RunnerMonitor(stat, schedstat)
    stat.write_text(f"cpu  {1100 - steal} 0 100 800 0 0 0 {10 + steal} 0 0\n", encoding="ascii")
    schedstat.write_text(f"1061896799 {253397 + queued_ms * 1e6:.0f} 348\n", encoding="ascii")
    return monitor.finish(requests)


def test_a_quiet_runner_has_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = health(tmp_path, monkeypatch, queued_ms=25)
    assert found.message is None
    assert found.cpu_ms_per_request == pytest.approx(0.5)
    assert found.run_queue_share == pytest.approx(0.025)
    assert found.steal_share == 0.0


def test_waiting_for_a_cpu_is_reported_with_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = health(tmp_path, monkeypatch, queued_ms=150)
    assert found.run_queue_share == pytest.approx(0.15)
    assert found.queued_ms_per_request == pytest.approx(1.5)
    assert found.message == "perfcheck waited for a free CPU during 15% of the run (1.5 ms per request)"


def test_exactly_a_tenth_is_not_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert health(tmp_path, monkeypatch, queued_ms=100).message is None


def test_the_wake_ups_of_very_quick_requests_are_ordinary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = health(tmp_path, monkeypatch, queued_ms=500, requests=10_000)
    assert found.run_queue_share == pytest.approx(0.5)
    assert found.message is None


def test_stolen_time_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = health(tmp_path, monkeypatch, steal=60)
    assert found.steal_share == pytest.approx(0.06)
    assert found.message == "the host took 6% of this machine's CPU time (steal)"


def test_stolen_time_is_unknown_of_a_run_of_40_ms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = health(tmp_path, monkeypatch, steal=500, took_s=0.04)
    assert (found.steal_share, found.message) == (None, None)


def test_exactly_a_twentieth_stolen_is_not_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert health(tmp_path, monkeypatch, steal=50).message is None


@pytest.mark.parametrize(
    "content", [None, "", "cpu\n", "1061896799", "a b c", "cpu a b c d e f g h\n", "intr 1 2 3 4 5 6 7 8\n"]
)
def test_a_system_that_reports_nothing(tmp_path: Path, content: str | None) -> None:
    stat, schedstat = tmp_path / "stat", tmp_path / "schedstat"
    if content is not None:
        stat.write_text(content, encoding="ascii")
        schedstat.write_text(content.replace("1 2", "x y"), encoding="ascii")
    found = RunnerMonitor(stat, schedstat).finish(10)
    assert (found.steal_share, found.run_queue_share, found.message) == (None, None, None)


def test_nothing_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = health(tmp_path, monkeypatch, requests=0)
    assert (found.run_queue_share, found.cpu_ms_per_request, found.message) == (None, None, None)
