"""``perfcheck validate`` as a process: exit codes, what it says, and what it tells GitHub."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import perfcheck

GOOD = "version: 1\nservice: {base_url: http://localhost}\nendpoints: {a: {path: /a, target: 1s}}\n"
SECRETIVE = GOOD.replace("http://localhost", "'${HOST}', headers: {X: '${API_TOKEN}'}")
BAD = "version: 1\nservice: {base_url: http://localhost}\nendpoints:\n  a: {path: /a, traget: 1s}\n  '::error::%': {}\n"
ON_GITHUB = {"GITHUB_ACTIONS": "true"}


def write(folder: Path, text: str, name: str = "baselines.yaml") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def commands(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("::")]


def test_a_variable_that_is_not_set_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, SECRETIVE)
    done = perfcheck("validate", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "the variable HOST is not set" in done.stderr
    assert "the variable API_TOKEN is not set" in done.stderr


def test_unless_it_is_allowed(tmp_path: Path) -> None:
    write(tmp_path, SECRETIVE)
    done = perfcheck("validate", "--allow-unset", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "baselines.yaml: 1 endpoint, no errors; not set: API_TOKEN, HOST\n"
    assert perfcheck("validate", cwd=tmp_path, env={"PERFCHECK_ALLOW_UNSET": "1"}).stdout == done.stdout


def test_the_list_of_variables_stays_one_short_line(tmp_path: Path) -> None:
    names = ", ".join(f"X-{index}: '${{{'V' * 1000}{index:04}}}'" for index in range(1000))
    write(tmp_path, GOOD.replace("http://localhost", f"http://localhost, headers: {{{names}}}"))
    done = perfcheck("validate", "--allow-unset", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert len(done.stdout) < 500
    assert done.stdout.endswith("... and 992 more\n")


def test_each_error_is_annotated_on_github(tmp_path: Path) -> None:
    write(tmp_path, BAD)
    done = perfcheck("validate", cwd=tmp_path, env=ON_GITHUB)
    assert done.returncode == 2
    first, second = commands(done.stderr)
    assert first == (
        "::error file=baselines.yaml,line=4,col=17,title=Wrong baseline"
        "::unknown key 'traget' in endpoint 'a'%0Ahelp: did you mean 'target'?"
    )
    assert second.startswith("::error file=baselines.yaml,line=5,")
    assert "baselines.yaml:4:17: error: unknown key 'traget'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        ((), {}),
        ((), {"GITHUB_ACTIONS": "false"}),
        (("--no-github",), ON_GITHUB),
        ((), {**ON_GITHUB, "PERFCHECK_GITHUB": "0"}),
    ],
)
def test_and_nowhere_else(tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str]) -> None:
    write(tmp_path, BAD)
    done = perfcheck("validate", *arguments, cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert "traget" in done.stderr
    assert not commands(done.stderr)


@pytest.mark.parametrize(
    ("workspace", "file"),
    [
        (".", "deep/er/baselines.yaml"),
        ("deep", "er/baselines.yaml"),
        ("elsewhere", "baselines.yaml"),
        ("", "baselines.yaml"),
    ],
)
def test_the_annotated_file_is_named_from_the_checkout(tmp_path: Path, workspace: str, file: str) -> None:
    folder = write(tmp_path, BAD, "deep/er/baselines.yaml").parent
    env = {"GITHUB_WORKSPACE": str(tmp_path / workspace) if workspace else ""}
    done = perfcheck("validate", "--github", cwd=folder, env=env)
    assert all(line.startswith(f"::error file={file},line=") for line in commands(done.stderr))
    assert len(commands(done.stderr)) == 2


def test_no_more_annotations_than_are_shown(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "".join(f"unknown{index}: 1\n" for index in range(50)))
    assert len(commands(perfcheck("validate", "--github", cwd=tmp_path).stderr)) == 10


def test_an_error_of_the_file_as_a_whole_has_no_line(tmp_path: Path) -> None:
    (tmp_path / "baselines.yaml").write_bytes(b"\xff\xfe\x00")
    (line,) = commands(perfcheck("validate", "--github", cwd=tmp_path).stderr)
    assert line.startswith("::error file=baselines.yaml,")


def test_workflows_are_counted(tmp_path: Path) -> None:
    write(tmp_path, "version: 1\nservice: {base_url: 'http://localhost'}\nendpoints:\n  a: {steps: {one: {path: /}}}\n")
    assert perfcheck("validate", cwd=tmp_path).stdout == "baselines.yaml: 1 endpoint (1 workflow), no errors\n"
