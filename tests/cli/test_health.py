"""``perfcheck health``, and the reading that ``perfcheck run`` makes, as processes against real services."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from apps.flask_app import create_app
from apps.monitored import API, answer, baseline, health, monitored, plain, stats
from apps.service import Handler, ok, service, status
from apps.serving import werkzeug
from support.command import perfcheck
from support.golden import check_golden
from support.waiting import eventually

from perfcheck import monitor
from perfcheck.history.store import open_history
from perfcheck.model import Source, Verdict
from perfcheck.runfile import read_run

GOLDEN = Path(__file__).parent / "golden"
USED = 17  # requests
TOKEN = "t0ken-of-the-monitor"


@pytest.fixture
def shop() -> Iterator[str]:
    """A real application that was used: fast, N+1, failing and slow endpoints."""
    monitor.reset()
    app = create_app()
    app.logger.disabled = True
    with werkzeug(app) as url:
        for path in ["/api/items/3"] * 6 + ["/api/n-plus-one"] * 6 + ["/api/fails"] * 4 + ["/api/slow/600"]:
            httpx.get(url + path)
        eventually(lambda: monitor.statistics().total == USED)  # counted just after the last byte
        yield url
    monitor.reset()


# --- Verdicts and exit codes ---------------------------------------------------------------------------------------


def test_a_real_application_without_a_baseline(shop: str, tmp_path: Path) -> None:
    done = perfcheck("health", "-u", shop, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    first = done.stdout.splitlines()[0]
    assert re.fullmatch(r"the monitor responds and reports degraded: 4 endpoints, 17 requests since .* UTC", first)
    assert "4 of 4 requests failed (100%), over 5%" in done.stdout
    assert re.search(r"mean [6-9]\d\d ms, over 500 ms, and not in the baseline", done.stdout)
    assert "25 times per request, in 6 requests, from" in done.stdout.replace("\n", " ")
    assert "flask_app.py:" in done.stdout
    assert f"perfcheck health -u {shop} 'GET /api/fails'" in done.stdout
    closing = " ".join(done.stdout.split())  # wherever it breaks: latencies are longer on a busy machine
    assert closing.endswith("17 requests counted by the monitor · exit 1: CRITICAL fails the check")
    assert done.stderr == ""


def test_a_real_application_by_its_baseline(shop: str, tmp_path: Path) -> None:
    endpoints = "  item: {path: /api/items/3, target: 2s}\n  slow: {path: /api/slow/600, target: 250ms, metric: p95}\n"
    baseline(tmp_path, shop, endpoints + "  never: {path: /api/named, target: 1s}\n")
    done = perfcheck("health", "item", "slow", "-o", "out.json", cwd=tmp_path)
    run = read_run(tmp_path / "out.json")
    assert {one.name: (one.verdict, one.metric, one.source) for one in run.endpoints} == {
        "item": (Verdict.OK, "median", Source.MONITORED),
        "slow": (Verdict.WARNING, "p95", Source.MONITORED),
    }
    assert done.returncode == 0
    whole = perfcheck("health", cwd=tmp_path)
    assert "never got no requests since the monitor started; the route exists" in whole.stdout.replace("\n", " ")


def test_it_reads_and_does_not_measure(shop: str, tmp_path: Path) -> None:
    perfcheck("health", "-u", shop, cwd=tmp_path)
    assert monitor.statistics().total == USED


@pytest.mark.parametrize(
    ("mean_s", "options", "code"),
    [
        (0.4, (), 0),
        (0.4, ("--threshold", "300ms", "--fail-on", "warning"), 1),
        (0.6, (), 0),
        (0.6, ("--fail-on", "warning"), 1),
        (0.6, ("--fail-on", "warning", "--threshold", "1s"), 0),
        (0.6, ("--fail-on", "never"), 0),
    ],
)
def test_exit_codes(tmp_path: Path, mean_s: float, options: tuple[str, ...], code: int) -> None:
    with monitored(plain("api.videos.list", mean_s)) as url:
        done = perfcheck("health", "-u", url, *options, cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr


def test_options_from_the_environment(tmp_path: Path) -> None:
    with monitored(plain("api.videos.list", 0.4)) as url:
        env = {"PERFCHECK_BASE_URL": url, "PERFCHECK_THRESHOLD": "300ms", "PERFCHECK_FAIL_ON": "warning"}
        done = perfcheck("health", cwd=tmp_path, env=env)
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("health",), "without a baseline, give the address: -u URL"),
        (("health", "-u", "localhost:5001"), "did you mean http://localhost:5001?"),
        (("health", "-u", "http://localhost", "--threshold", "500"), "did you mean 500ms?"),
        (("health", "-u", "http://localhost", "--monitor", "stats"), "did you mean '/stats'?"),
        (("health", "-u", "http://localhost", "--report", "pdf"), "unknown report format"),
    ],
)
def test_2_for_what_the_user_can_mend(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = perfcheck(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_name_that_the_monitor_does_not_know(tmp_path: Path) -> None:
    with monitored(plain("videos.list", 0.1)) as url:
        done = perfcheck("health", "-u", url, "videos.lis", cwd=tmp_path)
        some = perfcheck("health", "-u", url, "videos.*", cwd=tmp_path)
    assert (done.returncode, some.returncode) == (2, 0)
    assert "did you mean 'videos.list'?" in done.stderr


# --- No monitor ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (ok(b"<html>", Content_Type="text/html"), "a web page, not JSON"),
        (status(403), "403 Forbidden"),
        (status(404), "404 Not Found"),
        (status(500), "500 Internal Server Error"),
        (ok(b"garbage"), "not JSON"),
        (answer(health("no_data")), "the monitor has no data"),
        (answer(health("error", message="out of order")), "the monitor reports an error: out of order"),
    ],
)
def test_3_when_the_monitor_reports_nothing(tmp_path: Path, handler: Handler, message: str) -> None:
    with monitored(health=handler, stats=handler) as url:
        baseline(tmp_path, url, "  a: {path: /a, target: 1s}\n")
        done = perfcheck("health", "-o", "out.json", "--report", "junit=out.xml", cwd=tmp_path)
    assert done.returncode == 3
    assert message in done.stderr
    assert "help: " in done.stderr
    assert done.stdout == ""  # the error says it all
    run = read_run(tmp_path / "out.json")
    assert (run.exit_code, run.complete, run.verdict) == (3, False, Verdict.NOT_MEASURED)
    assert message in run.endpoints[0].findings[0].message
    case = ET.parse(tmp_path / "out.xml").getroot().find(".//testcase/error")
    assert case is not None


def test_3_without_a_baseline_too(tmp_path: Path) -> None:
    with monitored(health=status(404), stats=status(404)) as url:
        done = perfcheck("health", "-u", url, "--report", "junit=out.xml", "-o", "out.json", cwd=tmp_path)
    assert done.returncode == 3
    assert read_run(tmp_path / "out.json").endpoints == ()
    assert ET.parse(tmp_path / "out.xml").getroot().find(".//testcase/error") is not None


# --- Reports -------------------------------------------------------------------------------------------------------

DAILY = [
    {
        **plain("GET /api/videos/", 0.31, total=41_200),
        "errors": 3,
        "p50_response_time": 0.24,
        "p95_response_time": 0.71,
    },
    {**plain("api.settings.get", 0.3, total=9_000), "errors": 0, "p50_response_time": 0.28, "p95_response_time": 0.41},
    {
        **plain("GET /api/export/<int:id>", 1.25, total=64),
        "errors": 9,
        "p95_response_time": 2.5,
        "n_plus_one": [
            {"shape": "SELECT * FROM item WHERE id = ?", "most": 101, "caller": "export.py:42", "requests": 60}
        ],
    },
    plain("api.health", 0.002, total=86_400),
]
PROMISED = (
    "  videos.list: {path: /api/videos/, target: 300ms, ideal: 200ms}\n"
    "  settings.get: {path: /api/settings/, target: 100ms}\n"
    "  artists.list: {path: /api/artists/, target: 400ms}\n"
)


def daily() -> dict[str, Any]:
    return {**stats(*DAILY), "monitor": {"workers": 4, "counting_since": "2026-11-22T06:00:00.000Z", "problems": []}}


def test_what_a_person_sees_at_seven_in_the_morning(tmp_path: Path) -> None:
    with monitored(stats=answer(daily())) as url:
        baseline(tmp_path, url, PROMISED)
        done = perfcheck("health", cwd=tmp_path)
        quiet = perfcheck("health", "-q", cwd=tmp_path)
    assert done.returncode == 1
    check_golden(GOLDEN / "health.txt", done.stdout.replace(url, "http://localhost:5001"))
    check_golden(GOLDEN / "health-quiet.txt", quiet.stdout.replace(url, "http://localhost:5001"))


def test_every_report_of_one_reading(tmp_path: Path) -> None:
    files = {"junit": "r.xml", "markdown": "r.md", "html": "r.html", "openmetrics": "r.txt", "csv": "r.csv"}
    reports = [word for name, file in files.items() for word in ("--report", f"{name}={file}")]
    with monitored(stats=answer(daily())) as url:
        baseline(tmp_path, url, PROMISED)
        done = perfcheck("health", *reports, "-o", "r.json", "--github", cwd=tmp_path)
    assert done.returncode == 1
    junit = ET.parse(tmp_path / "r.xml").getroot()
    assert {case.get("name") for case in junit.iter("testcase")} >= {"videos.list", "GET /api/export/<int:id>"}
    assert [case.get("name") for case in junit.iter("testcase") if case.find("failure") is not None] == ["settings.get"]
    table = (tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()
    rows = {row["name"]: row for row in csv.DictReader(table)}
    assert rows["videos.list"]["value_ms"] == "240.0"
    assert (rows["api.health"]["baseline_line"], rows["videos.list"]["baseline_line"]) == ("", "6")
    told = (tmp_path / "r.txt").read_text(encoding="utf-8")
    assert 'perfcheck_latency_seconds{endpoint="videos.list",metric="median"} 0.24' in told
    assert told.endswith("# EOF\n")
    for name in ("r.md", "r.html"):
        page = (tmp_path / name).read_text(encoding="utf-8")
        assert "no error probability applies" in page
        assert "101 times per request" in page
        assert "baselines.yaml:0" not in page
        assert "undecided" not in page.split("</style>")[-1].split("<footer")[0]
    assert "::error" in done.stderr
    again = perfcheck("report", "--from", "r.json", "-v", cwd=tmp_path)
    assert again.returncode == 0
    assert "the monitor responds and reports healthy: 4 endpoints" in again.stdout


def test_secrets_are_shown_nowhere(tmp_path: Path) -> None:
    echo = {**stats(plain(f"GET /{TOKEN}", 0.9)), "monitor": {"problems": [f"cannot write {TOKEN}"]}}
    with monitored(stats=answer(echo), health=answer(health("degraded", issues=[TOKEN]))) as url:
        headers = "  headers: {Authorization: 'Bearer ${API_TOKEN}'}\n"
        baseline(tmp_path, url, "  a: {path: /a, target: 1s}\n", headers)
        env = {"API_TOKEN": TOKEN}
        reports = ["--report", "html=r.html", "--report", "markdown=r.md", "-o", "r.json"]
        done = perfcheck("health", "-v", "--save", *reports, cwd=tmp_path, env=env)
    written = "".join(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    with open_history(None, tmp_path, create=False) as store:  # which keeps it compressed
        written += store.document(next(store.runs()).id).decode("utf-8")
    assert done.returncode == 0
    assert "***" in done.stdout
    assert TOKEN not in done.stdout + done.stderr + written


# --- What is kept --------------------------------------------------------------------------------------------------


def test_save_keeps_each_check_in_the_history_at_the_root_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    below = tmp_path / "tests"
    below.mkdir()
    with monitored(plain("a", 0.1)) as url:
        first = perfcheck("health", "-u", url, "--save", cwd=below)
        second = perfcheck("health", "-u", url, "--save", "-q", cwd=below)
    with open_history(None, tmp_path, create=False) as store:
        kept = list(store.runs())
        assert [run.source for run in kept] == [Source.MONITORED] * 2
        assert store.run(kept[0].id).endpoints[0].name == "a"
    assert (tmp_path / ".perfcheck" / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert re.fullmatch(rf"saved {kept[1].id[:8]} in \S+/.perfcheck/history.sqlite\n", first.stderr)
    assert second.stderr == ""


def test_a_history_that_cannot_be_made_changes_no_verdict(tmp_path: Path) -> None:
    (tmp_path / ".perfcheck").write_text("", encoding="utf-8")
    with monitored(plain("a", 0.1)) as url:
        done = perfcheck("health", "-u", url, "--save", cwd=tmp_path)
    assert done.returncode == 0
    assert "the run was not saved: cannot use the history .perfcheck/history.sqlite" in done.stderr


# --- Beside a run --------------------------------------------------------------------------------------------------


def test_a_run_is_reported_of_a_new_slow_endpoint(shop: str, tmp_path: Path) -> None:
    baseline(tmp_path, shop, "  item: {path: /api/items/3, target: 2s}\n  plus: {path: /api/n-plus-one, target: 2s}\n")
    done = perfcheck("run", "-o", "r.json", "--report", "junit=r.xml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^WARNING GET /api/slow/<int:ms> +mean 6", done.stdout, re.MULTILINE)
    assert "likely N+1: the same statement up to 25 times per request" in done.stdout.replace("\n", " ")
    assert "1 judged by the figures of the monitor inside the service" in done.stdout.replace("\n", " ")
    run = read_run(tmp_path / "r.json")
    assert (run.verdict, run.counts.warning, run.counts.ok) == (Verdict.WARNING, 1, 2)
    names = [case.get("name") for case in ET.parse(tmp_path / "r.xml").getroot().iter("testcase")]
    assert "GET /api/slow/<int:ms>" in names
    assert perfcheck("run", "--fail-on", "warning", cwd=tmp_path).returncode == 1
    assert perfcheck("run", "item", "--fail-on", "warning", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("handler", [status(404), status(500), ok(b"<html>"), answer(health("no_data"))])
def test_a_run_is_not_spoilt_by_a_monitor_that_says_nothing(tmp_path: Path, handler: Handler) -> None:
    with service({"/a": ok(), f"{API}/health": handler, f"{API}/stats": handler}) as url:
        baseline(tmp_path, url, "  a: {path: /a, target: 2s}\n")
        done = perfcheck("run", "--fail-on", "warning", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note run: slow endpoints that are not in the baseline are unknown" in done.stdout


def test_a_run_without_a_monitor_in_its_baseline_requests_none(tmp_path: Path) -> None:
    asked: list[int] = []

    def spy() -> tuple[int, dict[str, str], bytes]:
        asked.append(1)
        return 200, {}, json.dumps(stats(plain("GET /slow", 9))).encode()

    with service({"/a": ok(), f"{API}/stats": spy, f"{API}/health": spy}) as url:
        text = f"version: 1\nservice: {{base_url: {url}}}\nendpoints:\n  a: {{path: /a, target: 2s}}\n"
        (tmp_path / "baselines.yaml").write_text(text, encoding="utf-8")
        done = perfcheck("run", cwd=tmp_path)
    assert done.returncode == 0
    assert asked == []
