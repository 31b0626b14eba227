"""Loads that fail, pages that hang or crash, browsers that end: each costs its own load, and no other."""

from __future__ import annotations

import math
import os
import signal
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from apps.faulty_server import (
    Conversation,
    every_request,
    hang_up,
    once,
    read_request,
    reset,
    response,
    server,
    wait_for_the_client_to_leave,
)
from apps.pages import Page, html, page_service, script
from support.baselines import load
from support.browser import browser_path
from support.page_loads import Loads, baseline_of
from support.processes import descendants
from support.waiting import eventually

from perfcheck.browser.program import VARIABLE
from perfcheck.engine.check import check
from perfcheck.model import Failure, Sample, Verdict

PAGE = "{kind: page, path: /, target: 1s, timeout: 60s}"
IMPATIENT = PAGE.replace("60s", "2s")
HANGS = html("ok<script>for (;;);</script>")
HANGS_LATER = html("ok<script>addEventListener('load', () => setTimeout(() => { for (;;); }, 100))</script>")


@pytest.fixture
def own_loads(loads: Loads) -> Iterator[Loads]:
    """The shared browser; it loads again whatever was done to it."""
    yield loads
    with page_service({"/": html("ok")}) as service:
        assert loads.one(service.url, PAGE).failure is None


SHORT = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n<!doctype html><p>short"


def resets(connection: object) -> None:
    read_request(connection)  # type: ignore[arg-type]
    reset(connection)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("converse", "failure"),
    [
        (resets, Failure.RESET),
        (hang_up, Failure.RESET),
        (once(SHORT), Failure.TRUNCATED),
        (once(b"nonsense\r\n\r\n"), Failure.PROTOCOL),
        (every_request(response(b"", "Location: /", status="302 Found")), Failure.REDIRECTS),
        (every_request(response(b"no gzip", "Content-Encoding: gzip", "Content-Type: text/html")), Failure.DECODING),
        (every_request(b"HTTP/1.1 204 No Content\r\n\r\n"), Failure.WRONG_ANSWER),
    ],
)  # fmt: skip
def test_what_the_service_does_wrong(loads: Loads, converse: Conversation, failure: Failure) -> None:
    with server(converse) as service:
        sample = loads.one(service.url(), PAGE)
    assert (sample.failure, sample.latency_ms) == (failure, None), sample.detail


def test_nothing_listens(loads: Loads) -> None:
    with page_service({}) as service:
        url = service.url
    sample = loads.one(url, PAGE)
    assert (sample.failure, sample.detail) == (Failure.REFUSED, "net::ERR_CONNECTION_REFUSED")


def test_a_server_that_hangs_is_over_every_limit(loads: Loads) -> None:
    with server(wait_for_the_client_to_leave) as service:
        sample = loads.one(service.url(), IMPATIENT)
    assert (sample.failure, sample.latency_ms, sample.detail) == (Failure.TIMEOUT, math.inf, "not loaded within 2 s")


@pytest.mark.parametrize(("settings", "failure"), [("", Failure.TLS), ("  tls: {verify: false}", None)])
def test_a_certificate_that_is_not_trusted(loads: Loads, settings: str, failure: Failure | None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    page = response(html("ok").encode(), "Content-Type: text/html")
    with server(every_request(page), context=context) as service:
        sample = loads.one(service.url("https"), PAGE, service=settings)
    assert sample.failure == failure, sample.detail


@pytest.mark.parametrize("page", [HANGS, HANGS_LATER])
def test_a_script_that_never_ends(own_loads: Loads, page: str) -> None:
    with page_service({"/": page}) as service:
        sample = own_loads.one(service.url, IMPATIENT)
    assert (sample.failure, sample.latency_ms, sample.detail) == (Failure.TIMEOUT, math.inf, "not loaded within 2 s")


def test_in_a_check_it_costs_its_own_endpoint_alone(tmp_path: Path) -> None:
    """And a workflow is judged as one and by step."""
    pages: dict[str, Page] = {
        "/": html("<a href=/item>The first</a>"),
        "/item": html("<h1>The item</h1>"),
        "/hangs": script("", after_s=30.0),
        "/data": "{}",
    }
    with page_service(pages) as service:
        text = f"""version: 1
service: {{base_url: {service.url}}}
sampling: {{errors: quick, confirm: 0, warmup: 0}}
endpoints:
  hangs: {{kind: page, path: /hangs, target: 100ms, timeout: 500ms}}
  shop:
    target: 60s
    timeout: 90s
    steps:
      search: {{goto: /}}
      open: {{click: a, until: h1, target: 1ms}}
  data: {{path: /data, target: 30s, timeout: 90s}}
"""
        results = check(load(tmp_path, text), seed=1, max_requests=5).run.endpoints
    assert {result.name: result.verdict for result in results} == {
        "hangs": Verdict.CRITICAL,
        "shop": Verdict.CRITICAL,
        "data": Verdict.OK,
    }
    (shop,) = (result for result in results if result.steps)
    assert {step.name: step.verdict for step in shop.steps} == {"search": Verdict.OK, "open": Verdict.CRITICAL}
    assert shop.page is not None


def below(pid: int, word: str) -> list[int]:
    """Processes below this one whose command line has the word, without those that end them: no one else's browser."""
    return [each for each, line in descendants(pid).items() if word in line and "supervisor.py" not in line]


def while_loading(loads: Loads, end: str) -> Sample:
    """One load, in the middle of which the processes below ours with ``end`` in their command line are killed."""
    asked = threading.Event()

    def converse(connection: object) -> None:
        read_request(connection)  # type: ignore[arg-type]
        asked.set()
        wait_for_the_client_to_leave(connection)  # type: ignore[arg-type]

    def kill() -> None:
        assert asked.wait(60)
        for pid in eventually(lambda: below(os.getpid(), end)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with server(converse) as service:
        sample = loads.one(service.url(), PAGE)
    killer.join()
    return sample


@pytest.mark.parametrize("end", ["--remote-debugging-pipe", "perfcheck.browser.worker"])
def test_a_browser_that_is_killed_in_the_middle(own_loads: Loads, end: str) -> None:
    sample = while_loading(own_loads, end)
    assert (sample.failure, sample.latency_ms) == (Failure.BROWSER, None), sample.detail


def test_a_page_that_crashes(own_loads: Loads) -> None:
    sample = while_loading(own_loads, "--type=renderer")
    assert (sample.failure, sample.latency_ms) == (Failure.BROWSER, None), sample.detail
    assert sample.detail == "the page crashed, or the browser ended"


def test_a_browser_that_does_not_start_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\nexec {browser_path()} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(program))
    with page_service({"/": html("ok")}) as service, Loads() as loads:
        program.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
        for pid in below(os.getpid(), str(program)):
            os.kill(pid, signal.SIGKILL)
        samples = loads.of(baseline_of(service.url, PAGE), count=2)
    assert [(sample.failure, sample.latency_ms) for sample in samples] == [(Failure.BROWSER, None)] * 2
    assert samples[1].detail == "the browser did not start"
