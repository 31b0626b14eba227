"""A daily script of curl and jq, word for word but for the port, against a real app."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from apps import flask_app
from apps.serving import werkzeug
from support.waiting import eventually

import perfcheck.monitor
from perfcheck.monitor import statistics

PORT = ":5001"
HEALTH = "curl -s http://localhost:5001/api/performance/health | jq '.status'"
SLOW_COUNT = "curl -s \"http://localhost:5001/api/performance/slow?threshold=500\" | jq '.slow_endpoints_count'"
SLOW_UNQUOTED = "curl -s http://localhost:5001/api/performance/slow?threshold=300 | jq .slow_endpoints_count"
SUMMARY = "curl -s http://localhost:5001/api/performance/summary | jq '.performance_summary'"
SCRIPT = r"""
curl -s http://localhost:5001/api/performance/health | jq '.status'
SLOW_COUNT=$(curl -s "http://localhost:5001/api/performance/slow?threshold=500" | jq '.slow_endpoints_count')
if [ "$SLOW_COUNT" -gt 0 ]; then
    echo "WARNING: $SLOW_COUNT slow endpoints detected"
    curl -s "http://localhost:5001/api/performance/slow?threshold=500" | jq '.slow_endpoints[]'
else
    echo "All endpoints performing within targets"
fi
curl -s http://localhost:5001/api/performance/summary | jq '.performance_summary'
"""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("DIR", "TOKEN", "SERVER_TIMING"):
        monkeypatch.delenv(f"PERFCHECK_MONITOR_{name}", raising=False)
    perfcheck.monitor.reset()
    with werkzeug(flask_app.create_app()) as url:
        yield url
    perfcheck.monitor.reset()


def shell(lines: str, url: str) -> str:
    """What bash prints for them; nothing in the environment may send curl to a proxy."""
    bash = shutil.which("bash")
    assert bash
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    port = url.rpartition(":")[2]
    command = [bash, "-eu", "-o", "pipefail", "-c", lines.replace(PORT, f":{port}")]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def ask(url: str, path: str, total: int) -> None:
    assert httpx.get(f"{url}{path}", trust_env=False).status_code == 200
    eventually(lambda: statistics().total >= total)


def test_the_programs_are_there() -> None:
    assert shutil.which("jq"), "these tests need jq"
    assert shutil.which("curl"), "these tests need curl"


def test_before_any_request(url: str) -> None:
    assert shell(HEALTH, url) == '"no_data"\n'
    assert shell(SLOW_COUNT, url) == "0\n"
    assert json.loads(shell(SUMMARY, url))["text"] == "no requests have been recorded yet"


def test_a_healthy_app(url: str) -> None:
    ask(url, "/api/items/1", 1)
    assert shell(HEALTH, url) == '"healthy"\n'
    assert shell(SLOW_COUNT, url) == "0\n"
    assert shell(SLOW_UNQUOTED, url) == "0\n"
    assert json.loads(shell(SUMMARY, url))["monitored_endpoints"] == 1


def test_an_app_with_a_slow_endpoint(url: str) -> None:
    ask(url, "/api/slow/510", 1)
    assert shell(HEALTH, url) == '"degraded"\n'
    assert shell(SLOW_COUNT, url) == "1\n"
    summary = json.loads(shell(SUMMARY, url))
    assert (summary["status"], summary["slow_endpoints"], summary["slowest_endpoint"]) == (
        "degraded",
        1,
        "GET /api/slow/<int:ms>",
    )


def test_the_whole_script(url: str) -> None:
    ask(url, "/api/items/1", 1)
    assert "All endpoints performing within targets\n" in shell(SCRIPT, url)
    ask(url, "/api/slow/510", 2)
    told = shell(SCRIPT, url)
    assert told.startswith('"degraded"\nWARNING: 1 slow endpoints detected\n{\n')
    assert '"endpoint": "GET /api/slow/<int:ms>"' in told
