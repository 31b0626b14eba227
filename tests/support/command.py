"""The installed command, run as a process, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PERFCHECK = str(Path(sys.executable).with_name("perfcheck"))


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without what would change the result: our own options, colour, CI systems."""
    left_out = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "CI", "GITHUB_ACTIONS", "LC_ALL", "LC_CTYPE"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PERFCHECK_") and k not in left_out}
    return {**kept, "LANG": "C.UTF-8", **variables}


def perfcheck(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run it to its end. A traceback is a defect wherever it appears, so every call looks for one."""
    completed = subprocess.run(
        [PERFCHECK, *arguments],
        cwd=cwd,
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert "Traceback" not in completed.stdout + completed.stderr
    return completed
