"""Steps of an action or a workflow, run as the runner of GitHub Actions runs them.

That is: the script in a file, by ``bash --noprofile --norc -eo pipefail``, with what stands in ``env`` in place of its
expressions, and with files for the outputs and the summary.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from support.command import environment

ROOT = Path(__file__).parents[2]
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
Step = Mapping[str, Any]


def load(path: Path) -> Any:
    """YAML in which ``on`` is a word, as for GitHub, and not true."""
    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    assert isinstance(loaded, dict)
    return loaded


def steps_of(document: Mapping[str, Any]) -> Iterator[Step]:
    """Of a workflow's jobs, or of a composite action."""
    for job in document["jobs"].values() if "jobs" in document else [document["runs"]]:
        yield from job["steps"]


def step_named(document: Mapping[str, Any], name: str) -> Step:
    (found,) = (step for step in steps_of(document) if step.get("name") == name)
    return found


@dataclass(frozen=True)
class Done:
    """A step that has ended."""

    code: int
    log: str  # both streams, as the runner shows them
    outputs: Mapping[str, str]
    summary: str


def run_step(
    step: Step,
    folder: Path,
    *,
    values: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
) -> Done:
    """Run it in the workspace ``folder / "work"``. ``values``: what the expressions are worth; others are empty."""
    known = values or {}
    work, runner = folder / "work", folder / "runner"
    for made in (work, runner):
        made.mkdir(exist_ok=True)
    script, output, summary = runner / "script.sh", runner / "output", runner / "summary.md"
    script.write_text(step["run"], encoding="utf-8")
    for file in (output, summary):
        file.write_text("")
    given = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_REPOSITORY": "octo/service",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_WORKSPACE": str(work),
        "PYTHONPYCACHEPREFIX": "",  # what is installed here is used once
        "RUNNER_TEMP": str(runner),
        **{name: evaluated(text, known) for name, text in step.get("env", {}).items()},
        **(env or {}),
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=work / evaluated(step.get("working-directory", "."), known),
        env=environment(**given),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in done.stdout
    return Done(done.returncode, done.stdout, read_outputs(output.read_text(encoding="utf-8")), summary.read_text())


def evaluated(text: str, values: Mapping[str, str]) -> str:
    """Once through: what a value brings in is not looked at again."""
    return EXPRESSION.sub(lambda match: values.get(match.group(1), ""), text)


def read_outputs(text: str) -> dict[str, str]:
    """``name=value``, or ``name<<END``, lines and ``END``."""
    outputs: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, separator, end = line.partition("<<")
        if separator and "=" not in name:
            outputs[name] = "\n".join(iter(lambda: next(lines), end))
        elif line:
            name, separator, value = line.partition("=")
            assert separator, f"neither an output nor empty: {line}"
            outputs[name] = value
    return outputs


def path_with(folder: Path) -> str:
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
