"""``pip install --no-deps perfcheck``: a wheel, built and installed beside Flask alone, monitors a service."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import httpx
import pytest
from support.waiting import eventually

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "how-to" / "monitor.md").read_text(encoding="utf-8")
SERVE = """
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""
LIST = "from importlib.metadata import distributions; print(*sorted(each.name.lower() for each in distributions()))"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PERFCHECK"))}


def with_requirements(name: str) -> dict[str, Distribution]:
    """A distribution of this environment and all that it requires, extras aside."""
    found: dict[str, Distribution] = {}
    waiting = [name]
    while waiting:
        each = distribution(waiting.pop())
        if each.name.lower() not in found:
            found[each.name.lower()] = each
            required = [line for line in each.requires or () if ";" not in line]
            waiting += [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in required]
    return found


def run(*command: str | Path) -> str:
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment: Flask, copied from the one of the tests, and perfcheck, installed as documented."""
    folder = tmp_path_factory.mktemp("production")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    interpreter = folder / "venv" / "bin" / "python"
    packages = Path(run(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for each in with_requirements("flask").values():
        for file in each.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                target = packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(each.locate_file(file)), target)
    # The build backend is one of the development packages; where it is not there yet, pip fetches it.
    has_backend = all(map(importlib.util.find_spec, ("hatchling", "hatch_fancy_pypi_readme")))
    isolation = ["--no-build-isolation"] if has_backend else []
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run(*pip, "wheel", "--no-deps", *isolation, "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("perfcheck-*.whl")
    run(*pip, "--python", interpreter, "install", "--no-deps", "--no-index", wheel)
    return interpreter


@pytest.fixture(scope="module")
def url(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The documented Flask application, served in the clean environment."""
    example = re.search(r"^### Flask\n\n```python\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    assert example is not None
    file = tmp_path_factory.mktemp("service") / "service.py"
    file.write_text(example[1] + SERVE, encoding="utf-8")
    command = [str(python), "-I", str(file)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().decode().strip()
        finally:
            process.terminate()


def test_the_command_is_documented() -> None:
    assert "pip install --no-deps perfcheck\n" in DOCUMENT


def test_perfcheck_brings_no_other_package(python: Path) -> None:
    assert run(python, "-c", LIST).split() == sorted({*with_requirements("flask"), "perfcheck"})
    assert str(python.parents[1]) in run(python, "-I", "-c", "import perfcheck.monitor as m; print(m.__file__)")


def test_a_monitored_service_counts_its_requests(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        assert [client.get(f"/api/videos/{number}").json() for number in (7, 8)] == [{"id": 7}, {"id": 8}]
        assert client.get("/api/nothing").status_code == 404
        eventually(lambda: client.get("/api/performance/stats").json()["summary"]["total_requests_processed"] == 3)
        stats = client.get("/api/performance/stats").json()
        assert {each["endpoint"]: each["statuses"] for each in stats["all_endpoints"]} == {
            "GET /api/videos/<int:number>": {"200": 2},
            "GET (unmatched)": {"404": 1},
        }
        assert client.get("/api/performance/health").json()["status"] == "healthy"
        assert client.get("/api/performance/summary").json()["recommendations"] == []


@pytest.mark.parametrize(("before", "package"), [("", "yaml"), ("import sys; sys.modules['click'] = None; ", "click")])
def test_a_command_names_the_package_that_it_lacks(python: Path, tmp_path: Path, before: str, package: str) -> None:
    (tmp_path / "baselines.yaml").write_text("version: 1\n", encoding="utf-8")
    code = f"{before}import sys; sys.argv = ['perfcheck', 'validate']; from perfcheck.__main__ import main; main()"
    command = [str(python), "-I", "-c", code]
    done = subprocess.run(
        command, env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: the package '{package}' is not installed\nhelp: run `pip install perfcheck`")


def test_metrics_name_the_package_that_they_need(url: str) -> None:
    answer = httpx.get(f"{url}/api/performance/metrics", trust_env=False)
    assert (answer.status_code, "prometheus-client" in answer.json()["error"]) == (501, True)
