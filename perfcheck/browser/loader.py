"""Loads pages for a client, in the process of the browser."""

from __future__ import annotations

import math
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import join
from tempfile import TemporaryDirectory
from typing import Self

import httpx
import msgspec

from perfcheck.browser.kept_files import KeptFiles
from perfcheck.browser.program import NO_BROWSER, browser_program
from perfcheck.browser.visit import Visit, Visited, VisitedStep, VisitStep
from perfcheck.client.loop import READ, Loop, Steps, Wait
from perfcheck.client.prepared_request import Origin, PreparedRequest
from perfcheck.client.workflow import as_one
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.model import (
    BlockingResource,
    Endpoint,
    Failure,
    MetricOf,
    PageCache,
    PageLoad,
    Phases,
    Sample,
    Service,
    sent,
)
from perfcheck.service_process import ShellCommand
from perfcheck.text import Redactor

_START_S = 60.0
_GRACE_S = 10.0  # beyond all timeouts of a visit: the browser hangs
_END_S = 2.0  # until what is left of the browser is killed
_BLOCK_BYTES = 1 << 20
_LONGEST_URL = 300


class _BrowserProcess:
    """The worker, and the socket to it."""

    def __init__(self, arguments: Sequence[str], folder: str) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        self._sock = ours
        self._command = ShellCommand(pass_fds=(theirs.fileno(),), grace_s=_END_S)
        words = [sys.executable, "-P", "-m", "perfcheck.browser.worker", str(theirs.fileno()), *arguments]
        with theirs:
            self._command.start(f"exec {join(words)}", env={"TMPDIR": folder})

    def exchange(self, visit: Visit | None, longest_s: float) -> Steps[Visited | None]:
        """What came of ``visit``, of the start for None. None where the browser gave no answer: it is ended then."""
        deadline_ns = time.perf_counter_ns() + int(longest_s * 1e9)
        received = b""
        try:
            if visit is not None:
                self._sock.settimeout(None)
                self._sock.sendall(msgspec.json.encode(visit) + b"\n")
                self._sock.settimeout(0)
            while not received.endswith(b"\n"):
                if not (yield Wait(self._sock, READ, deadline_ns)):
                    return None
                block = self._sock.recv(_BLOCK_BYTES)
                if not block:
                    return None
                received += block
        except OSError:
            return None
        return msgspec.json.decode(received, type=Visited)

    def output(self) -> tuple[str, ...]:
        return self._command.output()

    def stop(self) -> None:
        self._sock.close()
        self._command.stop()


class PageLoader:
    """Loads pages of some services, one at a time. A context manager that ends the browser."""

    def __init__(
        self, services: Sequence[Service], redact: Redactor, loop: Loop, *, keep_in: Path | None = None
    ) -> None:
        """``keep_in``: a folder for a screenshot and a HAR of each page's slowest load. Raises UsageError."""
        for service in services:
            _check_service(service)
        self._arguments = [browser_program(), *_browser_arguments(services)]
        self._redact = redact
        self._loop = loop
        self._kept = KeptFiles(keep_in, redact) if keep_in else None
        self._process: _BrowserProcess | None = None

    def __enter__(self) -> Self:
        """Raises UsageError where there is no browser, CouldNotMeasureError where it does not start."""
        self._folder = TemporaryDirectory(prefix="perfcheck-browser-", ignore_cleanup_errors=True)
        try:
            self._loop.run(self._start())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._folder.cleanup()

    def _start(self) -> Steps[_BrowserProcess]:
        if self._process is None:
            self._process = _BrowserProcess(self._arguments, self._folder.name)
            started = yield from self._exchange(self._process, None, _START_S)
            if started is None:
                output = self._process.output() if self._process else ()
                self._stop()
                raise CouldNotMeasureError("the browser did not start", output=output)
            if started.error is not None:
                self._stop()
                raise _no_browser(started.error)
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def _exchange(self, process: _BrowserProcess, visit: Visit | None, longest_s: float) -> Steps[Visited | None]:
        """A browser that is abandoned in the middle is ended: nobody knows what it would answer next."""
        try:
            return (yield from process.exchange(visit, longest_s))
        except GeneratorExit:
            self._stop()
            raise

    def load(
        self,
        service: Service,
        endpoint: Endpoint,
        requests: Sequence[PreparedRequest | None],
        values: Mapping[str, str],
        now: Callable[[], float],
    ) -> Steps[Sample]:
        """One load. ``requests`` are those of its documents, None for a step that begins with none."""
        visit = self._visit(service, endpoint, requests, values)
        try:
            process = yield from self._start()
        except (CouldNotMeasureError, UsageError) as error:  # after it ended: before the first load, it did start
            return Sample(now(), None, Failure.BROWSER, detail=self._redact.clean(error.message))
        at_s, began_s = now(), time.monotonic()
        visited = yield from self._exchange(process, visit, visit.longest_s + _GRACE_S)
        if visited is None:
            self._stop()
            visited = Visited((VisitedStep(failure=Failure.BROWSER, detail="the browser hung, or ended"),))
        sample = self._sample(endpoint, visited, at_s, visit.origin)
        if self._kept and visit.files and sample.page:
            kept = self._kept.keep(endpoint.name, sample.latency_ms, visit.files)
            sample = replace(sample, page=replace(sample.page, files=kept))
        return replace(sample, took_s=time.monotonic() - began_s)

    def _visit(
        self,
        service: Service,
        endpoint: Endpoint,
        requests: Sequence[PreparedRequest | None],
        values: Mapping[str, str],
    ) -> Visit:
        first = next(request for request in requests if request is not None)
        cookies = next((value.decode() for name, value in first.headers if name.lower() == b"cookie"), "")
        digest = endpoint.digest if endpoint.line else service.digest
        steps = endpoint.steps or (endpoint,)
        return Visit(
            steps=tuple(_visit_step(*pair, values) for pair in zip(steps, requests, strict=True)),
            origin=f"{first.url.scheme}://{first.url.netloc.decode()}",  # without the port that is the default
            cookies=dict(pair.strip().split("=", 1) for pair in cookies.split(";") if "=" in pair),
            credentials=(digest.username, digest.password) if digest else None,
            verifies_tls=service.tls.verify,
            is_warm=any(step.page is not None and step.page.cache is PageCache.WARM for step in steps),
            files=str(Path(self._folder.name, "load")) if self._kept else None,
        )

    # --- What came of it -------------------------------------------------------------------------------------------

    def _sample(self, endpoint: Endpoint, visited: Visited, at_s: float, origin: str) -> Sample:
        steps = endpoint.steps or (endpoint,)
        pairs = list(zip(steps, visited.steps, strict=False))
        samples = [self._step_sample(step, each, at_s, origin) for step, each in pairs]
        if not endpoint.steps:
            return samples[0]
        loads = [sample.page for sample in samples if sample.page]
        figures = {
            name: sum(load.figures.get(name, 0.0) for load in loads) for load in loads[:1] for name in load.figures
        }
        blocking = sorted((each for load in loads for each in load.blocking), key=lambda each: -each.ms)
        return replace(as_one(samples, pairs[-1][0].name), page=PageLoad(figures, tuple(blocking)))

    def _step_sample(self, step: Endpoint, visited: VisitedStep, at_s: float, origin: str) -> Sample:
        failure = Failure(visited.failure) if visited.failure else None
        detail, figures = visited.detail, visited.figures
        value = figures.get(step.metric_of)
        if value is None and failure is None:
            value = figures.get(MetricOf.LOAD) if MetricOf.FIRST_BYTE not in figures else None
        if value is None and failure is None:
            failure, detail = Failure.WRONG_ANSWER, f"no {step.metric_of.label}: the page showed nothing"
        if failure is not None:
            value = math.inf if failure is Failure.TIMEOUT else None
        limited = tuple(Sample(at_s, figures.get(each.metric_of)) for each in step.figures if failure is None)
        return Sample(
            at_s=at_s,
            latency_ms=value,
            failure=failure,
            status=visited.status,
            detail=self._redact.clean(detail) if detail else None,
            phases=Phases(wait_ms=figures.get(MetricOf.FIRST_BYTE)),
            server_timing=self._redact.clean(visited.server_timing, 2000) if visited.server_timing else None,
            steps=limited,
            page=PageLoad(figures, tuple(self._blocking(visited, origin))) if failure is None else None,
            took_s=visited.took_s,
        )

    def _blocking(self, visited: VisitedStep, origin: str) -> list[BlockingResource]:
        return [
            BlockingResource(self._redact.clean(url.removeprefix(origin), _LONGEST_URL), ms, runs)
            for url, ms, runs in visited.blocking
        ]


def _visit_step(step: Endpoint, request: PreparedRequest | None, values: Mapping[str, str]) -> VisitStep:
    page = step.page
    url = request.whole_url.copy_with(username=None, password=None) if request else None
    return VisitStep(
        url=str(url) if url else None,
        headers=_own_headers(request) if request else None,
        fill=tuple((field, sent(text, values)) for field, text in page.fill) if page else (),
        click=page.click if page else None,
        until=page.until if page else None,
        expect=step.expect,
        timeout_s=step.timeout_s,
        think_s=step.think_s,
    )


def _own_headers(request: PreparedRequest) -> dict[str, str]:
    """Without those that a browser has of its own; cookies are set apart."""
    own = {"authorization", *(name.lower() for name, _ in request.endpoint.headers)} - {"cookie"}
    pairs = ((name.decode(), value.decode("latin-1")) for name, value in request.headers)
    return {name: value for name, value in pairs if name.lower() in own}


def _check_service(service: Service) -> None:
    """Raises UsageError for what a browser cannot do."""
    for key, is_set in (
        ("unix_socket", service.unix_socket),
        ("tls.ca", service.tls.ca),
        ("tls.cert", service.tls.cert),
    ):
        if is_set:
            message = f"pages cannot be loaded with service.{key}: the browser has its own way to connect"
            raise UsageError(message, "leave the pages out, or give them a baseline of their own")


def _browser_arguments(services: Sequence[Service]) -> list[str]:
    rules = []
    for service in services:
        if service.connect_to is not None:
            origin = Origin.of(httpx.URL(service.base_url))
            rules.append(f"MAP {origin.authority} {Origin('', *service.connect_to).authority}")
    return [f"--host-resolver-rules={','.join(rules)}"] if rules else []


def _no_browser(error: str) -> UsageError | CouldNotMeasureError:
    if "Executable doesn't exist" in error:
        return UsageError("pages are loaded by Chromium, and there is none on this machine", NO_BROWSER)
    lines = tuple(line for line in error.splitlines() if line.strip())
    return CouldNotMeasureError("the browser did not start", NO_BROWSER, output=lines[:40])
