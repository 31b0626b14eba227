"""The commit and branch of a run: from real checkouts as CI systems make them, and the variables that they document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.repositories import git

from perfcheck.engine.ci import read_ci_build
from perfcheck.engine.environment import EnvironmentProbe
from perfcheck.model import Environment, Severity

MERGE = "refs/pull/12/merge"
CHECKOUTS = ("detached", "shallow", "foreign owner", "no git")


class Origin:
    """A repository with a branch ``feature`` off ``main``, and their merge, as a forge makes one of a pull request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._clones: dict[tuple[str, bool], Path] = {}
        for arguments in (
            ["init", "-q", "-b", "main", "."],
            ["commit", "-q", "--allow-empty", "-m", "base"],
            ["checkout", "-q", "-b", "feature"],
            ["commit", "-q", "--allow-empty", "-m", "head"],
            ["checkout", "-q", "--detach", "main"],
            ["merge", "-q", "--no-ff", "-m", "merge", "feature"],
            ["update-ref", MERGE, "HEAD"],
        ):
            git(folder, *arguments)
        self.base, self.head, self.merge = (git(folder, "rev-parse", name) for name in ("main", "feature", MERGE))

    def clone(self, ref: str, *, shallow: bool = False) -> Path:
        """A detached checkout, in which nothing but this commit has a name."""
        if (ref, shallow) not in self._clones:
            clone = self.folder.with_name(f"clone-{len(self._clones)}")
            clone.mkdir()
            git(clone, "init", "-q", ".")
            git(clone, "fetch", "-q", *(["--depth", "1"] * shallow), f"file://{self.folder}", ref)
            git(clone, "checkout", "-q", "--detach", "FETCH_HEAD")
            self._clones[ref, shallow] = clone
        return self._clones[ref, shallow]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    folder = tmp_path_factory.mktemp("origin") / "repository"
    folder.mkdir()
    return Origin(folder)


@dataclass(frozen=True)
class Case:
    """``BASE``, ``HEAD`` and ``MERGE`` in the values stand for the commits."""

    variables: Mapping[str, str]
    checked_out: str  # main, feature, or the merge
    commit: str
    branch: str | None
    event: Mapping[str, Any] | None = None  # of GitHub and Gitea
    default: str | None = None


def pull_request(source: str, branch: str) -> dict[str, Any]:
    head = {"sha": "HEAD", "ref": branch, "repo": {"full_name": source}}
    base = {"sha": "BASE", "ref": "main", "repo": {"full_name": "acme/shop"}}
    return {"pull_request": {"head": head, "base": base}, "repository": {"default_branch": "main"}}


GITHUB = {"CI": "true", "GITHUB_ACTIONS": "true"}
OF_PULL_REQUEST = {"GITHUB_REF": MERGE, "GITHUB_REF_NAME": "12/merge", "GITHUB_REF_TYPE": "branch"}
GITHUB_PR = {**GITHUB, **OF_PULL_REQUEST, "GITHUB_EVENT_NAME": "pull_request", "GITHUB_SHA": "MERGE"}
GITLAB = {"CI": "true", "GITLAB_CI": "true", "CI_DEFAULT_BRANCH": "main"}
GITLAB_MR = {
    **GITLAB,
    "CI_COMMIT_REF_NAME": "feature",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature",
    "CI_MERGE_REQUEST_PROJECT_PATH": "acme/web/shop",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "acme/web/shop",
}
JENKINS = {"JENKINS_URL": "https://ci.example.org/"}
AZURE = {"TF_BUILD": "True"}
AZURE_PR = {
    **AZURE,
    "BUILD_SOURCEBRANCH": MERGE,
    "BUILD_SOURCEVERSION": "MERGE",
    "SYSTEM_PULLREQUEST_SOURCECOMMITID": "HEAD",
    "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/feature",
    "SYSTEM_PULLREQUEST_ISFORK": "False",
}
BITBUCKET = {"CI": "true", "BITBUCKET_BUILD_NUMBER": "7"}
BUILDKITE = {"CI": "true", "BUILDKITE": "true", "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "main"}
TRAVIS = {"CI": "true", "TRAVIS": "true", "TRAVIS_REPO_SLUG": "acme/shop"}
WOODPECKER = {"CI": "woodpecker", "CI_REPO_DEFAULT_BRANCH": "main"}

CASES = {
    "GitHub, push": Case(
        {**GITHUB, "GITHUB_SHA": "BASE", "GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main"},
        *("main", "BASE", "main"),
        event={"repository": {"default_branch": "main"}},
        default="main",
    ),
    "GitHub, tag": Case(
        {**GITHUB, "GITHUB_SHA": "BASE", "GITHUB_REF_NAME": "v1.4", "GITHUB_REF_TYPE": "tag"}, "main", "BASE", None
    ),
    "GitHub, pull request": Case(
        {**GITHUB_PR, "GITHUB_HEAD_REF": "feature"},
        *("merge", "HEAD", "feature"),
        event=pull_request("acme/shop", "feature"),
        default="main",
    ),
    "GitHub, pull request, its head checked out": Case(
        {**GITHUB_PR, "GITHUB_HEAD_REF": "feature"},
        *("feature", "HEAD", "feature"),
        event=pull_request("acme/shop", "feature"),
        default="main",
    ),
    "GitHub, main of a fork": Case(
        {**GITHUB_PR, "GITHUB_HEAD_REF": "main"},
        *("merge", "HEAD", "octocat:main"),
        event=pull_request("octocat/shop", "main"),
        default="main",
    ),
    "GitHub, pull_request_target": Case(
        {
            **GITHUB,
            "GITHUB_EVENT_NAME": "pull_request_target",
            "GITHUB_SHA": "BASE",
            "GITHUB_REF_NAME": "main",
            "GITHUB_HEAD_REF": "feature",
        },
        *("main", "BASE", "main"),
        event=pull_request("acme/shop", "feature"),
        default="main",
    ),
    "Gitea, pull request": Case(
        {**GITHUB_PR, "GITEA_ACTIONS": "true", "GITHUB_SHA": "HEAD", "GITHUB_HEAD_REF": "feature"},
        *("feature", "HEAD", "feature"),
        event=pull_request("acme/shop", "feature"),
        default="main",
    ),
    "GitLab, branch": Case(
        {**GITLAB, "CI_COMMIT_SHA": "BASE", "CI_COMMIT_BRANCH": "main"}, "main", "BASE", "main", default="main"
    ),
    "GitLab, tag": Case(
        {**GITLAB, "CI_COMMIT_SHA": "BASE", "CI_COMMIT_TAG": "v1.4", "CI_COMMIT_REF_NAME": "v1.4"},
        *("main", "BASE", None),
        default="main",
    ),
    "GitLab, merge request": Case({**GITLAB_MR, "CI_COMMIT_SHA": "HEAD"}, "feature", "HEAD", "feature", default="main"),
    "GitLab, merged results": Case(
        {**GITLAB_MR, "CI_COMMIT_SHA": "MERGE", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "HEAD"},
        *("merge", "HEAD", "feature"),
        default="main",
    ),
    "GitLab, main of a fork": Case(
        {
            **GITLAB_MR,
            "CI_COMMIT_SHA": "HEAD",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "main",
            "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "kim/shop",
        },
        *("feature", "HEAD", "kim:main"),
        default="main",
    ),
    "Jenkins, multibranch": Case(
        {**JENKINS, "GIT_COMMIT": "BASE", "BRANCH_NAME": "main", "GIT_BRANCH": "main", "BRANCH_IS_PRIMARY": "true"},
        *("main", "BASE", "main"),
        default="main",
    ),
    "Jenkins, Git plugin": Case(
        {**JENKINS, "GIT_COMMIT": "HEAD", "GIT_BRANCH": "origin/feature"}, "feature", "HEAD", "feature"
    ),
    "Jenkins, pull request": Case(
        {**JENKINS, "GIT_COMMIT": "HEAD", "BRANCH_NAME": "PR-12", "CHANGE_ID": "12", "CHANGE_BRANCH": "feature"},
        *("feature", "HEAD", "feature"),
    ),
    "Jenkins, main of a fork": Case(
        {
            **JENKINS,
            "GIT_COMMIT": "HEAD",
            "BRANCH_NAME": "PR-12",
            "CHANGE_BRANCH": "main",
            "CHANGE_FORK": "octocat/shop",
        },
        *("feature", "HEAD", "octocat:main"),
    ),
    "Azure, branch": Case(
        {**AZURE, "BUILD_SOURCEBRANCH": "refs/heads/release/1.4", "BUILD_SOURCEVERSION": "BASE"},
        *("main", "BASE", "release/1.4"),
    ),
    "Azure, pull request": Case(AZURE_PR, "merge", "HEAD", "feature"),
    "Azure, main of a fork": Case(
        {**AZURE_PR, "SYSTEM_PULLREQUEST_SOURCEBRANCH": "main", "SYSTEM_PULLREQUEST_ISFORK": "True"},
        *("merge", "HEAD", "fork:main"),
    ),
    "Bitbucket, branch": Case(
        {**BITBUCKET, "BITBUCKET_COMMIT": "BASE", "BITBUCKET_BRANCH": "main"}, "main", "BASE", "main"
    ),
    "Bitbucket, pull request, merged in the build": Case(
        {**BITBUCKET, "BITBUCKET_COMMIT": "HEAD", "BITBUCKET_BRANCH": "feature", "BITBUCKET_PR_ID": "12"},
        *("merge", "HEAD", "feature"),
    ),
    "CircleCI": Case(
        {"CI": "true", "CIRCLECI": "true", "CIRCLE_SHA1": "HEAD", "CIRCLE_BRANCH": "feature"},
        *("feature", "HEAD", "feature"),
    ),
    "Buildkite": Case(
        {**BUILDKITE, "BUILDKITE_COMMIT": "BASE", "BUILDKITE_BRANCH": "main", "BUILDKITE_PULL_REQUEST": "false"},
        *("main", "BASE", "main"),
        default="main",
    ),
    "Buildkite, main of a fork": Case(
        {
            **BUILDKITE,
            "BUILDKITE_COMMIT": "HEAD",
            "BUILDKITE_BRANCH": "main",
            "BUILDKITE_REPO": "git@github.com:acme/shop.git",
            "BUILDKITE_PULL_REQUEST_REPO": "https://github.com/octocat/shop.git",
        },
        *("feature", "HEAD", "octocat:main"),
        default="main",
    ),
    "Travis, branch": Case({**TRAVIS, "TRAVIS_COMMIT": "BASE", "TRAVIS_BRANCH": "main"}, "main", "BASE", "main"),
    "Travis, pull request": Case(
        {
            **TRAVIS,
            "TRAVIS_COMMIT": "MERGE",
            "TRAVIS_BRANCH": "main",
            "TRAVIS_PULL_REQUEST_BRANCH": "feature",
            "TRAVIS_PULL_REQUEST_SHA": "HEAD",
            "TRAVIS_PULL_REQUEST_SLUG": "acme/shop",
        },
        *("merge", "HEAD", "feature"),
    ),
    "Woodpecker, push": Case(
        {**WOODPECKER, "CI_COMMIT_SHA": "BASE", "CI_COMMIT_BRANCH": "main"}, "main", "BASE", "main", default="main"
    ),
    "Woodpecker, pull request": Case(
        {
            **WOODPECKER,
            "CI_COMMIT_SHA": "HEAD",
            "CI_COMMIT_BRANCH": "main",
            "CI_COMMIT_SOURCE_BRANCH": "feature",
            "CI_COMMIT_TARGET_BRANCH": "main",
        },
        *("feature", "HEAD", "feature"),
        default="main",
    ),
}


def filled(text: str, origin: Origin) -> str:
    for name, commit in {"BASE": origin.base, "HEAD": origin.head, "MERGE": origin.merge}.items():
        text = text.replace(f'"{name}"', f'"{commit}"')
    return text


def variables_of(case: Case, origin: Origin, folder: Path) -> dict[str, str]:
    variables: dict[str, str] = json.loads(filled(json.dumps(dict(case.variables)), origin))
    if case.event is not None:
        (folder / "event.json").write_text(filled(json.dumps(case.event), origin), encoding="utf-8")
        variables["GITHUB_EVENT_PATH"] = str(folder / "event.json")
    return variables


def probed(variables: Mapping[str, str]) -> tuple[Environment, EnvironmentProbe]:
    with EnvironmentProbe(variables) as probe:
        return probe.finish(), probe


@pytest.mark.parametrize("checkout", CHECKOUTS)
@pytest.mark.parametrize("name", CASES)
def test_what_ci_systems_report(
    name: str, checkout: str, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    ref = MERGE if case.checked_out == "merge" else case.checked_out
    monkeypatch.chdir(origin.clone(ref, shallow=checkout == "shallow"))
    if checkout == "foreign owner":
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    if checkout == "no git":
        monkeypatch.setenv("PATH", str(tmp_path))
    found, probe = probed(variables_of(case, origin, tmp_path))
    assert (found.commit, found.branch) == (getattr(origin, case.commit.lower()), case.branch)
    assert found.dirty is (False if checkout in {"detached", "shallow"} else None)
    assert not probe.findings


@pytest.mark.parametrize("name", CASES)
def test_the_default_branch_where_the_system_reports_it(name: str, origin: Origin, tmp_path: Path) -> None:
    build = read_ci_build(variables_of(CASES[name], origin, tmp_path))
    assert build is not None
    assert build.default_branch == CASES[name].default
    assert build.system.split()[0].removesuffix("CI") == name.replace(",", "").split()[0].removesuffix("CI")


def test_a_checkout_that_the_build_is_not_of_is_described_by_git(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second repository, or an older commit that the job checks out itself."""
    build = {**GITHUB, "GITHUB_SHA": "0" * 40, "GITHUB_REF_NAME": "main"}
    monkeypatch.chdir(origin.clone("feature"))
    found, _ = probed(build)
    assert (found.commit, found.branch) == (origin.head, None)
    git(tmp_path, "clone", "-q", "-b", "feature", str(origin.folder), "other")
    monkeypatch.chdir(tmp_path / "other")
    found, _ = probed(build)
    assert (found.commit, found.branch) == (origin.head, "feature")


@pytest.mark.parametrize("event", ["", "[]", '{"pull_request": null}', '{"pull_request": {"head": {"sha": 5}}}'])
def test_an_event_that_cannot_be_read(event: str, origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(event, encoding="utf-8")
    event_path = {"GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    build = read_ci_build({**GITHUB_PR, **event_path, "GITHUB_SHA": origin.merge, "GITHUB_HEAD_REF": "feature"})
    assert build is not None
    assert [(known.commit, known.branch) for known in build.commits] == [(origin.merge, "feature")]


def test_names_that_are_no_commits_and_hostile_branches(monkeypatch: pytest.MonkeyPatch, origin: Origin) -> None:
    monkeypatch.chdir(origin.clone("main"))
    found, _ = probed({**BUILDKITE, "BUILDKITE_COMMIT": "HEAD", "BUILDKITE_BRANCH": "\x1b[31mmain"})
    assert (found.commit, found.branch) == (origin.base, "[31mmain")


def test_the_configuration_of_a_repository_runs_no_program(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "-q", str(origin.folder), "clone")
    program, trace = tmp_path / "program", tmp_path / "trace"
    program.write_text(f"#!/bin/sh\ntouch '{trace}'\n", encoding="utf-8")
    program.chmod(0o755)
    git(tmp_path / "clone", "config", "core.fsmonitor", str(program))
    monkeypatch.chdir(tmp_path / "clone")
    found, _ = probed({})
    assert found.commit == origin.merge
    assert not trace.exists()


def test_one_note_with_the_reason_of_git_where_nothing_is_known(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = origin.clone("main")
    monkeypatch.chdir(clone)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    _, probe = probed({})
    (note,) = probe.findings
    assert note.severity is Severity.NOTE
    assert note.message.startswith("the commit and the branch of this run are not known: detected dubious ownership")
    assert note.remedy == f"git config --global --add safe.directory {clone}"
    monkeypatch.setenv("PATH", str(tmp_path))
    _, probe = probed({"CI": "true"})
    (note,) = probe.findings
    assert note.message.endswith("not known: git is not installed, or not on PATH")
    monkeypatch.chdir(tmp_path)
    _, probe = probed({"CI": "true"})
    assert not probe.findings  # not a repository
