"""The templates and the project's own workflow: valid, pinned, with the least permissions, and their scripts run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.steps import ROOT, load, steps_of

from perfcheck import __version__

CI = ROOT / "docs" / "ci"
WORKFLOWS = [ROOT / ".github" / "workflows" / "ci.yml", *sorted(CI.glob("github*.yml"))]
ACTION = ROOT / "action.yml"
GITLAB = CI / "gitlab-ci.yml"
PULL_REQUEST = CI / "github-pull-request.yml"
JENKINS = CI / "Jenkinsfile"
NAMES = [path.name for path in WORKFLOWS]


def scripts(path: Path) -> Iterator[str]:
    yield from (step["run"] for step in steps_of(load(path)) if "run" in step)


def is_valid_shell(script: str, shell: str = "bash") -> bool:
    return subprocess.run([shell, "-n"], input=script.encode(), check=False, timeout=10).returncode == 0


# --- As their readers take them --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "files"), [("github-workflows", WORKFLOWS), ("github-actions", [ACTION]), ("gitlab-ci", [GITLAB])]
)
def test_the_published_schema_accepts_it(schema: str, files: Sequence[Path]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_every_script_is_bash_and_holds_no_expression(path: Path) -> None:
    found = list(scripts(path))
    assert found or path == PULL_REQUEST
    for script in found:
        assert is_valid_shell(script), script
        assert "${{" not in script, "a value pasted into a script is run: it goes through env"


@pytest.mark.parametrize("path", sorted((ROOT / ".ci").iterdir()), ids=lambda path: path.name)
def test_every_script_of_our_own_checks_is_bash_and_stops_at_an_error(path: Path) -> None:
    script = path.read_text(encoding="utf-8")
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in script
    assert is_valid_shell(script)
    assert path.stat().st_mode & 0o111


def test_a_wrong_script_would_be_found() -> None:
    assert not is_valid_shell("if true; then")


def test_the_scripts_for_gitlab_are_plain_shell() -> None:
    for name, job in load(GITLAB).items():
        assert is_valid_shell("\n".join(job["script"]), "sh"), name


def test_the_scripts_for_jenkins_are_plain_shell() -> None:
    blocks = re.findall(r"sh '''(.*?)'''", JENKINS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    assert all(is_valid_shell(block, "sh") for block in blocks)


def test_the_brackets_of_the_jenkinsfile_match() -> None:
    text = JENKINS.read_text(encoding="utf-8")
    code = re.sub(r"'''.*?'''|'[^'\n]*'|//[^\n]*", "", text, flags=re.DOTALL)
    pairs = {")": "(", "]": "[", "}": "{"}
    still_open: list[str] = []
    for char in code:
        if char in pairs.values():
            still_open.append(char)
        elif char in pairs:
            assert still_open.pop() == pairs[char]
    assert not still_open
    assert re.findall(r"^  (\w+)", code, re.MULTILINE) == ["agent", "options", "environment", "stages", "post"]


# --- Safe ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_with_its_version_in_a_comment(path: Path) -> None:
    used = re.findall(r"uses: *(.*)", path.read_text(encoding="utf-8"))
    assert len(used) == sum("uses" in step for step in steps_of(load(path)))
    for use in used:
        assert use == "./" or re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+( CHANGE)?", use), use


def test_the_same_action_has_the_same_version_everywhere() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in [*WORKFLOWS, ACTION, CI / "README.md"])
    pinned = set(re.findall(r"uses: *([^@\s]+)@([0-9a-f]{40}  # v[\d.]+)", text))
    assert len(pinned) == len({action for action, _ in pinned})


@pytest.mark.parametrize("path", WORKFLOWS, ids=NAMES)
def test_each_job_has_its_own_least_permissions_and_an_end(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert int(job["timeout-minutes"]) <= 30, name
        checks_out = any("actions/checkout" in step.get("uses", "") for step in job["steps"])
        writes = {scope for scope, access in job["permissions"].items() if access == "write"}
        assert writes <= {"pull-requests", "pages", "id-token"}, name
        assert not (checks_out and writes), "what runs the code of a pull request gets no token that writes"


@pytest.mark.parametrize("path", WORKFLOWS, ids=NAMES)
def test_no_checkout_leaves_the_token_behind(path: Path) -> None:
    for step in steps_of(load(path)):
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] == "false"


def test_no_workflow_runs_a_pull_request_with_the_rights_of_its_target() -> None:
    for path in WORKFLOWS:
        assert "pull_request_target" not in load(path)["on"]


def test_every_job_of_gitlab_has_an_end() -> None:
    assert all("timeout" in job for job in load(GITLAB).values())


# --- True ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*sorted(CI.iterdir())], ids=lambda path: path.name)
def test_the_version_in_it_is_this_one(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"perfcheck(?:==|@0{40}  # v)(\d+\.\d+\.\d+)", text) + re.findall(r"rev: v([\d.]+)", text)
    assert set(named) <= {__version__}


def test_the_inputs_in_the_templates_are_the_actions() -> None:
    known = set(load(ACTION)["inputs"])
    given: list[dict[str, Any]] = [
        step["with"]
        for path in WORKFLOWS
        for step in steps_of(load(path))
        if step.get("uses", "").startswith(("./", "your-organisation/perfcheck@"))
    ]
    assert len(given) == 4
    for inputs in given:
        assert set(inputs) <= known


def test_a_pull_request_is_judged_in_twelve_lines() -> None:
    lines = PULL_REQUEST.read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == 12
    steps = re.sub(r"( *#)? CHANGE$", "", "\n".join(lines[-4:]), flags=re.MULTILINE)
    assert steps in (ROOT / "docs" / "how-to" / "pull-requests.md").read_text(encoding="utf-8")


def test_the_readme_lists_every_template() -> None:
    text = (CI / "README.md").read_text(encoding="utf-8")
    for path in CI.iterdir():
        assert path.name == "README.md" or f"[{path.name}]({path.name})" in text, path.name
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (CI / link).exists(), link
