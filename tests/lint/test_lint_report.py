"""What a lint looks like as text, JSON and annotations, held against golden files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.golden import check_golden
from support.sources import write

from perfcheck.lint import Framework, LintResult, RegisteredRoute, SourceLocation, UnmonitoredHandler, lint
from perfcheck.lint.lint_report import as_github, as_json, problems, text

GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "shop/app.py": """\
        from flask import Flask

        app = Flask(__name__)


        @app.get("/videos")
        @app.post("/videos")
        def videos():
            return ""


        @app.get("/ping")  # perfcheck: ignore[answers the load balancer]
        def ping():
            return ""


        @app.get("/monitored")
        @monitor_performance("shop.monitored")
        def monitored():  # perfcheck: ignore[left behind]
            return ""


        @monitor_performance("shop.above")
        @app.get("/above")  # perfcheck: ignore
        def above():
            return ""


        app.add_url_rule("/named", view_func=VIEWS["named"])
        """,
    "shop/urls.py": 'from django.urls import path\nurlpatterns = [path("x/", lambda request: None)]\n',
    "shop/broken.py": "def broken(:\n",
}


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LintResult:
    write(tmp_path, FILES)
    monkeypatch.chdir(tmp_path)
    return lint(["shop"])


def test_text(result: LintResult) -> None:
    check_golden(GOLDEN / "lint.txt", text(result))
    assert list(problems(result)) == ["shop/broken.py:1:12: does not parse: invalid syntax"]


def test_json(result: LintResult) -> None:
    check_golden(GOLDEN / "lint.json", as_json(result))
    summary = json.loads(as_json(result))["summary"]
    counts = {"monitored": 1, "ignored": 1, "not_monitored": 3, "unknown": 1}
    assert summary == {"files": 3, "handlers": 6, **counts}


def test_annotations(result: LintResult) -> None:
    check_golden(GOLDEN / "lint.github.txt", as_github(result, None))


def test_annotations_name_files_from_the_folder_of_the_checkout(result: LintResult) -> None:
    assert "file=shop/app.py," in as_github(result, Path.cwd())
    assert "file=app.py," in as_github(result, Path.cwd() / "shop")


def test_nothing_found(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("")
    assert text(lint([str(tmp_path)])) == "0 handlers in 1 file: 0 monitored, 0 ignored, 0 not monitored\n"


def test_what_a_source_holds_cannot_disturb_a_terminal_or_a_log() -> None:
    location = SourceLocation("a\x1b[2J\n::error::x\udc80.py", 1, 1)
    route = RegisteredRoute(("GET",), "/\x1b]0;x\x07\n::stop-commands::y,%0A" + "z" * 1000, location)
    finding = UnmonitoredHandler(location, "f", Framework.FLASK, (route,))
    shown = LintResult((finding,), (), (), (), files=1, handlers=1, monitored=0, ignored=0)
    for rendered in (text(shown), as_github(shown, None)):
        assert "\x1b" not in rendered
        assert max(map(len, rendered.splitlines())) < 700
        rendered.encode()
    assert len(text(shown).splitlines()) == 4
    assert len(as_github(shown, None).splitlines()) == 1
    assert json.loads(as_json(shown))["findings"][0]["routes"][0]["path"] == route.path


@pytest.mark.parametrize(
    ("framework", "line"),
    [
        (Framework.FLASK, "perfcheck.monitor.flask import init_app"),
        (Framework.FASTAPI, "perfcheck.monitor.fastapi import init_app"),
        (Framework.STARLETTE, "perfcheck.monitor.fastapi import init_app"),
        (Framework.DJANGO, "perfcheck.monitor.django.middleware.MonitorMiddleware"),
    ],
)
def test_the_remedy_is_that_of_the_framework_found_most(framework: Framework, line: str) -> None:
    other = next(one for one in Framework if one is not framework)
    location = SourceLocation("a.py", 1, 1)
    findings = tuple(UnmonitoredHandler(location, "f", one, ()) for one in (other, framework, framework))
    shown = text(LintResult(findings, (), (), (), files=1, handlers=3, monitored=0, ignored=0))
    assert line in shown
