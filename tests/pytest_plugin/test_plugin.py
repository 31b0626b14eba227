"""The plugin in a project of its own: pytest as a user runs it, with a Flask and a FastAPI application."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.command import environment, run_pytest

ROOT = Path(__file__).parents[2]
SHOP = """
import time

from flask import Flask

shop = Flask("shop")
shop.testing = True

@shop.get("/api/videos/")
def videos():
    return {"videos": []}

@shop.get("/api/slow")
def slow():
    time.sleep(0.02)
    return "slow"

@shop.get("/api/raises")
def raises():
    return {}["title"]
"""
API = """
import time
from contextlib import asynccontextmanager

from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    app.state.videos = ["one"]
    yield

api = FastAPI(lifespan=lifespan)

@api.get("/api/videos/")
async def api_videos() -> list[str]:
    return api.state.videos

@api.get("/api/slow")
def api_slow() -> None:
    time.sleep(0.02)

@api.get("/api/raises")
def api_raises() -> None:
    raise LookupError("no title")
"""
BASELINE = """
version: 1
service: {base_url: "http://localhost:5001"}
sampling: {confirm: 0}
endpoints:
  videos.list: {path: /api/videos/, target: 2s}
  videos.slow: {path: /api/slow, target: 5ms}
  failing: {path: /api/raises, target: 1s}
"""


@dataclass
class Project:
    """The files of a project, and pytest run in it."""

    folder: Path

    def write(self, **files: str) -> None:
        for name, text in files.items():
            suffix = {"baselines": ".yaml", "pytest": ".ini"}.get(name, ".py")
            (self.folder / f"{name}{suffix}").write_text(text, encoding="utf-8")

    def run(self, *options: str, **variables: str) -> Session:
        env = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200", **variables}
        done = run_pytest("-p", "perfcheck.pytest", *options, cwd=self.folder, env=env)
        return Session(done.returncode, done.stdout + done.stderr)

    def test(self, body: str, *options: str, **variables: str) -> Session:
        """One module of tests with these lines, which imports the applications that they name: both take a second."""
        named = [name for name in ("api", "shop") if re.search(rf"\bapp={name}\b", body)]
        imports = "".join(f"from {name} import {name}\n" for name in named)
        self.write(test_it=f"import pytest\n{imports}\n{body}")
        return self.run(*options, **variables)


@dataclass
class Session:
    exit_code: int
    output: str

    @property
    def summary(self) -> list[str]:
        """The lines of the section of perfcheck."""
        section = re.search(
            r"^=+ perfcheck: in-process latencies =+\n(.*?)(?=^=)", self.output, re.MULTILINE | re.DOTALL
        )
        return section[1].splitlines() if section else []

    @property
    def outcomes(self) -> str:
        """``1 failed, 2 passed``."""
        found = re.findall(r"^=+ (.*) in [\d.]+s.* =+$", self.output, re.MULTILINE)
        assert found, self.output
        return str(found[-1])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write(shop=SHOP, api=API, baselines=BASELINE, pytest="[pytest]\n")
    return made


Apps = pytest.mark.parametrize("app", ["shop", "api"])


@Apps
def test_an_endpoint_within_its_target_passes(project: Project, app: str) -> None:
    session = project.test(
        f"""
def test_list(perfcheck):
    result = perfcheck.check("videos.list", app={app})
    assert result.verdict == "OK"
    assert result.name == "videos.list"
    assert result.value_ms < result.target_ms == 2000
"""
    )
    assert session.outcomes == "1 passed", session.output
    (line,) = session.summary
    assert re.fullmatch(
        r"OK       videos\.list: median [\d.]+ ms, target 2 s, \d+ requests \(test_it\.py::test_list\)", line
    )


@Apps
def test_a_slow_endpoint_fails_its_test_with_the_explanation(project: Project, app: str) -> None:
    project.write(baselines=BASELINE.replace("confirm: 0", "confirm: 1"))
    session = project.test(f'def test_slow(perfcheck):\n    perfcheck.check("videos.slow", app={app})\n')
    assert (session.exit_code, session.outcomes) == (1, "1 failed"), session.output
    for part in (
        r"perfcheck: CRITICAL videos\.slow: median [\d.]+ ms, over its limit of 10 ms$",
        r"  request   GET http://testserver/api/slow$",
        r"  why       median [\d.]+ ms, over 2x its target of 5 ms \(limit 10 ms\)$",
        r"  evidence  \d+ requests, then \d+ to confirm; ",
        r"  baseline  baselines\.yaml:7$",
        r"  note      in process: latencies are the time that the application takes, without network, ",
    ):
        assert re.search("^" + part, session.output, re.MULTILINE), session.output
    assert re.search(
        r"^FAILED test_it\.py::test_slow - Failed: perfcheck: CRITICAL videos\.slow: ", session.output, re.MULTILINE
    )
    assert "Traceback" not in session.output
    assert "rerun" not in session.output
    assert session.summary[0].startswith("CRITICAL videos.slow: median ")


def test_a_warning_passes_and_is_shown_unless_it_is_to_fail(project: Project) -> None:
    session = project.test(
        """
REQUEST = dict(app=shop, target="1ms", warning="2ms", critical="10s")

def test_passes(perfcheck):
    assert perfcheck.check("videos.slow", **REQUEST).verdict == "WARNING"

def test_fails(perfcheck):
    perfcheck.check("videos.slow", fail_on="warning", **REQUEST)

@pytest.mark.perfcheck(fail_on="never")
def test_never_fails(perfcheck):
    assert perfcheck.check("videos.slow", app=shop, target="1ms").verdict == "CRITICAL"
"""
    )
    assert session.outcomes == "1 failed, 2 passed", session.output
    shown = [(line.split()[0], line.partition("::")[2]) for line in session.summary]
    assert shown == [("CRITICAL", "test_never_fails)"), ("WARNING", "test_fails)"), ("WARNING", "test_passes)")]


@pytest.mark.parametrize(("app", "error"), [("shop", "KeyError: 'title'"), ("api", "LookupError: no title")])
def test_a_handler_that_raises_fails_the_test_with_its_traceback_once(project: Project, app: str, error: str) -> None:
    body = f'def test_it(perfcheck):\n    perfcheck.check("failing", app={app})\n'
    session = project.test(body, CI="true")  # there pytest repeats the whole message of a failure in its summary
    assert session.outcomes == "1 failed", session.output
    assert "perfcheck: CRITICAL failing: 100% of requests failed\n" in session.output
    assert session.output.count("Traceback (most recent call last)") == 1, session.output
    assert session.output.count(f"\n{error}\n") == 1, session.output
    assert "in raises" in session.output or "in api_raises" in session.output


def test_an_unexpected_status_has_a_remedy_that_works_here(project: Project) -> None:
    session = project.test(
        """
def test_it(perfcheck):
    perfcheck.check("/none", app=shop)

def test_expected(perfcheck):
    perfcheck.check("/none", app=shop, expect=404)
"""
    )
    assert session.outcomes == "1 failed, 1 passed", session.output
    assert "\n  help      is 'path' right? It is appended to 'base_url'\n" in session.output
    assert "\n  baseline " not in session.output


def test_a_request_without_a_baseline_has_the_keys_of_an_endpoint(project: Project) -> None:
    (project.folder / "baselines.yaml").unlink()
    project.write(
        echo="""
from flask import Flask, request
app = Flask("echo")

@app.post("/search")
def search():
    assert request.get_json() == {"q": "$1 ${HOME}"} and request.headers["X-Key"] == "k"
    return "", 201
"""
    )
    session = project.test(
        """
from echo import app

def test_it(perfcheck):
    result = perfcheck.check(
        "POST /search", app=app, target="2s", metric="p75", json={"q": "$1 ${HOME}"}, headers={"X-Key": "k"},
        expect=201, repeatable=True,
    )
    assert (result.method, result.metric, result.url) == ("POST", "p75", "http://testserver/search")
"""
    )
    assert session.outcomes == "1 passed", session.output


def test_the_closest_marker_counts_and_an_argument_before_it(project: Project) -> None:
    session = project.test(
        """
pytestmark = pytest.mark.perfcheck(target="1s", metric="mean")

@pytest.mark.perfcheck(target="3s")
class TestIt:
    @pytest.mark.perfcheck(metric="p75")
    def test_marked(self, perfcheck):
        result = perfcheck.check("videos.slow", app=shop)
        assert (result.target_ms, result.warning_ms, result.critical_ms) == (3000, 4500, 6000)
        assert result.metric == "p75"
        assert perfcheck.check("videos.slow", app=shop, target="4s").target_ms == 4000
""",
        "--strict-markers",
    )
    assert session.outcomes == "1 passed", session.output
    assert len(session.summary) == 2


WRONG = {  # the arguments of a call -> what is wrong, and the remedy
    "'video.list', app=shop": ("baselines.yaml has no endpoint 'video.list'", "did you mean 'videos.list'?"),
    "'videos.*', app=shop": ("'videos.*' matches 2 endpoints", "name one of them"),
    "'videos.list', app=shop, expect=404": (
        "'expect' cannot be given with the name of an endpoint",
        "write it in baselines.yaml:6",
    ),
    "'videos.list', app=shop, traget='1s'": (
        "'traget' cannot be given with the name of an endpoint",
        "did you mean 'target'?",
    ),
    "'/api/videos/', app=shop, target=50": ("target: a duration needs a unit", "did you mean 50ms?"),
    "'/api/', app=shop, traget='1s'": ("unknown key 'traget' in endpoint 'GET /api/'", "did you mean 'target'?"),
    "'POST /api', app=shop, target='1s'": (
        "POST can change the state of the service, and requests are repeated",
        "add 'repeatable: true' if that does no harm",
    ),
    "'/', app=shop, body=b'x'": (
        "not a value of a baseline: Object of type bytes is not JSON serializable",
        "use text, numbers, lists and mappings",
    ),
    "'/', app=shop, fail_on='ok'": ("fail_on: 'ok'", "one of 'critical', 'warning', 'never'"),
    "'/', app=None": ("not a WSGI or ASGI application: None", "pass the application itself, as a server does"),
}


def test_a_wrong_call_fails_with_a_remedy(project: Project) -> None:
    session = project.test(
        "\n".join(
            f"def test_{number}(perfcheck):\n    perfcheck.check({arguments})\n"
            for number, arguments in enumerate(WRONG)
        )
    )
    assert session.outcomes == f"{len(WRONG)} failed", session.output
    shown = re.findall(r"^_+ test_\d+ _+\nperfcheck: (.*)\n  help      (.*)$", session.output, re.MULTILINE)
    assert shown == list(WRONG.values())
    assert not session.summary


def test_no_latency_is_measured_with_a_clock_that_stands_still(project: Project) -> None:
    session = project.test(
        """
import time

def test_frozen(perfcheck, monkeypatch):
    monkeypatch.setattr(time, "perf_counter_ns", lambda: 1)
    perfcheck.check("videos.list", app=shop)

@pytest.mark.perfcheck("50ms")
def test_marker(perfcheck):
    perfcheck.check("videos.list", app=shop)
"""
    )
    assert session.outcomes == "2 failed", session.output
    assert "\nperfcheck: the clock stands still in this test\n" in session.output
    assert "\nperfcheck: @pytest.mark.perfcheck takes keyword arguments, not ('50ms',)\n" in session.output


def test_a_startup_that_fails_fails_the_test(project: Project) -> None:
    session = project.test(
        """
from fastapi import FastAPI

def lifespan(app):
    raise OSError("no database")

def test_it(perfcheck):
    perfcheck.check("/", app=FastAPI(lifespan=lifespan), target="1s")
"""
    )
    assert session.outcomes == "1 failed", session.output
    assert "perfcheck: the application did not start: OSError: no database\n" in session.output
    assert 'in lifespan\n    raise OSError("no database")' in session.output


def test_what_was_not_measured_or_not_confirmed_does_not_pass(project: Project) -> None:
    for name, budget in {"none": "10ms", "short": "2s"}.items():
        text = BASELINE.replace("confirm: 0", f"budget: {budget}")
        (project.folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    session = project.test(
        """
@pytest.mark.perfcheck(fail_on="never")
@pytest.mark.parametrize("name", ["none", "short"])
def test_it(perfcheck, monkeypatch, name):
    monkeypatch.setenv("PERFCHECK_BASELINE", f"{name}.yaml")
    perfcheck.check("videos.slow", app=shop, fail_on="never" if name == "none" else "critical")
"""
    )
    assert session.outcomes == "2 failed", session.output
    assert "perfcheck: not measured videos.slow: " in session.output
    assert session.summary[-1].startswith("not measured videos.slow: ")


ASYNCHRONOUS = """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_async(perfcheck):
    assert perfcheck.check("videos.list", app=api).verdict == "OK"
    assert perfcheck.check("videos.list", app=shop).verdict == "OK"

def test_plain(perfcheck):
    assert perfcheck.check("videos.list", app=api).verdict == "OK"
"""


def test_an_asynchronous_test_may_check_as_well(project: Project) -> None:
    session = project.test(ASYNCHRONOUS, "-p", "anyio.pytest_plugin", "-W", "error")
    assert session.outcomes == "2 passed", session.output


def test_workers_of_xdist_report_to_the_summary(project: Project) -> None:
    session = project.test(
        """
@pytest.mark.parametrize("number", range(4))
def test_it(perfcheck, number):
    perfcheck.check("videos.list", app=shop)
""",
        *("-p", "xdist.plugin", "-n2"),
    )
    assert session.outcomes == "4 passed", session.output
    assert [line.rpartition("::")[2] for line in session.summary] == [f"test_it[{number}])" for number in range(4)]


def test_the_baseline_is_found_from_the_rootdir_or_named(project: Project, tmp_path: Path) -> None:
    check = "def test_it(perfcheck):\n    assert perfcheck.check('videos.list', app=shop).target_ms == {}\n"
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_below.py").write_text(
        f"from shop import shop\n\n{check.format(2000)}", encoding="utf-8"
    )
    project.write(pytest="[pytest]\npythonpath = .\n")
    assert Project(tmp_path / "tests").run().outcomes == "1 passed"
    (tmp_path / "other.yaml").write_text(BASELINE.replace("2s", "3s"), encoding="utf-8")
    assert project.test(check.format(3000), "test_it.py", PERFCHECK_BASELINE="other.yaml").outcomes == "1 passed"
    project.write(pytest="[pytest]\nperfcheck_baseline = other.yaml\n")
    assert project.test(check.format(3000), "test_it.py").outcomes == "1 passed"
    project.write(pytest="[pytest]\nperfcheck_baseline = absent.yaml\n")
    session = project.test(check.format(3000), "test_it.py")
    assert "absent.yaml: error: file not found" in session.output
    (tmp_path / "baselines.yaml").unlink()
    project.write(pytest="[pytest]\n")
    session = project.test(check.format(2000), "test_it.py")
    assert "perfcheck: baselines.yaml not found in this folder" in session.output
    assert "name it in perfcheck_baseline of the pytest configuration, or check a path" in session.output


def test_nothing_is_shown_where_nothing_is_checked(project: Project) -> None:
    session = project.test("def test_it(perfcheck):\n    pass\n")
    assert session.outcomes == "1 passed"
    assert "in-process" not in session.output


def test_every_run_of_pytest_pays_for_nothing_but_pytest() -> None:
    code = (
        "import sys\n"
        "import pytest\n"
        "before = set(sys.modules)\n"
        "import perfcheck.pytest\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["perfcheck", "perfcheck.pytest"]


def test_installing_the_package_is_enough(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "installed"
    # The build backend is one of the development packages; where it is not there yet, pip fetches it.
    isolation = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps"]
    subprocess.run([*pip, *isolation, "--target", folder, ROOT], check=True, timeout=120)
    project.write(
        test_it="from shop import shop\n\ndef test_it(perfcheck):\n    perfcheck.check('/api/videos/', app=shop)\n"
    )
    command = [sys.executable, "-m", "pytest", "test_it.py"]
    # Coverage would count the copy as well.
    kept = {name: value for name, value in environment().items() if not name.startswith("COVERAGE")}
    variables = {**kept, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=project.folder, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nOK       GET /api/videos/: median " in done.stdout
