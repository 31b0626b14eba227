"""A package that is installed from the working tree is noted: both sides would import it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.repositories import repository

from perfcheck.engine.editable_installs import editable_installs


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "a shop", {"sub/app.py": ""})


def install(environment: Path, facts: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pip leaves it, in an environment that comes first on PATH."""
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    folder = environment / "lib" / "python3.13" / "site-packages" / "a_shop-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "direct_url.json").write_text(json.dumps(facts))
    monkeypatch.setenv("PATH", str(python.parent), prepend=":")


def test_an_editable_install_of_the_repository(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "venv", {"url": (source / "sub").as_uri(), "dir_info": {"editable": True}}, monkeypatch)
    (note,) = editable_installs(source / "sub")
    assert note.message == "both sides may have run the working tree: a_shop is installed from it (pip install -e)"


@pytest.mark.parametrize(
    "facts",
    [
        {"url": "file:///elsewhere", "dir_info": {"editable": True}},
        {"url": "SOURCE", "dir_info": {}},
        {"url": "SOURCE", "dir_info": {"editable": False}},
        {"url": "https://example.org/a.zip", "archive_info": {}},
        {"url": 7, "dir_info": {"editable": True}},
        [],
        None,
    ],
)
def test_others_are_of_no_interest(
    facts: object, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = json.loads(json.dumps(facts).replace("SOURCE", source.as_uri()))
    install(tmp_path / "venv", written, monkeypatch)
    assert not list(editable_installs(source))
