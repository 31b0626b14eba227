"""The pages on the monitor: every example is run, the frameworks on a socket, and the tables are complete."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from apps.serving import gunicorn, uvicorn_server, werkzeug, wsgiref
from support.waiting import eventually

import perfcheck.monitor
from perfcheck.monitor import api, statistics
from perfcheck.monitor.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = "\n".join((DOCS / room / "monitor.md").read_text(encoding="utf-8") for room in ("how-to", "reference"))
SERVED = {
    "Flask": (werkzeug, "GET /api/videos/<int:number>"),
    "FastAPI and Starlette": (uvicorn_server, "GET /api/videos/{number}"),
    "Any WSGI application": (wsgiref, "GET /api/videos/<int:number>"),
    "Any ASGI application": (uvicorn_server, "GET /api/videos/{number}"),
}
RUN = {"One handler", "One route, several endpoints", "Why it was slow", "N+1", "Slow responses in the log", "Settings"}


def examples() -> dict[str, list[str]]:
    """The blocks of Python below each heading."""
    found: dict[str, list[str]] = {}
    for section in re.split(r"^##+ ", DOCUMENT, flags=re.MULTILINE)[1:]:
        if blocks := re.findall(r"^```python\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL):
            found[section.splitlines()[0]] = blocks
    return found


def loaded(source: str, folder: Path, name: str) -> Any:
    """The module that a file with this source makes."""
    file = folder / f"{name}.py"
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("PERFCHECK_MONITOR_")]:
        monkeypatch.delenv(name)
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()
    logging.getLogger("perfcheck.monitor").setLevel(logging.NOTSET)


def ask(url: str, path: str) -> Any:
    response = httpx.get(f"{url}{path}", trust_env=False, timeout=20)
    response.raise_for_status()
    return response


def monitored(url: str) -> list[str]:
    """The endpoints that the API names after one request, whose health it finds good."""
    assert ask(url, "/api/performance/health").json()["status"] == "no_data"
    ask(url, "/api/videos/7")
    eventually(lambda: bool(ask(url, "/api/performance/health").json()["status"] == "healthy"))
    return [one["endpoint"] for one in ask(url, "/api/performance/stats").json()["all_endpoints"]]


def test_every_example_is_run_here() -> None:
    assert set(examples()) == {*SERVED, *RUN, "Django"}


@pytest.mark.parametrize("heading", SERVED)
def test_a_framework_in_ten_lines(heading: str, tmp_path: Path) -> None:
    serve: Callable[[Any], AbstractContextManager[str]]
    serve, name = SERVED[heading]
    (source,) = examples()[heading]
    assert len([line for line in source.splitlines() if line.strip()]) <= 10
    with serve(loaded(source, tmp_path, "example").app) as url:
        assert monitored(url) == [name]


def test_django_in_its_two_files(tmp_path: Path) -> None:
    settings, urls = examples()["Django"]
    project = "\nROOT_URLCONF = 'urls'\nSECRET_KEY = 'of this test alone'\nALLOWED_HOSTS = ['127.0.0.1']\n"
    (tmp_path / "settings.py").write_text(settings + project, encoding="utf-8")
    (tmp_path / "urls.py").write_text(urls, encoding="utf-8")
    environment = {"PYTHONPATH": str(tmp_path), "DJANGO_SETTINGS_MODULE": "settings"}
    with gunicorn("django.core.wsgi:get_wsgi_application()", env=environment) as url:
        assert monitored(url) == ["GET /api/videos/<int:number>"]


def test_a_handler_of_its_own(tmp_path: Path) -> None:
    (source,) = examples()["One handler"]
    loaded(source, tmp_path, "example").list_videos()
    assert [one.name for one in statistics().endpoints] == ["api.videos.list"]


def test_parts_of_ones_own(tmp_path: Path) -> None:
    (source,) = examples()["Why it was slow"]
    page = perfcheck.monitor.monitor_performance("page")(loaded(source, tmp_path, "example").page)
    assert page({}) == "rendered"
    assert page({"page": "kept"}) == "kept"
    found = statistics().endpoint("page")
    assert found is not None
    assert (found.cache_hits, found.cache_misses) == (1, 1)


def test_queries_of_sqlalchemy_and_of_a_module_of_ones_own(tmp_path: Path) -> None:
    with_sqlalchemy, own = examples()["N+1"]
    engine = loaded(with_sqlalchemy, tmp_path, "with_sqlalchemy").engine
    layer = loaded(own, tmp_path, "layer")

    @perfcheck.monitor.monitor_performance("handler")
    def handler() -> None:
        with engine.connect() as connection:
            for number in range(10):
                connection.exec_driver_sql(f"SELECT {number}")
            raw = connection.connection.dbapi_connection
            for number in range(12):
                assert layer.rows(raw, "SELECT ?, 'own'", (number,)) == [(number, "own")]  # here

    handler()
    engine.dispose()
    found = statistics().endpoint("handler")
    assert found is not None
    assert found.queries.total == 22
    assert [(one.shape, one.most) for one in found.n_plus_one] == [("SELECT ?, ?", 12), ("SELECT ?", 10)]
    here = next(number for number, line in enumerate(lines_of_this_file(), 1) if line.endswith("# here"))
    assert (found.n_plus_one[0].caller or "").endswith(f"test_documentation.py:{here}")


def lines_of_this_file() -> list[str]:
    return Path(__file__).read_text(encoding="utf-8").splitlines()


def test_settings_in_code(tmp_path: Path) -> None:
    (source,) = examples()["Settings"]
    loaded(source, tmp_path, "example")
    assert perfcheck.monitor.configure().slow_s == 0.3


def test_every_setting_is_in_the_table_with_its_variable() -> None:
    for field in dataclasses.fields(Settings):
        variable = "DIR" if field.name == "directory" else field.name.upper()
        assert f"| `{field.name}` | `PERFCHECK_MONITOR_{variable}` |" in DOCUMENT


def test_every_field_of_the_api_is_named() -> None:
    perfcheck.monitor.monitor_performance("handler")(lambda: None)()
    for address in ("/stats", "/slow", "/summary", "/health"):
        told = api.answer("GET", f"/api/performance{address}", "", {"host": "localhost"}, "127.0.0.1")
        assert told is not None
        assert told.status == 200
        answer = httpx.Response(200, content=told.body).json()
        names = {*answer, *(name for one in answer.get("all_endpoints", ()) for name in one)}
        assert [name for name in sorted(names) if f"`{name}`" not in DOCUMENT] == []
