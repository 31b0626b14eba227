"""``perfcheck init``, and ``coverage`` after it: from nothing to a green check of real services."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import yaml
from apps.service import ok, service, status
from apps.serving import uvicorn_server, werkzeug
from fastapi import FastAPI, HTTPException
from flask import Flask, Response, jsonify, request
from support.command import PERFCHECK, environment, perfcheck
from support.terminal import in_terminal

from perfcheck.baseline import load_baseline
from perfcheck.demo.demo_process import start_demo
from perfcheck.engine.pipelines import pipeline
from perfcheck.model import Baseline, sent

MEASURED = ("--fail-on", "never")  # exit code 0: everything was measured; how slow it is depends on the machine


def loaded(folder: Path, name: str = "baselines.yaml") -> Baseline:
    return load_baseline(folder / name, {"API_TOKEN": "s3cret-token"})


def init(folder: Path, *arguments: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    done = perfcheck("init", *arguments, cwd=folder, env=env, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


# --- The sample service ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    with start_demo() as process:
        yield process.url


@pytest.fixture(scope="module")
def begun(demo: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the baseline of the sample service, as init has written it."""
    folder = tmp_path_factory.mktemp("begun")
    done = init(folder, demo)
    assert done.stdout.splitlines() == [
        "found 14 operations (monitor 14, OpenAPI 11, links 3)",
        "wrote baselines.yaml: 14 endpoints, all OK when checked",
        "next: perfcheck run",
    ]
    return folder


def test_the_check_passes_and_nothing_is_left_to_edit(begun: Path) -> None:
    done = perfcheck("run", *MEASURED, "--errors", "quick", "-o", "run.json", cwd=begun)
    assert done.returncode == 0, done.stdout
    saved = json.loads((begun / "run.json").read_text(encoding="utf-8"))
    assert len(saved["endpoints"]) == 14
    assert perfcheck("validate", cwd=begun).returncode == 0


def test_the_file_reads_as_if_somebody_had_written_it(begun: Path) -> None:
    text = (begun / "baselines.yaml").read_text(encoding="utf-8")
    assert text.startswith("# Latency targets of http://")
    assert "\n# yaml-language-server" not in text  # an error in editors as long as the schema is not there
    assert "\n  ready: /api/health\n  monitor: /api/performance\n  openapi: /openapi.json\n" in text
    baseline = loaded(begun)
    by_name = {endpoint.name: endpoint for endpoint in baseline.endpoints}
    assert set(by_name) == {
        *("videos", "videos.by_id", "videos.search", "videos.universal-search", "settings", "health"),
        *("artists", "artists.by_id", "labels", "labels.by_id", "tags"),
        *("root", "search", "watch.by_id"),  # pages
    }
    search = by_name["videos.search"]
    assert (search.group, search.query, search.monitor_name) == (
        "search",
        (("q", "love"),),
        "GET /api/videos/search",
    )
    assert [group.title for group in baseline.groups] == ["Videos", "Search", "Core", "Artists", "Labels", "Tags"]
    for endpoint in baseline.endpoints:
        assert endpoint.target_ms is not None
        assert endpoint.ideal_ms is not None
        assert endpoint.ideal_ms <= endpoint.target_ms


def test_coverage_is_complete(begun: Path) -> None:
    done = perfcheck("coverage", "--min", "100%", cwd=begun)
    assert (done.returncode, done.stdout) == (
        0,
        "coverage of baselines.yaml: 100%, 14 of 14 operations, at least 100% required\n",
    )


def test_an_entry_that_is_deleted_is_missed_and_comes_back_when_its_stanza_is_pasted(begun: Path) -> None:
    lines = (begun / "baselines.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    start = lines.index("  artists.by_id:\n")
    end = next(index for index in range(start + 1, len(lines)) if not lines[index].startswith("    "))
    cut = "".join(lines[:start] + lines[end:])
    (begun / "cut.yaml").write_text(cut, encoding="utf-8")
    done = perfcheck("coverage", "-f", "cut.yaml", "--min", "95%", "-o", "coverage.json", cwd=begun)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == ("coverage of cut.yaml: 92.9%, 13 of 14 operations, at least 95% required")
    saved = json.loads((begun / "coverage.json").read_text(encoding="utf-8"))
    (missing,) = saved["uncovered"]
    assert missing["template"] == "/api/artists/{id}"
    assert missing["stanza"] in done.stdout
    pasted = cut.replace("endpoints:\n", f"endpoints:\n{missing['stanza']}")
    (begun / "pasted.yaml").write_text(pasted, encoding="utf-8")
    assert perfcheck("coverage", "-f", "pasted.yaml", "--min", "100%", cwd=begun).returncode == 0
    assert perfcheck("run", *MEASURED, "-f", "pasted.yaml", "artists.by_id", cwd=begun).returncode == 0


def test_coverage_as_other_reports(begun: Path) -> None:
    done = perfcheck("coverage", "--report", "markdown", "--report", "junit=junit.xml", cwd=begun)
    assert done.stdout.startswith("### ✅ Coverage of `baselines.yaml`: 100%, 14 of 14 operations\n")
    assert 'tests="14" failures="0"' in (begun / "junit.xml").read_text(encoding="utf-8")
    wrong = perfcheck("coverage", "--report", "html", cwd=begun)
    assert (wrong.returncode, wrong.stderr.splitlines()[0]) == (2, "error: coverage has no html report")


def test_a_dry_run_prints_the_file_and_writes_nothing(tmp_path: Path, demo: str) -> None:
    done = init(tmp_path, "--dry-run", "-u", demo)
    assert list(tmp_path.iterdir()) == []
    assert "would write baselines.yaml: 14 endpoints" in done.stderr
    (tmp_path / "printed.yaml").write_text(done.stdout, encoding="utf-8")
    assert len(loaded(tmp_path, "printed.yaml").endpoints) == 14


def test_a_service_that_is_started_for_it(tmp_path: Path) -> None:
    command = f'{sys.executable} -m perfcheck demo --port "$PORT"'
    done = init(tmp_path, "-f", "perf/checks.yaml", "--start", command, code=2)
    assert "mkdir -p perf" in done.stderr
    (tmp_path / "perf").mkdir()
    done = init(tmp_path, "-f", "perf/checks.yaml", "--start", command, "--ci", "gitlab")
    assert "next: perfcheck run -f perf/checks.yaml --start\n" in done.stdout
    assert loaded(tmp_path / "perf", "checks.yaml").service.start == command
    pipeline = (tmp_path / ".gitlab-ci.yml").read_text(encoding="utf-8")
    assert ".perfcheck/bin/perfcheck run -f perf/checks.yaml --start " in pipeline
    checked = perfcheck("run", *MEASURED, "-f", "perf/checks.yaml", "--start", "-q", "health", cwd=tmp_path)
    assert checked.returncode == 0
    assert perfcheck("coverage", "-f", "perf/checks.yaml", "--start", cwd=tmp_path).returncode == 0


# --- Services of others ----------------------------------------------------------------------------------------------


def shop() -> FastAPI:
    app = FastAPI()
    items = {11: "bolt", 12: "nut"}

    @app.get("/items", tags=["Stock"])
    def list_items(limit: int = 10) -> list[dict[str, Any]]:
        return [{"id": number, "name": name} for number, name in items.items()][:limit]

    @app.get("/items/{item_id}", tags=["Stock"])
    def item(item_id: int) -> dict[str, Any]:
        if item_id not in items:
            raise HTTPException(404)
        return {"id": item_id, "name": items[item_id]}

    @app.get("/orders/{order_id}")
    def order(order_id: int) -> None:
        raise HTTPException(404, f"no order {order_id}")

    @app.post("/items", tags=["Stock"])
    def add() -> None:
        raise AssertionError("nothing is added")

    @app.get("/old", deprecated=True)
    def old() -> str:
        return "old"

    return app


def test_fastapi_with_ids_from_its_lists(tmp_path: Path) -> None:
    with uvicorn_server(shop()) as url:
        done = init(tmp_path, url)
        endpoints = {endpoint.name: endpoint for endpoint in loaded(tmp_path).endpoints}
        assert perfcheck("run", *MEASURED, "-q", cwd=tmp_path).returncode == 0
        covered = perfcheck("coverage", cwd=tmp_path)
    assert endpoints["items.by_item_id"].path == "/items/11"
    assert endpoints["items"].group == endpoints["items.by_item_id"].group == "Stock"
    assert set(endpoints) == {"items", "items.by_item_id"}
    shown = done.stdout
    assert "GET /orders/{order_id}" in shown
    assert "POST /items" in shown
    tail = (tmp_path / "baselines.yaml").read_text(encoding="utf-8").partition("# Not covered: 3 operations.")[2]
    assert {line.strip("# ") for line in tail.splitlines()} >= {
        "GET /orders/{order_id}",
        "POST /items",
        "GET /old",
    }
    assert covered.returncode == 0
    assert "66.7%, 2 of 3 operations" in covered.stdout


def document(*paths: str) -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for line in paths:
        method, path = line.split()
        operations.setdefault(path, {})[method.lower()] = {"responses": {}}
    return {"openapi": "3.0.3", "info": {"title": "a", "version": "1"}, "paths": operations}


@contextmanager
def office(requests: list[str]) -> Iterator[str]:
    """Some rooms that should not be entered; ``requests`` is what was."""
    app = Flask(__name__)
    lines = [
        *("GET /desks", "POST /desks", "DELETE /desks", "GET /logout", "GET /cache/clear", "GET /admin/users"),
        *("POST /desks/search", "PUT /desks", "PATCH /desks", "GET /private", "GET /broken"),
    ]

    @app.before_request
    def note() -> None:
        requests.append(f"{request.method} {request.path}")

    @app.route("/openapi.json")
    def openapi() -> Any:
        return jsonify(document(*lines))

    @app.route("/private")
    def private() -> Response:
        allowed = request.headers.get("Authorization") == "Bearer s3cret-token"
        return Response("for you" if allowed else "no", 200 if allowed else 401)

    @app.route("/broken")
    def broken() -> Response:
        return Response("x", 500)

    @app.route("/desks", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    @app.route("/desks/search", methods=["POST"])
    @app.route("/logout")
    @app.route("/cache/clear")
    @app.route("/admin/users")
    def anything() -> Any:
        return jsonify([])

    with werkzeug(app) as url:
        yield url


def test_nothing_unsafe_is_called_and_every_omission_has_a_reason(tmp_path: Path) -> None:
    requests: list[str] = []
    with office(requests) as url:
        done = init(tmp_path, url)
        perfcheck("coverage", cwd=tmp_path)
    assert {line.split()[0] for line in requests} <= {"GET", "HEAD"}
    assert not {"/logout", "/cache/clear", "/admin/users"} & {line.split()[1] for line in requests}
    assert [endpoint.name for endpoint in loaded(tmp_path).endpoints] == ["desks"]
    assert len(done.stdout.splitlines()) < 25
    for words in (
        "looks like an action",
        "may change something",
        "HTTP 401",
        "HTTP 500",
        "'auth' in the baseline",
        "--allow",
    ):
        assert words in done.stdout


def test_what_is_named_is_called_all_the_same(tmp_path: Path) -> None:
    requests: list[str] = []
    with office(requests) as url:
        init(tmp_path, url, "--allow", "POST /desks/search", "--allow", "/cache/*")
        baseline = loaded(tmp_path)
        assert perfcheck("run", *MEASURED, "-q", cwd=tmp_path).returncode == 0
    methods = {endpoint.name: endpoint.method for endpoint in baseline.endpoints}
    assert methods == {"desks": "GET", "desks.search.post": "POST", "cache.clear": "GET"}
    assert "POST /desks" not in requests


def test_several_values_of_a_variable_are_lines(tmp_path: Path) -> None:
    requests: list[str] = []
    with office(requests) as url:
        init(tmp_path, url, PERFCHECK_ALLOW="POST /desks/search\n/cache/*", PERFCHECK_DRY_RUN="1")
    assert "POST /desks/search" in requests
    assert "GET /cache/clear" in requests


def test_a_login_is_sent_by_its_variable_and_never_written(tmp_path: Path) -> None:
    with office([]) as url:
        header = "Authorization: Bearer ${API_TOKEN}"
        done = init(tmp_path, url, "--header", header, API_TOKEN="s3cret-token")
        again = perfcheck("run", *MEASURED, "-q", cwd=tmp_path, env={"API_TOKEN": "s3cret-token"})
    text = (tmp_path / "baselines.yaml").read_text(encoding="utf-8")
    assert "s3cret" not in text + done.stdout + done.stderr
    assert text.count("Authorization") == 1
    names = {endpoint.name: dict(endpoint.headers) for endpoint in loaded(tmp_path).endpoints}
    assert sent(names["private"]["Authorization"]) == "Bearer s3cret-token"
    assert again.returncode == 0


def test_a_password_in_the_address_is_not_written(tmp_path: Path) -> None:
    with office([]) as url:
        address = url.replace("http://", "http://ada:s3cret-word@")
        done = init(tmp_path, address)
        again = perfcheck("run", *MEASURED, "-q", cwd=tmp_path, env={"PERFCHECK_BASE_URL": address})
    text = (tmp_path / "baselines.yaml").read_text(encoding="utf-8")
    assert "s3cret" not in text + done.stdout + done.stderr
    assert "base_url: ${PERFCHECK_BASE_URL:?the address of the service, with its password}\n" in text
    assert again.returncode == 0


def test_what_was_recorded_is_measured_with_the_values_that_were_sent(tmp_path: Path) -> None:
    app = Flask(__name__)
    app.add_url_rule("/seen/<int:number>", "seen", lambda number: str(number) + request.args.get("q", ""))
    app.add_url_rule("/pasted", "pasted", lambda: "x")
    app.add_url_rule("/logged", "logged", lambda: "x")
    app.add_url_rule("/collected", "collected", lambda: "x")
    app.add_url_rule("/registered", "registered", lambda: "x")
    with werkzeug(app) as url:
        entry = {
            "request": {"method": "GET", "url": f"{url}/seen/7?q=love", "headers": [], "queryString": []},
            "response": {"status": 200, "headers": [], "content": {"mimeType": "application/json"}},
        }
        har = json.dumps({"log": {"version": "1.2", "entries": [entry]}})
        (tmp_path / "recorded.har").write_text(har, encoding="utf-8")
        (tmp_path / "commands.txt").write_text(f"curl '{url}/pasted' -H 'Accept: */*'\n", encoding="utf-8")
        line = '127.0.0.1 - - [01/Nov/2026:10:00:00 +0000] "GET /logged HTTP/1.1" 200 12 "-" "Mozilla/5.0"\n'
        (tmp_path / "access.log").write_text(3 * line, encoding="utf-8")
        collection = json.dumps({"item": [{"name": "One", "request": "{{baseUrl}}/collected"}]})
        (tmp_path / "collection.json").write_text(collection, encoding="utf-8")
        source = (
            'from flask import Flask\napp = Flask(__name__)\n@app.get("/registered")\ndef registered(): return ""\n'
        )
        (tmp_path / "service.py").write_text(source, encoding="utf-8")
        recordings = ("--har", "recorded.har", "--curl", "commands.txt", "--access-log", "access.log")
        files = (*recordings, "--postman", "collection.json", "--source", "service.py")
        done = init(tmp_path, url, *files)
        missing = perfcheck("coverage", *files, "--har", "no.har", cwd=tmp_path)
    by_path = {endpoint.path: endpoint for endpoint in loaded(tmp_path).endpoints}
    assert set(by_path) == {"/seen/7", "/pasted", "/logged", "/collected", "/registered"}
    assert by_path["/seen/7"].query == (("q", "love"),)
    assert "found 5 operations (HAR 1, Postman 1, curl 1, access log 1, source code 1)" in done.stdout
    assert (missing.returncode, missing.stderr.splitlines()[0]) == (
        2,
        "error: no.har cannot be read: No such file or directory",
    )


def test_routes_are_read_from_source(tmp_path: Path) -> None:
    source = 'from flask import Flask\napp = Flask("a")\n@app.get("/hidden")\ndef hidden(): return "x"\n'
    (tmp_path / "app.py").write_text(source, encoding="utf-8")
    with service({"/hidden": ok()}) as url:
        done = init(tmp_path, url, "--source", "app.py")
    assert "found 1 operation (source code 1)" in done.stdout
    assert [endpoint.path for endpoint in loaded(tmp_path).endpoints] == ["/hidden"]


def test_the_openapi_document_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text(json.dumps(document("GET /a")), encoding="utf-8")
    with service({"/a": ok()}) as url:
        init(tmp_path, url, "--openapi", "api.json")
    assert [endpoint.name for endpoint in loaded(tmp_path).endpoints] == ["a"]
    assert loaded(tmp_path).service.openapi is None


def test_a_document_below_the_address_and_with_a_query_in_its_own(tmp_path: Path) -> None:
    app = Flask(__name__)
    app.add_url_rule("/app/docs", "docs", lambda: '<redoc spec-url="/app/x/?format=openapi"></redoc>')
    app.add_url_rule("/app/x/", "x", lambda: jsonify({**document("GET /desks"), "servers": [{"url": "/app"}]}))
    app.add_url_rule("/app/desks", "desks", lambda: jsonify([]))
    with werkzeug(app) as url:
        init(tmp_path, f"{url}/app")
        covered = perfcheck("coverage", cwd=tmp_path)
    assert loaded(tmp_path).service.openapi is None
    assert [endpoint.path for endpoint in loaded(tmp_path).endpoints] == ["/desks"]
    assert "100%, 1 of 1 operation" in covered.stdout


# --- What there is nothing to write for ------------------------------------------------------------------------------


def test_nothing_listens(tmp_path: Path) -> None:
    done = init(tmp_path, f"http://127.0.0.1:{closed_port()}", code=3)
    assert "connection refused" in done.stderr
    assert "--base-url" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [401, 404, 500])
def test_everything_fails(tmp_path: Path, code: int) -> None:
    with service({"/openapi.json": ok(json.dumps(document("GET /a", "GET /b")).encode()), "/a": status(code)}) as url:
        done = init(tmp_path, url, code=3)
    assert "can be measured, so nothing was written" in done.stderr
    assert f"HTTP {code}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_empty_service(tmp_path: Path) -> None:
    with service({}) as url:
        done = init(tmp_path, url, code=3)
    assert "--openapi" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_pages_alone_are_measured_too(tmp_path: Path) -> None:
    app = Flask(__name__)
    app.add_url_rule("/", "home", lambda: '<a href="/about">About</a> <a href="/logout">Log out</a>')
    app.add_url_rule("/about", "about", lambda: "<p>About</p>")
    with werkzeug(app) as url:
        init(tmp_path, url)
    assert {endpoint.path for endpoint in loaded(tmp_path).endpoints} == {"/", "/about"}


# --- Files -----------------------------------------------------------------------------------------------------------


def test_a_file_that_exists_is_replaced_only_by_force(tmp_path: Path) -> None:
    (tmp_path / "baselines.yaml").write_text("mine", encoding="utf-8")
    with office([]) as url:
        done = init(tmp_path, url, code=2)
        assert done.stderr.splitlines()[0] == "error: baselines.yaml exists already"
        assert (tmp_path / "baselines.yaml").read_text(encoding="utf-8") == "mine"
        init(tmp_path, url, "--force")
    assert len(loaded(tmp_path).endpoints) == 1


@pytest.mark.parametrize("file", ["folder", "absent/file.yaml"])
def test_a_file_that_cannot_be_written_is_an_error_at_once(tmp_path: Path, file: str) -> None:
    (tmp_path / "folder").mkdir()
    done = init(tmp_path, f"http://127.0.0.1:{closed_port()}", "-f", file, code=2)
    assert "cannot write" in done.stderr


def test_a_workflow_is_written_and_an_existing_one_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "api").mkdir()
    with office([]) as url:
        done = init(tmp_path / "api", url, "--ci", "github")
        file = tmp_path / ".github" / "workflows" / "perfcheck.yml"
        written = file.read_text(encoding="utf-8")
        again = init(tmp_path / "api", url, "--ci", "github", "--force")
        refused = init(tmp_path / "api", url, "-f", "other.yaml", "--ci", "github", code=2)
        (tmp_path / ".gitlab-ci.yml").write_text("mine: {script: [a]}\n", encoding="utf-8")
        pasted = init(tmp_path / "api", url, "-f", "third.yaml", "--ci", "gitlab")
    assert "wrote ../.github/workflows/perfcheck.yml: adapt the lines marked CHANGE" in done.stdout
    assert ".perfcheck/bin/perfcheck run -f api/baselines.yaml\n" in written
    assert "wrote ../.github" in again.stdout
    assert refused.stderr.startswith("error: ../.github/workflows/perfcheck.yml exists already")
    assert not (tmp_path / "api" / "other.yaml").exists()
    assert (tmp_path / ".gitlab-ci.yml").read_text(encoding="utf-8") == "mine: {script: [a]}\n"
    assert "../.gitlab-ci.yml exists and was not changed; add this job to it:\n\n# Written by" in pasted.stdout


def test_the_pipeline_gets_the_variables_of_the_headers(tmp_path: Path) -> None:
    headers = ("--header", "X-Key: ${API_KEY}", "--header", "Accept: ${ACCEPT:-*/*}", "--header", "X: $${NO}")
    with office([]) as url:
        done = init(tmp_path, url, *headers, "--ci", "github", API_KEY="k")
        wrong = init(tmp_path, url, "--header", "X-Key: ${API_KEY", "--ci", "gitlab", "--force", code=2)
    assert "adapt the lines marked CHANGE, and set API_KEY in CI, from a secret\n" in done.stdout
    workflow = yaml.safe_load((tmp_path / ".github" / "workflows" / "perfcheck.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["check"]["steps"][-1]["env"] == {"API_KEY": "${{ secrets.API_KEY }}"}
    assert "'${' without a closing '}'" in wrong.stderr


@pytest.mark.parametrize("system", ["github", "gitlab"])
def test_the_published_schema_accepts_the_pipeline(tmp_path: Path, system: str) -> None:
    for starts in (True, False):
        made = pipeline(system, Path("a b/it's.yaml"), starts=starts, force=True, headers=[("A", "${B}")])
        assert ("start-service.sh" in made.text) is not starts
        (tmp_path / f"{starts}.yml").write_text(made.text, encoding="utf-8")
    schema = {"github": "github-workflows", "gitlab": "gitlab-ci"}[system]
    files = map(str, tmp_path.glob("*.yml"))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# --- People ----------------------------------------------------------------------------------------------------------


def test_without_an_address_there_is_a_prompt_on_a_terminal_only(tmp_path: Path) -> None:
    done = init(tmp_path, code=2)
    assert done.stderr.splitlines() == [
        "error: which service? No address was given",
        "help: perfcheck init http://localhost:8000",
    ]
    in_ci = in_terminal("init", columns=80, cwd=tmp_path, env={"CI": "true"})
    assert in_ci.exit_code == 2
    assert "No address was given" in "\n".join(in_ci.screen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing_half_written(tmp_path: Path, number: signal.Signals) -> None:
    measured, well_begun = 0, Event()
    app = Flask(__name__)

    @app.get("/a")
    def a() -> str:
        nonlocal measured
        measured += 1
        if measured == 4:  # the survey sends one request
            well_begun.set()
        return "a"

    app.add_url_rule("/openapi.json", "openapi", lambda: jsonify(document("GET /a")))
    with werkzeug(app) as url:
        process = subprocess.Popen(
            [PERFCHECK, "init", url],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert well_begun.wait(60)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 130
    assert "interrupted: nothing was written; 1 operation found, 1 endpoint to be measured" in err
    assert out == ""
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "header", ["Authorization", "a b: c", ": x", "X:", "X: ${UNSET_VARIABLE}", "Content-Length: 1"]
)
def test_a_wrong_header_is_an_error(tmp_path: Path, header: str) -> None:
    done = init(tmp_path, f"http://127.0.0.1:{closed_port()}", "--header", header, code=2)
    assert done.stderr.startswith("error: ")
    assert "help: " in done.stderr
