"""The page on calling perfcheck from a program: its lines run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from apps.service import ok, service
from support.command import environment

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "engine.md"


def test_the_ten_lines_of_the_page_check_a_service(tmp_path: Path) -> None:
    code, *_ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 10
    with service({"/a": ok(), "/b": ok()}) as url:
        (tmp_path / "baselines.yaml").write_text(
            f"version: 1\nservice: {{base_url: {url}}}\nendpoints:\n"
            "  videos.list: {path: /a, target: 2s}\n  videos.page: {path: /b, target: 3s}\n"
            "  search: {path: /absent, target: 1s}\n",
            encoding="utf-8",
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        r"videos\.list: OK, median [\d.]+ ms of 2000\.0 ms\nvideos\.page: OK, median [\d.]+ ms of 3000\.0 ms\n",
        done.stdout,
    )


def test_the_functions_that_the_page_names_are_there() -> None:
    names = re.findall(r"`(perfcheck(?:\.\w+)+)\(", PAGE.read_text(encoding="utf-8"))
    assert len(names) >= 8
    for name in names:
        module, _, function = name.rpartition(".")
        assert callable(getattr(__import__(module, fromlist=[function]), function)), name
