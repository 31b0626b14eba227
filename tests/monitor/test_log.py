"""Slow responses are logged by their severity, and a slow service does not drown its log."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

import perfcheck.monitor
from perfcheck.monitor import lifecycle, log
from perfcheck.monitor.log import SlowLog
from perfcheck.monitor.registry import default
from perfcheck.monitor.trace import current

LIMITS = {"slow_s": 0.5, "very_slow_s": 1.0}


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    now = Time()
    monkeypatch.setattr(log, "monotonic", now)
    return now


@pytest.fixture(autouse=True)
def fresh(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    caplog.set_level(logging.WARNING, "perfcheck.monitor")
    monkeypatch.setattr(default, "is_served", True)
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


def levels(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records]


def test_over_half_a_second_is_a_warning_and_over_one_an_error(caplog: pytest.LogCaptureFixture) -> None:
    slow_log = SlowLog()
    for seconds in (0.5, 0.501, 1.0, 1.001):
        slow_log.report("api.slow", seconds, 200, "7 queries", **LIMITS)
    assert levels(caplog) == ["WARNING", "WARNING", "ERROR"]
    assert caplog.messages[0] == "slow response: api.slow took 501 ms (over 500 ms), status 200, 7 queries"
    assert caplog.messages[2] == "very slow response: api.slow took 1001 ms (over 1000 ms), status 200, 7 queries"


def test_a_flood_becomes_a_line_a_minute_that_counts_the_rest(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    slow_log = SlowLog()
    for _ in range(1000):
        slow_log.report("api.slow", 0.6, None, "0 queries", **LIMITS)
    slow_log.report("api.other", 0.6, None, "0 queries", **LIMITS)
    assert len(caplog.records) == 6
    time.now += 60
    for _ in range(100):
        slow_log.report("api.slow", 0.6, None, "0 queries", **LIMITS)
    assert len(caplog.records) == 7
    assert caplog.messages[-1].endswith("status unknown, 0 queries; 995 more since the last line")


def test_names_are_forgotten_before_they_are_too_many(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "perfcheck.monitor")  # to write 25,000 lines takes seconds
    slow_log = SlowLog()
    for number in range(25_000):
        slow_log.report(f"name {number}", 0.6, 200, "0 queries", **LIMITS)
    assert len(slow_log._allowances) <= 10_000


def test_a_request_that_took_long_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    request = lifecycle.begin("api.slow")
    request.started_ns -= 700_000_000
    request.finish(status=200)
    assert levels(caplog) == ["WARNING"]
    perfcheck.monitor.configure(slow_s=0.9)
    request = lifecycle.begin("api.slow")
    request.started_ns -= 700_000_000
    request.finish(status=200)
    assert levels(caplog) == ["WARNING"]


def test_a_logger_that_fails_harms_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    class BrokenHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "slow response" in record.getMessage():
                raise RuntimeError("the disk of the log is full")

    logger = logging.getLogger("perfcheck.monitor")
    handler = BrokenHandler()
    logger.addHandler(handler)
    try:
        request = lifecycle.begin("api.slow")
        request.started_ns -= 700_000_000
        request.finish(status=200)
    finally:
        logger.removeHandler(handler)
    snapshot = default.snapshot()
    assert (snapshot.total, snapshot.defects) == (1, 0)


def test_the_slowest_statement_of_a_slow_request_is_named(caplog: pytest.LogCaptureFixture) -> None:
    request = lifecycle.begin("api.slow")
    request.started_ns -= 700_000_000
    trace = current()
    assert trace is not None
    trace.add_query("SELECT a FROM t", 0.1)
    trace.add_query("SELECT b FROM t WHERE id = 7", 0.48)
    request.finish(status=200)
    statement = r"SELECT b FROM t WHERE id = \?, from .*test_log.py:\d+"
    assert re.fullmatch(rf"slow response: api\.slow took .*, 2 queries, 480 ms in {statement}", caplog.messages[-1])
