"""The hooks, run by the real pre-commit in a repository of a user, installed from a clone of this one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from support.command import environment
from support.steps import ROOT

from perfcheck.demo.demo_process import running_demo

PRE_COMMIT = str(Path(sys.executable).with_name("pre-commit"))
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
INSTALLED = ("perfcheck", "pyproject.toml", "README.md", "LICENSE", "baselines.yaml", ".pre-commit-hooks.yaml")
NOWHERE = "http://127.0.0.1:9"

BASELINE = """version: 1
service: {base_url: "${SERVICE}", headers: {Authorization: "Bearer ${API_TOKEN:-none}"}, ready: /api/health}
sampling: {confirm: 0}
endpoints: {health: {path: /api/health, target: %s}}
"""
BAD = "version: 1\nservice: {base_url: http://localhost}\nendpoints:\n  a: {path: /a, traget: 1s}\n"


@dataclass(frozen=True)
class Done:
    code: int
    log: str


def execute(folder: Path, *command: str, env: Mapping[str, str] | None = None, timeout: float = 60) -> Done:
    """With an identity of its own, and without what is configured for whoever runs the tests."""
    identity = {
        f"GIT_{who}_{what}": "tester@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    plain = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    once = {"PIP_NO_COMPILE": "1", "PYTHONPYCACHEPREFIX": ""}  # what is installed here is used once, and little of it
    kept = {name: value for name, value in environment().items() if not name.startswith(("GIT_", "PRE_COMMIT"))}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**kept, **identity, **plain, **once, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in done.stdout
    return Done(done.returncode, done.stdout)


def git(folder: Path, *arguments: str) -> str:
    done = execute(folder, "git", *arguments)
    assert done.code == 0, done.log
    return done.log.strip()


def commit_all(folder: Path) -> str:
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=all")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repository with what is installed from this one, uncommitted changes included, and its commit."""
    folder = tmp_path_factory.mktemp("perfcheck")
    for name in INSTALLED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder, commit_all(folder)


@dataclass(frozen=True)
class User:
    """A repository that uses the hooks."""

    folder: Path
    home: Path  # of pre-commit: the environment of the hooks is installed once
    hooks: Path
    commit: str

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def configure(self, *names: str, **options: object) -> None:
        hooks = [{"id": name, **options} for name in names]
        config = {"repos": [{"repo": str(self.hooks), "rev": self.commit, "hooks": hooks}]}
        self.write(".pre-commit-config.yaml", yaml.safe_dump(config))
        commit_all(self.folder)

    def pre_commit(self, *arguments: str, **variables: str) -> Done:
        env = {"PRE_COMMIT_HOME": str(self.home), **variables}
        return execute(self.folder, PRE_COMMIT, *arguments, "--color=never", env=env, timeout=300)


@pytest.fixture
def user(tmp_path: Path, hooks: tuple[Path, str], home: Path) -> User:
    folder = tmp_path / "user"
    folder.mkdir()
    made = User(folder, home, *hooks)
    made.write("baselines.yaml", BASELINE % "2s")
    return made


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pre-commit")


@pytest.fixture(scope="module")
def sample_service() -> Iterator[str]:
    with running_demo() as url:
        yield url


# --- Both ------------------------------------------------------------------------------------------------------------


def test_both_run_at_once(user: User, sample_service: str) -> None:
    user.configure("perfcheck-validate", "perfcheck")
    done = user.pre_commit("run", "--hook-stage=manual", "--files", "baselines.yaml", SERVICE=sample_service)
    assert done.code == 0, done.log
    assert re.search(r"^perfcheck validate\.+Passed$", done.log, re.MULTILINE)
    assert re.search(r"^perfcheck run\.+Passed$", done.log, re.MULTILINE)
    assert "1 OK" in done.log


@pytest.mark.parametrize(
    ("hook", "essential"),
    [
        ("perfcheck-validate", {"--allow-unset"}),
        ("perfcheck", {"--skip-unreachable", "--allow-partial", "--budget=10s"}),
    ],
)
def test_required_options_are_in_the_entry(hook: str, essential: set[str]) -> None:
    assert essential <= set(HOOKS[hook]["entry"].split())
    assert "args" not in HOOKS[hook]


# --- perfcheck-validate ----------------------------------------------------------------------------------------------


def test_a_good_baseline_passes_where_its_variables_are_not_set(user: User) -> None:
    user.configure("perfcheck-validate")
    done = user.pre_commit("run", "--all-files", "--verbose")
    assert done.code == 0, done.log
    assert "baselines.yaml: 1 endpoint, no errors; not set: SERVICE" in done.log


def test_a_bad_one_fails_with_its_line(user: User) -> None:
    user.write("services/a/baselines.yml", BAD)
    user.configure("perfcheck-validate")
    done = user.pre_commit("run", "--all-files")
    assert done.code == 1
    assert "services/a/baselines.yml:4:17: error: unknown key 'traget'" in done.log
    assert "- exit code: 2" in done.log


def test_a_commit_of_a_bad_baseline_is_refused(user: User) -> None:
    user.configure("perfcheck-validate")
    assert user.pre_commit("install").code == 0
    user.write("baselines.yaml", BAD)
    refused = execute(user.folder, "git", "commit", "--all", "--message=bad", env={"PRE_COMMIT_HOME": str(user.home)})
    assert refused.code == 1
    assert "traget" in refused.log


def test_only_baselines_are_looked_at(user: User) -> None:
    user.write("other.yaml", BAD)
    user.configure("perfcheck-validate")
    assert "no files to check" in user.pre_commit("run", "--files", "other.yaml").log


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("baselines.yaml", True),
        ("a/b/baselines.yml", True),
        ("a/catalogue.baselines.yaml", True),
        ("baselines.yaml.txt", False),
        ("docs/baselines.schema.json", False),
        ("some-baselines.yaml", False),
        ("baselines.yaml/readme", False),
    ],
)
def test_which_files_are_baselines(name: str, is_one: bool) -> None:  # noqa: FBT001 - a table
    assert bool(re.search(HOOKS["perfcheck-validate"]["files"], name)) == is_one


# --- perfcheck -------------------------------------------------------------------------------------------------------


def test_it_is_not_run_at_every_commit(user: User) -> None:
    user.configure("perfcheck")
    done = user.pre_commit("run", "--all-files", SERVICE=NOWHERE)
    assert done.code == 0, done.log
    assert "perfcheck run" not in done.log


def test_a_service_that_is_up_is_checked_and_shown(user: User, sample_service: str) -> None:
    user.configure("perfcheck")
    done = user.pre_commit("run", "--hook-stage=pre-push", "--all-files", SERVICE=sample_service)
    assert done.code == 0, done.log
    assert "health" in done.log
    assert "1 OK" in done.log


@pytest.mark.parametrize("options", [{}, {"args": ["--quiet", "--fail-on=warning"]}])
def test_one_that_is_not_is_skipped_loudly_whatever_the_args(user: User, options: dict[str, object]) -> None:
    user.configure("perfcheck", **options)
    done = user.pre_commit("run", "--hook-stage=manual", SERVICE=NOWHERE)
    assert done.code == 0, done.log
    assert "warning: SKIPPED, nothing was checked" in done.log


def test_or_fails_when_it_is_required(user: User) -> None:
    user.write("baselines.yaml", (BASELINE % "2s").replace("ready:", "ready_timeout: 100ms, ready:"))
    user.configure("perfcheck", args=["--require-service"])
    done = user.pre_commit("run", "--hook-stage=manual", SERVICE=NOWHERE)
    assert done.code == 1
    assert "- exit code: 3" in done.log


def test_a_push_is_refused_when_the_service_has_become_slow(user: User, sample_service: str, tmp_path: Path) -> None:
    user.write("baselines.yaml", BASELINE % "1us")
    user.configure("perfcheck")
    git(tmp_path, "init", "--quiet", "--bare", "remote")
    assert user.pre_commit("install", "--hook-type=pre-push").code == 0

    def push(service: str) -> Done:
        env = {"PRE_COMMIT_HOME": str(user.home), "SERVICE": service}
        return execute(user.folder, "git", "push", str(tmp_path / "remote"), "main", env=env)

    refused = push(sample_service)
    assert refused.code == 1
    assert "CRITICAL" in refused.log
    assert execute(tmp_path / "remote", "git", "rev-parse", "--verify", "main").code != 0

    skipped = push(NOWHERE)
    assert skipped.code == 0, skipped.log
    assert "SKIPPED" in skipped.log


# --- perfcheck-lint --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("", 1, "app.py:5:1: videos (GET /videos) is not monitored"),
        ("from perfcheck.monitor.flask import init_app\ninit_app(app)\n", 0, "1 monitored"),
    ],
)
def test_handlers_without_a_monitor_are_refused(user: User, body: str, code: int, message: str) -> None:
    user.write(
        "app.py",
        f'from flask import Flask\napp = Flask(__name__)\n\n@app.get("/videos")\ndef videos():\n    return []\n{body}',
    )
    user.configure("perfcheck-lint")
    done = user.pre_commit("run", "--all-files", "--verbose")
    assert done.code == code, done.log
    assert message in done.log
