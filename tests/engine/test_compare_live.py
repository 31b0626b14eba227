"""Two services compared by function call."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from apps.service import Answer, Handler, ok, service, slow, status
from support.baselines import load

from perfcheck.engine.compare_live import compare_live
from perfcheck.engine.selection import override
from perfcheck.engine.session import Callbacks
from perfcheck.errors import (
    EXIT_CRITICAL,
    EXIT_INTERRUPTED,
    EXIT_NOT_MEASURED,
    EXIT_OK,
    CouldNotMeasureError,
    UsageError,
)
from perfcheck.model import Baseline, Changed, ComparedHow, Rule, Verdict

TEXT = (
    "version: 1\nservice: {base_url: http://localhost, ready: /a, ready_timeout: 200ms}\n"
    "endpoints:\n  a: {path: /a, target: 2s}\n  b: {path: /b, target: 2s}\n"
)


@contextmanager
def two_services(folder: Path, before: dict[str, Handler], after: dict[str, Handler]) -> Iterator[list[Baseline]]:
    with service(before) as one, service(after) as other:
        yield [load(folder, TEXT, base_url=url) for url in (one, other)]


def test_the_slower_endpoint_is_found(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fast, slower = {"/a": ok(), "/b": slow(0.005)}, {"/a": slow(0.06), "/b": slow(0.005)}
    seen = []
    with two_services(tmp_path, fast, slower) as (before, after):
        callbacks = Callbacks(lambda sampler: seen.append(len(sampler.progress())))
        outcome = compare_live(before, after, names=["a"], seed=3, callbacks=callbacks)
        with pytest.raises(UsageError, match="has no endpoint 'c'"):
            compare_live(before, after, names=["c"])
    run = outcome.run
    assert outcome.error is None
    assert (run.verdict, run.exit_code, run.seed) == (Verdict.CRITICAL, EXIT_CRITICAL, 3)
    (result,) = run.endpoints
    assert result.comparison is not None
    assert result.comparison.changed is Changed.SLOWER
    assert run.against is not None
    assert run.against.how is ComparedHow.LIVE
    assert run.against.base_url == before.service.base_url
    assert run.service.base_url == after.service.base_url
    assert set(seen) == {1}
    assert capfd.readouterr() == ("", "")


def test_both_sides_are_traced(tmp_path: Path) -> None:
    with two_services(tmp_path, {"/a": ok()}, {"/a": slow(0.03)}) as sides:
        before, after = (replace(side, service=replace(side.service, trace=True)) for side in sides)
        run = compare_live(before, after, names=["a"]).run
    (result,) = run.endpoints
    assert result.comparison is not None
    ids = {trace.trace_id for trace in (*result.traces, *result.comparison.before_traces)}
    assert len(ids) == len(result.traces) + len(result.comparison.before_traces) == 6


def test_an_endpoint_that_only_one_service_has(tmp_path: Path) -> None:
    with two_services(tmp_path, {"/a": ok()}, {"/a": ok(), "/b": ok()}) as (before, after):
        run = compare_live(before, after, max_pairs=5).run
    assert run.against is not None
    assert run.against.added == ("b",)
    assert run.endpoints[1].verdict is Verdict.OK


def test_an_answer_that_is_expected_is_compared_whatever_its_status(tmp_path: Path) -> None:
    def gone() -> Answer:
        return 410, {}, b"{}"

    def gone_slowly() -> Answer:
        return 410, {}, slow(0.06)()[2]

    text = TEXT.replace("b: {path: /b,", "b: {path: /b, expect: [410],")
    with service({"/a": ok(), "/b": gone}) as one, service({"/a": ok(), "/b": gone_slowly}) as other:
        before, after = (load(tmp_path, text, base_url=url) for url in (one, other))
        run = compare_live(before, after, names=["b"]).run
    assert run.against is not None
    assert (run.verdict, run.against.added) == (Verdict.CRITICAL, ())


def test_more_pairs_are_suggested_than_were_sent(tmp_path: Path) -> None:
    """Also where the last endpoint gave none, since it fails."""
    calls = count()

    def uneven() -> Answer:
        return slow(0.06 * (next(calls) % 2))()

    services = {"/a": ok(), "/b": status(500)}, {"/a": uneven, "/b": status(500)}
    with two_services(tmp_path, *services) as (before, after):
        run = compare_live(before, after, max_pairs=5).run
    (finding,) = [finding for finding in run.findings if finding.rule is Rule.CANNOT_TELL]
    assert finding.remedy == "'--max-pairs 10' may settle it"


def test_what_always_timed_out_before_is_no_basis_for_a_comparison(tmp_path: Path) -> None:
    text = TEXT.replace("target: 2s", "target: 50ms, timeout: 300ms")
    with service({"/a": ok(), "/b": slow(1.0)}) as one, service({"/a": ok(), "/b": ok()}) as other:
        before, after = (load(tmp_path, text, base_url=url) for url in (one, other))
        run = compare_live(before, after, names=["b"]).run
    (result,) = run.endpoints
    assert (result.verdict, result.comparison) == (Verdict.NOT_MEASURED, None)
    assert result.findings[0].message.startswith("not compared: before, 5 of 5 requests failed (100%)")


@pytest.mark.parametrize("down", [0, 1])
def test_a_service_that_does_not_answer(tmp_path: Path, down: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        absent = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with service({"/a": ok(), "/b": ok()}) as url:
        addresses = [url, url]
        addresses[down] = absent
        outcome = compare_live(*(load(tmp_path, TEXT, base_url=address) for address in addresses))
    assert isinstance(outcome.error, CouldNotMeasureError)
    assert absent in outcome.error.message
    assert outcome.error.remedy == "start it, or correct its address"
    assert outcome.run.exit_code == EXIT_NOT_MEASURED
    assert {result.verdict for result in outcome.run.endpoints} == {Verdict.NOT_MEASURED}


def test_an_answer_that_is_not_2xx_keeps_its_own_remedy(tmp_path: Path) -> None:
    with service({"/b": ok()}) as url:
        baseline = load(tmp_path, TEXT, base_url=url)
        error = compare_live(baseline, baseline).error
    assert isinstance(error, CouldNotMeasureError)
    assert not error.is_down
    assert error.remedy is not None
    assert error.remedy.startswith("service.ready must be a path that returns 2xx")


def test_an_interruption_keeps_what_was_measured(tmp_path: Path) -> None:
    count = 0

    def interrupting() -> Answer:
        nonlocal count
        count += 1
        if count == 4:
            signal.raise_signal(signal.SIGINT)
        return 200, {}, b"{}"

    with two_services(tmp_path, {"/a": ok(), "/b": ok()}, {"/a": ok(), "/b": interrupting}) as (before, after):
        outcome = compare_live(before, after)
    assert outcome.error is None
    assert (outcome.run.exit_code, outcome.run.complete) == (EXIT_INTERRUPTED, False)
    assert 1 <= outcome.run.endpoints[1].requests.sent < 5


@pytest.mark.parametrize("one_thread", [False, True])
def test_one_service_with_itself(tmp_path: Path, *, one_thread: bool) -> None:
    with service({"/a": slow(0.005), "/b": slow(0.005)}, one_thread=one_thread) as url:
        baseline = override(load(tmp_path, TEXT, base_url=url), budget_s=30.0)
        run = compare_live(baseline, baseline, how=ComparedHow.SAME, fail_on=None).run
    assert run.exit_code in {EXIT_OK, EXIT_NOT_MEASURED}
    assert run.against is not None
    assert run.against.how is ComparedHow.SAME
    assert any(finding.rule is Rule.NOISE for finding in run.findings)
