"""The installed command in an interpreter of its own, where nothing is imported yet: once for each command that the
other tests only fork (see ``support.forks``).
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from simulation.runs import run
from support.command import PERFCHECK, environment, perfcheck

from perfcheck.runfile import encode_run

BASELINE = "version: 1\nservice: {base_url: http://127.0.0.1:9}\nendpoints: {videos.list: {path: /, target: 1s}}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    (folder / ".git").mkdir()
    (folder / "run.json").write_bytes(encode_run(run()))
    (folder / "baselines.yaml").write_text(BASELINE, encoding="utf-8")
    (folder / "app.py").write_text("", encoding="utf-8")
    assert perfcheck("history", "import", "run.json", cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("history import run.json", 0),
        ("history list", 0),
        ("history show 5e0cbd2e", 0),
        ("history show videos.list --since 10y", 0),
        ("history label 5e0cbd2e v1", 0),
        ("history note 5e0cbd2e --incident slow", 0),
        ("history prune --keep 5", 0),
        ("report --from run.json --report html=out.html", 0),
        ("report --since 1y --report html=period.html", 0),
        ("baseline update", 0),
        ("compare run.json run.json", 3),
        ("health", 3),
        ("lint .", 0),
        ("schema", 0),
        ("help run", 0),
    ],
)
def test_it_works_alone(folder: Path, line: str, code: int) -> None:
    done = subprocess.run(
        [PERFCHECK, *line.split()],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "bug" not in done.stderr
