"""The slowest request of a run, found among the spans that a service under ``opentelemetry-instrument`` exports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import perfcheck
from support.waiting import eventually

from perfcheck.runfile import read_run

_APP = """
import time
from flask import Flask
from werkzeug.serving import make_server

app = Flask("slow")

@app.get("/slow")
def slow():
    time.sleep(0.02)
    return "slow"

server = make_server("127.0.0.1", 0, app)
open("port", "w").write(f"{server.server_port}\\n")
server.serve_forever()
"""
_INSTRUMENT = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
_EXPORT = {
    "OTEL_TRACES_EXPORTER": "console",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_BSP_SCHEDULE_DELAY": "50",  # milliseconds
}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Of a Flask application whose spans come into the file ``spans``."""
    (tmp_path / "app.py").write_text(_APP, encoding="utf-8")
    command = [sys.executable, "-c", _INSTRUMENT, sys.executable, "app.py"]
    with (tmp_path / "spans").open("wb") as spans, (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **_EXPORT}, stdout=spans, stderr=log)
    port = tmp_path / "port"
    try:
        yield f"http://127.0.0.1:{eventually(lambda: port.exists() and port.read_text(encoding='ascii').strip())}"
    finally:
        process.terminate()
        process.wait(20)


def exported(folder: Path) -> list[str]:
    return re.findall(r'"trace_id": "0x([0-9a-f]{32})"', (folder / "spans").read_text(encoding="utf-8"))


def test_the_slowest_request_is_among_the_spans_of_the_service(url: str, tmp_path: Path) -> None:
    page = "https://jaeger.example/trace/{trace_id}"
    (tmp_path / "baselines.yaml").write_text(
        f"version: 1\nservice: {{base_url: '{url}', trace_url: '{page}'}}\nsampling: {{confirm: 0}}\n"
        "endpoints:\n  slow: {path: /slow, target: 2ms}\n",
        encoding="utf-8",
    )
    done = perfcheck("run", "-o", "run.json", "--report", "html=run.html", cwd=tmp_path, env={"COLUMNS": "160"})
    (result,) = read_run(tmp_path / "run.json").endpoints
    assert len(result.traces) == 3
    latencies = [trace.latency_ms or 0.0 for trace in result.traces]
    assert latencies == sorted(latencies, reverse=True)
    assert latencies[0] == max(filter(None, result.samples_ms))
    for trace in result.traces:
        link = page.replace("{trace_id}", trace.trace_id)
        assert re.search(rf"trace +[\d.]+ ms {re.escape(link)}", done.stdout)
        assert f'<a href="{link}">{link}</a>' in (tmp_path / "run.html").read_text(encoding="utf-8")
        assert eventually(lambda trace_id=trace.trace_id: trace_id in exported(tmp_path))  # type: ignore[misc]


def test_no_service_records_a_trace_unless_it_is_set(url: str, tmp_path: Path) -> None:
    (tmp_path / "baselines.yaml").write_text(
        f"version: 1\nservice: {{base_url: '{url}'}}\nendpoints:\n  slow: {{path: /slow, target: 2s}}\n",
        encoding="utf-8",
    )
    assert perfcheck("run", "-o", "run.json", cwd=tmp_path).returncode == 0
    run = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert run["service"]["trace_url"] is None
    assert [endpoint["traces"] for endpoint in run["endpoints"]] == [[]]
    assert eventually(lambda: '"parent_id": null' in (tmp_path / "spans").read_text(encoding="utf-8"))
