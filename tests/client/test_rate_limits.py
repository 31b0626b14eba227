"""Responses 429: how long they ask to wait, and a run that does."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, formatdate
from itertools import pairwise
from pathlib import Path

import pytest
from apps.faulty_server import Conversation, every_request, read_request, response, server
from hypothesis import given
from hypothesis import strategies as st
from support.baselines import load

from perfcheck.client.client import Client
from perfcheck.client.response import Response
from perfcheck.engine.check import check
from perfcheck.engine.compare_live import compare_live
from perfcheck.model import Endpoint, Failure, Finding, Sample, Service, Verdict
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1)
LIMITED = "429 Too Many Requests"
DATE = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def sample_of(answer: bytes, expect: tuple[tuple[int, int], ...] = IT.expect) -> Sample:
    with (
        server(every_request(answer)) as running,
        Client(Service(base_url=running.url()), redact=Redactor()) as client,
    ):
        return client.send(replace(IT, expect=expect))


def wait_of(*headers: tuple[str, str]) -> float | None:
    raw = [(name.encode(), value.encode("utf-8", "surrogatepass")) for name, value in headers]
    return Response(429, b"", raw, "HTTP/1.1").retry_after_s()


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("120", 120.0), ("soon", None), ("-1", None), ("", None)])
def test_seconds(text: str, seconds: float | None) -> None:
    assert wait_of(("retry-after", text)) == seconds


@pytest.mark.parametrize(("later_s", "seconds"), [(30, 30.0), (-30, 0.0)])
def test_a_date_is_compared_with_that_of_the_response(later_s: int, seconds: float) -> None:
    date, until = format_datetime(DATE, usegmt=True), format_datetime(DATE + timedelta(seconds=later_s), usegmt=True)
    assert wait_of(("date", date), ("retry-after", until)) == seconds


def test_a_date_without_one_is_compared_with_the_clock() -> None:
    seconds = wait_of(("retry-after", formatdate(time.time() + 3600, usegmt=True)))
    assert seconds is not None
    assert 3000 < seconds <= 3600


@given(st.text(), st.text())
def test_nothing_that_a_service_sends_is_an_error(retry_after: str, date: str) -> None:
    seconds = wait_of(("retry-after", retry_after), ("date", date))
    assert seconds is None or seconds >= 0


def test_only_an_unexpected_429_is_waited_for() -> None:
    limited = response(b"", "Retry-After: 7", status=LIMITED)
    assert sample_of(limited).retry_after_s == 7.0
    assert sample_of(limited, expect=((429, 429),)).retry_after_s is None
    assert sample_of(response(b"", "Retry-After: 7", status="503 x")).retry_after_s is None
    assert sample_of(response(b"", status=LIMITED)).retry_after_s is None


class Limiter:
    """429 for the second request, with the time until the next one is welcome; the times of all others."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.refused_at: float | None = None

    def __call__(self, connection: socket.socket) -> None:
        while read_request(connection):
            if len(self.times) == 2 and self.refused_at is None:
                self.refused_at = time.monotonic()
                connection.sendall(response(b"", "Retry-After: 1", status=LIMITED))
            else:
                self.times.append(time.monotonic())
                connection.sendall(response())


BASELINE = """version: 1
service: {{base_url: {url}}}
sampling: {{errors: quick{more}}}
endpoints:
  a: {{path: /a, target: 2s}}
  b: {{path: /b, target: 2s}}
"""


def notes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.message for finding in findings if "429" in finding.message]


def test_a_run_waits_and_reports_it(tmp_path: Path) -> None:
    limiter = Limiter()
    with server(limiter) as running:
        run = check(load(tmp_path, BASELINE.format(url=running.url(), more=""))).run
    assert run.verdict is Verdict.OK
    assert limiter.refused_at is not None
    later = [at for at in limiter.times if at > limiter.refused_at]
    assert min(later) - limiter.refused_at >= 0.99
    assert all(not result.requests.failed for result in run.endpoints)
    assert notes(run.findings) == ["the service limits requests (429): waited 1 s for 1 of them"]


def test_a_comparison_waits_and_names_the_side(tmp_path: Path) -> None:
    limiter = Limiter()
    with server(every_request(response())) as before, server(limiter) as after:
        sides = [load(tmp_path, BASELINE.format(url=side.url(), more="")) for side in (before, after)]
        run = compare_live(*sides).run
    assert run.counts.not_measured == 0
    assert notes(run.findings) == ["the service after limits requests (429): waited 1 s for 1 of them"]


def test_a_pause_follows_each_response(tmp_path: Path) -> None:
    with server(every_request(response())) as running:
        run = check(load(tmp_path, BASELINE.format(url=running.url(), more=", pause: 20ms"))).run
    timelines = [result.timeline for result in run.endpoints]
    sent = sorted((at, took or 0.0) for each in timelines for at, took in zip(each.at_ms, each.latency_ms, strict=True))
    assert len(sent) == 12
    assert all(after - (before + took) >= 19.9 for (before, took), (after, _) in pairwise(sent))


def test_a_rate_is_kept(tmp_path: Path) -> None:
    with server(every_request(response())) as running:
        run = check(load(tmp_path, BASELINE.format(url=running.url(), more=", rate: 20/s"))).run
    at_ms = sorted(at for result in run.endpoints for at in result.timeline.at_ms)
    assert len(at_ms) == 12
    assert at_ms[-1] - at_ms[0] > 200  # 550 ms, if the first was not late


def test_a_429_that_goes_on_is_a_failure(tmp_path: Path) -> None:
    limited: Conversation = every_request(response(b"", "Retry-After: 0", status=LIMITED))
    with server(limited) as running:
        run = check(load(tmp_path, BASELINE.format(url=running.url(), more=", confirm: 0"))).run
    assert run.verdict is Verdict.CRITICAL
    assert {kind for result in run.endpoints for kind in result.errors} == {Failure.STATUS}
