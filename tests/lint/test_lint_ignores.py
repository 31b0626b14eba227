"""``# perfcheck: ignore[reason]``: where it may stand, and what is wrong or needless."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sources import lint_sources

IGNORE = "# perfcheck: ignore[only for the probe]"
APP = "from flask import Flask\napp = Flask(__name__)\n"


@pytest.mark.parametrize(
    "source",
    [
        f"@app.get('/')\ndef index(): {IGNORE}\n    ...",
        f"@app.get('/')  {IGNORE}\ndef index(): ...",
        f"@login_required  # noqa: X  {IGNORE}\n@app.get('/')\ndef index(): ...",
        f"@app.get(\n    '/',  {IGNORE}\n)\ndef index(): ...",
        f"@app.get('/')\ndef index(\n    one, two\n):  {IGNORE}\n    ...",
        f"def index(): ...\napp.add_url_rule('/', view_func=index)  {IGNORE}",
        f"def index(): ...\napp.add_url_rule(\n    '/',\n    view_func=index,\n)  {IGNORE}",
        f"def index(): ...  {IGNORE}\napp.add_url_rule('/', view_func=index)",
        "@app.get('/')  #perfcheck:ignore [ probe ]\ndef index(): ...",
    ],
)
def test_a_handler_is_ignored_at_its_definition_or_at_its_route(tmp_path: Path, source: str) -> None:
    result = lint_sources(tmp_path, APP + source)
    assert (result.handlers, result.ignored, result.findings, result.notes, result.wrong_ignores) == (1, 1, (), (), ())


def test_a_route_that_is_ignored_leaves_the_others(tmp_path: Path) -> None:
    source = f"{APP}def f(): ...\napp.add_url_rule('/a', view_func=f)  {IGNORE}\napp.add_url_rule('/b', view_func=f)\n"
    (finding,) = lint_sources(tmp_path, source).findings
    assert [route.path for route in finding.routes] == ["/b"]


def test_an_app_or_router_is_ignored_with_all_of_its_handlers(tmp_path: Path) -> None:
    source = f"""\
from flask import Blueprint, Flask
from perfcheck.monitor.flask import init_app
app = Flask("app")
init_app(app)
admin = Flask("admin")  {IGNORE}
plugins = Blueprint("plugins", "plugins")  {IGNORE}
@admin.get("/")
def index(): ...
@plugins.get("/")
def plugin(): ...
@app.get("/")
def start(): ...
"""
    result = lint_sources(tmp_path, source)
    assert (result.findings, result.unknown, result.notes) == ((), (), ())
    assert (result.monitored, result.ignored) == (1, 2)


@pytest.mark.parametrize("comment", ["# perfcheck: ignore", "# perfcheck: ignore[]", "# perfcheck: ignore[ ]"])
def test_an_ignore_without_a_reason_is_wrong_and_ignores_nothing(tmp_path: Path, comment: str) -> None:
    result = lint_sources(tmp_path, f"{APP}@app.get('/')  {comment}\ndef index(): ...\n")
    assert len(result.findings) == 1
    (wrong,) = result.wrong_ignores
    assert (wrong.location.line, wrong.location.column) == (3, 16)
    assert "needs a reason in brackets" in wrong.message


@pytest.mark.parametrize(
    "source",
    [
        f"@app.get('/')\n@monitor_performance\ndef index(): ...  {IGNORE}\n",
        f"def helper(): ...  {IGNORE}\n",
        f"@app.get('/')  {IGNORE}\ndef index(): ...  {IGNORE}\n".replace(IGNORE, "", 1) + f"\n{IGNORE}\n",
    ],
)
def test_an_ignore_that_is_not_needed_is_a_note(tmp_path: Path, source: str) -> None:
    result = lint_sources(tmp_path, APP + source)
    assert (len(result.notes), len(result.findings)) == (1, 0)
    assert "not needed" in result.notes[0].message


def test_text_that_only_looks_like_a_comment_is_none(tmp_path: Path) -> None:
    result = lint_sources(tmp_path, f"{APP}@app.get('{IGNORE}')\ndef index(): ...\n")
    assert (len(result.findings), result.ignored, result.notes) == (1, 0, ())
