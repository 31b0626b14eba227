"""The composite action: its steps are run by bash as the runner would, against the sample service."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import PERFCHECK
from support.repositories import PAUSING_APP, commit, git, repository
from support.steps import EXPRESSION, ROOT, Done, load, path_with, run_step, step_named, steps_of

from perfcheck import __version__
from perfcheck.demo.demo_process import running_demo

ACTION = load(ROOT / "action.yml")
INSTALL = step_named(ACTION, "Install perfcheck")
CHECK = step_named(ACTION, "Check the service")
DEFAULTS = {f"inputs.{name}": entry.get("default", "") for name, entry in ACTION["inputs"].items()}

BASELINE = """version: 1
service: {base_url: http://localhost:1, ready: /api/health}
groups: {core: {title: Core}, other: {title: Other}}
endpoints:
  health: {group: core, path: /api/health, target: 2s}
  settings.get: {group: other, path: /api/settings/, target: %s}
"""


@pytest.fixture(scope="module")
def sample_service() -> Iterator[str]:
    with running_demo() as url:
        yield url


def check(folder: Path, command: str, *, target: str = "2s", **inputs: str) -> Done:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    (work / "baselines.yaml").write_text(BASELINE % target)
    values = {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
    assert values.keys() <= DEFAULTS.keys()
    return run_step(CHECK, folder, values={**DEFAULTS, **values, "steps.install.outputs.command": command})


def test_it_installs_into_an_environment_of_its_own_once_in_a_job(sample_service: str, tmp_path: Path) -> None:
    """The one real installation, which takes the time here; other tests use the command of this environment."""
    folder, own = tmp_path / "install", tmp_path / "own"
    folder.mkdir()
    own.mkdir()
    env = {"PATH": path_with(Path(sys.executable).parent), "PIP_NO_COMPILE": "1"}  # little of it is imported
    installed = run_step(INSTALL, folder, env=env, timeout=300)
    assert installed.code == 0, installed.log
    command = Path(installed.outputs["command"])
    assert command.parents[2] == folder / "runner"  # RUNNER_TEMP
    assert f"perfcheck {__version__}\n" in installed.log
    again = run_step(INSTALL, own, env={"RUNNER_TEMP": str(folder / "runner"), "PIP_NO_INDEX": "1", **env})
    assert (again.code, again.outputs) == (0, installed.outputs)
    done = check(own, str(command), base_url=sample_service, names="health")
    assert (done.code, done.outputs["verdict"]) == (0, "OK"), done.log


def test_a_python_that_is_too_old_is_an_error(tmp_path: Path) -> None:
    for name in ("python", "python3"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    done = run_step(INSTALL, tmp_path, env={"PATH": path_with(tmp_path)})
    assert done.code == 2
    assert "::error title=perfcheck::Python 3.11 or newer not found" in done.log
    assert not done.outputs


def test_a_healthy_service(sample_service: str, tmp_path: Path) -> None:
    done = check(tmp_path, PERFCHECK, base_url=sample_service, label="a release")
    assert done.code == 0, done.log
    found = done.outputs
    assert (found["verdict"], found["exit-code"], found["ok"], found["critical"]) == ("OK", "0", "2", "0")
    work = tmp_path / "work"
    run = json.loads((work / "perfcheck-reports" / "run.json").read_text())
    assert (run["verdict"], run["label"]) == ("OK", "a release")
    assert (work / found["report-html"]).read_text().lower().startswith("<!doctype html>")
    assert (work / found["report-markdown"]).read_text().startswith("<!-- perfcheck:")
    assert (work / found["report-junit"]).exists()
    assert (work / found["run-file"]).exists()
    assert "perfcheck" in done.summary
    assert "2 endpoints" in done.log or "settings.get" in done.log
    assert ACTION["outputs"]["command"]["value"] == "${{ steps.install.outputs.command }}"
    for name, output in ACTION["outputs"].items():
        if name != "command":
            assert EXPRESSION.findall(output["value"]) == [f"steps.run.outputs.{name}"]
            assert name in found


def test_a_breach_fails_the_step_and_leaves_its_outputs(sample_service: str, tmp_path: Path) -> None:
    first = check(tmp_path, PERFCHECK, base_url=sample_service)
    assert first.code == 0, first.log
    (tmp_path / "work" / "perfcheck-reports" / "run.json").rename(tmp_path / "work" / "before.json")
    done = check(
        tmp_path,
        PERFCHECK,
        target="1us",
        base_url=sample_service,
        compare_to="before.json",
        args="--confirm=0\n--quiet",
    )
    assert done.code == 1, done.log
    assert (done.outputs["verdict"], done.outputs["exit-code"], done.outputs["critical"]) == ("CRITICAL", "1", "1")
    assert re.search(r"^::error file=baselines\.yaml,line=\d+", done.log, re.MULTILINE)


def test_two_services_are_compared(sample_service: str, tmp_path: Path) -> None:
    done = check(tmp_path, PERFCHECK, base_url=sample_service, before_url=sample_service, args="--max-pairs=20")
    assert done.code == 0, done.log
    assert (done.outputs["verdict"], done.outputs["exit-code"]) == ("OK", "0")
    run = json.loads((tmp_path / "work" / "perfcheck-reports" / "run.json").read_text())
    assert run["against"]["how"] == "live"
    alone = check(tmp_path, PERFCHECK, before_url=sample_service)
    assert alone.code == 2
    assert "before-url needs base-url" in alone.log


def test_a_pull_request_is_compared_with_its_base(tmp_path: Path) -> None:
    work = repository(tmp_path / "work", {"app.py": PAUSING_APP, "baselines.yaml": BASELINE % "2s"})
    git(work, "switch", "-q", "-c", "feature")
    commit(work, {"app.py": PAUSING_APP.replace("PAUSE_S = 0", "PAUSE_S = 0.05")})
    git(work, "switch", "-q", "--detach", "main")
    git(work, "merge", "-q", "--no-ff", "-m", "merge", "feature")  # as GitHub makes one for the job
    inputs = {
        "before_ref": "HEAD^1",
        "setup": "touch set-up",
        "start": f"[ -e set-up ] && exec {sys.executable} app.py",
    }
    done = check(tmp_path, PERFCHECK, **inputs, args="--max-pairs=10", names="health")
    assert done.code == 1, done.log
    assert (done.outputs["verdict"], done.outputs["critical"]) == ("CRITICAL", "1")
    assert f"HEAD^1 ({git(work, 'rev-parse', 'main')[:10]})" in done.log
    alone = check(tmp_path, PERFCHECK, before_ref="HEAD^1", base_url="http://localhost:1")
    assert alone.code == 2
    assert "before-ref excludes before-url and base-url" in alone.log


def test_a_service_that_is_not_there(tmp_path: Path) -> None:
    baseline = tmp_path / "work" / "b.yaml"
    baseline.parent.mkdir()
    baseline.write_text(BASELINE.replace("ready:", "ready_timeout: 100ms, ready:") % "1s")
    done = check(tmp_path, PERFCHECK, baseline="b.yaml", base_url="http://127.0.0.1:9")
    assert done.code == 3


def test_names_and_groups_narrow_it(sample_service: str, tmp_path: Path) -> None:
    by_name = check(tmp_path, PERFCHECK, base_url=sample_service, names="\n  settings.*  \n\n")
    by_group = check(tmp_path, PERFCHECK, base_url=sample_service, groups="core\nother\n")
    assert (by_name.outputs["ok"], by_group.outputs["ok"]) == ("1", "2")


def test_it_runs_in_the_working_directory(sample_service: str, tmp_path: Path) -> None:
    deep = tmp_path / "work" / "a folder"
    deep.mkdir(parents=True)
    (deep / "own.yaml").write_text(BASELINE % "1s")
    done = check(
        tmp_path,
        PERFCHECK,
        base_url=sample_service,
        baseline="own.yaml",
        working_directory="a folder",
        reports="json=out/of here/run.json\n",
    )
    assert done.code == 0, done.log
    assert (deep / "out" / "of here" / "run.json").exists()


HOSTILE = [
    "; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    '"; touch pwned; "',
    "'; touch pwned; '",
    "first\ntouch pwned\nEOF",
    "${{ github.token }}",
    "--insecure",
    "* ~ \\n %s",
    "::error::x",
]
ONE_A_LINE = ("names", "groups", "reports", "args")


@pytest.mark.parametrize("before", [None, "before-url", "before-ref"])
@pytest.mark.parametrize("value", HOSTILE)
def test_what_an_input_holds_is_never_run(tmp_path: Path, value: str, before: str | None) -> None:
    """A program that records its arguments replaces perfcheck: they are the input, character by
    character.
    """
    recorder = tmp_path / "recorder"
    recorder.write_text('#!/bin/sh\nprintf "%s\\0" "$@" >../arguments\n')
    recorder.chmod(0o755)
    names = [name.removeprefix("inputs.") for name in DEFAULTS]
    left_out = {"working-directory", "python-version", "before-url", "before-ref"} - {before}
    left_out |= {"base-url"} if before == "before-ref" else {"setup"}
    taken = [name for name in names if name not in left_out]
    done = check(tmp_path, str(recorder), **{name.replace("-", "_"): value for name in taken})
    assert done.code == 0, done.log
    arguments = (tmp_path / "arguments").read_text().split("\0")[:-1]
    lines = [line.strip() for line in value.splitlines()]
    special = {None: ["start", "base-url"], "before-url": ["start"], "before-ref": ["start", "setup"]}[before]
    assert arguments == [
        "compare" if before else "run",
        *(f"--{name}={value}" for name in ["baseline", *special, "budget", "fail-on", "label", "compare-to"]),
        *(f"--group={line}" for line in lines),
        *(f"--report={line}" for line in lines),
        *lines,
        "--",
        *{None: [], "before-url": [value, value], "before-ref": [value, "HEAD"]}[before],
        *lines,
    ]
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("name", ["names", "groups", "base_url", "reports", "fail_on", "budget"])
def test_a_hostile_value_is_a_usage_error_of_perfcheck(tmp_path: Path, name: str) -> None:
    done = check(tmp_path, PERFCHECK, **{name: "$(touch pwned); touch pwned"})
    assert done.code == 2, done.log
    assert not list(tmp_path.rglob("pwned"))


def test_every_input_is_used_and_documented() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    for name, entry in ACTION["inputs"].items():
        assert entry["description"], name
        assert "default" in entry, name
        assert f"inputs.{name} " in text, name


def test_setting_up_a_python_does_not_change_the_users_python() -> None:
    (step,) = (step for step in steps_of(ACTION) if step.get("id") == "python")
    assert step["if"] == "inputs.python-version != ''"
    assert step["with"]["update-environment"] == "false"
