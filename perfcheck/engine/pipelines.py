"""The CI pipeline that ``perfcheck init --ci`` writes next to a new baseline."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from perfcheck import __version__
from perfcheck.baseline.context import unset_variables
from perfcheck.engine.default_branch import default_branch
from perfcheck.errors import UsageError
from perfcheck.git import repository_root
from perfcheck.runfile import write_atomically

_FILES = {"github": ".github/workflows/perfcheck.yml", "gitlab": ".gitlab-ci.yml"}
_HEAD = """\
# Written by `perfcheck init`: checks the service against its baseline. Adapt the lines marked CHANGE.
# Targets belong to the machine that measured them. On a slower one, set them from runs there, or compare two commits,
# which needs no target: `perfcheck help compare`.
"""
_GITHUB = (
    _HEAD
    + """\
name: perfcheck
on:
  pull_request:
  push: {{branches: [{branch}]}}
permissions: {{}}

jobs:
  check:
    runs-on: ubuntu-24.04
    timeout-minutes: 15
    permissions: {{contents: read}}
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd  # v6.0.2
        with: {{persist-credentials: false}}
      - uses: actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405  # v6.2.0
        with: {{python-version: "3.13"}}
      - name: Install what the service needs
        run: pip install -r requirements.txt  # CHANGE: packages, settings, data
      - name: Install perfcheck
        run: python -m venv .perfcheck && .perfcheck/bin/pip install perfcheck=={version}
{start}      - name: Check the service
{secrets}        run: .perfcheck/bin/perfcheck {run}
"""
)
_GITHUB_START = """\
      - name: Start the service
        run: ./start-service.sh >service.log 2>&1 &  # CHANGE; perfcheck waits until it responds
"""
_GITLAB = (
    _HEAD
    + """\
perfcheck:
  stage: test
  image: python:3.13-slim  # CHANGE to an image in which the service runs, with Python 3.11 or newer
  timeout: 15 minutes
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  script:
    - pip install -r requirements.txt  # CHANGE: packages, settings, data
    - python3 -m venv .perfcheck
    - .perfcheck/bin/pip install perfcheck=={version}
{start}    - .perfcheck/bin/perfcheck {run} --report console --report junit=junit.xml
  artifacts:
    when: always
    reports:
      junit: junit.xml
"""
)
_GITLAB_START = """\
    - ./start-service.sh >service.log 2>&1 &  # CHANGE; perfcheck waits until it responds
"""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """``is_to_be_pasted``: the file exists, with jobs of its own. ``secrets`` are variables that CI has to set."""

    file: Path
    text: str
    is_to_be_pasted: bool = False
    secrets: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return os.path.relpath(self.file)


def pipeline(
    system: str, baseline: Path, *, starts: bool, force: bool, headers: Iterable[tuple[str, str]] = ()
) -> Pipeline:
    """``starts``: the baseline has the command that starts the service. ``headers``, too, are those of the baseline.

    Raises UsageError for a file that exists.
    """
    root = repository_root(Path.cwd()) or Path.cwd()  # where CI systems look
    file = root / _FILES[system]
    is_kept = file.exists() and not force
    if system == "github" and is_kept:
        raise UsageError(f"{os.path.relpath(file)} exists already", "--force replaces it; or leave out --ci")
    template, start = (_GITHUB, _GITHUB_START) if system == "github" else (_GITLAB, _GITLAB_START)
    relative = os.path.relpath(baseline.absolute(), root)
    words = ["run", *(["-f", relative] if relative != "baselines.yaml" else []), *["--start"] * starts]
    secrets = tuple(dict.fromkeys(name for _, value in headers for name in unset_variables(value)))
    text = template.format(
        branch=_branch(root),
        version=__version__,
        start="" if starts else start,
        secrets=_github_env(secrets),
        run=shlex.join(words),
    )
    return Pipeline(file, text, is_to_be_pasted=is_kept, secrets=secrets)


def _github_env(secrets: tuple[str, ...]) -> str:
    """A job of GitLab has the variables of the project without it."""
    lines = (f"          {name}: ${{{{ secrets.{name} }}}}  # CHANGE\n" for name in secrets)
    return "".join(["        env:\n" * bool(secrets), *lines])


def write_pipeline(made: Pipeline) -> None:
    """Raises UsageError where that fails."""
    try:
        made.file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(made.file, made.text.encode())
    except OSError as error:
        raise UsageError(f"cannot write {made.shown}: {error.strerror}", "leave out --ci") from error


def _branch(root: Path) -> str:
    return default_branch(root, os.environ) or "main"
