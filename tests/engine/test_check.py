"""A check by function call, against real services."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from apps.monitored import API, YEARS, answer, health, plain, stats
from apps.service import Answer, Handler, ok, service, slow, status
from support.baselines import load

from perfcheck.engine.check import check
from perfcheck.engine.selection import override
from perfcheck.engine.session import Callbacks
from perfcheck.errors import (
    EXIT_BUG,
    EXIT_CRITICAL,
    EXIT_INTERRUPTED,
    EXIT_NOT_MEASURED,
    EXIT_OK,
    CouldNotMeasureError,
    UsageError,
)
from perfcheck.model import (
    Baseline,
    ErrorProof,
    Failure,
    Measurement,
    Metric,
    Rule,
    Run,
    RunnerHealth,
    Severity,
    Verdict,
)
from perfcheck.sampling.runner_health import RunnerMonitor
from perfcheck.sampling.sampler import Sampler

ENDPOINTS = "  a: {path: /a, target: 2s}\n  b: {path: /b, target: 2s}\n"


@contextmanager
def served(
    folder: Path, paths: dict[str, Handler], endpoints: str = ENDPOINTS, *, extra: str = ""
) -> Iterator[Baseline]:
    with service(paths) as url:
        yield load(folder, f"version: 1\nservice:\n  base_url: {url}\n{extra}endpoints:\n{endpoints}")


@pytest.fixture
def healthy(tmp_path: Path) -> Iterator[Baseline]:
    with served(tmp_path, {"/a": ok(), "/b": ok()}) as baseline:
        yield baseline


def verdicts(run: Run) -> dict[str, Verdict]:
    return {result.name: result.verdict for result in run.endpoints}


def test_a_healthy_service(healthy: Baseline, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = check(healthy, seed=7, label="v1.4")
    run = outcome.run
    assert outcome.error is None
    assert (run.verdict, run.exit_code, run.complete) == (Verdict.OK, EXIT_OK, True)
    assert (run.label, run.seed, run.command) == ("v1.4", 7, ("perfcheck", "run"))
    assert run.baseline.file == healthy.file
    assert [len(result.samples_ms) for result in run.endpoints] == [5, 5]
    assert capfd.readouterr() == ("", "")


def test_only_the_endpoints_that_are_named(healthy: Baseline) -> None:
    assert verdicts(check(healthy, names=["b"]).run) == {"b": Verdict.OK}
    with pytest.raises(UsageError, match="has no endpoint 'bb'") as error:
        check(healthy, names=["bb"])
    assert error.value.remedy == "did you mean 'b'?"


@pytest.mark.parametrize(
    ("fail_on", "exit_code"), [(Verdict.CRITICAL, EXIT_CRITICAL), (Verdict.WARNING, EXIT_CRITICAL), (None, EXIT_OK)]
)
def test_a_failing_endpoint(tmp_path: Path, fail_on: Verdict | None, exit_code: int) -> None:
    with served(tmp_path, {"/a": status(500), "/b": ok()}) as baseline:
        run = check(override(baseline, confirm=0), fail_on=fail_on).run
    assert verdicts(run) == {"a": Verdict.CRITICAL, "b": Verdict.OK}
    assert run.endpoints[0].errors == {str(Failure.STATUS): run.endpoints[0].requests.sent}
    assert run.exit_code == exit_code


def test_a_failing_endpoint_is_reported_with_what_it_answers(tmp_path: Path) -> None:
    answers = iter(range(1000))

    def broken() -> Answer:
        return 500, {"Content-Type": "application/json"}, b'{"error": "request %d failed"}' % next(answers)

    with served(tmp_path, {"/a": broken, "/b": ok()}) as baseline:
        (finding, *_) = check(override(baseline, confirm=0), names=["a"]).run.endpoints[0].findings
    assert finding.message.startswith("5 of 5 requests failed (100%), over 5%: 5x 500 Internal Server Error")
    # Request 0 was that of the wait for the service, 1 the warm-up.
    assert finding.message.endswith('; first body: {"error": "request 2 failed"}')


def test_secrets_are_in_neither_label_nor_command(tmp_path: Path) -> None:
    with service({"/a": ok()}) as url:
        text = f'version: 1\nservice: {{base_url: {url}, headers: {{X-Key: "${{KEY}}"}}}}\nendpoints:\n'
        baseline = load(tmp_path, text + "  a: {path: /a, target: 2s}\n", {"KEY": "s3cr3t-key"})
        run = check(baseline, label="with s3cr3t-key", command=("perfcheck", "run", "s3cr3t-key")).run
    assert (run.label, run.command) == ("with ***", ("perfcheck", "run", "***"))


@pytest.mark.parametrize(
    ("endpoints", "noted"),
    [
        (
            "  a: {path: /a}\n  b: {path: /b, slow: 2s}\n",
            ["no endpoint has a target: only failures and latencies over 2 s"],
        ),
        ("  a: {path: /a}\n  b: {path: /b, target: 2s}\n", []),
        ("  a: {path: /a}\n  b: {path: /b, ceiling: 2s}\n", []),
    ],
)
def test_a_run_without_any_target_states_so_and_how_to_get_some(
    tmp_path: Path, endpoints: str, noted: list[str]
) -> None:
    with served(tmp_path, {"/a": ok(), "/b": ok()}, endpoints) as baseline:
        run = check(baseline).run
    notes = [finding for finding in run.findings if finding.rule is Rule.NO_TARGET]
    assert [note.message.removesuffix(" are found") for note in notes] == noted
    assert all("perfcheck baseline update" in (note.remedy or "") for note in notes)


@pytest.mark.parametrize(
    ("target", "queued_ms", "severity"),
    [("2s", 2.0, Severity.NOTE), ("1ms", 2.0, Severity.NOTE), ("20ms", 100.0, Severity.WARNING)],
)
def test_a_busy_runner_is_a_note_where_no_verdict_depends_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, queued_ms: float, severity: Severity
) -> None:
    """Of an endpoint that takes 40 ms."""
    busy = RunnerHealth(message="perfcheck waited for a free CPU", queued_ms_per_request=queued_ms)
    monkeypatch.setattr(RunnerMonitor, "finish", lambda *_: busy)
    with served(tmp_path, {"/a": slow(0.04)}, f"  a: {{path: /a, target: {target}}}\n") as baseline:
        run = check(override(baseline, confirm=0)).run
    assert [finding.severity for finding in run.findings if finding.rule is Rule.RUNNER] == [severity]


# --- Cut short -----------------------------------------------------------------------------------------------------


def test_a_service_that_does_not_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    service_keys = f"{{base_url: http://127.0.0.1:{port}, ready: /a, ready_timeout: 100ms}}"
    baseline = load(tmp_path, f"version: 1\nservice: {service_keys}\nendpoints:\n{ENDPOINTS}")
    waited: list[float] = []

    @contextmanager
    def waiting(timeout_s: float) -> Iterator[None]:
        waited.append(timeout_s)
        yield

    outcome = check(baseline, callbacks=Callbacks(waiting=waiting))
    assert isinstance(outcome.error, CouldNotMeasureError)
    assert outcome.error.is_down
    assert outcome.error.remedy == "start it, or give its address with --base-url"
    assert (outcome.run.exit_code, outcome.run.complete) == (EXIT_NOT_MEASURED, False)
    assert verdicts(outcome.run) == {"a": Verdict.NOT_MEASURED, "b": Verdict.NOT_MEASURED}
    assert all(result.findings[0].message == outcome.error.message for result in outcome.run.endpoints)
    assert waited == [0.1]


def test_an_interruption_keeps_what_was_measured(tmp_path: Path) -> None:
    """By the signal itself, sent by the service at the fourth request for one of the endpoints."""
    count = 0

    def interrupting() -> Answer:
        nonlocal count
        count += 1
        if count == 4:
            signal.raise_signal(signal.SIGINT)
        return 200, {}, b"{}"

    measured: list[bool] = []
    with served(tmp_path, {"/a": interrupting, "/b": ok()}) as baseline:
        outcome = check(baseline, callbacks=Callbacks(measured=lambda: measured.append(True)))
    run = outcome.run
    assert outcome.error is None
    assert (run.exit_code, run.complete) == (EXIT_INTERRUPTED, False)
    assert 1 <= run.endpoints[0].requests.sent < 5
    assert not any("--budget" in (each.remedy or "") for result in run.endpoints for each in result.findings)
    assert any(finding.message.startswith("interrupted") for finding in run.findings)
    assert measured


def test_an_error_of_ours_keeps_what_was_measured(healthy: Baseline) -> None:
    calls = 0

    def progress(_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise ZeroDivisionError

    outcome = check(healthy, callbacks=Callbacks(progress))
    assert isinstance(outcome.error, ZeroDivisionError)
    assert (outcome.run.exit_code, outcome.run.complete) == (EXIT_BUG, False)
    assert sum(result.requests.sent + result.requests.warmup for result in outcome.run.endpoints) == 5


def test_a_budget_that_is_too_short(tmp_path: Path) -> None:
    with served(tmp_path, {"/a": slow(0.05), "/b": slow(0.05)}) as baseline:
        run = check(override(baseline, budget_s=0.15)).run
    assert (run.exit_code, run.complete) == (EXIT_NOT_MEASURED, False)


@pytest.mark.parametrize(("allow_partial", "exit_code"), [(False, EXIT_NOT_MEASURED), (True, EXIT_OK)])
def test_an_endpoint_for_which_there_was_no_time(
    healthy: Baseline,
    monkeypatch: pytest.MonkeyPatch,
    allow_partial: bool,  # noqa: FBT001 - a table
    exit_code: int,
) -> None:
    measurements = Sampler.measurements
    monkeypatch.setattr(Sampler, "measurements", lambda self: (measurements(self)[0], Measurement("b", (), ())))
    run = check(healthy, allow_partial=allow_partial).run
    assert verdicts(run) == {"a": Verdict.OK, "b": Verdict.NOT_MEASURED}
    assert (run.exit_code, run.complete) == (exit_code, False)
    assert any(finding.rule is Rule.PARTIAL for finding in run.findings) == allow_partial


# --- Options of one run --------------------------------------------------------------------------------------------


def test_values_in_place_of_those_of_the_baseline(healthy: Baseline) -> None:
    changed = override(healthy, metric=Metric.MEAN, min_requests=8, budget_s=9.0, confirm=2, insecure=True)
    assert {endpoint.metric for endpoint in changed.endpoints} == {Metric.MEAN}
    assert {endpoint.min_requests for endpoint in changed.endpoints} == {8}
    assert (changed.sampling.budget_s, changed.sampling.confirm) == (9.0, 2)
    assert not changed.service.tls.verify
    assert changed.service.ready_timeout_s == healthy.service.ready_timeout_s
    several = override(healthy, connections=8, errors=ErrorProof.STRICT).sampling
    assert (several.connections, several.errors) == (8, ErrorProof.STRICT)
    assert override(replace(healthy, sampling=several)).sampling == several
    assert override(replace(healthy, sampling=several), connections="auto").sampling.connections is None
    assert override(changed, min_requests=5, ready_timeout_s=2.0).service.ready_timeout_s == 2.0
    assert override(changed, min_requests=5).endpoints == changed.endpoints
    assert override(healthy) == healthy
    with pytest.raises(UsageError, match="not a path: --monitor stats"):
        override(healthy, monitor="stats")


# --- An earlier run, and the monitor -------------------------------------------------------------------------------


def test_against_an_earlier_run(tmp_path: Path) -> None:
    with served(tmp_path, {"/a": ok(), "/b": ok()}) as baseline:
        before = check(override(baseline, min_requests=30)).run
    with served(tmp_path, {"/a": slow(0.06), "/b": ok()}) as baseline:
        run = check(override(baseline, confirm=0), against=before).run
        alone = check(baseline, names=["b"], against=before).run
    assert verdicts(run) == {"a": Verdict.CRITICAL, "b": Verdict.OK}
    assert run.exit_code == EXIT_CRITICAL
    assert run.against is not None
    assert (run.against.run_id, run.against.with_targets) == (before.id, True)
    assert min(len(result.samples_ms) for result in run.endpoints) >= 30
    assert alone.against is not None
    assert alone.against.removed == ()  # what was not selected is not gone


def test_the_monitor_is_matched_by_the_route_table_of_the_service(tmp_path: Path) -> None:
    figures = stats(plain("GET /years/<name>", 0.01), plain("GET /years/<year:year>", 0.9))
    paths = {f"{API}/health": answer(health()), f"{API}/stats": answer(figures), f"{API}/routes": answer(YEARS)}
    endpoints = "  year: {path: /years/2026, target: 2s}\n"
    with served(tmp_path, {"/years/2026": ok(), **paths}, endpoints, extra=f"  monitor: {API}\n") as baseline:
        run = check(baseline).run
    assert [result.name for result in run.endpoints] == ["year"]  # not a new slow endpoint


def test_what_the_monitor_adds(tmp_path: Path) -> None:
    paths = {
        "/a": ok(),
        "/b": ok(),
        f"{API}/stats": answer(stats(plain("GET /reports", 1.5))),
        f"{API}/health": answer(health()),
    }
    with served(tmp_path, paths, extra=f"  monitor: {API}\n") as baseline:
        run = check(baseline).run
        alone = check(baseline, names=["a"]).run
    assert verdicts(run) == {"a": Verdict.OK, "b": Verdict.OK, "GET /reports": Verdict.WARNING}
    assert verdicts(alone) == {"a": Verdict.OK}
