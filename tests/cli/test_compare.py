"""``perfcheck compare`` and ``run --against`` as processes, on real services and real files."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from threading import Event

import pytest
from apps.service import Answer, Handler, ok, service, slow, status
from simulation.runs import decision, endpoint, result, run, samples, spread
from support.command import PERFCHECK, environment, perfcheck

from perfcheck.model import ComparedHow, Run, Verdict
from perfcheck.runfile import encode_run, read_run

ENDPOINTS = "  a: {path: /a, target: 2s}\n  b: {path: /b, target: 2s}\n"


def saved(folder: Path, name: str, *, factor: float = 1.0, seed: int = 1, label: str | None = None) -> Path:
    """A run file with two endpoints, of which ``a`` takes ``factor`` times 200 ms."""
    some = [
        result(
            endpoint(one),
            samples(1, spread(around, 40, seed)),
            decision(Verdict.OK, around, requests=40),
        )
        for one, around in (("a", 200 * factor), ("b", 100))
    ]
    file = folder / name
    file.write_bytes(encode_run(replace(run(some), label=label, id=f"{name}-{seed}")))
    return file


@contextmanager
def two_services(
    folder: Path, before: dict[str, Handler], after: dict[str, Handler], *, extra: str = ""
) -> Iterator[tuple[str, str]]:
    with service(before) as one, service(after) as other:
        (folder / "baselines.yaml").write_text(
            f"version: 1\nservice: {{base_url: {one}}}\n{extra}endpoints:\n{ENDPOINTS}", encoding="utf-8"
        )
        yield one, other


# --- Saved runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "options", "code"),
    [
        (1.0, (), 0),
        (1.2, (), 0),
        (1.2, ("--fail-on", "warning"), 1),
        (2.0, (), 1),
        (2.0, ("--fail-on", "never"), 0),
        (0.5, (), 0),
    ],
)
def test_two_files(tmp_path: Path, factor: float, options: tuple[str, ...], code: int) -> None:
    saved(tmp_path, "before.json", label="v1")
    saved(tmp_path, "after.json", factor=factor, seed=2, label="v2")
    done = perfcheck("compare", "before.json", "after.json", *options, cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert "before: v1 (2026-11-23 12:00 UTC" in " ".join(done.stdout.split())
    assert "now: v2 (" in " ".join(done.stdout.split())
    assert "two saved runs" in done.stdout
    assert "0.5%" in done.stdout


def test_labels_in_the_history(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    files = [
        saved(tmp_path, "1.json", label="v1"),
        saved(tmp_path, "2.json", factor=2.0, seed=2, label="v2"),
    ]
    assert perfcheck("history", "import", *map(str, files), cwd=tmp_path).returncode == 0
    done = perfcheck("compare", "v1", "v2", "-o", "out.json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    found = read_run(tmp_path / "out.json")
    assert found.against is not None
    assert (found.against.how, found.against.label, found.label) == (ComparedHow.STORED, "v1", "v2")
    assert [(one.name, one.verdict) for one in found.endpoints] == [("a", Verdict.CRITICAL), ("b", Verdict.OK)]
    missing = perfcheck("compare", "v1", "v3", cwd=tmp_path)
    assert missing.returncode == 2
    assert "v3" in missing.stderr


def test_a_label_may_look_like_a_path(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "v2").mkdir()
    files = [saved(tmp_path, "1.json", label="feature/x"), saved(tmp_path, "2.json", seed=2, label="v2")]
    assert perfcheck("history", "import", *map(str, files), cwd=tmp_path).returncode == 0
    assert perfcheck("compare", "feature/x", "v2", cwd=tmp_path).returncode == 0
    missing = perfcheck("compare", "feature/y", "v2", cwd=tmp_path)
    assert missing.returncode == 2
    assert "file not found: feature/y, and" in missing.stderr


def test_the_limits_need_no_secrets(tmp_path: Path) -> None:
    saved(tmp_path, "before.json")
    saved(tmp_path, "after.json", factor=1.6, seed=2)
    (tmp_path / "baselines.yaml").write_text(
        "version: 1\nservice: {base_url: '${URL}', headers: {Authorization: 'Bearer ${API_TOKEN}'}}\n"
        "compare: {warning: 80%, critical: 90%}\nendpoints:\n  a: {path: /a, target: 2s}\n",
        encoding="utf-8",
    )
    assert perfcheck("compare", "before.json", "after.json", cwd=tmp_path).returncode == 0


def test_the_limits_of_the_baseline_count(tmp_path: Path) -> None:
    saved(tmp_path, "before.json")
    saved(tmp_path, "after.json", factor=1.6, seed=2)
    (tmp_path / "baselines.yaml").write_text(
        "version: 1\nservice: {base_url: http://localhost:1}\ncompare: {warning: 80%, critical: 90%}\n"
        "endpoints:\n  a: {path: /a, target: 2s}\n",
        encoding="utf-8",
    )
    assert perfcheck("compare", "before.json", "after.json", cwd=tmp_path).returncode == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".git").mkdir()
    done = perfcheck("compare", "../before.json", "../after.json", cwd=elsewhere)
    assert done.returncode == 1, "without a baseline the usual limits hold"


def test_names_narrow_it(tmp_path: Path) -> None:
    saved(tmp_path, "before.json")
    saved(tmp_path, "after.json", factor=2.0, seed=2)
    assert perfcheck("compare", "before.json", "after.json", "b", cwd=tmp_path).returncode == 0
    done = perfcheck("compare", "before.json", "after.json", "c", cwd=tmp_path)
    assert done.returncode == 2
    assert "no endpoint 'c'" in done.stderr


def test_every_format_is_written(tmp_path: Path) -> None:
    saved(tmp_path, "before.json")
    saved(tmp_path, "after.json", factor=2.0, seed=2)
    formats = ("json", "junit", "markdown", "html", "github", "openmetrics", "csv")
    reports = [word for name in formats for word in ("--report", f"{name}=out.{name}")]
    done = perfcheck("compare", "before.json", "after.json", *reports, cwd=tmp_path)
    assert done.returncode == 1
    assert all((tmp_path / f"out.{name}").stat().st_size for name in formats)
    again = perfcheck("report", "--from", "out.json", cwd=tmp_path)
    assert again.returncode == 0
    assert again.stdout == done.stdout, "a comparison is rendered again from its file"
    assert "102% slower" in (tmp_path / "out.markdown").read_text(encoding="utf-8")
    assert "failure" in (tmp_path / "out.junit").read_text(encoding="utf-8")


# --- Running services ----------------------------------------------------------------------------------------------


def test_two_services_of_which_one_became_slower(tmp_path: Path) -> None:
    before = {"/a": slow(0.03), "/b": slow(0.02)}
    with two_services(tmp_path, before, {**before, "/a": slow(0.06)}) as (one, other):
        done = perfcheck("compare", one, other, "-o", "out.json", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    found = read_run(tmp_path / "out.json")
    assert found.against is not None
    assert (found.against.how, found.against.base_url, found.service.base_url) == (ComparedHow.LIVE, one, other)
    a, b = found.endpoints
    assert (a.verdict, b.verdict) == (Verdict.CRITICAL, Verdict.OK)
    assert a.comparison is not None
    assert a.comparison.pairs is not None
    assert len(a.samples_ms) == len(a.comparison.before_samples_ms) == a.comparison.pairs
    assert a.findings[0].rule == "slower"
    assert "pairs" in done.stdout
    assert f"perfcheck compare {one} {other} a" in done.stdout


def test_a_service_with_itself(tmp_path: Path) -> None:
    with two_services(tmp_path, {"/a": slow(0.02), "/b": slow(0.02)}, {}) as (one, _):
        done = perfcheck("compare", "--aa", one, "-o", "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "noise floor: the two requests of a pair typically differ by" in " ".join(done.stdout.split())
    found = read_run(tmp_path / "out.json")
    assert found.against is not None
    assert found.against.how is ComparedHow.SAME


def test_an_endpoint_that_only_the_head_has_is_new(tmp_path: Path) -> None:
    with two_services(tmp_path, {"/a": ok()}, {"/a": ok(), "/b": ok()}) as (one, other):
        done = perfcheck("compare", one, other, "-o", "out.json", cwd=tmp_path)
        gone = perfcheck("compare", other, one, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    _, b = read_run(tmp_path / "out.json").endpoints
    assert (b.verdict, [finding.rule for finding in b.findings]) == (Verdict.OK, ["added"])
    assert gone.returncode == 1


def test_a_service_before_that_dies_lets_nothing_pass(tmp_path: Path) -> None:
    count = iter(range(10**6))

    def dies() -> Answer:
        return (200, {}, b"{}") if next(count) < 6 else (503, {}, b"{}")

    with two_services(tmp_path, {"/a": dies, "/b": dies}, {"/a": slow(0.05), "/b": slow(0.05)}) as (one, other):
        done = perfcheck("compare", one, other, "-o", "out.json", cwd=tmp_path)
    found = read_run(tmp_path / "out.json")
    assert done.returncode in {1, 3}, done.stdout
    assert not found.complete or found.exit_code == 1


def test_a_service_that_fails_is_critical_without_a_latency(tmp_path: Path) -> None:
    fine = {"/a": ok(), "/b": ok()}
    with two_services(tmp_path, fine, {**fine, "/a": status(500)}) as (one, other):
        done = perfcheck("compare", one, other, cwd=tmp_path)
        assert done.returncode == 1
        assert "requests failed" in done.stdout
        mended = perfcheck("compare", other, one, "-o", "out.json", cwd=tmp_path)
    a, _ = read_run(tmp_path / "out.json").endpoints
    assert a.verdict is Verdict.NOT_MEASURED
    assert "before, 5 of 5 requests failed" in a.findings[0].message
    assert mended.returncode == 3


def uneven(*seconds: float) -> Handler:
    """Takes these times in turn."""
    in_turn = cycle(seconds)

    def answer() -> Answer:
        return slow(next(in_turn))()

    return answer


def test_a_budget_ends_it_and_says_so(tmp_path: Path) -> None:
    before, after = uneven(0.03, 0.08), uneven(0.08, 0.03, 0.03, 0.08, 0.08)  # over a hundred pairs would settle it
    with two_services(tmp_path, {"/a": before, "/b": before}, {"/a": after, "/b": after}) as (one, other):
        done = perfcheck("compare", one, other, "a", "--budget", "6s", cwd=tmp_path)  # ample for five pairs
    assert done.returncode == 0, done.stderr
    assert "inconclusive" in done.stdout
    assert "raise --budget" in " ".join(done.stdout.split())


def test_a_dead_port_is_exit_3_with_its_reports(tmp_path: Path) -> None:
    with two_services(tmp_path, {"/a": ok(), "/b": ok()}, {}, extra="") as (one, other):
        pass
    (tmp_path / "baselines.yaml").write_text(
        f"version: 1\nservice: {{base_url: {one}, ready: /a, ready_timeout: 300ms}}\nendpoints:\n{ENDPOINTS}",
        encoding="utf-8",
    )
    done = perfcheck("compare", one, other, "-o", "out.json", cwd=tmp_path)
    assert done.returncode == 3
    assert "is not ready" in done.stderr
    assert {result.verdict for result in read_run(tmp_path / "out.json").endpoints} == {Verdict.NOT_MEASURED}


def test_an_interruption_reports_what_was_measured(tmp_path: Path) -> None:
    answer, asked = slow(0.2), Event()
    count = iter(range(10**6))

    def counted() -> Answer:
        if next(count) == 5:  # the one before the first sample, a warm-up and three pairs are over
            asked.set()
        return answer()

    with two_services(tmp_path, {"/a": counted, "/b": answer}, {"/a": answer, "/b": answer}) as (one, other):
        process = subprocess.Popen(
            [PERFCHECK, "compare", one, other, "--max-pairs", "1000", "-o", "out.json"],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert asked.wait(30)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 130, stderr
    assert "interrupted" in stdout
    assert "Traceback" not in stderr
    found = read_run(tmp_path / "out.json")
    assert found.exit_code == 130
    assert all(result.requests.judged >= 3 for result in found.endpoints)


def test_on_the_sample_service(tmp_path: Path) -> None:
    done = perfcheck("compare", "--demo", "--regress", "n-plus-one", "videos.list", "health", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    told = " ".join(done.stdout.split())
    assert re.search(
        r"db [\d.]+ (ms )?-> [\d.]+ m?s \(5 queries -> 152 queries, 50 identical\); likely N\+1: 50 ", told
    )
    assert re.search(
        r"cause statement [\d.]+ (ms )?-> [\d.]+ m?s: SELECT [^:]+, 50 times, from perfcheck/demo/handlers.py:\d+ ",
        told,
    )


def test_secrets_in_addresses_are_shown_nowhere(tmp_path: Path) -> None:
    with two_services(tmp_path, {"/a": ok(), "/b": ok()}, {"/a": ok(), "/b": ok()}) as (one, other):
        with_password = other.replace("http://", "http://user:s3cr3t-word@")
        done = perfcheck("compare", one, with_password, "-v", "-o", "out.json", cwd=tmp_path)
    shown = done.stdout + done.stderr + (tmp_path / "out.json").read_text(encoding="utf-8")
    assert "s3cr3t-word" not in shown
    assert "user:***@" in shown


# --- Mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "BEFORE and AFTER are needed"),
        (("one.json",), "BEFORE and AFTER are needed"),
        (("--aa",), "--aa needs the address of the service"),
        (("--aa", "one.json"), "not an address: one.json"),
        (("http://localhost:1", "one.json"), "one.json is not"),
        (("nothing.json", "nothing.json"), "file not found: nothing.json"),
        (("--regress", "errors", "a.json", "b.json"), "--regress needs --demo"),
        (("--budget", "3s", "a.json", "b.json"), "--budget is for running services"),
        (("--connections", "2", "a.json", "b.json"), "--connections is for running services"),
        (("--max-pairs", "2", "http://localhost:1", "http://localhost:2"), "--max-pairs"),
        (("ftp://a", "ftp://b"), "ftp://a"),
        (("http://localhost:1", "localhost:2"), "did you mean http://localhost:2?"),
        (("--aa", "http://localhost:1", "http://localhost:2"), "--aa takes one address"),
    ],
)
def test_mistakes_are_reported(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / ".git").mkdir()
    done = perfcheck("compare", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# --- A release held against the one before -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def release_before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a baseline, and a run of the release before in before.json; its service still runs."""
    folder = tmp_path_factory.mktemp("released")
    paths = {"/a": slow(0.03), "/b": slow(0.02)}
    with service(paths) as url:
        (folder / "baselines.yaml").write_text(
            f"version: 1\nservice: {{base_url: '${{URL:-{url}}}'}}\nendpoints:\n"
            "  a: {path: /a, target: 2s}\n  b: {path: /b, target: 2s, critical_path: true}\n",
            encoding="utf-8",
        )
        done = perfcheck("run", "--min-requests", "30", "--label", "v1", "-o", "before.json", "-q", cwd=folder)
        assert done.returncode == 0, done.stderr
        yield folder


@pytest.fixture
def released(release_before: Path, tmp_path: Path) -> Path:
    return shutil.copytree(release_before, tmp_path / "released")


def against(folder: Path, *options: str) -> tuple[int, str, Run]:
    done = perfcheck("run", "--against", "before.json", "-o", "after.json", *options, cwd=folder)
    return done.returncode, done.stdout, read_run(folder / "after.json")


def test_the_same_release_is_not_slower(released: Path) -> None:
    code, told, found = against(released)
    assert code == 0, told
    assert found.against is not None
    assert (found.against.with_targets, found.against.label) == (True, "v1")
    assert all(result.requests.judged >= 30 for result in found.endpoints)
    assert all(result.comparison is not None for result in found.endpoints)
    assert "Critical path: its endpoint is OK." in told
    rows = [line.split()[1] for line in told.splitlines() if line.startswith("OK")]
    assert rows == ["b", "a"], "the critical path stands first"
    assert "endpoints without a baseline are unknown" in " ".join(told.split())
    data = json.loads((released / "after.json").read_text(encoding="utf-8"))
    assert set(data["against"]) >= {"how", "label", "run_id", "limits", "with_targets", "added", "removed"}
    assert set(data["endpoints"][0]["comparison"]) >= {"changed", "ratio", "ratio_interval", "before_ms", "after_ms"}


def test_a_slower_release_fails_within_its_targets(released: Path) -> None:
    with service({"/a": slow(0.03), "/b": slow(0.06)}) as url:
        code, told, found = against(released, "-u", url)
    assert code == 1
    a, b = found.endpoints
    assert (a.verdict, b.verdict) == (Verdict.OK, Verdict.CRITICAL)
    assert b.ratio is not None
    assert b.ratio < 1, "it is within its target"
    assert [finding.rule for finding in b.findings] == ["slower"]
    assert "Critical path: its endpoint is CRITICAL." in told
    assert "Compared with v1" in told
    assert f"perfcheck run -u {url} --against before.json b" in " ".join(told.split())


def test_a_comparison_is_no_run(released: Path) -> None:
    compared = perfcheck("compare", "before.json", "before.json", "-o", "compared.json", cwd=released)
    assert compared.returncode == 0, compared.stdout
    for words in (("run", "--against"), ("run", "--compare-to"), ("compare", "before.json"), ("history", "import")):
        done = perfcheck(*words, "compared.json", cwd=released)
        assert done.returncode == 2, words
        assert "is a comparison" in done.stderr


def test_a_run_with_nothing_in_common_does_not_pass(released: Path) -> None:
    before = read_run(released / "before.json")
    renamed = replace(before, endpoints=tuple(replace(one, name=f"old.{one.name}") for one in before.endpoints))
    (released / "before.json").write_bytes(encode_run(renamed))
    code, told, _ = against(released)
    assert code == 3
    assert "none of the 2 endpoints could be compared with the run before" in " ".join(told.split())


def test_a_selection_does_not_make_the_others_gone(released: Path) -> None:
    code, _, found = against(released, "a")
    assert code == 0
    assert found.against is not None
    assert found.against.removed == (), "they were not asked for"


def test_mistakes_about_the_release_before_cost_no_measurement(released: Path) -> None:
    done = perfcheck("run", "--against", "nothing.json", cwd=released)
    assert (done.returncode, done.stdout) == (2, "")
    assert "file not found: nothing.json" in done.stderr
    done = perfcheck("run", "--against", "before.json", "--compare-to", "before.json", cwd=released)
    assert done.returncode == 2
    assert "both name an earlier run" in done.stderr
