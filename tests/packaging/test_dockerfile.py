"""The image, as far as it can be checked without a container runtime: CI builds and runs it where there is one."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
# Instruction and arguments, with continued lines joined.
INSTRUCTIONS = [
    (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1])
    for line in re.sub(r"\\\n\s*", "", TEXT).splitlines()
    if line and not line.startswith("#")
]
LAST_STAGE = INSTRUCTIONS[max(i for i, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]


def arguments(name: str) -> list[str]:
    return [rest for instruction, rest in LAST_STAGE if instruction == name]


def test_every_stage_has_one_pinned_base() -> None:
    bases = {rest.split()[0] for name, rest in INSTRUCTIONS if name == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", bases.pop())


def test_its_python_is_one_that_perfcheck_is_tested_with() -> None:
    version = re.findall(r"^FROM python:([\d.]+)", TEXT, re.MULTILINE)[0]
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    assert f"Programming Language :: Python :: {version}" in classifiers


def test_it_runs_perfcheck_and_not_as_root() -> None:
    assert arguments("ENTRYPOINT") == ['["perfcheck"]']
    (user,) = arguments("USER")
    assert all(int(number) > 0 for number in user.split(":"))  # numbers, as Kubernetes' runAsNonRoot needs them
    assert LAST_STAGE[-1][0] == "ENTRYPOINT"


def test_only_what_runs_is_in_the_image() -> None:
    assert not arguments("RUN")
    assert arguments("COPY") == ["--from=build /opt/perfcheck /opt/perfcheck"]


def test_the_extras_it_installs_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (named,) = re.findall(r"'/source\[([\w,]+)\]'", TEXT)
    assert set(named.split(",")) <= set(extras)


def test_the_build_sees_all_that_the_package_is_built_from_and_little_more() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    allowed = {line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    readme = project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["fragments"][0]["path"]
    assert allowed == {
        "pyproject.toml",
        readme,
        *project["project"]["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
    }


def test_the_documented_commands_build_and_run_this_image() -> None:
    build, run = (shlex.split(line.removeprefix("# ")) for line in TEXT.splitlines()[:2])
    assert build == ["docker", "build", "-t", "perfcheck", "."]
    assert run[:3] == ["docker", "run", "--rm"]
    assert f"$PWD:{arguments('WORKDIR')[0]}" in run
